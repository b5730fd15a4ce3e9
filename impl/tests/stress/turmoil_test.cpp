// Peers come and go, contexts end in the middle of calls: nothing hangs, nothing leaks, and what
// arrives is whole, in order and at most once.

#include "stress.hpp"

namespace stress {

namespace {

using clock = std::chrono::steady_clock;

struct stop_after {
  clock::time_point end;
  explicit stop_after(int ms) : end(clock::now() + std::chrono::milliseconds(ms)) {}
  [[nodiscard]] bool over() const { return clock::now() >= end; }
};

}  // namespace

TEST_CASE("stress: sockets are opened and closed while their peers send") {
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    socket pull(home, SLK_PULL);
    const std::string endpoint = pull.bind(fresh_endpoint(transport));
    pull.set(SLK_RCVTIMEO, 50);
    const stop_after run(700);
    std::atomic<int> senders_running{2};
    std::vector<std::thread> threads;
    for (std::uint32_t thread = 0; thread < 2; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint32_t life = 0; life < 9 || !run.over(); ++life) {
          socket push(home, SLK_PUSH);
          push.set(SLK_SNDTIMEO, 200)
              .set(SLK_LINGER, life % 3 == 0   ? 0
                               : life % 3 == 1 ? 10
                                               : 2000);
          push.connect(endpoint);
          const std::uint32_t source = thread << 20 | life;
          for (std::uint32_t i = 0; i < life % 40; ++i) {
            push.send(numbered(source, i, i * 5));
          }
          if (life % 5 == 0) {
            push.send("half a message", SLK_SNDMORE);
          }
        }
        --senders_running;
      });
    }
    ledger seen;
    std::string bytes;
    bool well = true;
    while (well) {
      std::uint32_t source = 0;
      std::uint32_t number = 0;
      if (pull.recv(bytes)) {
        well = !pull.more() && parse(bytes, source, number) && seen.enter(source, number);
      } else if (senders_running == 0) {
        break;
      }
    }
    for (auto& one : threads) {
      one.join();
    }
    CHECK(well);
    CHECK(seen.entered() > 0);
  }
}

TEST_CASE("stress: a lingering sender loses nothing, however soon it closes") {
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    socket pull(home, SLK_PULL);
    const std::string endpoint = pull.bind(fresh_endpoint(transport));
    constexpr std::uint32_t lives = 60;
    constexpr std::uint32_t each = 50;
    std::thread sender([&] {
      for (std::uint32_t life = 0; life < lives; ++life) {
        socket push(home, SLK_PUSH);
        push.set(SLK_LINGER, -1).connect(endpoint);
        for (std::uint32_t i = 0; i < each; ++i) {
          push.send(numbered(life, i, i * 100));
        }
      }
    });
    ledger seen;
    std::string bytes;
    bool well = true;
    for (std::uint32_t i = 0; i < lives * each && well; ++i) {
      well = pull.recv(bytes);
      std::uint32_t source = 0;
      std::uint32_t number = 0;
      // The buffer cuts long ones off; the head says all.
      well = well && parse(bytes, source, number) && seen.enter(source, number);
    }
    sender.join();
    CHECK(well);
    CHECK(seen.missing() == 0);
    CHECK(seen.entered() == lives * each);
  }
}

