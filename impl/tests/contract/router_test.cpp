// ROUTER: names of peers, and what happens to messages for those it does not know.
#include <map>
#include <memory>

#include "fixture.hpp"

using namespace contract;

namespace {

// Sends one message to a named peer as soon as the router knows it. The router must be mandatory.
bool send_when_known(socket& router, std::string_view id, std::string_view body) {
  return eventually([&] {
    if (router.send(id, SLK_SNDMORE) < 0) {
      REQUIRE(errno == EHOSTUNREACH);
      return false;
    }
    REQUIRE(router.send(body) == static_cast<int>(body.size()));
    return true;
  });
}

socket named(context& ctx, int type, std::string_view id) {
  socket made(ctx, type);
  made.set(SLK_ROUTING_ID, id);
  return made;
}

}  // namespace

CONTRACT_OVER_ALL("router: puts the peer's name in front, takes it off, leaves the rest alone") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.connect(router.bind(Transport::wildcard()));
  peer.send_message({"", "", "x", ""});
  CHECK(router.recv_message() == parts{"peer", "", "", "x", ""});
  router.send_message({"peer", "", "y", ""});
  CHECK(peer.recv_message() == parts{"", "y", ""});
  peer.send_message({""});
  CHECK(router.recv_message() == parts{"peer", ""});
}

CONTRACT_OVER_ALL("router: makes up five bytes, the first 0, for a peer without a name") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket first(ctx, SLK_DEALER);
  socket second(ctx, SLK_DEALER);
  first.connect(endpoint);
  second.connect(endpoint);
  first.send_message({"1"});
  second.send_message({"2"});
  const parts one = router.recv_message();
  const parts other = router.recv_message();
  REQUIRE(one.size() == 2);
  REQUIRE(other.size() == 2);
  CHECK(one[0] != other[0]);
  for (const parts& message : {one, other}) {
    CHECK(message[0].size() == 5);
    CHECK(message[0][0] == '\0');
    router.send_message({message[0], "answer to " + message[1]});
  }
  CHECK(first.recv_message() == parts{"answer to 1"});
  CHECK(second.recv_message() == parts{"answer to 2"});
}

CONTRACT_OVER_ALL("router: a message for an unknown peer is dropped with all its parts") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.connect(router.bind(Transport::wildcard()));
  peer.send_message({"hello"});
  REQUIRE(router.recv_message() == parts{"peer", "hello"});
  router.send_message({"nobody", "lost", "lost too"});
  router.send_message({"peer"});  // a name alone is a message without content: dropped too
  router.send_message({"peer", "found"});
  CHECK(peer.recv_message() == parts{"found"});
  CHECK(remains([&] { return !peer.can_recv(); }));
}

CONTRACT_OVER_ALL("router: mandatory refuses the name of an unknown peer and starts afresh") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1);
  const std::string endpoint = router.bind(Transport::wildcard());
  CHECK(router.send("nobody", SLK_SNDMORE) == -1);
  CHECK(errno == EHOSTUNREACH);
  CHECK(router.send("nobody") == 6);  // a name alone is a message without content: dropped
  CHECK(router.send("nobody", SLK_SNDMORE | SLK_DONTWAIT) == -1);
  CHECK(errno == EHOSTUNREACH);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.connect(endpoint);
  REQUIRE(send_when_known(router, "peer", "after"));
  CHECK(peer.recv_message() == parts{"after"});
}

TEST_CASE("router: mandatory answers EAGAIN for a full peer, at its name, and waits if it may") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1).set(SLK_SNDHWM, 2);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.set(SLK_RCVHWM, 1);
  peer.connect(router.bind(inproc::wildcard()));
  REQUIRE(send_when_known(router, "peer", "0"));
  int sent = 1;
  while (router.send("peer", SLK_SNDMORE | SLK_DONTWAIT) >= 0) {
    REQUIRE(router.send(std::to_string(sent)) >= 0);
    ++sent;
    REQUIRE(sent <= 3);
  }
  CHECK(errno == EAGAIN);
  CHECK(sent == 3);
  router.set(SLK_SNDTIMEO, 20);
  CHECK(router.send("peer", SLK_SNDMORE) == -1);
  CHECK(errno == EAGAIN);
  CHECK(router.send("nobody", SLK_SNDMORE) == -1);
  CHECK(errno == EHOSTUNREACH);
  router.set(SLK_SNDTIMEO, static_cast<int>(deadline.count()));
  std::thread reader([&] {
    for (int i = 0; i < 4; ++i) {
      CHECK(peer.recv() == std::to_string(i));
    }
  });
  CHECK(router.send("peer", SLK_SNDMORE) == 4);
  CHECK(router.send("3") == 1);
  reader.join();
}

