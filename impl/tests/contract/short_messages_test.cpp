// Streams of short messages, which have a way of their own through a socket: it must be left, with
// nothing lost, doubled or out of turn, whenever something else comes along.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "fixture.hpp"

using namespace contract;

namespace {

std::string numbered(int number, std::size_t size_bytes) {
  std::string text = std::to_string(number) + ":";
  text.resize(size_bytes, 'x');
  return text;
}

struct routers {
  context ctx;
  socket left{ctx, SLK_ROUTER};
  socket right{ctx, SLK_ROUTER};

  explicit routers(const std::string& wildcard) {
    left.set(SLK_ROUTING_ID, "left").set(SLK_ROUTER_MANDATORY, 1);
    right.set(SLK_ROUTING_ID, "right").set(SLK_ROUTER_MANDATORY, 1);
    right.connect(left.bind(wildcard));
    REQUIRE(eventually([&] { return left.send("right", SLK_SNDMORE) >= 0; }));
    REQUIRE(left.send("hello") == 5);
    REQUIRE(right.recv_message() == parts{"left", "hello"});
  }
};

}  // namespace

CONTRACT_OVER_ALL("short messages: all sizes around the limits of the short way, in order") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  for (const std::size_t size_bytes :
       {0u,  1u,  2u,  3u,  7u,   8u,   15u,  16u,  17u,  31u,  32u,
        33u, 63u, 64u, 65u, 127u, 128u, 129u, 254u, 255u, 256u, 257u}) {
    for (int number = 0; number < 3; ++number) {
      std::string sent(size_bytes, '\0');
      for (std::size_t i = 0; i < size_bytes; ++i) {
        sent[i] = static_cast<char>(i * 7 + static_cast<std::size_t>(number));
      }
      REQUIRE(push.send(sent) == static_cast<int>(size_bytes));
      REQUIRE(pull.recv() == sent);
    }
  }
}

CONTRACT_OVER_ALL("short messages: a second peer gets its turns in the middle of a stream") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket first(ctx, SLK_PULL);
  socket second(ctx, SLK_PULL);
  push.connect(first.bind(Transport::wildcard()));
  for (int number = 0; number < 100; ++number) {
    push.send_message({numbered(number, 16)});
    REQUIRE(first.recv_message() == parts{numbered(number, 16)});
  }
  push.connect(second.bind(Transport::wildcard()));
  for (int number = 0; number < 100; ++number) {
    push.send_message({numbered(number, 16)});
  }
  int of_first = 0;
  int of_second = 0;
  REQUIRE(eventually([&] {
    of_first += first.drain();
    of_second += second.drain();
    return of_first + of_second == 100;
  }));
  CHECK(of_first == 50);
  CHECK(of_second == 50);
}

CONTRACT_OVER_ALL("short messages: the receiver of a stream hears a second peer, too") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket first(ctx, SLK_PUSH);
  socket second(ctx, SLK_PUSH);
  const std::string endpoint = pull.bind(Transport::wildcard());
  first.connect(endpoint);
  for (int number = 0; number < 100; ++number) {
    first.send_message({"first"});
    REQUIRE(pull.recv_message() == parts{"first"});
  }
  second.connect(endpoint);
  second.send_message({"second"});
  first.send_message({"first"});
  int of_second = 0;
  for (int number = 0; number < 2; ++number) {
    of_second += pull.recv_message() == parts{"second"} ? 1 : 0;
  }
  CHECK(of_second == 1);
}

CONTRACT_OVER_ALL("short messages: parts between them stay together, and say so") {
  context ctx;
  socket out(ctx, SLK_DEALER);
  socket in(ctx, SLK_DEALER);
  out.connect(in.bind(Transport::wildcard()));
  for (int round = 0; round < 20; ++round) {
    out.send_message({"single"});
    out.send_message({"a", "", std::string(300, 'b'), "c"});
    out.send_message({"another"});
    CHECK(in.recv_message() == parts{"single"});
    CHECK(in.get(SLK_RCVMORE) == 0);
    REQUIRE(in.recv() == "a");
    CHECK(in.get(SLK_RCVMORE) == 1);
    REQUIRE(in.recv() == "");
    REQUIRE(in.recv() == std::string(300, 'b'));
    REQUIRE(in.recv() == "c");
    CHECK(in.get(SLK_RCVMORE) == 0);
    CHECK(in.recv_message() == parts{"another"});
  }
}

