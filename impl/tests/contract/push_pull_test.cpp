// PUSH and PULL: who gets which message.
#include <map>

#include "fixture.hpp"

using namespace contract;

CONTRACT_OVER_ALL("push: strict turns in the order of connecting") {
  context ctx;
  std::vector<socket> pulls;
  socket push(ctx, SLK_PUSH);
  for (int i = 0; i < 3; ++i) {
    pulls.emplace_back(ctx, SLK_PULL);
    push.connect(pulls.back().bind(Transport::wildcard()));
  }
  for (int i = 0; i < 9; ++i) {
    push.send_message({std::to_string(i), "second part"});
  }
  for (int i = 0; i < 9; ++i) {
    CHECK(pulls[static_cast<size_t>(i % 3)].recv_message() ==
          parts{std::to_string(i), "second part"});
  }
}

CONTRACT_OVER_ALL("push: a full peer is passed over") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_SNDHWM, 2);
  push.connect(Transport::unbound());
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = Transport::unbound();
  push.set(SLK_SNDHWM, 0);
  pull.set(SLK_RCVHWM, 0);
  push.connect(endpoint);
  pull.bind(endpoint);
  // Two went to the peer that is not there (each pipe has the limit it was made with or the new
  // one, both allow them), the rest must keep going to the other.
  CHECK(push.fill("x", 200) == 200);
  REQUIRE(pull.wait(SLK_POLLIN));
}

CONTRACT_OVER_ALL("push: without a peer it cannot send") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.bind(Transport::wildcard());
  CHECK_FALSE(push.try_send("x"));
  CHECK_FALSE(push.can_send());
  push.set(SLK_SNDTIMEO, 20);
  CHECK(push.send("x") == -1);
  CHECK(errno == EAGAIN);
}

CONTRACT_OVER_ALL("push: a blocked send goes on when a peer comes") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = push.bind(Transport::wildcard());
  std::thread peer([&] {
    socket pull(ctx, SLK_PULL);
    pull.connect(endpoint);
    CHECK(pull.recv() == "waited");
  });
  CHECK(push.send("waited") == 6);
  peer.join();
}

CONTRACT_OVER_ALL("push and pull: the other direction is ENOTSUP, and no event") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"x"});
  REQUIRE(pull.wait(SLK_POLLIN));
  CHECK(pull.send("x") == -1);
  CHECK(errno == ENOTSUP);
  CHECK(pull.send("x", SLK_DONTWAIT) == -1);
  CHECK(errno == ENOTSUP);
  CHECK_FALSE(push.recv());
  CHECK(errno == ENOTSUP);
  CHECK_FALSE(push.recv(SLK_DONTWAIT));
  CHECK(errno == ENOTSUP);
  CHECK_FALSE(pull.can_send());
  CHECK_FALSE(push.can_recv());
}

CONTRACT_OVER_ALL("pull: takes turns between peers that have messages") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  std::vector<socket> pushes;
  constexpr int peers = 3;
  constexpr int each = 30;
  for (int peer = 0; peer < peers; ++peer) {
    pushes.emplace_back(ctx, SLK_PUSH);
    pushes.back().connect(endpoint);
  }
  // First one of each, so that every connection is known to be up; then all of them fill their
  // pipe.
  for (auto& push : pushes) {
    push.send_message({"hello"});
  }
  for (int peer = 0; peer < peers; ++peer) {
    REQUIRE(pull.recv() == "hello");
  }
  for (int peer = 0; peer < peers; ++peer) {
    for (int i = 0; i < each; ++i) {
      pushes[static_cast<size_t>(peer)].send_message({std::to_string(peer)});
    }
  }
  // A reader that served one peer until it is empty would get `each` from it before any other.
  std::map<std::string, int> received;
  for (int i = 0; i < peers * each; ++i) {
    const auto message = pull.recv();
    REQUIRE(message);
    ++received[*message];
  }
  for (int peer = 0; peer < peers; ++peer) {
    CHECK(received[std::to_string(peer)] == each);
  }
}

TEST_CASE("pull: inproc turns are strict, message by message") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(inproc::wildcard());
  socket first(ctx, SLK_PUSH);
  socket second(ctx, SLK_PUSH);
  first.connect(endpoint);
  second.connect(endpoint);
  for (int i = 0; i < 10; ++i) {
    first.send_message({"first", "part"});
    second.send_message({"second", "part"});
  }
  std::string previous;
  for (int i = 0; i < 20; ++i) {
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 2);
    CHECK(message[0] != previous);
    previous = message[0];
  }
}

CONTRACT_OVER_STREAMS("push: endpoints that never answered get their share, unless IMMEDIATE") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());

  socket push(ctx, SLK_PUSH);
  push.connect(Transport::unbound());
  push.connect(endpoint);
  for (int i = 0; i < 10; ++i) {
    push.send_message({"x"});
  }
  for (int i = 0; i < 5; ++i) {
    CHECK(pull.recv() == "x");
  }
  CHECK(remains([&] { return !pull.can_recv(); }));

  socket careful(ctx, SLK_PUSH);
  careful.set(SLK_IMMEDIATE, 1);
  careful.connect(Transport::unbound());
  CHECK_FALSE(careful.try_send("x"));
  careful.connect(endpoint);
  for (int i = 0; i < 10; ++i) {
    careful.send_message({"y"});
  }
  for (int i = 0; i < 10; ++i) {
    CHECK(pull.recv() == "y");
  }
}

CONTRACT_OVER_ALL("push: a peer that left gets no more messages") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = push.bind(Transport::wildcard());
  socket stays(ctx, SLK_PULL);
  stays.connect(endpoint);
  {
    socket leaves(ctx, SLK_PULL);
    leaves.connect(endpoint);
    // Both are known once both got something.
    REQUIRE(eventually([&] {
      push.try_send("x");
      return leaves.can_recv() && stays.can_recv();
    }));
  }
  stays.drain();
  // Once the loss has been noticed every message goes to the one that stays.
  CHECK(eventually([&] {
    stays.drain();
    int arrived = 0;
    for (int i = 0; i < 4; ++i) {
      push.try_send("y");
    }
    eventually([&] { return (arrived += stays.drain()) >= 4; }, 50ms);
    return arrived >= 4;
  }));
}
