#include "io/signaler.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <atomic>
#include <thread>

namespace slk {
namespace {

constexpr int patience_ms = 10'000;

bool raised(const signaler& signal, int wait_ms = 0) {
  pollfd item{signal.fd(), POLLIN, 0};
  return ::poll(&item, 1, wait_ms) == 1;
}

}  // namespace

TEST_CASE("signaler: nobody asleep, nothing raised") {
  register_asymmetric_fence();
  signaler signal;
  signal.wake_if_sleeping();
  CHECK_FALSE(raised(signal));
}

TEST_CASE("signaler: raised once per sleep, lowered by its end") {
  register_asymmetric_fence();
  signaler signal;
  signal.prepare_sleep(false);
  CHECK(signal.armed());
  signal.wake_if_sleeping();
  CHECK_FALSE(signal.armed());
  signal.wake_if_sleeping();
  CHECK(raised(signal));
  signal.finish_sleep();
  CHECK_FALSE(raised(signal));
  signal.prepare_sleep(false);
  signal.finish_sleep();  // no sleep after all
  signal.wake_if_sleeping();
  CHECK_FALSE(raised(signal));
}

TEST_CASE("signaler: room ends the sleep of who waits for it, and of nobody else") {
  register_asymmetric_fence();
  signaler signal;
  signal.prepare_sleep(true);
  signal.wake_if_awaiting_room();
  CHECK(signal.armed());
  signal.await_room();
  signal.wake_if_awaiting_room();
  CHECK_FALSE(signal.armed());
  CHECK(raised(signal));
  signal.finish_sleep();
  signal.prepare_sleep(false);  // the next sleep is for something else again
  signal.wake_if_awaiting_room();
  CHECK(signal.armed());
  signal.finish_sleep();
  signal.await_room();  // nobody sleeps
  signal.wake_if_awaiting_room();
  CHECK_FALSE(raised(signal));
}

TEST_CASE("signaler: room ends a sleep on the word") {
  register_asymmetric_fence();
  signaler signal;
  signal.prepare_sleep(false, signaler::place::word);
  signal.await_room();
  CHECK(signal.wait(deadline::in_ms(1)) == 0);  // nobody came
  CHECK(signal.armed());
  signal.wake_if_awaiting_room();
  CHECK(signal.wait(deadline::in_ms(-1)) == 0);
  signal.finish_sleep();
}

TEST_CASE("signaler: a sleep on the word ends by a wake-up, at once if it came first") {
  register_asymmetric_fence();
  signaler signal;
  unsigned vain_fences = 0;
  signal.prepare_sleep(true, signaler::place::word);
  signal.wake_if_sleeping_often(vain_fences);
  CHECK_FALSE(signal.armed());
  CHECK(signal.wait(deadline::in_ms(-1)) == 0);
  signal.finish_sleep();
  CHECK_FALSE(raised(signal));
  signal.prepare_sleep(true, signaler::place::word);
  CHECK(signal.wait(deadline::in_ms(1)) == 0);  // nobody came
  CHECK(signal.armed());
  signal.finish_sleep();
  signal.prepare_sleep(true);  // the other way is as it was
  signal.wake_if_sleeping_often(vain_fences);
  CHECK(raised(signal));
  signal.finish_sleep();
  CHECK_FALSE(raised(signal));
}

TEST_CASE("signaler: a ping-pong of two sleepers loses no wake-up") {
  bool frequent = false;
  bool on_word = false;
  SUBCASE("woken now and then") {}
  SUBCASE("woken often") {
    frequent = true;
  }
  SUBCASE("asleep on the word") {
    on_word = true;
  }
  SUBCASE("asleep on the word, woken often") {
    on_word = frequent = true;
  }
  register_asymmetric_fence();
  constexpr int rounds = 5'000;
  signaler to_a;
  signaler to_b;
  std::atomic<int> ball{0};  // even: a's turn
  std::atomic<bool> lost{false};
  const auto comes = [](signaler& own, bool at_word) {
    if (!at_word) {
      return raised(own, patience_ms);
    }
    const deadline until = deadline::in_ms(patience_ms);
    return own.wait(until) == 0 && !until.passed();
  };
  const auto play = [&](int parity, signaler& own, signaler& other) {
    unsigned vain_fences = 0;
    for (;;) {
      while (!lost.load() && ball.load(std::memory_order_acquire) % 2 != parity) {
        own.prepare_sleep(frequent, on_word ? signaler::place::word : signaler::place::descriptor);
        if (ball.load(std::memory_order_acquire) % 2 != parity && !lost.load() &&
            !comes(own, on_word)) {
          lost.store(true);
        }
        own.finish_sleep();
      }
      const int at = ball.load(std::memory_order_acquire);
      ball.store(at + 1, std::memory_order_release);
      frequent ? other.wake_if_sleeping_often(vain_fences) : other.wake_if_sleeping();
      if (at + 2 > rounds || lost.load()) {
        return;
      }
    }
  };
  std::thread b([&] { play(1, to_b, to_a); });
  play(0, to_a, to_b);
  b.join();
  CHECK_FALSE(lost.load());
  CHECK(ball.load() >= rounds);
}

}  // namespace slk
