// DEALER: turns out, turns in, nothing added, nothing dropped.
#include <set>

#include "fixture.hpp"

using namespace contract;

CONTRACT_OVER_ALL("dealer: turns over its peers") {
  context ctx;
  socket dealer(ctx, SLK_DEALER);
  std::vector<socket> peers;
  for (int i = 0; i < 3; ++i) {
    peers.emplace_back(ctx, SLK_DEALER);
    dealer.connect(peers.back().bind(Transport::wildcard()));
  }
  for (int i = 0; i < 6; ++i) {
    dealer.send_message({std::to_string(i), ""});
  }
  for (int i = 0; i < 6; ++i) {
    CHECK(peers[static_cast<size_t>(i % 3)].recv_message() == parts{std::to_string(i), ""});
  }
}

CONTRACT_OVER_ALL("dealer: talks to a dealer both ways, adding and removing nothing") {
  context ctx;
  socket bound(ctx, SLK_DEALER);
  socket connected(ctx, SLK_DEALER);
  connected.connect(bound.bind(Transport::wildcard()));
  connected.send_message({"", "there"});
  CHECK(bound.recv_message() == parts{"", "there"});
  bound.send_message({"back", "", "again"});
  CHECK(connected.recv_message() == parts{"back", "", "again"});
}

CONTRACT_OVER_ALL("dealer: without a peer, or with all full, it waits and drops nothing") {
  context ctx;
  socket dealer(ctx, SLK_DEALER);
  dealer.set(SLK_SNDHWM, 3);
  CHECK_FALSE(dealer.try_send("x"));
  CHECK_FALSE(dealer.can_send());
  const std::string endpoint = Transport::unbound();
  dealer.connect(endpoint);
  CHECK(dealer.fill("x") == 3);
  CHECK_FALSE(dealer.can_send());
  dealer.set(SLK_SNDTIMEO, 20);
  CHECK(dealer.send("x") == -1);
  CHECK(errno == EAGAIN);
  socket peer(ctx, SLK_DEALER);
  peer.bind(endpoint);
  for (int i = 0; i < 3; ++i) {
    CHECK(peer.recv() == "x");
  }
  CHECK(dealer.wait(SLK_POLLOUT));
}

CONTRACT_OVER_ALL("dealer: receives from every peer") {
  context ctx;
  socket dealer(ctx, SLK_DEALER);
  const std::string endpoint = dealer.bind(Transport::wildcard());
  std::vector<socket> peers;
  for (int i = 0; i < 4; ++i) {
    peers.emplace_back(ctx, SLK_DEALER);
    peers.back().connect(endpoint);
    peers.back().send_message({std::to_string(i)});
  }
  std::set<std::string> seen;
  for (int i = 0; i < 4; ++i) {
    seen.insert(dealer.recv().value_or("nothing"));
  }
  CHECK(seen == std::set<std::string>{"0", "1", "2", "3"});
}

CONTRACT_OVER_ALL("dealer: asks a router and is answered") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  socket dealer(ctx, SLK_DEALER);
  dealer.set(SLK_ROUTING_ID, "dealer");
  dealer.connect(router.bind(Transport::wildcard()));
  dealer.send_message({"", "question"});
  CHECK(router.recv_message() == parts{"dealer", "", "question"});
  router.send_message({"dealer", "", "answer"});
  CHECK(dealer.recv_message() == parts{"", "answer"});
}

CONTRACT_OVER_STREAMS("dealer: a second connect to the same endpoint does nothing") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket dealer(ctx, SLK_DEALER);
  dealer.connect(endpoint);
  dealer.connect(endpoint);
  std::set<std::string> names;
  for (int i = 0; i < 10; ++i) {
    dealer.send_message({"x"});
    names.insert(router.recv_message().at(0));
  }
  CHECK(names.size() == 1);
  CHECK(slk_disconnect(dealer.raw(), endpoint.c_str()) == 0);
  CHECK(slk_disconnect(dealer.raw(), endpoint.c_str()) == -1);
  CHECK(errno == ENOENT);
}
