// Messages of several parts are atomic, and every size of part arrives as it was.
#include <array>

#include "fixture.hpp"

using namespace contract;

namespace {

// A body in which no byte is where another size would have it.
std::string body_of(size_t size) {
  std::string body(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    body[i] = static_cast<char>((i * 131 + size) & 0xff);
  }
  return body;
}

}  // namespace

CONTRACT_OVER_ALL("multipart: parts and RCVMORE") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"a", "", "ccc"});
  push.send_message({"single"});
  CHECK(pull.recv() == "a");
  CHECK(pull.get(SLK_RCVMORE) == 1);
  CHECK(pull.recv() == "");
  CHECK(pull.get(SLK_RCVMORE) == 1);
  CHECK(pull.recv() == "ccc");
  CHECK(pull.get(SLK_RCVMORE) == 0);
  CHECK(pull.recv() == "single");
  CHECK(pull.get(SLK_RCVMORE) == 0);
}

CONTRACT_OVER_ALL("multipart: only empty parts") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  push.send_message({"", "", ""});
  push.send_message({""});
  CHECK(pull.recv_message() == parts{"", "", ""});
  CHECK(pull.recv_message() == parts{""});
}

CONTRACT_OVER_ALL("multipart: a thousand parts are one message") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  pull.set(SLK_RCVHWM, 1);
  push.set(SLK_SNDHWM, 1);
  push.connect(pull.bind(Transport::wildcard()));
  REQUIRE(push.wait(SLK_POLLOUT));
  for (int i = 0; i < 999; ++i) {
    REQUIRE(push.send(std::to_string(i), SLK_SNDMORE) >= 0);
  }
  REQUIRE(push.send("end") == 3);
  const parts message = pull.recv_message();
  REQUIRE(message.size() == 1000);
  for (size_t i = 0; i < 999; ++i) {
    REQUIRE(message[i] == std::to_string(i));
  }
  CHECK(message.back() == "end");
}

CONTRACT_OVER_ALL("multipart: every size around a boundary, as single and as middle part") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  for (const size_t size :
       {0UL,     1UL,     28UL,    29UL,    30UL,    31UL,     32UL,     33UL,     34UL,
        47UL,    48UL,    49UL,    63UL,    64UL,    65UL,     254UL,    255UL,    256UL,
        257UL,   8191UL,  8192UL,  8193UL,  16383UL, 16384UL,  16385UL,  49151UL,  49152UL,
        49153UL, 65527UL, 65535UL, 65536UL, 65537UL, 131071UL, 131072UL, 131073UL, 1048576UL}) {
    CAPTURE(size);
    const std::string body = body_of(size);
    REQUIRE(push.send(body) == static_cast<int>(size));
    REQUIRE(push.send("before", SLK_SNDMORE) == 6);
    REQUIRE(push.send(body, SLK_SNDMORE) == static_cast<int>(size));
    REQUIRE(push.send("after") == 5);
    const parts single = pull.recv_message();
    REQUIRE(single.size() == 1);
    CHECK((single[0] == body));  // in parentheses, or a failure prints the body
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 3);
    CHECK(message[0] == "before");
    CHECK((message[1] == body));
    CHECK(message[2] == "after");
  }
}

CONTRACT_OVER_ALL("multipart: nothing is visible before the last part") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  socket slow(ctx, SLK_PUSH);
  socket quick(ctx, SLK_PUSH);
  slow.connect(endpoint);
  quick.connect(endpoint);
  REQUIRE(slow.send("first", SLK_SNDMORE) == 5);
  quick.send_message({"whole"});
  CHECK(pull.recv_message() == parts{"whole"});
  CHECK(remains([&] { return !pull.can_recv(); }));
  REQUIRE(slow.send("last") == 4);
  CHECK(pull.recv_message() == parts{"first", "last"});
}

CONTRACT_OVER_ALL("multipart: what was begun and not finished vanishes with the socket") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(endpoint);
    push.send_message({"whole"});
    REQUIRE(push.send("begun", SLK_SNDMORE) == 5);
  }
  CHECK(pull.recv_message() == parts{"whole"});
  socket push(ctx, SLK_PUSH);
  push.connect(endpoint);
  push.send_message({"next"});
  CHECK(pull.recv_message() == parts{"next"});
  CHECK(remains([&] { return !pull.can_recv(); }));
}

