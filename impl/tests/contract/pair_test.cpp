// PAIR: one peer at a time.
#include "fixture.hpp"

using namespace contract;

CONTRACT_OVER_ALL("pair: both directions, multipart") {
  context ctx;
  socket left(ctx, SLK_PAIR);
  socket right(ctx, SLK_PAIR);
  right.connect(left.bind(Transport::wildcard()));
  right.send_message({"a", "", "b"});
  CHECK(left.recv_message() == parts{"a", "", "b"});
  left.send_message({"c"});
  CHECK(right.recv_message() == parts{"c"});
}

CONTRACT_OVER_ALL("pair: without a peer it cannot send") {
  context ctx;
  socket pair(ctx, SLK_PAIR);
  pair.bind(Transport::wildcard());
  CHECK_FALSE(pair.try_send("x"));
  CHECK_FALSE(pair.can_send());
  CHECK_FALSE(pair.can_recv());
}

CONTRACT_OVER_ALL("pair: a second peer is connected but not heard, nor promoted") {
  context ctx;
  socket bound(ctx, SLK_PAIR);
  const std::string endpoint = bound.bind(Transport::wildcard());
  auto first = std::make_unique<socket>(ctx, SLK_PAIR);
  first->connect(endpoint);
  first->send_message({"first"});
  REQUIRE(bound.recv() == "first");

  socket second(ctx, SLK_PAIR);
  second.connect(endpoint);
  second.send_message({"second"});
  CHECK(remains([&] { return !bound.can_recv(); }));
  bound.send_message({"for the first"});
  CHECK(first->recv() == "for the first");
  CHECK_FALSE(second.can_recv());

  first.reset();
  CHECK(remains([&] { return !bound.can_recv(); }));
}

CONTRACT_OVER_ALL("pair: a new peer is taken after the first one left") {
  context ctx;
  socket bound(ctx, SLK_PAIR);
  const std::string endpoint = bound.bind(Transport::wildcard());
  {
    socket first(ctx, SLK_PAIR);
    first.connect(endpoint);
    first.send_message({"first"});
    REQUIRE(bound.recv() == "first");
  }
  // Until the loss was noticed a newcomer is not taken; then the next one is.
  CHECK(eventually([&] {
    bound.get(SLK_EVENTS);
    socket next(ctx, SLK_PAIR);
    next.connect(endpoint);
    next.send_message({"next"});
    return bound.wait(SLK_POLLIN, 100ms) && bound.try_recv() == "next";
  }));
}