CONTRACT_OVER_ALL(
    "short messages: what is cut by a small buffer is cut, and the next one is whole") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  for (int round = 0; round < 5; ++round) {
    push.send_message({"0123456789"});
    push.send_message({"next"});
    char buffer[4] = {};
    REQUIRE(slk_recv(pull.raw(), buffer, sizeof buffer, 0) == 10);
    CHECK(std::string(buffer, 4) == "0123");
    REQUIRE(pull.recv_message() == parts{"next"});
  }
}

CONTRACT_OVER_ALL("short messages: a high water mark holds, and room comes back") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.set(SLK_SNDHWM, 10);
  pull.set(SLK_RCVHWM, 10);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"x"});
  REQUIRE(pull.recv_message() == parts{"x"});
  int sent = 0;
  int received = 0;
  for (int round = 0; round < 20; ++round) {
    while (sent < 2000 * (round + 1) && push.try_send(numbered(sent, 12))) {
      ++sent;
    }
    REQUIRE(eventually([&] {
      while (const auto got = pull.try_recv()) {
        REQUIRE(*got == numbered(received++, 12));
      }
      return received == sent;
    }));
  }
  CHECK(sent > 20);
}

CONTRACT_OVER_ALL("short messages: between routers, mixed with long ones and with parts") {
  routers pair(Transport::wildcard());
  for (int round = 0; round < 50; ++round) {
    pair.left.send_message({"right", numbered(round, 20)});
    pair.left.send_message({"right", "a", "b"});
    pair.left.send_message({"right", std::string(1000, 'l')});
    pair.right.send_message({"left", numbered(round, 200)});
    CHECK(pair.right.recv_message() == parts{"left", numbered(round, 20)});
    CHECK(pair.right.recv_message() == parts{"left", "a", "b"});
    CHECK(pair.right.recv_message() == parts{"left", std::string(1000, 'l')});
    CHECK(pair.left.recv_message() == parts{"right", numbered(round, 200)});
  }
}

CONTRACT_OVER_ALL("short messages: a router's name is looked up anew when it is another") {
  routers pair(Transport::wildcard());
  for (int round = 0; round < 5; ++round) {
    pair.left.send_message({"right", "known"});
    CHECK(pair.left.send("nobody", SLK_SNDMORE) == -1);
    CHECK(errno == EHOSTUNREACH);
    CHECK(pair.left.send("righ", SLK_SNDMORE) == -1);
    CHECK(pair.left.send("right2", SLK_SNDMORE) == -1);
    CHECK(pair.right.recv_message() == parts{"left", "known"});
  }
}

CONTRACT_OVER_ALL("short messages: a router says which part is which") {
  routers pair(Transport::wildcard());
  for (int round = 0; round < 5; ++round) {
    pair.left.send_message({"right", "body"});
    REQUIRE(pair.right.recv() == "left");
    CHECK(pair.right.get(SLK_RCVMORE) == 1);
    CHECK(pair.right.can_recv());
    slk_msg_t body;
    REQUIRE(slk_msg_init(&body) == 0);
    REQUIRE(slk_msg_recv(&body, pair.right.raw(), 0) == 4);
    CHECK(slk_msg_more(&body) == 0);
    slk_msg_close(&body);
    CHECK(pair.right.get(SLK_RCVMORE) == 0);
  }
}

CONTRACT_OVER_ALL("short messages: a peer that leaves between name and body takes it along") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_ROUTER_MANDATORY, 1);
  const std::string endpoint = router.bind(Transport::wildcard());
  socket other(ctx, SLK_DEALER);
  other.set(SLK_ROUTING_ID, "other");
  other.connect(endpoint);
  other.send_message({"hello"});
  REQUIRE(router.recv_message() == parts{"other", "hello"});
  {
    socket peer(ctx, SLK_DEALER);
    peer.set(SLK_ROUTING_ID, "peer");
    peer.connect(endpoint);
    peer.send_message({"hello"});
    REQUIRE(router.recv_message() == parts{"peer", "hello"});
    for (int number = 0; number < 3; ++number) {
      router.send_message({"peer", "flows"});
      REQUIRE(peer.recv_message() == parts{"flows"});
    }
    REQUIRE(router.send("peer", SLK_SNDMORE) == 4);
  }
  REQUIRE(eventually([&] {
    static_cast<void>(router.can_recv());  // what has happened is looked at within calls
    return slk_is_connected(router.raw(), "peer", 4) == 0;
  }));
  CHECK(router.send("lost") == 4);
  router.send_message({"other", "found"});
  CHECK(other.recv_message() == parts{"found"});
}

