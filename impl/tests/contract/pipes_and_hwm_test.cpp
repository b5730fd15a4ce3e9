// Pipes: what a connection queues, how much of it, and when room comes back.
#include <memory>

#include "fixture.hpp"

using namespace contract;

CONTRACT_OVER_ALL("pipe: a connecting socket queues before anybody is bound") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = Transport::unbound();
  push.connect(endpoint);
  push.send_message({"one"});
  push.send_message({"two", "parts"});
  socket pull(ctx, SLK_PULL);
  pull.bind(endpoint);
  CHECK(pull.recv_message() == parts{"one"});
  CHECK(pull.recv_message() == parts{"two", "parts"});
}

CONTRACT_OVER_ALL("hwm: connected to nobody exactly SNDHWM messages are taken") {
  context ctx;
  for (const int hwm : {1, 2, 7, 100}) {
    CAPTURE(hwm);
    socket push(ctx, SLK_PUSH);
    push.set(SLK_SNDHWM, hwm);
    push.connect(Transport::unbound());
    CHECK(push.fill("x") == hwm);
    CHECK_FALSE(push.can_send());
  }
}

CONTRACT_OVER_ALL("hwm: the unit is the message, whatever its number of parts") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_SNDHWM, 3);
  push.connect(Transport::unbound());
  for (int message = 0; message < 3; ++message) {
    for (int part = 0; part < 9; ++part) {
      REQUIRE(push.send("part", SLK_SNDMORE | SLK_DONTWAIT) == 4);
    }
    REQUIRE(push.send("last", SLK_DONTWAIT) == 4);
  }
  CHECK_FALSE(push.try_send("more"));
}

CONTRACT_OVER_ALL("hwm: 0 on both sides means no limit") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  pull.set(SLK_RCVHWM, 0);
  push.set(SLK_SNDHWM, 0);
  push.connect(pull.bind(Transport::wildcard()));
  REQUIRE(push.wait(SLK_POLLOUT));
  constexpr int many = 20000;
  CHECK(push.fill("message", many) == many);
  for (int i = 0; i < many; ++i) {
    REQUIRE(pull.recv() == "message");
  }
}

CONTRACT_OVER_ALL("hwm: a full sender waits until the reader made room, nothing is lost") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  pull.set(SLK_RCVHWM, 2).set(SLK_RCVBUF, 4096);
  push.set(SLK_SNDHWM, 2).set(SLK_SNDBUF, 4096);
  push.connect(pull.bind(Transport::wildcard()));
  REQUIRE(push.wait(SLK_POLLOUT));
  const std::string body(64 * 1024, 'b');
  const int sent = push.fill_for_good(body, 10000);
  REQUIRE(sent < 10000);

  std::thread reader([&] {
    for (int i = 0; i < sent; ++i) {
      CHECK(pull.recv() == body);
    }
  });
  CHECK(push.wait(SLK_POLLOUT));
  reader.join();
  CHECK(push.send("again") == 5);
  CHECK(pull.recv() == "again");
}

TEST_CASE("hwm: inproc holds the sum of both sides, exactly") {
  context ctx;
  for (const auto& [send_hwm, recv_hwm] : {std::pair{1, 1}, {3, 4}, {100, 1}, {1, 100}}) {
    CAPTURE(send_hwm);
    CAPTURE(recv_hwm);
    socket pull(ctx, SLK_PULL);
    socket push(ctx, SLK_PUSH);
    pull.set(SLK_RCVHWM, recv_hwm);
    push.set(SLK_SNDHWM, send_hwm);
    push.connect(pull.bind(inproc::wildcard()));
    CHECK(push.fill("x") == send_hwm + recv_hwm);
    CHECK(pull.drain() == send_hwm + recv_hwm);
  }
}

TEST_CASE("hwm: inproc is unlimited if either side is") {
  context ctx;
  for (const auto& [send_hwm, recv_hwm] : {std::pair{0, 1}, {1, 0}}) {
    socket pull(ctx, SLK_PULL);
    socket push(ctx, SLK_PUSH);
    pull.set(SLK_RCVHWM, recv_hwm);
    push.set(SLK_SNDHWM, send_hwm);
    push.connect(pull.bind(inproc::wildcard()));
    CHECK(push.fill("x", 5000) == 5000);
  }
}

TEST_CASE("hwm: inproc connected before bind grows to the sum when the other side binds") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_SNDHWM, 2);
  const std::string endpoint = inproc::unbound();
  push.connect(endpoint);
  CHECK(push.fill("x") == 2);
  socket pull(ctx, SLK_PULL);
  pull.set(SLK_RCVHWM, 3);
  pull.bind(endpoint);
  REQUIRE(push.wait(SLK_POLLOUT));
  CHECK(push.fill("x") == 3);
  CHECK(pull.drain() == 5);
}

TEST_CASE("hwm: room comes back in steps of half a high-water mark at the latest") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  pull.set(SLK_RCVHWM, 1);
  push.set(SLK_SNDHWM, 100);
  push.connect(pull.bind(inproc::wildcard()));
  REQUIRE(push.fill("x") == 101);
  CHECK(pull.drain() == 101);
  REQUIRE(push.wait(SLK_POLLOUT));
  const int refilled = push.fill("x");
  CHECK(refilled >= 51);
  CHECK(refilled <= 101);
}

CONTRACT_OVER_STREAMS("hwm: raising SNDHWM counts for pipes that exist") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_SNDHWM, 5);
  push.connect(Transport::unbound());
  REQUIRE(push.try_send("x"));
  push.set(SLK_SNDHWM, 8);
  CHECK(push.fill("x") == 7);
}

CONTRACT_OVER_ALL("hwm: the limit is per pipe, not per socket") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  push.set(SLK_SNDHWM, 4);
  push.connect(Transport::unbound());
  push.connect(Transport::unbound());
  CHECK(push.fill("x") == 8);
}

CONTRACT_OVER_ALL("pipe: messages of a connection keep their order") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  constexpr int many = 5000;
  std::thread sender([&] {
    for (int i = 0; i < many; ++i) {
      push.send(std::to_string(i));
    }
  });
  for (int i = 0; i < many; ++i) {
    const auto message = pull.recv();
    CHECK(message == std::to_string(i));
    if (!message) {
      break;
    }
  }
  sender.join();
}

CONTRACT_OVER_ALL("pipe: what arrived before the peer left stays readable") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(endpoint);
    for (int i = 0; i < 10; ++i) {
      push.send_message({"head", std::to_string(i)});
    }
  }
  for (int i = 0; i < 10; ++i) {
    CHECK(pull.recv_message() == parts{"head", std::to_string(i)});
  }
}
