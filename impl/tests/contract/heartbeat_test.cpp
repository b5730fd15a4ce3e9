// Heartbeats: a peer that answers lives, one of which nothing is heard is given up in time.
#include <algorithm>

#include "raw_peer.hpp"

namespace contract {

namespace {

std::string command(std::string_view name, std::string_view data) {
  std::string body{static_cast<char>(name.size())};
  body.append(name).append(data);
  return std::string{4, static_cast<char>(body.size())} + body;
}

std::string ping(int ttl_tenths, std::string_view context = {}) {
  const std::string ttl{static_cast<char>(ttl_tenths >> 8), static_cast<char>(ttl_tenths & 255)};
  return command("PING", ttl + std::string(context));
}

const std::string pong = command("PONG", {});

// A machine that holds up this process makes late who is alive. So what depends on nobody being
// late is tried several times: what is wrong is wrong each time. None of the time-outs is longer
// than the library takes an application for silent, or nobody would have to answer in its place.
template <typename Attempt>
bool holds_at_some(Attempt attempt) {
  for (const int timeout_ms : {100, 200, 400, 400, 400}) {
    if (attempt(timeout_ms)) {
      return true;
    }
  }
  return false;
}

}  // namespace

CONTRACT_OVER_STREAMS(
    "heartbeat: PINGs carry the TTL, who answers lives, who does not is given up") {
  CHECK(holds_at_some([](int timeout_ms) {
    context ctx;
    socket pull(ctx, SLK_PULL);
    pull.set(SLK_HEARTBEAT_IVL, timeout_ms / 3).set(SLK_HEARTBEAT_TTL, 1250);
    pull.set(SLK_HEARTBEAT_TIMEOUT, timeout_ms);
    const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
    peer.shake_hands("PUSH");
    auto last_word = clock::now();
    for (int i = 0; i < 5; ++i) {
      const std::string asked = peer.read(ping(12).size());
      if (asked.size() < ping(12).size()) {
        return false;
      }
      REQUIRE(asked == ping(12));
      last_word = clock::now();
      if (!peer.try_write(pong)) {
        return false;
      }
    }
    CHECK(peer.is_closed());
    return clock::now() - last_word >= std::chrono::milliseconds(timeout_ms);
  }));
}

CONTRACT_OVER_STREAMS("heartbeat: a dead peer leaves the types that receive and those that send") {
  struct side {
    int ours;
    const char* peers;
  };
  for (const side& one : {side{SLK_PUSH, "PULL"}, side{SLK_PULL, "PUSH"}, side{SLK_PAIR, "PAIR"},
                          side{SLK_DEALER, "ROUTER"}, side{SLK_ROUTER, "DEALER"}}) {
    CAPTURE(one.peers);
    context ctx;
    socket ours(ctx, one.ours);
    ours.set(SLK_HEARTBEAT_IVL, 20);
    const raw_peer peer = raw_connect(ours.bind(Transport::wildcard()));
    peer.shake_hands(one.peers);
    CHECK(peer.is_closed());
  }
}

TEST_CASE("heartbeat: the connecting side tries again, and its queue survives") {
  context ctx;
  const raw_listener server;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_HEARTBEAT_IVL, 30);
  push.connect(server.endpoint());
  const raw_peer vanished = server.accept();
  vanished.shake_hands("PULL");
  CHECK(vanished.is_closed());
  const raw_peer back = server.accept();
  push.send_message({"kept"});
  back.shake_hands("PULL");
  CHECK(back.read(6) == frame("kept"));
}

CONTRACT_OVER_STREAMS("heartbeat: any traffic is life, also while the application does not read") {
  CHECK(holds_at_some([](int timeout_ms) {
    context ctx;
    socket pull(ctx, SLK_PULL);
    pull.set(SLK_HEARTBEAT_IVL, timeout_ms / 3).set(SLK_HEARTBEAT_TIMEOUT, timeout_ms);
    const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
    peer.shake_hands("PUSH");
    for (int i = 0; i < 20; ++i) {
      if (!peer.try_write(frame("alive")) ||
          peer.is_closed(std::chrono::milliseconds(timeout_ms / 5))) {
        return false;
      }
    }
    CHECK(peer.is_closed());
    CHECK(pull.drain() == 20);
    return true;
  }));
}