CONTRACT_OVER_ALL("short messages: a sleeping receiver is woken by each") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  constexpr int count = 200;
  std::thread reader([&] {
    for (int number = 0; number < count; ++number) {
      CHECK(pull.recv() == numbered(number, 30));
    }
  });
  for (int number = 0; number < count; ++number) {
    push.send_message({numbered(number, 30)});
    if (number % 10 == 0) {
      std::this_thread::sleep_for(1ms);  // longer than a receiver spins: it does sleep at times
    }
  }
  reader.join();
}

CONTRACT_OVER_ALL("short messages: through poll, one by one") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  for (int number = 0; number < 100; ++number) {
    push.send_message({numbered(number, 10)});
    push.send_message({numbered(number, 11)});
    REQUIRE(pull.wait(SLK_POLLIN));
    REQUIRE(pull.recv_message() == parts{numbered(number, 10)});
    REQUIRE(pull.wait(SLK_POLLIN));
    REQUIRE(pull.recv_message() == parts{numbered(number, 11)});
  }
}

CONTRACT_OVER_ALL("short messages: a closed socket, and an ended context, are noticed at once") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  socket pull(ctx, SLK_PULL);
  push.connect(pull.bind(Transport::wildcard()));
  for (int number = 0; number < 10; ++number) {
    push.send_message({"x"});
    REQUIRE(pull.recv_message() == parts{"x"});
  }
  REQUIRE(slk_ctx_shutdown(ctx.raw()) == 0);
  CHECK(push.send("x") == -1);
  CHECK(errno == ETERM);
  CHECK(pull.recv() == std::nullopt);
  CHECK(errno == ETERM);
  void* const closed = push.raw();
  push.close();
  char buffer[8];
  CHECK(slk_send(closed, "x", 1, 0) == -1);
  CHECK(errno == ENOTSOCK);
  CHECK(slk_recv(closed, buffer, sizeof buffer, 0) == -1);
  CHECK(errno == ENOTSOCK);
}

namespace {

struct batch {
  parts frames;
  std::size_t frames_max = 0;

  static int take(const void* data, std::size_t size_bytes, int, void* hint) {
    auto& into = *static_cast<batch*>(hint);
    into.frames.emplace_back(static_cast<const char*>(data), size_bytes);
    return into.frames.size() < into.frames_max ? 1 : 0;
  }
};

}  // namespace

CONTRACT_OVER_ALL("short messages: sent by their parts and received in batches, in order") {
  routers pair(Transport::wildcard());
  parts expected;
  batch received;
  for (int number = 0; number < 500; ++number) {
    // Most are short; some are beyond the short way, at its limit, empty or of more parts.
    const std::size_t size_bytes = number % 7 == 3 ? 300 : number % 5 == 2 ? 255 : 20;
    const std::string body = number % 11 == 4 ? std::string() : numbered(number, size_bytes);
    const slk_part_t message[] = {{"right", 5}, {body.data(), body.size()}, {"end", 3}};
    const std::size_t count = number % 13 == 5 ? 3 : 2;
    REQUIRE(slk_send_parts(pair.left.raw(), message, count, 0) == static_cast<int>(count));
    expected.insert(expected.end(), {"left", body});
    if (count == 3) {
      expected.emplace_back("end");
    }
    if (number % 50 != 49) {
      continue;
    }
    while (received.frames.size() < expected.size()) {
      // Batches end within messages, too.
      received.frames_max = std::min(expected.size(), received.frames.size() + 17);
      const std::size_t before = received.frames.size();
      const int taken = slk_recv_each(pair.right.raw(), batch::take, &received, 0);
      REQUIRE(taken == static_cast<int>(received.frames.size() - before));
      if (received.frames.back() == "left") {
        CHECK(pair.right.get(SLK_RCVMORE) == 1);
      }
    }
    REQUIRE(received.frames == expected);
  }
}

