// Sockets and several threads: what ends a call that waits on another thread. And the child of a
// fork, which has none of the threads.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>

#include "fixture.hpp"

namespace contract {

namespace {

constexpr int every_type[] = {SLK_PAIR, SLK_DEALER, SLK_ROUTER, SLK_PULL, SLK_PUSH};

// A call that waits for ever on a socket that nobody is connected to, and its errno.
struct waiting_call {
  const char* name;
  int impossible_for;  // a socket type; -1: none
  int (*run)(void* socket);
};

int wait_in_send(void* socket) {
  // A ROUTER waits for room only where it must not drop, and at a peer that is known.
  return slk_send(socket, "x", 1, 0) < 0 ? errno : 0;
}
int wait_in_recv(void* socket) {
  char byte = 0;
  return slk_recv(socket, &byte, 1, 0) < 0 ? errno : 0;
}
int wait_in_msg_recv(void* socket) {
  slk_msg_t msg;
  slk_msg_init(&msg);
  const int error = slk_msg_recv(&msg, socket, 0) < 0 ? errno : 0;
  slk_msg_close(&msg);
  return error;
}
int wait_in_poll(void* socket) {
  slk_pollitem_t twice[] = {{socket, 0, SLK_POLLIN, 0}, {socket, 0, SLK_POLLIN, 0}};
  return slk_poll(twice, 2, -1) < 0 ? errno : 0;
}

constexpr waiting_call waiting_calls[] = {
    {"send", SLK_PULL, wait_in_send},
    {"recv", SLK_PUSH, wait_in_recv},
    {"msg_recv", SLK_PUSH, wait_in_msg_recv},
    {"poll", -1, wait_in_poll},
};

bool can_wait(const waiting_call& call, int type) {
  return type != call.impossible_for && !(call.run == wait_in_send && type == SLK_ROUTER);
}

// Begins the call on a thread of its own and gives it the time to get to its wait.
std::future<int> begin(const waiting_call& call, void* socket) {
  std::promise<void> started;
  auto is_started = started.get_future();
  auto result = std::async(std::launch::async, [&call, socket, at = std::move(started)]() mutable {
    at.set_value();
    return call.run(socket);
  });
  is_started.wait();
  std::this_thread::sleep_for(3ms);  // either side of the wait is legal; mostly within it
  return result;
}

// How often the I/O threads of this process have gone to sleep until now.
long sleeps_of_io_threads() {
  long sleeps = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(thread.path() / "comm") >> name;
    if (name != "slk-io") {
      continue;
    }
    std::ifstream status(thread.path() / "status");
    for (std::string word; status >> word;) {
      if (word == "voluntary_ctxt_switches:") {
        long count = 0;
        status >> count;
        sleeps += count;
      }
    }
  }
  return sleeps;
}

}  // namespace

TEST_CASE("threads: closing a socket ends the call that waits on it, with ENOTSOCK") {
  for (const int type : every_type) {
    for (const waiting_call& call : waiting_calls) {
      if (!can_wait(call, type)) {
        continue;
      }
      CAPTURE(type);
      CAPTURE(call.name);
      context ctx;
      void* raw = slk_socket(ctx.raw(), type);
      REQUIRE(raw != nullptr);
      auto waiting = begin(call, raw);
      CHECK(slk_close(raw) == 0);
      REQUIRE(waiting.wait_for(deadline) == std::future_status::ready);
      CHECK(waiting.get() == ENOTSOCK);
      CHECK(slk_close(raw) == -1);
      CHECK(errno == ENOTSOCK);
      CHECK(slk_send(raw, "x", 1, 0) == -1);
      CHECK(errno == ENOTSOCK);
    }
  }
}

TEST_CASE("threads: ending a context ends every call that waits, with ETERM") {
  for (const int type : every_type) {
    for (const waiting_call& call : waiting_calls) {
      if (!can_wait(call, type)) {
        continue;
      }
      CAPTURE(type);
      CAPTURE(call.name);
      context ctx;
      void* raw = slk_socket(ctx.raw(), type);
      REQUIRE(raw != nullptr);
      auto waiting = begin(call, raw);
      auto ended = std::async(std::launch::async, [&] { return ctx.term(); });
      REQUIRE(waiting.wait_for(deadline) == std::future_status::ready);
      CHECK(waiting.get() == ETERM);
      CHECK(slk_close(raw) == 0);
      CHECK(ended.get() == 0);
    }
  }
}