CONTRACT_OVER_STREAMS("heartbeat: a peer's TTL counts from its last traffic") {
  CHECK(holds_at_some([](int timeout_ms) {
    const int ttl_ms = timeout_ms + 200;  // in tenths of a second
    context ctx;
    socket pull(ctx, SLK_PULL);
    const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
    peer.shake_hands("PUSH");
    peer.write(ping(ttl_ms / 100, "context"));
    REQUIRE(peer.read(14) == command("PONG", "context"));
    auto last_word = clock::now();
    for (int i = 0; i < 5; ++i) {
      if (peer.is_closed(std::chrono::milliseconds(ttl_ms / 3))) {
        return false;
      }
      last_word = clock::now();
      if (!peer.try_write(frame("alive"))) {
        return false;
      }
    }
    CHECK(peer.is_closed());
    // The library sees it at one of four looks.
    const auto silence = clock::now() - last_word;
    CHECK(pull.drain() == 5);
    return silence >= std::chrono::milliseconds(ttl_ms * 3 / 4);
  }));
}

CONTRACT_OVER_STREAMS("heartbeat: a PING is answered soon, though the application has just read") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
  peer.shake_hands("PUSH");
  auto soonest = clock::duration::max();
  for (int i = 0; i < 3 || (i < 20 && soonest >= 400ms); ++i) {
    peer.write(frame("x"));
    REQUIRE(pull.recv() == "x");
    const auto start = clock::now();
    peer.write(ping(0));
    REQUIRE(peer.read(pong.size()) == pong);
    soonest = std::min(soonest, clock::now() - start);
  }
  CHECK(soonest < 400ms);
  CHECK_FALSE(pull.can_recv());
}

CONTRACT_OVER_STREAMS("heartbeat: two that beat each other stay together while they are idle") {
  CHECK(holds_at_some([](int timeout_ms) {
    context ctx;
    socket push(ctx, SLK_PUSH);
    socket pull(ctx, SLK_PULL);
    for (socket* one : {&push, &pull}) {
      one->set(SLK_HEARTBEAT_IVL, timeout_ms / 4).set(SLK_HEARTBEAT_TIMEOUT, timeout_ms);
      one->set(SLK_HEARTBEAT_TTL, timeout_ms);
    }
    const std::string endpoint = push.bind(Transport::wildcard());
    pull.connect(endpoint);
    if (!push.wait(SLK_POLLOUT) ||
        eventually([&] { return !push.can_send(); }, std::chrono::milliseconds(4 * timeout_ms))) {
      return false;
    }
    return push.send("x") == 1 && pull.recv() == "x";
  }));
}

TEST_CASE("heartbeat: options") {
  context ctx;
  socket any(ctx, SLK_DEALER);
  CHECK(any.get(SLK_HEARTBEAT_IVL) == 0);
  CHECK(any.get(SLK_HEARTBEAT_TTL) == 0);
  CHECK(any.get(SLK_HEARTBEAT_TIMEOUT) == -1);
  CHECK(any.set(SLK_HEARTBEAT_TTL, 6553599).get(SLK_HEARTBEAT_TTL) == 6553500);
  for (const auto& [option, value] : {std::pair{SLK_HEARTBEAT_IVL, -1},
                                      {SLK_HEARTBEAT_TTL, 6553600},
                                      {SLK_HEARTBEAT_TTL, -1},
                                      {SLK_HEARTBEAT_TIMEOUT, -2}}) {
    CAPTURE(option);
    CHECK(slk_setsockopt(any.raw(), option, &value, sizeof value) == -1);
    CHECK(errno == EINVAL);
  }
}

}  // namespace contract
