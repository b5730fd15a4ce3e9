// Heartbeats: a peer that answers lives, one of which nothing is heard is given up in time.
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

}  // namespace

CONTRACT_OVER_STREAMS("heartbeat: PINGs carry the TTL, a peer without an answer is given up") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.set(SLK_HEARTBEAT_IVL, 30).set(SLK_HEARTBEAT_TTL, 1250).set(SLK_HEARTBEAT_TIMEOUT, 90);
  const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
  peer.shake_hands("PUSH");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(peer.read(ping(12).size()) == ping(12));
    peer.write(pong);
  }
  const auto silent_since = clock::now();
  CHECK(peer.is_closed());
  CHECK(clock::now() - silent_since >= 80ms);
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
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.set(SLK_HEARTBEAT_IVL, 25).set(SLK_HEARTBEAT_TIMEOUT, 75);
  const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
  peer.shake_hands("PUSH");
  for (int i = 0; i < 20; ++i) {
    peer.write(frame("alive"));
    CHECK_FALSE(peer.is_closed(20ms));
  }
  CHECK(peer.is_closed());
  CHECK(pull.drain() == 20);
}

CONTRACT_OVER_STREAMS("heartbeat: a peer's TTL counts from its last traffic") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
  peer.shake_hands("PUSH");
  peer.write(ping(3, "context"));
  REQUIRE(peer.read(14) == command("PONG", "context"));
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(peer.is_closed(100ms));
    peer.write(frame("alive"));
  }
  const auto silent_since = clock::now();
  CHECK(peer.is_closed());
  CHECK(clock::now() - silent_since >= 250ms);
  CHECK(pull.drain() == 5);
}

CONTRACT_OVER_STREAMS("heartbeat: a PING is answered soon, though the application has just read") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const raw_peer peer = raw_connect(pull.bind(Transport::wildcard()));
  peer.shake_hands("PUSH");
  for (int i = 0; i < 3; ++i) {
    peer.write(frame("x"));
    REQUIRE(pull.recv() == "x");
    const auto start = clock::now();
    peer.write(ping(0));
    CHECK(peer.read(pong.size()) == pong);
    CHECK(clock::now() - start < 400ms);
  }
  CHECK_FALSE(pull.can_recv());
}

CONTRACT_OVER_STREAMS("heartbeat: two that beat each other stay together while they are idle") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  for (socket* one : {&push, &pull}) {
    one->set(SLK_HEARTBEAT_IVL, 25).set(SLK_HEARTBEAT_TIMEOUT, 100).set(SLK_HEARTBEAT_TTL, 100);
  }
  const std::string endpoint = push.bind(Transport::wildcard());
  pull.connect(endpoint);
  REQUIRE(push.wait(SLK_POLLOUT));
  CHECK_FALSE(eventually([&] { return !push.can_send(); }, 400ms));
  push.send_message({"x"});
  CHECK(pull.recv() == "x");
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