CONTRACT_OVER_ALL("multipart: messages of different senders are never mixed") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  constexpr int senders = 3;
  constexpr int messages = 300;
  std::vector<std::thread> threads;
  for (int sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender] {
      socket push(ctx, SLK_PUSH);
      push.set(SLK_LINGER, -1);
      push.connect(endpoint);
      const std::string name = std::to_string(sender);
      for (int i = 0; i < messages; ++i) {
        push.send_message(
            {name, std::to_string(i), std::string(static_cast<size_t>(i), 'x'), name});
      }
    });
  }
  std::array<int, senders> next{};
  for (int i = 0; i < senders * messages; ++i) {
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 4);
    REQUIRE(message[0] == message[3]);
    auto& expected = next[static_cast<size_t>(std::stoi(message[0]))];
    REQUIRE(message[1] == std::to_string(expected));
    REQUIRE(message[2].size() == static_cast<size_t>(expected));
    ++expected;
  }
  for (auto& thread : threads) {
    thread.join();
  }
}

CONTRACT_OVER_ALL("recv: a short buffer gets the beginning, the result is the full length") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  for (const size_t size : {10UL, 100UL, 1000UL, 100000UL}) {
    const std::string body = body_of(size);
    REQUIRE(push.send(body, SLK_SNDMORE) == static_cast<int>(size));
    REQUIRE(push.send("next") == 4);
    std::array<char, 8> buffer;
    buffer.fill('-');
    CHECK(slk_recv(pull.raw(), buffer.data(), 4, 0) == static_cast<int>(size));
    CHECK(std::string(buffer.data(), buffer.size()) == body.substr(0, 4) + "----");
    CHECK(pull.recv() == "next");
  }
  push.send_message({"gone"});
  CHECK(slk_recv(pull.raw(), nullptr, 0, 0) == 4);
}

CONTRACT_OVER_ALL("send: msg_send, send_const and send deliver the same") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  push.connect(pull.bind(Transport::wildcard()));
  static const std::string constant = body_of(100000);
  for (const size_t size : {5UL, 40UL, 100000UL}) {
    const std::string body = constant.substr(0, size);
    slk_msg_t msg;
    REQUIRE(slk_msg_init_buffer(&msg, body.data(), body.size()) == 0);
    REQUIRE(slk_msg_send(&msg, push.raw(), SLK_SNDMORE) == static_cast<int>(size));
    CHECK(slk_msg_size(&msg) == 0);
    REQUIRE(slk_msg_close(&msg) == 0);
    REQUIRE(slk_send_const(push.raw(), constant.data(), size, SLK_SNDMORE) ==
            static_cast<int>(size));
    REQUIRE(push.send(body) == static_cast<int>(size));
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 3);
    for (const auto& part : message) {
      CHECK((part == body));
    }
  }
}

CONTRACT_OVER_ALL("multipart: a disconnect in the midst of a message drops its rest") {
  for (const int type : {SLK_PULL, SLK_DEALER, SLK_ROUTER}) {
    for (const bool behind_second : {false, true}) {
      CAPTURE(type);
      CAPTURE(behind_second);
      context ctx;
      socket receiver(ctx, type);
      socket sender(ctx, type == SLK_PULL ? SLK_PUSH : SLK_DEALER);
      socket next(ctx, type == SLK_PULL ? SLK_PUSH : SLK_DEALER);
      const std::string endpoint = sender.bind(Transport::wildcard());
      receiver.connect(endpoint);
      receiver.connect(next.bind(Transport::wildcard()));
      REQUIRE(sender.wait(SLK_POLLOUT));
      REQUIRE(next.wait(SLK_POLLOUT));
      sender.send_message({"a", "b", "c"});
      REQUIRE(receiver.recv());
      if (behind_second) {
        REQUIRE(receiver.recv());
      }
      REQUIRE(receiver.get(SLK_RCVMORE) == 1);
      REQUIRE(slk_disconnect(receiver.raw(), endpoint.c_str()) == 0);
      CHECK(receiver.get(SLK_RCVMORE) == 0);
      next.send_message({"whole"});
      const parts message = receiver.recv_message();
      REQUIRE_FALSE(message.empty());
      CHECK(message.back() == "whole");
      CHECK(message.size() == (type == SLK_ROUTER ? 2 : 1));
    }
  }
}
