// Monitors: what a socket tells of its connections, and that telling costs it nothing.
#include <cstring>

#include "raw_peer.hpp"

namespace contract {

namespace {

struct told {
  int event = 0;
  std::uint32_t value = 0;
  std::string endpoint;
};

class listener {
 public:
  listener(context& ctx, socket& of, int events = SLK_EVENT_ALL, int rcvhwm = 1000)
      : reader_(ctx, SLK_PAIR) {
    const std::string name = inproc::unbound();
    REQUIRE(slk_socket_monitor(of.raw(), name.c_str(), events) == 0);
    reader_.set(SLK_RCVHWM, rcvhwm);
    reader_.connect(name);
  }

  told next() {
    const parts message = reader_.recv_message();
    REQUIRE(message.size() == 2);
    REQUIRE(message[0].size() == 6);
    told one;
    std::uint16_t event = 0;
    std::memcpy(&event, message[0].data(), 2);
    std::memcpy(&one.value, message[0].data() + 2, 4);
    one.event = event;
    one.endpoint = message[1];
    return one;
  }

  // Passes over other events.
  told next(int event) {
    for (;;) {
      told one = next();
      if (one.event == event) {
        return one;
      }
      REQUIRE(one.event != SLK_EVENT_MONITOR_STOPPED);
    }
  }

  std::vector<int> next_events(size_t count) {
    std::vector<int> events;
    while (events.size() < count) {
      events.push_back(next().event);
    }
    return events;
  }

  socket& reader() { return reader_; }

 private:
  socket reader_;
};

std::string error_command(std::string_view reason) {
  std::string body = "\5ERROR" + std::string{static_cast<char>(reason.size())};
  body += reason;
  return std::string{4, static_cast<char>(body.size())} + body;
}

}  // namespace

CONTRACT_OVER_STREAMS("monitor: the life of a connection, at both ends") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  listener server(ctx, pull);
  listener client(ctx, push);
  const std::string endpoint = pull.bind(Transport::wildcard());
  told one = server.next();
  CHECK(one.event == SLK_EVENT_LISTENING);
  CHECK(one.endpoint == endpoint);
  push.connect(endpoint);
  one = server.next();
  CHECK(one.event == SLK_EVENT_ACCEPTED);
  CHECK(one.endpoint == endpoint);
  CHECK(server.next().event == SLK_EVENT_HANDSHAKE_SUCCEEDED);
  one = client.next(SLK_EVENT_CONNECTED);
  CHECK(one.value > 2);
  CHECK(one.endpoint == endpoint);
  CHECK(client.next().event == SLK_EVENT_HANDSHAKE_SUCCEEDED);
  SUBCASE("the server goes") {
    pull.close();
    CHECK(client.next().event == SLK_EVENT_DISCONNECTED);
    one = client.next();
    CHECK(one.event == SLK_EVENT_CONNECT_RETRIED);
    CHECK(one.value >= 10);
    CHECK(one.value <= 20);
    // What the socket told last is heard, though it is closed.
    CHECK(server.next_events(3) ==
          std::vector<int>{SLK_EVENT_CLOSED, SLK_EVENT_DISCONNECTED, SLK_EVENT_MONITOR_STOPPED});
  }
  SUBCASE("the client goes") {
    push.close();
    CHECK(server.next().event == SLK_EVENT_DISCONNECTED);
    CHECK(client.next_events(2) ==
          std::vector<int>{SLK_EVENT_DISCONNECTED, SLK_EVENT_MONITOR_STOPPED});
  }
  SUBCASE("the server turns away") {
    REQUIRE(slk_unbind(pull.raw(), endpoint.c_str()) == 0);
    CHECK(server.next_events(2) == std::vector<int>{SLK_EVENT_CLOSED, SLK_EVENT_DISCONNECTED});
  }
}

TEST_CASE("monitor: an attempt that is refused") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  listener client(ctx, push);
  push.connect(tcp::unbound());
  const told delayed = client.next();
  CHECK(delayed.event == SLK_EVENT_CONNECT_DELAYED);
  CHECK(delayed.value == EINPROGRESS);
  CHECK(client.next_events(3) ==
        std::vector<int>{SLK_EVENT_CLOSED, SLK_EVENT_CONNECT_RETRIED, SLK_EVENT_CONNECT_DELAYED});
}