TEST_CASE("router: mandatory, one peer full and another with room: POLLOUT holds") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1).set(SLK_SNDHWM, 1);
  const std::string endpoint = router.bind(inproc::wildcard());
  socket full = named(ctx, SLK_DEALER, "full");
  full.set(SLK_RCVHWM, 1);
  full.connect(endpoint);
  REQUIRE(send_when_known(router, "full", "0"));
  while (router.send("full", SLK_SNDMORE | SLK_DONTWAIT) >= 0) {
    REQUIRE(router.send("more") >= 0);
  }
  REQUIRE(errno == EAGAIN);
  CHECK_FALSE(router.can_send());
  socket free = named(ctx, SLK_DEALER, "free");
  free.connect(endpoint);
  CHECK(eventually([&] { return router.can_send(); }));
}

TEST_CASE("router: without mandatory a full peer loses messages and nobody waits") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_SNDHWM, 2);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.set(SLK_RCVHWM, 1);
  peer.connect(router.bind(inproc::wildcard()));
  peer.send_message({"hello"});
  REQUIRE(router.recv_message() == parts{"peer", "hello"});
  for (int i = 0; i < 10; ++i) {
    router.send_message({"peer", std::to_string(i)});
  }
  CHECK(router.can_send());
  for (int i = 0; i < 3; ++i) {
    CHECK(peer.recv_message() == parts{std::to_string(i)});
  }
  CHECK(remains([&] { return !peer.can_recv(); }));
}

CONTRACT_OVER_ALL("router: a peer that left is unknown again") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1);
  const std::string endpoint = router.bind(Transport::wildcard());
  {
    socket peer = named(ctx, SLK_DEALER, "peer");
    peer.connect(endpoint);
    REQUIRE(send_when_known(router, "peer", "x"));
    REQUIRE(peer.recv() == "x");
  }
  CHECK(eventually([&] {
    if (router.send("peer", SLK_SNDMORE) < 0) {
      return errno == EHOSTUNREACH;
    }
    router.send("lost");
    return false;
  }));
}

CONTRACT_OVER_ALL("router: a newcomer with a name in use is ignored") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket first = named(ctx, SLK_DEALER, "name");
  first.connect(endpoint);
  first.send_message({"first"});
  REQUIRE(router.recv_message() == parts{"name", "first"});
  socket second = named(ctx, SLK_DEALER, "name");
  second.connect(endpoint);
  second.send_message({"second"});
  CHECK(remains([&] { return !router.can_recv(); }));
  router.send_message({"name", "for the first"});
  CHECK(first.recv() == "for the first");
  CHECK_FALSE(second.can_recv());
  first.send_message({"still here"});
  CHECK(router.recv_message() == parts{"name", "still here"});
}

CONTRACT_OVER_ALL("router: handover gives the name to the newcomer") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_HANDOVER, 1);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket first = named(ctx, SLK_DEALER, "name");
  first.set(SLK_RECONNECT_IVL, -1);
  first.connect(endpoint);
  first.send_message({"first"});
  REQUIRE(router.recv_message() == parts{"name", "first"});
  socket second = named(ctx, SLK_DEALER, "name");
  second.connect(endpoint);
  second.send_message({"second"});
  REQUIRE(router.recv_message() == parts{"name", "second"});
  router.send_message({"name", "for the second"});
  CHECK(second.recv() == "for the second");
  CHECK_FALSE(first.can_recv());
}

CONTRACT_OVER_ALL("router: [strict] a peer that died and came back between two calls is known") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  {
    socket first = named(ctx, SLK_DEALER, "name");
    first.connect(endpoint);
    first.send_message({"first"});
    REQUIRE(router.recv_message() == parts{"name", "first"});
  }
  // No call on the router until the newcomer's message must have come.
  CHECK(eventually([&] {
    socket second = named(ctx, SLK_DEALER, "name");
    second.connect(endpoint);
    second.send_message({"second"});
    return router.wait(SLK_POLLIN, 500ms) && router.recv_message() == parts{"name", "second"};
  }));
}

CONTRACT_OVER_ALL("router: two routers talk by explicit names, both ways") {
  context ctx;
  socket server = named(ctx, SLK_ROUTER, "server");
  socket client = named(ctx, SLK_ROUTER, "client");
  server.set(SLK_ROUTER_MANDATORY, 1);
  client.set(SLK_ROUTER_MANDATORY, 1);
  client.connect(server.bind(Transport::wildcard()));
  REQUIRE(send_when_known(client, "server", "ping"));
  CHECK(server.recv_message() == parts{"client", "ping"});
  REQUIRE(send_when_known(server, "client", "pong"));
  CHECK(client.recv_message() == parts{"server", "pong"});
}