TEST_CASE("stress: the listener comes and goes under connected senders") {
  for (const std::string transport : {"tcp", "ipc"}) {
    CAPTURE(transport);
    const context home;
    std::string endpoint;
    {
      socket first(home, SLK_PULL);
      endpoint = first.bind(fresh_endpoint(transport));
    }
    const stop_after run(1200);
    const stop_after patience(patience_ms);
    std::atomic<bool> is_enough{false};
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (std::uint32_t source = 0; source < 3; ++source) {
      threads.emplace_back([&, source] {
        socket push(home, SLK_PUSH);
        push.set(SLK_RECONNECT_IVL, 1).set(SLK_SNDHWM, 20).set(SLK_SNDTIMEO, 100);
        push.connect(endpoint);
        for (std::uint32_t i = 0; !is_enough; ++i) {
          // Two parts, of which a large second one may be cut off by the connection's end.
          if (push.send("head", SLK_SNDMORE) &&
              !push.send(numbered(source, i, i % 50 == 0 ? 100'000 : 20))) {
            ++failures;  // once begun, a message has its place
          }
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
      });
    }
    ledger seen;
    bool well = true;
    while (well && (!run.over() || (seen.entered() == 0 && !patience.over()))) {
      socket pull(home, SLK_PULL);
      pull.set(SLK_RCVTIMEO, 20);
      if (pull.bind(endpoint).empty()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;  // the last one's descriptor is still on its way out
      }
      std::string bytes;
      for (int i = 0; i < 60 && well; ++i) {
        if (pull.recv(bytes)) {
          std::uint32_t source = 0;
          std::uint32_t number = 0;
          well = bytes == "head" && pull.more() && pull.recv(bytes) && !pull.more() &&
                 parse(bytes, source, number) && seen.enter(source, number);
        }
      }
    }
    is_enough = true;
    for (auto& one : threads) {
      one.join();
    }
    CHECK(well);
    CHECK(failures == 0);
    CHECK(seen.entered() > 0);
  }
}

TEST_CASE("stress: a context ends while threads are inside calls") {
  for (int round = 0; round < 15; ++round) {
    CAPTURE(round);
    void* home = slk_ctx_new();
    REQUIRE(home != nullptr);
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (const std::string transport : {"tcp", "ipc", "inproc"}) {
      void* pull = slk_socket(home, SLK_PULL);
      REQUIRE(pull != nullptr);
      REQUIRE(slk_bind(pull, fresh_endpoint(transport).c_str()) == 0);
      char endpoint[256];
      size_t size = sizeof endpoint;
      REQUIRE(slk_getsockopt(pull, SLK_LAST_ENDPOINT, endpoint, &size) == 0);
      const std::string target = endpoint;
      threads.emplace_back([&failures, pull, round] {
        char buffer[64];
        int left = round * 10;  // then it reads no more, and its peer blocks
        while (slk_recv(pull, buffer, sizeof buffer, 0) >= 0 && --left > 0) {
        }
        slk_pollitem_t item{pull, 0, 0, 0};
        while (left <= 0 && slk_poll(&item, 1, 50) == 0) {
        }
        failures += errno == ETERM ? 0 : 1;
        slk_close(pull);
      });
      void* push = slk_socket(home, SLK_PUSH);
      REQUIRE(push != nullptr);
      threads.emplace_back([&failures, push, target] {
        const int linger = 0;
        const int mark = 5;
        bool alive = slk_setsockopt(push, SLK_LINGER, &linger, sizeof linger) == 0 &&
                     slk_setsockopt(push, SLK_SNDHWM, &mark, sizeof mark) == 0 &&
                     slk_connect(push, target.c_str()) == 0;
        const std::string body(3000, 'x');
        while (alive) {
          alive = slk_send(push, body.data(), body.size(), 0) >= 0;
        }
        failures += errno == ETERM ? 0 : 1;
        slk_close(push);
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    CHECK(slk_ctx_term(home) == 0);
    for (auto& one : threads) {
      one.join();
    }
    CHECK(failures == 0);
  }
}

TEST_CASE("stress: both ends of a connection close at once") {
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    for (int round = 0; round < 60; ++round) {
      auto one = std::make_unique<socket>(home, SLK_PAIR);
      auto two = std::make_unique<socket>(home, SLK_PAIR);
      one->set(SLK_LINGER, round % 20);
      two->set(SLK_LINGER, round % 20);
      const std::string endpoint = one->bind(fresh_endpoint(transport));
      two->connect(endpoint);
      two->send("to one");
      if (round % 3 != 0) {
        std::string bytes;
        one->recv(bytes);
        one->send("to two");
      }
      std::thread other([&two] { two.reset(); });
      one.reset();
      other.join();
    }
  }
}

TEST_CASE("stress: a ROUTER's peer returns again and again under its name") {
  for (const int handover : {0, 1}) {
    CAPTURE(handover);
    const context home;
    socket router(home, SLK_ROUTER);
    router.set(SLK_ROUTER_HANDOVER, handover);
    const std::string endpoint = router.bind(fresh_endpoint("tcp"));
    std::atomic<bool> done{false};
    constexpr std::uint32_t lives = 40;
    std::thread peer([&] {
      std::unique_ptr<socket> old;
      for (std::uint32_t life = 0; life < lives; ++life) {
        auto dealer = std::make_unique<socket>(home, SLK_DEALER);
        dealer->name("same").set(SLK_LINGER, 100).set(SLK_RCVTIMEO, 300);
        dealer->connect(endpoint);
        dealer->send(numbered(life, 0, 10));
        std::string echo;
        dealer->recv(echo);
        if (handover != 0) {
          old = std::move(dealer);  // the next one comes while this one is still there
        }
      }
      done = true;
    });
    router.set(SLK_RCVTIMEO, 50);
    std::uint32_t answered = 0;
    std::string id;
    std::string bytes;
    while (!done) {
      if (router.recv(id) && router.recv(bytes)) {
        CHECK(id == "same");
        router.send(id, SLK_SNDMORE);
        router.send(bytes);
        ++answered;
      }
    }
    peer.join();
    CHECK(answered >= lives / 2);
  }
}

TEST_CASE("stress: a name is bound, connected to and left by many threads at once") {
  const context home;
  const std::string name = fresh_endpoint("inproc");
  const stop_after run(600);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      while (!run.over()) {
        socket one(home, SLK_DEALER);
        one.set(SLK_SNDTIMEO, 5).set(SLK_RCVTIMEO, 1);
        if (thread == 0) {
          one.bind(name);
        } else {
          one.connect(name);
        }
        std::string bytes;
        for (int i = 0; i < 20; ++i) {
          one.send("x", SLK_DONTWAIT);
          one.recv(bytes, i == 19 ? 0 : SLK_DONTWAIT);
        }
        if (thread == 1) {
          slk_disconnect(one.raw(), name.c_str());
          one.send("y", SLK_DONTWAIT);
        }
      }
    });
  }
  for (auto& one : threads) {
    one.join();
  }
}

}  // namespace stress
