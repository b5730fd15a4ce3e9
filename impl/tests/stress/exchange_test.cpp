// Many threads, nobody leaves: everything arrives, once, in order, and nobody hangs.

#include "stress.hpp"

namespace stress {

TEST_CASE("stress: four PUSH threads to one PULL") {
  constexpr std::uint32_t senders = 4;
  const std::uint32_t each = 3000u * scale;
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    for (const int hwm : {1000, 3, 0}) {
      CAPTURE(transport);
      CAPTURE(hwm);
      const context home;
      socket pull(home, SLK_PULL);
      pull.set(SLK_RCVHWM, hwm);
      const std::string endpoint = pull.bind(fresh_endpoint(transport));
      std::atomic<int> failures{0};
      std::vector<std::thread> threads;
      for (std::uint32_t source = 0; source < senders; ++source) {
        threads.emplace_back([&, source] {
          socket push(home, SLK_PUSH);
          push.set(SLK_SNDHWM, hwm).set(SLK_LINGER, patience_ms);
          if (!push.connect(endpoint)) {
            ++failures;
            return;
          }
          for (std::uint32_t i = 0; i < each; ++i) {
            if (!push.send(numbered(source, i, i % 97 == 0 ? 400 : i % 50))) {
              ++failures;
              return;
            }
            if (i % 1000 == 999) {
              std::this_thread::sleep_for(std::chrono::milliseconds(1));  // patrol, idle, again
            }
          }
        });
      }
      ledger seen;
      std::string bytes;
      for (std::uint32_t i = 0; i < senders * each; ++i) {
        std::uint32_t source = 0;
        std::uint32_t number = 0;
        REQUIRE(pull.recv(bytes));
        REQUIRE(parse(bytes, source, number));
        REQUIRE(seen.enter(source, number));
      }
      for (auto& one : threads) {
        one.join();
      }
      CHECK(failures == 0);
      CHECK(seen.missing() == 0);
    }
  }
}

TEST_CASE("stress: three ROUTERs, each to each, mandatory, with replies") {
  constexpr std::uint32_t peers = 3;
  const std::uint32_t each = 500u * scale;
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    std::vector<socket> routers;
    for (std::uint32_t i = 0; i < peers; ++i) {
      routers.emplace_back(home, SLK_ROUTER);
      routers[i].name("r" + std::to_string(i)).set(SLK_ROUTER_MANDATORY, 1);
      const std::string endpoint = routers[i].bind(fresh_endpoint(transport));
      for (std::uint32_t j = 0; j < i; ++j) {
        const std::string name = "r" + std::to_string(i);
        slk_setsockopt(routers[j].raw(), SLK_CONNECT_ROUTING_ID, name.data(), name.size());
        REQUIRE(routers[j].connect(endpoint));
      }
    }
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (std::uint32_t self = 0; self < peers; ++self) {
      threads.emplace_back([&, self] {
        socket& router = routers[self];
        std::uint32_t received = 0;
        std::uint32_t sent = 0;
        ledger seen;
        std::string from;
        std::string body;
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
        const std::uint32_t total = each * (peers - 1);
        while ((received < total || sent < total) && failures == 0) {
          if (std::chrono::steady_clock::now() > end) {
            ++failures;
            return;
          }
          if (sent < total) {
            const std::uint32_t target = (self + 1 + sent % (peers - 1)) % peers;
            if (router.send("r" + std::to_string(target), SLK_SNDMORE | SLK_DONTWAIT)) {
              if (!router.send("", SLK_SNDMORE) ||
                  !router.send(numbered(self, sent / (peers - 1), sent % 70))) {
                ++failures;
              }
              ++sent;
            } else if (errno != EAGAIN && errno != EHOSTUNREACH) {
              ++failures;
            }
          }
          if (received == total) {
            continue;  // the others still wait for what is left to send
          }
          const bool wait = sent == total;
          if (router.recv(from, wait ? 0 : SLK_DONTWAIT)) {
            std::uint32_t source = 0;
            std::uint32_t number = 0;
            const bool well = router.more() && router.recv(body) && body.empty() && router.more() &&
                              router.recv(body) && !router.more() && parse(body, source, number) &&
                              from == "r" + std::to_string(source) && seen.enter(source, number);
            failures += well ? 0 : 1;
            ++received;
          } else if (errno != EAGAIN || wait) {
            ++failures;
          }
        }
        failures += seen.missing() == 0 ? 0 : 1;
      });
    }
    for (auto& one : threads) {
      one.join();
    }
    CHECK(failures == 0);
  }
}

TEST_CASE("stress: request and reply between two threads that both block") {
  const int rounds = 1000 * scale;
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    socket one(home, SLK_PAIR);
    const std::string endpoint = one.bind(fresh_endpoint(transport));
    std::atomic<int> failures{0};
    std::thread other([&] {
      socket two(home, SLK_PAIR);
      two.connect(endpoint);
      std::string bytes;
      for (int i = 0; i < rounds; ++i) {
        if (!two.recv(bytes) || !two.send(bytes)) {
          ++failures;
          return;
        }
      }
      std::string last;
      two.recv(last);  // keeps the socket until the other side has read the last echo
    });
    std::string bytes;
    for (int i = 0; i < rounds && failures == 0; ++i) {
      const std::string sent = std::to_string(i);
      if (!one.send(sent) || !one.recv(bytes) || bytes != sent) {
        ++failures;
      }
      if (i % 64 == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));  // both asleep for real
      }
    }
    one.send("end");
    other.join();
    CHECK(failures == 0);
  }
}

TEST_CASE("stress: polling senders and receivers over small marks") {
  const std::uint32_t count = 1500u * scale;
  for (const std::string transport : {"tcp", "ipc", "inproc"}) {
    CAPTURE(transport);
    const context home;
    socket pull(home, SLK_PULL);
    pull.set(SLK_RCVHWM, 2);
    const std::string endpoint = pull.bind(fresh_endpoint(transport));
    std::atomic<int> failures{0};
    std::thread sender([&] {
      socket push(home, SLK_PUSH);
      push.set(SLK_SNDHWM, 2).set(SLK_LINGER, patience_ms).connect(endpoint);
      slk_pollitem_t item{push.raw(), 0, SLK_POLLOUT, 0};
      for (std::uint32_t i = 0; i < count;) {
        if (slk_poll(&item, 1, patience_ms) != 1) {
          ++failures;
          return;
        }
        while (i < count && push.send(numbered(1, i, 100), SLK_DONTWAIT)) {
          ++i;
        }
      }
    });
    ledger seen;
    std::string bytes;
    slk_pollitem_t item{pull.raw(), 0, SLK_POLLIN, 0};
    while (seen.entered() < count && failures == 0) {
      if (slk_poll(&item, 1, patience_ms) != 1) {
        ++failures;
        break;
      }
      std::uint32_t source = 0;
      std::uint32_t number = 0;
      while (pull.recv(bytes, SLK_DONTWAIT)) {
        failures += parse(bytes, source, number) && seen.enter(source, number) ? 0 : 1;
      }
    }
    sender.join();
    CHECK(failures == 0);
    CHECK(seen.missing() == 0);
  }
}

}  // namespace stress