CONTRACT_OVER_ALL("router: CONNECT_ROUTING_ID names the next connection, once, and at once") {
  context ctx;
  socket client = named(ctx, SLK_ROUTER, "client");
  client.set(SLK_ROUTER_MANDATORY, 1);
  const std::string endpoint = Transport::unbound();
  client.set(SLK_CONNECT_ROUTING_ID, "given");
  client.connect(endpoint);
  REQUIRE(client.send("given", SLK_SNDMORE) == 5);
  REQUIRE(client.send("queued") == 6);
  socket server = named(ctx, SLK_ROUTER, "own name");
  server.bind(endpoint);
  CHECK(server.recv_message() == parts{"client", "queued"});
  server.send_message({"client", "back"});
  CHECK(client.recv_message() == parts{"given", "back"});

  socket other = named(ctx, SLK_ROUTER, "other");
  client.connect(other.bind(Transport::wildcard()));
  REQUIRE(send_when_known(client, "other", "by its own name"));
  CHECK(other.recv_message() == parts{"client", "by its own name"});
}

CONTRACT_OVER_ALL("router: [strict] a CONNECT_ROUTING_ID in use fails the connect") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_CONNECT_ROUTING_ID, "name");
  router.connect(Transport::unbound());
  router.set(SLK_CONNECT_ROUTING_ID, "name");
  CHECK(slk_connect(router.raw(), Transport::unbound().c_str()) == -1);
  CHECK(errno == EINVAL);
}

CONTRACT_OVER_ALL("router: a probe is an empty message") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket dealer = named(ctx, SLK_DEALER, "dealer");
  dealer.set(SLK_PROBE_ROUTER, 1);
  dealer.connect(endpoint);
  CHECK(router.recv_message() == parts{"dealer", ""});
  router.send_message({"dealer", "known"});
  CHECK(dealer.recv_message() == parts{"known"});
  socket client = named(ctx, SLK_ROUTER, "client");
  client.set(SLK_PROBE_ROUTER, 1);
  client.connect(endpoint);
  CHECK(router.recv_message() == parts{"client", ""});
}

CONTRACT_OVER_ALL("router: hears all of its peers, each in order") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  std::vector<socket> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(named(ctx, SLK_DEALER, std::to_string(i)));
    peers.back().connect(endpoint);
  }
  for (int message = 0; message < 20; ++message) {
    for (auto& peer : peers) {
      peer.send_message({std::to_string(message)});
    }
  }
  std::map<std::string, int> next;
  for (int i = 0; i < 100; ++i) {
    const parts message = router.recv_message();
    REQUIRE(message.size() == 2);
    CHECK(message[1] == std::to_string(next[message[0]]++));
  }
  CHECK(next.size() == 5);
}

CONTRACT_OVER_ALL("router: can always send, mandatory only with a peer") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  CHECK(router.can_send());
  router.set(SLK_ROUTER_MANDATORY, 1);
  CHECK_FALSE(router.can_send());
  socket peer(ctx, SLK_DEALER);
  peer.connect(endpoint);
  CHECK(router.wait(SLK_POLLOUT));
}

CONTRACT_OVER_ALL("router: a peer's name may be 255 bytes of anything") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  std::string id(255, '\0');
  for (size_t i = 0; i < id.size(); ++i) {
    id[i] = static_cast<char>(255 - i);
  }
  socket peer = named(ctx, SLK_DEALER, id);
  peer.connect(endpoint);
  peer.send_message({"x"});
  CHECK(router.recv_message() == parts{id, "x"});
  router.send_message({id, "y"});
  CHECK(peer.recv() == "y");
}

CONTRACT_OVER_ALL("router: [strict] is_connected tells whom it knows") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  const auto known = [&] { return slk_is_connected(router.raw(), "peer", 4) == 1; };
  CHECK_FALSE(known());
  CHECK(errno == EHOSTUNREACH);
  {
    socket peer = named(ctx, SLK_DEALER, "peer");
    peer.connect(endpoint);
    CHECK(eventually(known));
  }
  CHECK(eventually([&] { return !known(); }));
}

CONTRACT_OVER_ALL("router: send_to names and sends in one step") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1);
  socket peer = named(ctx, SLK_DEALER, "peer");
  peer.connect(router.bind(Transport::wildcard()));
  CHECK(slk_send_to(router.raw(), "nobody", 6, "x", 1, 0) == -1);
  CHECK(errno == EHOSTUNREACH);
  REQUIRE(eventually([&] { return slk_send_to(router.raw(), "peer", 4, "one", 3, 0) == 3; }));
  CHECK(peer.recv_message() == parts{"one"});
  REQUIRE(slk_send_to(router.raw(), "peer", 4, "head", 4, SLK_SNDMORE) == 4);
  REQUIRE(router.send("tail") == 4);
  CHECK(peer.recv_message() == parts{"head", "tail"});
  REQUIRE(slk_send_to(router.raw(), "peer", 4, nullptr, 0, 0) == 0);
  CHECK(peer.recv_message() == parts{""});
}
