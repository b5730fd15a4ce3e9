// Waiting: poll, the FD and EVENTS options, time-outs, signals.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "fixture.hpp"

using namespace contract;

namespace {

// Sends SIGUSR1 (whose handler does nothing) to a thread again and again until it is told to stop:
// one signal alone could come before the thread waits.
class interrupter {
 public:
  explicit interrupter(pthread_t target)
      : thread_([this, target] {
          while (!stopped_) {
            pthread_kill(target, SIGUSR1);
            std::this_thread::sleep_for(5ms);
          }
        }) {}
  ~interrupter() {
    stopped_ = true;
    thread_.join();
  }
  interrupter(const interrupter&) = delete;
  interrupter& operator=(const interrupter&) = delete;

 private:
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

void ignore_user_signal() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
}

}  // namespace

CONTRACT_OVER_ALL("poll: readable and writable") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = pull.bind(Transport::wildcard());
  std::array<slk_pollitem_t, 2> items{
      {{pull.raw(), 0, SLK_POLLIN, 7}, {push.raw(), 0, SLK_POLLOUT, 7}}};
  CHECK(slk_poll(items.data(), 2, 0) == 0);
  CHECK(items[0].revents == 0);
  CHECK(items[1].revents == 0);
  push.connect(endpoint);
  CHECK(slk_poll(items.data(), 2, deadline.count()) == 1);
  CHECK(items[0].revents == 0);
  CHECK(items[1].revents == SLK_POLLOUT);
  push.send_message({"x"});
  CHECK(pull.wait(SLK_POLLIN));
  CHECK(slk_poll(items.data(), 2, -1) == 2);
  CHECK(items[0].revents == SLK_POLLIN);
  CHECK(items[1].revents == SLK_POLLOUT);
}

CONTRACT_OVER_ALL("poll: counts items, not events") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  right.connect(left.bind(Transport::wildcard()));
  right.send_message({"x"});
  REQUIRE(left.wait(SLK_POLLIN));
  REQUIRE(left.wait(SLK_POLLOUT));
  slk_pollitem_t item{left.raw(), 0, SLK_POLLIN | SLK_POLLOUT, 0};
  CHECK(slk_poll(&item, 1, 0) == 1);
  CHECK(item.revents == (SLK_POLLIN | SLK_POLLOUT));
  item.events = 0;
  CHECK(slk_poll(&item, 1, 0) == 0);
  CHECK(item.revents == 0);
}

// Of one socket: for input alone, and for room, of which nobody tells who waits for input.
CONTRACT_OVER_ALL("poll: room wakes a thread that waits for it, also as the second item") {
  context ctx;
  socket full(ctx, SLK_PAIR);
  socket reader(ctx, SLK_PAIR);
  full.set(SLK_SNDHWM, 1);
  reader.set(SLK_RCVHWM, 1);
  reader.connect(full.bind(Transport::wildcard()));
  REQUIRE(full.wait(SLK_POLLOUT));
  full.fill_for_good(std::string(1 << 20, 'x'));
  std::thread reads([&] {
    while (reader.recv().value_or("") != "last") {
    }
  });
  std::array<slk_pollitem_t, 2> items{
      {{full.raw(), 0, SLK_POLLIN, 0}, {full.raw(), 0, SLK_POLLIN | SLK_POLLOUT, 0}}};
  CHECK(slk_poll(items.data(), 2, deadline.count()) == 1);
  CHECK(items[0].revents == 0);
  CHECK(items[1].revents == SLK_POLLOUT);
  full.send_message({"last"});
  reads.join();
}

CONTRACT_OVER_ALL("poll: a message wakes a waiting thread") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  std::atomic<bool> waiting{false};
  std::thread waiter([&] {
    waiting = true;
    for (int i = 0; i < 100; ++i) {
      CHECK(pull.wait(SLK_POLLIN));
      CHECK(pull.recv(SLK_DONTWAIT) == std::to_string(i));
    }
  });
  REQUIRE(eventually([&] { return waiting.load(); }));
  for (int i = 0; i < 100; ++i) {
    push.send_message({std::to_string(i)});
    if (i % 10 == 0) {
      std::this_thread::sleep_for(1ms);  // lets the waiter fall asleep now and then
    }
  }
  waiter.join();
}

TEST_CASE("poll: descriptors beside sockets") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.bind(inproc::wildcard());
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::array<slk_pollitem_t, 3> items{{{pull.raw(), 0, SLK_POLLIN, 0},
                                       {nullptr, ends[0], SLK_POLLIN, 0},
                                       {nullptr, ends[1], SLK_POLLOUT, 0}}};
  CHECK(slk_poll(items.data(), 3, 0) == 1);
  CHECK(items[1].revents == 0);
  CHECK(items[2].revents == SLK_POLLOUT);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  CHECK(slk_poll(items.data(), 2, deadline.count()) == 1);
  CHECK(items[1].revents == SLK_POLLIN);
  char byte = 0;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  ::close(ends[0]);
  CHECK(slk_poll(&items[2], 1, deadline.count()) == 1);
  CHECK((items[2].revents & SLK_POLLERR) != 0);
  ::close(ends[1]);
}

