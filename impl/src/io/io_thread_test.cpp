#include "io/io_thread.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "base/asymmetric_fence.hpp"

namespace slk {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;

// Runs on the thread and waits for it. False: it did not within patience.
template <class Call>
bool run_on(io_thread& io, Call call) {
  auto done = std::make_shared<std::promise<void>>();
  auto finished = done->get_future();
  io.post([call, done] {
    call();
    done->set_value();
  });
  return finished.wait_for(patience) == std::future_status::ready;
}

class counting_patrol final : public patrolled {
 public:
  explicit counting_patrol(int looks_wanted) : looks_left_(looks_wanted) {}
  look on_patrol() noexcept override {
    ++looks;
    if (--looks_left_ > 0) {
      return look::watch;
    }
    done.set_value();
    return look::idle;
  }
  int looks = 0;
  std::promise<void> done;

 private:
  int looks_left_;
};

class pipe_handler final : public event_handler {
 public:
  explicit pipe_handler(io_thread& io) : io_(io) {
    REQUIRE(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
  }
  ~pipe_handler() override {
    ::close(ends[0]);
    ::close(ends[1]);
    if (destroyed != nullptr) {
      destroyed->set_value();
    }
  }
  void on_events(std::uint32_t) noexcept override {
    ++events;
    if (retire_other != nullptr) {
      io_.unwatch(retire_other->ends[0]);
      io_.retire(*retire_other);
      io_.unwatch(ends[0]);
      io_.retire(*this);
      alive_after_retire = events == 1;  // this object is still here
      seen.set_value();
    }
  }
  std::array<int, 2> ends{};
  int events = 0;
  bool alive_after_retire = false;
  pipe_handler* retire_other = nullptr;
  std::promise<void> seen;
  std::promise<void>* destroyed = nullptr;

 private:
  io_thread& io_;
};

}  // namespace

TEST_CASE("io_thread: posted commands run in order") {
  io_thread io;
  io.start();
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) {
    io.post([&order, i] { order.push_back(i); });
  }
  REQUIRE(run_on(io, [] {}));
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("io_thread: stop runs what was posted before, and returns") {
  // The last command may still wait when the thread learns that it is to stop.
  for (int round = 0; round < 300; ++round) {
    auto io = std::make_unique<io_thread>();
    io->start();
    std::atomic<bool> ran{false};
    if (round % 2 == 0) {
      REQUIRE(run_on(*io, [] {}));
    }
    io->post([&ran] { ran = true; });
    auto stopped = std::async(std::launch::async, [&io] { io->stop(); });
    if (stopped.wait_for(patience) != std::future_status::ready) {
      io->post([] {});  // gets it out of its sleep, so that the test ends
      stopped.get();
      FAIL("stop() hangs");
    }
    CHECK(ran.load());
  }
}

TEST_CASE("io_thread: timers run in the order of their time, cancelled ones never") {
  io_thread io;
  io.start();
  std::vector<int> order;
  std::promise<void> last;
  timer third(io.timers(), [&] {
    order.push_back(3);
    last.set_value();
  });
  timer first(io.timers(), [&] { order.push_back(1); });
  timer doomed(io.timers(), [&] { order.push_back(99); });
  timer second(io.timers(), [&] { order.push_back(2); });
  REQUIRE(run_on(io, [&] {
    third.start(300);  // far enough, however long the next lines take
    first.start(5);
    doomed.start(10);
    second.start(1);
    second.start(150);  // begins anew
    doomed.cancel();
    doomed.cancel();
    CHECK(second.running());
    CHECK_FALSE(doomed.running());
  }));
  REQUIRE(last.get_future().wait_for(patience) == std::future_status::ready);
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("io_thread: a timer may cancel another that is due as well, or start itself again") {
  io_thread io;
  io.start();
  std::vector<int> order;
  std::promise<void> last;
  timer second(io.timers(), [&] { order.push_back(2); });
  timer* again = nullptr;
  timer first(io.timers(), [&] {
    order.push_back(1);
    second.cancel();
    if (order.size() == 2) {
      last.set_value();
    } else {
      again->start(1);
    }
  });
  again = &first;
  REQUIRE(run_on(io, [&] {
    first.start(1);
    second.start(1);
  }));
  REQUIRE(last.get_future().wait_for(patience) == std::future_status::ready);
  CHECK(order == std::vector<int>{1, 1});
}

TEST_CASE("io_thread: the patrol looks until it is told to forget") {
  register_asymmetric_fence();
  io_thread io;
  io.start();
  for (int round = 0; round < 50; ++round) {
    auto armed = std::make_shared<counting_patrol>(3);
    auto done = armed->done.get_future();
    io.arm(armed);
    REQUIRE(done.wait_for(patience) == std::future_status::ready);
    CHECK(armed->looks == 3);
  }
}

TEST_CASE("io_thread: arming wakes a thread that sleeps without a timer") {
  io_thread io;
  io.start();
  REQUIRE(run_on(io, [] {}));
  for (int round = 0; round < 200; ++round) {
    std::vector<std::shared_ptr<counting_patrol>> several;
    for (int i = 0; i < 3; ++i) {
      several.push_back(std::make_shared<counting_patrol>(1));
      io.arm(several.back());
    }
    for (const auto& one : several) {
      REQUIRE(one->done.get_future().wait_for(patience) == std::future_status::ready);
    }
  }
}

TEST_CASE("io_thread: a handler retired inside a dispatch sees no more events of its batch") {
  io_thread io;
  io.start();
  auto first = std::make_shared<pipe_handler>(io);
  auto second = std::make_shared<pipe_handler>(io);
  first->retire_other = second.get();
  second->retire_other = first.get();
  auto seen_first = first->seen.get_future();
  auto seen_second = second->seen.get_future();
  std::promise<void> destroyed;
  first->destroyed = &destroyed;
  // Both are readable before either is watched, so that they come in one batch.
  REQUIRE(::write(first->ends[1], "x", 1) == 1);
  REQUIRE(::write(second->ends[1], "x", 1) == 1);
  REQUIRE(run_on(io, [&] {
    io.adopt(first);
    io.adopt(second);
    CHECK(io.watch(first->ends[0], EPOLLIN, *first) == 0);
    CHECK(io.watch(second->ends[0], EPOLLIN, *second) == 0);
  }));
  REQUIRE(run_on(io, [] {}));
  CHECK(first->events + second->events == 1);
  CHECK((first->alive_after_retire || second->alive_after_retire));
  first.reset();
  CHECK(destroyed.get_future().wait_for(patience) == std::future_status::ready);
}

TEST_CASE("io_thread: load is what the sessions say") {
  io_thread io;
  io.adjust_load(+2);
  io.adjust_load(-1);
  CHECK(io.load() == 1);
}

}  // namespace slk
