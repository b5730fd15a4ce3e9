// Signals without SA_RESTART: a call that waits says EINTR, and nothing is lost by it.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstring>

#include "fixture.hpp"

namespace contract {

namespace {

constexpr int message_count = 3000;

void ignore(int) {}

// SIGUSR1 is answered by a handler that does nothing.
class handled_signal {
 public:
  handled_signal() {
    struct sigaction action{};
    action.sa_handler = ignore;
    REQUIRE(sigaction(SIGUSR1, &action, &before_) == 0);
  }
  ~handled_signal() { sigaction(SIGUSR1, &before_, nullptr); }
  handled_signal(const handled_signal&) = delete;
  handled_signal& operator=(const handled_signal&) = delete;

 private:
  struct sigaction before_{};
};

template <class Call>
void retried(std::atomic<int>& interrupted, Call call) {
  int result = 0;
  while ((result = call()) < 0 && errno == EINTR) {
    ++interrupted;
  }
  CHECK(result >= 0);
}

}  // namespace

CONTRACT_OVER_ALL("signals: a storm of them interrupts calls that wait, and loses nothing") {
  const handled_signal handler;
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.set(SLK_SNDHWM, 2);
  pull.set(SLK_RCVHWM, 2);
  push.connect(pull.bind(Transport::wildcard()));
  std::atomic<int> interrupted{0};
  std::atomic<bool> over{false};
  std::thread sender([&] {
    const std::string rest(20'000, 'x');
    for (int i = 0; i < message_count; ++i) {
      retried(interrupted, [&] { return slk_send(push.raw(), &i, sizeof i, SLK_SNDMORE); });
      retried(interrupted, [&] { return slk_send(push.raw(), rest.data(), rest.size(), 0); });
    }
  });
  std::thread storm([&, receiver = ::pthread_self()] {
    while (!over) {
      ::pthread_kill(sender.native_handle(), SIGUSR1);
      ::pthread_kill(receiver, SIGUSR1);
      std::this_thread::sleep_for(50us);
    }
  });
  for (int expected = 0; expected < message_count; ++expected) {
    char bytes[20'000];
    int number = -1;
    retried(interrupted, [&] { return slk_recv(pull.raw(), &number, sizeof number, 0); });
    REQUIRE(number == expected);
    retried(interrupted, [&] { return slk_recv(pull.raw(), bytes, sizeof bytes, 0); });
  }
  // Nothing comes: this one waits, and is interrupted.
  retried(interrupted, [&] {
    char byte = 0;
    const int result = slk_recv(pull.raw(), &byte, 1, 0);
    return result < 0 && interrupted > 0 ? 0 : result;
  });
  over = true;
  storm.join();
  sender.join();
  CHECK(interrupted > 0);
}

}  // namespace contract