TEST_CASE("poll: time is kept") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.bind(inproc::wildcard());
  const auto start = clock::now();
  CHECK_FALSE(pull.wait(SLK_POLLIN, 60ms));
  CHECK(clock::now() - start >= 60ms);
  const auto pause = clock::now();
  CHECK(slk_poll(nullptr, 0, 30) == 0);
  CHECK(clock::now() - pause >= 30ms);
}

TEST_CASE("time-outs: RCVTIMEO and SNDTIMEO end in EAGAIN, 0 does not wait") {
  context ctx;
  socket pair(ctx, SLK_PAIR);
  pair.bind(inproc::wildcard());
  pair.set(SLK_RCVTIMEO, 50).set(SLK_SNDTIMEO, 50);
  auto start = clock::now();
  CHECK_FALSE(pair.recv());
  CHECK(errno == EAGAIN);
  CHECK(clock::now() - start >= 50ms);
  start = clock::now();
  CHECK(pair.send("x") == -1);
  CHECK(errno == EAGAIN);
  CHECK(clock::now() - start >= 50ms);
  pair.set(SLK_RCVTIMEO, 0).set(SLK_SNDTIMEO, 0);
  CHECK_FALSE(pair.recv());
  CHECK(errno == EAGAIN);
  CHECK(pair.send("x") == -1);
  CHECK(errno == EAGAIN);
  pair.set(SLK_RCVTIMEO, -1);
  CHECK_FALSE(pair.recv(SLK_DONTWAIT));
  CHECK(errno == EAGAIN);
}

CONTRACT_OVER_ALL("recv: a message wakes a blocked receiver") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  right.connect(left.bind(Transport::wildcard()));
  std::thread echo([&] {
    for (int i = 0; i < 200; ++i) {
      const auto message = left.recv();
      CHECK(message);
      left.send(message.value_or(""));
    }
  });
  for (int i = 0; i < 200; ++i) {
    right.send_message({std::to_string(i)});
    CHECK(right.recv() == std::to_string(i));
  }
  echo.join();
}

CONTRACT_OVER_ALL("signals: a blocked recv, send and poll end in EINTR and can be repeated") {
  ignore_user_signal();
  context ctx;
  socket pair(ctx, SLK_PAIR);
  const std::string endpoint = pair.bind(Transport::wildcard());
  {
    const interrupter signals(pthread_self());
    CHECK_FALSE(pair.recv());
    CHECK(errno == EINTR);
    CHECK(pair.send("x") == -1);
    CHECK(errno == EINTR);
    slk_pollitem_t item{pair.raw(), 0, SLK_POLLIN, 0};
    CHECK(slk_poll(&item, 1, -1) == -1);
    CHECK(errno == EINTR);
  }
  socket other(ctx, SLK_PAIR);
  other.connect(endpoint);
  other.send_message({"fine"});
  CHECK(pair.recv() == "fine");
  CHECK(pair.send("too") == 3);
}

CONTRACT_OVER_ALL("events: follow what send and recv would do") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  const std::string endpoint = left.bind(Transport::wildcard());
  CHECK(left.get(SLK_EVENTS) == 0);
  right.connect(endpoint);
  CHECK(eventually([&] { return left.get(SLK_EVENTS) == SLK_POLLOUT; }));
  right.send_message({"x"});
  CHECK(eventually([&] { return left.get(SLK_EVENTS) == (SLK_POLLIN | SLK_POLLOUT); }));
  REQUIRE(left.recv() == "x");
  CHECK(left.get(SLK_EVENTS) == SLK_POLLOUT);
}

CONTRACT_OVER_ALL("events: the second part of a message counts as readable") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"a", "b"});
  REQUIRE(pull.recv() == "a");
  CHECK(pull.can_recv());
  REQUIRE(pull.recv() == "b");
  CHECK_FALSE(pull.can_recv());
}

// The loop that every event loop integration uses: wait for the descriptor, read EVENTS, receive
// until there is nothing, wait again. No message may be left behind without the descriptor telling.
CONTRACT_OVER_ALL("fd: the documented loop misses nothing") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  const int fd = pull.get(SLK_FD);
  REQUIRE(fd >= 0);
  constexpr int many = 2000;
  std::thread sender([&] {
    for (int i = 0; i < many; ++i) {
      push.send(std::to_string(i));
      if (i % 100 == 0) {
        std::this_thread::sleep_for(1ms);  // lets the reader run dry
      }
    }
  });
  int received = 0;
  while (received < many) {
    bool progress = false;
    while (pull.can_recv()) {
      const auto message = pull.try_recv();
      CHECK(message == std::to_string(received));
      ++received;
      progress = true;
    }
    if (received < many && !is_readable(fd) && !progress) {
      break;
    }
  }
  CHECK(received == many);
  sender.join();
}

CONTRACT_OVER_ALL("fd: tells that sending became possible") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = push.bind(Transport::wildcard());
  const int fd = push.get(SLK_FD);
  REQUIRE_FALSE(push.can_send());
  socket pull(ctx, SLK_PULL);
  pull.connect(endpoint);
  while (!push.can_send()) {
    REQUIRE(is_readable(fd));
  }
  CHECK(push.try_send("x"));
}

CONTRACT_OVER_ALL("fd: falls silent once EVENTS was read and nothing is there") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"x"});
  REQUIRE(pull.recv() == "x");
  const int fd = pull.get(SLK_FD);
  CHECK(eventually([&] { return !pull.can_recv() && !is_readable(fd, 0ms); }));
}