TEST_CASE("threads: a ROUTER that waits for room is woken as well") {
  for (const bool by_close : {true, false}) {
    context ctx;
    socket dealer(ctx, SLK_DEALER);
    dealer.set(SLK_ROUTING_ID, "full").set(SLK_RCVHWM, 1);
    void* router = slk_socket(ctx.raw(), SLK_ROUTER);
    const int one = 1;
    REQUIRE(slk_setsockopt(router, SLK_ROUTER_MANDATORY, &one, sizeof one) == 0);
    REQUIRE(slk_setsockopt(router, SLK_SNDHWM, &one, sizeof one) == 0);
    const std::string name = inproc::unbound();
    REQUIRE(slk_bind(router, name.c_str()) == 0);
    dealer.connect(name);
    while (slk_send_to(router, "full", 4, "x", 1, SLK_DONTWAIT) == 1) {
    }
    REQUIRE(errno == EAGAIN);
    auto waiting = std::async(std::launch::async, [router] {
      return slk_send_to(router, "full", 4, "x", 1, 0) < 0 ? errno : 0;
    });
    std::this_thread::sleep_for(3ms);
    if (by_close) {
      CHECK(slk_close(router) == 0);
      CHECK(waiting.get() == ENOTSOCK);
    } else {
      REQUIRE(slk_ctx_shutdown(ctx.raw()) == 0);
      CHECK(waiting.get() == ETERM);
      CHECK(slk_close(router) == 0);
    }
  }
}

CONTRACT_OVER_ALL("threads: closing in the midst of traffic is an error there, never a crash") {
  context ctx;
  for (int round = 0; round < 40; ++round) {
    socket pull(ctx, SLK_PULL);
    const std::string endpoint = pull.bind(Transport::wildcard());
    void* push = slk_socket(ctx.raw(), SLK_PUSH);
    REQUIRE(slk_connect(push, endpoint.c_str()) == 0);
    std::atomic<int> sent{0};
    auto sending = std::async(std::launch::async, [&] {
      while (slk_send(push, "x", 1, 0) == 1) {
        ++sent;
      }
      return errno;
    });
    REQUIRE(pull.recv() == "x");
    REQUIRE(slk_close(push) == 0);
    REQUIRE(sending.wait_for(deadline) == std::future_status::ready);
    CHECK(sending.get() == ENOTSOCK);
    int received = 1;
    while (received < sent && pull.recv()) {
      ++received;
    }
    CHECK(received == sent);
  }
}

CONTRACT_OVER_ALL("threads: a socket goes from thread to thread, behind a mutex") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  constexpr int message_count = 600;
  std::mutex push_mutex;
  std::mutex pull_mutex;
  int sent = 0;
  int received = 0;
  const auto send_some = [&] {
    for (bool more = true; more;) {
      const std::lock_guard lock(push_mutex);
      for (int i = 0; i < 7 && sent < message_count; ++i, ++sent) {
        push.send_message({std::to_string(sent), std::string(100, 'x')});
      }
      more = sent < message_count;
    }
  };
  const auto receive_some = [&] {
    for (bool more = true; more;) {
      const std::lock_guard lock(pull_mutex);
      for (int i = 0; i < 5 && received < message_count; ++i, ++received) {
        CHECK(pull.recv_message().front() == std::to_string(received));
      }
      more = received < message_count;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back(send_some);
    threads.emplace_back(receive_some);
  }
  for (std::thread& one : threads) {
    one.join();
  }
  CHECK(received == message_count);
}