CONTRACT_OVER_ALL("short messages: of parts that are wrong, or have no way, none is sent") {
  routers pair(Transport::wildcard());
  const slk_part_t wrong[] = {{"right", 5}, {nullptr, 3}};
  const slk_part_t unknown[] = {{"nobody", 6}, {"x", 1}};
  const slk_part_t good[] = {{"right", 5}, {nullptr, 0}};
  for (int round = 0; round < 3; ++round) {
    CHECK(slk_send_parts(pair.left.raw(), wrong, 2, 0) == -1);
    CHECK(errno == EFAULT);
    CHECK(slk_send_parts(pair.left.raw(), unknown, 2, 0) == -1);
    CHECK(errno == EHOSTUNREACH);
    CHECK(slk_send_parts(pair.left.raw(), good, 0, 0) == -1);
    CHECK(errno == EINVAL);
    REQUIRE(slk_send_parts(pair.left.raw(), good, 2, 0) == 2);
    CHECK(pair.right.recv_message() == parts{"left", ""});
  }
}

CONTRACT_OVER_ALL("short messages: parts wait for room together, and find it again") {
  routers pair(Transport::wildcard());
  const slk_part_t message[] = {{"right", 5}, {"a body of some bytes", 20}};
  int sent = 0;
  for (int round = 0; round < 3; ++round) {
    while (sent < 100'000 * (round + 1) &&
           slk_send_parts(pair.left.raw(), message, 2, SLK_DONTWAIT) == 2) {
      ++sent;
    }
    for (; sent > 0; --sent) {
      REQUIRE(pair.right.recv_message() == parts{"left", "a body of some bytes"});
    }
    REQUIRE(slk_send_parts(pair.left.raw(), message, 2, 0) == 2);
    REQUIRE(pair.right.recv_message() == parts{"left", "a body of some bytes"});
  }
}

CONTRACT_OVER_ALL("short messages: of several peers, each in its order and in its turn") {
  constexpr int peers = 5;
  constexpr int each = 60;
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  std::vector<socket> pushes;
  for (int peer = 0; peer < peers; ++peer) {
    pushes.emplace_back(ctx, SLK_PUSH);
    pushes.back().connect(endpoint);
    pushes.back().send_message({std::to_string(peer) + "/hello"});
  }
  for (int peer = 0; peer < peers; ++peer) {
    REQUIRE(pull.recv_message().size() == 1);
  }
  // One of them sends less than the others, and now and then what is not short.
  const auto size_of = [](int peer, int number) -> std::size_t {
    return (number + peer) % 17 == 0 ? 300 : 24;
  };
  for (int number = 0; number < each; ++number) {
    for (int peer = 0; peer < peers; ++peer) {
      if (peer == 0 && number >= each / 2) {
        continue;
      }
      std::string text = std::to_string(peer) + "/" + std::to_string(number) + ":";
      text.resize(size_of(peer, number), 'x');
      pushes[static_cast<std::size_t>(peer)].send_message({text});
    }
  }
  std::vector<int> next(peers, 0);
  for (int received = 0; received < peers * each - each / 2; ++received) {
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 1);
    const auto peer = static_cast<std::size_t>(std::stoi(message.front()));
    const int number = std::stoi(message.front().substr(message.front().find('/') + 1));
    CHECK(number == next[peer]++);
    CHECK(message.front().size() == size_of(static_cast<int>(peer), number));
  }
  CHECK(next == std::vector<int>{each / 2, each, each, each, each});
  CHECK(pull.try_recv() == std::nullopt);
}

CONTRACT_OVER_ALL("short messages: of several peers of a router, each under its own name") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(Transport::wildcard());
  std::vector<socket> dealers;
  for (int peer = 0; peer < 4; ++peer) {
    dealers.emplace_back(ctx, SLK_DEALER);
    dealers.back().set(SLK_ROUTING_ID, "peer" + std::to_string(peer));
    dealers.back().connect(endpoint);
    dealers.back().send_message({"hello"});
    REQUIRE(router.recv_message().back() == "hello");
  }
  for (int number = 0; number < 50; ++number) {
    for (std::size_t peer = 0; peer < dealers.size(); ++peer) {
      const std::string body = std::to_string(peer) + "/" + std::to_string(number);
      if (number % 9 == 4) {
        dealers[peer].send_message({body, "more"});
      } else {
        dealers[peer].send_message({body});
      }
    }
    std::vector<int> heard(dealers.size(), 0);
    for (std::size_t i = 0; i < dealers.size(); ++i) {
      const parts message = router.recv_message();
      REQUIRE(message.size() == (number % 9 == 4 ? 3u : 2u));
      const std::string peer = message[0].substr(4);
      CHECK(message[1] == peer + "/" + std::to_string(number));
      ++heard[static_cast<std::size_t>(std::stoi(peer))];
    }
    CHECK(heard == std::vector<int>(dealers.size(), 1));
  }
}