TEST_CASE("monitor: why a handshake failed") {
  struct failure {
    std::string bytes;
    int event;
    std::uint32_t value;
    int time_allowed_ms = static_cast<int>(deadline.count());
  };
  const failure failures[] = {
      {"GET / HTTP/1.1\r\n\r\n", SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL,
       SLK_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
      {raw_peer::greeting("PLAIN"), SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL,
       SLK_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
      {raw_peer::greeting() + raw_peer::ready("PULL"), SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL,
       SLK_PROTOCOL_ERROR_ZMTP_INVALID_METADATA},
      {raw_peer::greeting() + frame("early"), SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL,
       SLK_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND},
      {raw_peer::greeting() + error_command("400"), SLK_EVENT_HANDSHAKE_FAILED_AUTH, 400},
      {raw_peer::greeting(), SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT, 100},
  };
  for (const failure& one : failures) {
    context ctx;
    socket pull(ctx, SLK_PULL);
    pull.set(SLK_HANDSHAKE_IVL, one.time_allowed_ms);
    const std::string endpoint = pull.bind(tcp::wildcard());
    listener server(ctx, pull);
    const raw_peer peer = raw_connect(endpoint);
    CHECK(server.next().event == SLK_EVENT_ACCEPTED);
    peer.write(one.bytes);
    const told seen = server.next();
    CHECK(seen.event == one.event);
    CHECK(seen.value == one.value);
    CHECK(server.next().event == SLK_EVENT_DISCONNECTED);
  }
}

TEST_CASE("monitor: only what was chosen, until it is stopped") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  listener server(ctx, pull, SLK_EVENT_BIND_FAILED | SLK_EVENT_MONITOR_STOPPED);
  const std::string endpoint = pull.bind(tcp::wildcard());
  socket other(ctx, SLK_PULL);
  CHECK(slk_bind(pull.raw(), endpoint.c_str()) == -1);
  const told failed = server.next();
  CHECK(failed.event == SLK_EVENT_BIND_FAILED);
  CHECK(failed.value == EADDRINUSE);
  CHECK(failed.endpoint == endpoint);
  REQUIRE(slk_socket_monitor(pull.raw(), nullptr, 0) == 0);
  CHECK(server.next().event == SLK_EVENT_MONITOR_STOPPED);
  CHECK(slk_bind(pull.raw(), endpoint.c_str()) == -1);
  CHECK(remains([&] { return !server.reader().can_recv(); }));
}

TEST_CASE("monitor: a reader that does not read loses events, and nobody else anything") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = pull.bind(tcp::wildcard());
  push.connect(endpoint);
  listener server(ctx, pull, SLK_EVENT_ALL, 10);
  constexpr int failures = 2000;
  for (int i = 0; i < failures; ++i) {
    REQUIRE(slk_bind(pull.raw(), endpoint.c_str()) == -1);
  }
  push.send_message({"still"});
  CHECK(pull.recv() == "still");
  int heard = 0;
  while (server.reader().can_recv()) {
    server.reader().recv_message();
    ++heard;
  }
  CHECK(heard == 1010);
  REQUIRE(slk_bind(pull.raw(), endpoint.c_str()) == -1);
  CHECK(server.next().event == SLK_EVENT_BIND_FAILED);
}

TEST_CASE("monitor: where it may be, and that it can be moved") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  CHECK(slk_socket_monitor(pull.raw(), "tcp://127.0.0.1:*", SLK_EVENT_ALL) == -1);
  CHECK(errno == EPROTONOSUPPORT);
  CHECK(slk_socket_monitor(nullptr, "inproc://x", SLK_EVENT_ALL) == -1);
  CHECK(errno == ENOTSOCK);
  const std::string name = inproc::unbound();
  REQUIRE(slk_socket_monitor(pull.raw(), name.c_str(), SLK_EVENT_ALL) == 0);
  CHECK(slk_socket_monitor(pull.raw(), name.c_str(), SLK_EVENT_LISTENING) == 0);
  socket other(ctx, SLK_PULL);
  CHECK(slk_socket_monitor(other.raw(), name.c_str(), SLK_EVENT_ALL) == -1);
  CHECK(errno == EADDRINUSE);
  pull.close();
  CHECK(slk_socket_monitor(other.raw(), name.c_str(), SLK_EVENT_ALL) == 0);
}

}  // namespace contract