CONTRACT_OVER_ALL("fork: the child has no sockets, and its end takes nothing from the parent") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  push.connect(endpoint);
  push.send_message({"before"});
  REQUIRE(pull.recv() == "before");
  push.send_message({"unread"});
  const pid_t child = ::fork();
  if (child == 0) {
    // Bit by bit what was not as it should be. A test framework has no business here.
    int wrong = 0;
    int bit = 1;
    const auto expect = [&](bool is_so) {
      wrong |= is_so ? 0 : bit;
      bit *= 2;
    };
    char byte = 0;
    expect(slk_send(push.raw(), "x", 1, SLK_DONTWAIT) == -1 && errno == ENOTSOCK);
    expect(slk_recv(pull.raw(), &byte, 1, SLK_DONTWAIT) == -1 && errno == ENOTSOCK);
    expect(slk_unbind(pull.raw(), endpoint.c_str()) == -1 && errno == ENOTSOCK);
    expect(slk_close(push.raw()) == -1 && errno == ENOTSOCK);
    expect(slk_socket(ctx.raw(), SLK_PULL) == nullptr && errno == EFAULT);
    expect(slk_ctx_shutdown(ctx.raw()) == -1 && errno == EFAULT);
    expect(slk_ctx_term(ctx.raw()) == -1 && errno == EFAULT);
    ::_exit(wrong);
  }
  REQUIRE(child > 0);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(pull.recv() == "unread");
  push.send_message({"after"});
  CHECK(pull.recv() == "after");
  socket late(ctx, SLK_PUSH);  // the listener is there as before
  late.connect(endpoint);
  late.send_message({"late"});
  CHECK(pull.recv() == "late");
}

TEST_CASE(
    "threads: a sender and a receiver on one CPU, far more than the caches hold between them") {
  cpu_set_t before;
  CPU_ZERO(&before);
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  context home;
  socket sender(home, SLK_PUSH);
  socket receiver(home, SLK_PULL);
  for (socket* each : {&sender, &receiver}) {
    each->set(SLK_SNDHWM, 0);
    each->set(SLK_RCVHWM, 0);
  }
  REQUIRE(slk_bind(receiver.raw(), "inproc://one-cpu") == 0);
  REQUIRE(slk_connect(sender.raw(), "inproc://one-cpu") == 0);
  // Only now, as a program may: the sockets were made by a thread with all CPUs.
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);

  constexpr int count = 600;
  std::atomic<int> failures{0};
  std::thread sending([&] {
    std::string message(60'000, 'x');
    for (int number = 0; number < count; ++number) {
      std::memcpy(message.data(), &number, sizeof number);
      failures += slk_send(sender.raw(), message.data(), message.size(), 0) < 0 ? 1 : 0;
    }
  });
  std::string message(60'000, ' ');
  int in_order = 0;
  for (int number = 0; number < count; ++number) {
    if (number % 2 != 0) {  // as well as by a poll
      slk_pollitem_t item{receiver.raw(), 0, SLK_POLLIN, 0};
      static_cast<void>(slk_poll(&item, 1, 10'000));
    }
    int got = -1;
    const int size = slk_recv(receiver.raw(), message.data(), message.size(), 0);
    std::memcpy(&got, message.data(), sizeof got);
    in_order += size == 60'000 && got == number ? 1 : 0;
  }
  sending.join();
  CHECK(in_order == count);
  CHECK(failures == 0);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}

CONTRACT_OVER_STREAMS(
    "threads: a conversation leaves the I/O thread asleep, also after a silence") {
  constexpr int trips = 2000;
  context ctx;
  socket asks(ctx, SLK_PAIR);
  socket answers(ctx, SLK_PAIR);
  asks.connect(answers.bind(Transport::wildcard()));
  REQUIRE(asks.send("x") == 1);
  REQUIRE(answers.recv() == "x");
  for (int silence = 0; silence < 3; ++silence) {
    std::this_thread::sleep_for(silence * patience);  // for which the I/O thread takes notice of it
    const long before = sleeps_of_io_threads();
    std::thread other([&] {
      for (int i = 0; i < trips; ++i) {
        if (!answers.recv() || answers.send("y") != 1) {
          return;
        }
      }
    });
    int answered = 0;
    while (answered < trips && asks.send("x") == 1 && asks.recv()) {
      ++answered;
    }
    other.join();
    REQUIRE(answered == trips);
    // It may look now and then, but is not woken by a message.
    CHECK(sleeps_of_io_threads() - before < trips / 10);
  }
}

}  // namespace contract
