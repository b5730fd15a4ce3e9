// PLAIN, CURVE and who is asked: who has no key gets nothing delivered, who has one gets what a
// connection in the clear would give.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <mutex>

#include "raw_peer.hpp"

namespace contract {

namespace {

const auto needs_curve = doctest::skip(slk_has("curve") == 0);
constexpr const char* handler_name = "inproc://zeromq.zap.01";

struct key_pair {
  std::string open;
  std::string secret;
};

key_pair fresh_keys() {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
  REQUIRE(slk_curve_keypair(open.data(), secret.data()) == 0);
  return {open.data(), secret.data()};
}

// A key pair of which this test itself holds the secret half only in a form that is no match.
class masked_key {
 public:
  masked_key() {
    std::array<char, 41> open{};
    std::array<char, 41> secret{};
    REQUIRE(slk_curve_keypair(open.data(), secret.data()) == 0);
    REQUIRE(slk_z85_decode(bytes_.data(), secret.data()) == bytes_.data());
    ::explicit_bzero(secret.data(), secret.size());
    open_ = open.data();
    flip();
  }
  const std::string& open() const { return open_; }
  void give(const socket& to) {
    flip();
    const int result = slk_setsockopt(to.raw(), SLK_CURVE_SECRETKEY, bytes_.data(), bytes_.size());
    flip();
    REQUIRE(result == 0);
  }
  // Without a copy anywhere.
  bool is_at(const std::uint8_t* place) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if ((place[i] ^ mask) != bytes_[i]) {
        return false;
      }
    }
    return true;
  }
  static constexpr std::size_t size = 32;

 private:
  static constexpr std::uint8_t mask = 0xa5;
  void flip() {
    for (std::uint8_t& byte : bytes_) {
      byte ^= mask;
    }
  }
  std::array<std::uint8_t, size> bytes_{};
  std::string open_;
};

// How often the key is found in what this process may write: heaps, stacks, data.
int places_in_memory(const masked_key& key) {
  std::ifstream maps("/proc/self/maps");
  const descriptor memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  int found = 0;
  static std::array<std::uint8_t, 1 << 20> window;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    std::array<char, 5> rights{};
    REQUIRE(std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, rights.data()) == 3);
    if (std::string_view(rights.data()).substr(0, 2) != "rw") {
      continue;
    }
    while (from + masked_key::size <= to) {
      const std::size_t wanted = std::min<std::size_t>(window.size(), to - from);
      const ssize_t got = ::pread(memory.get(), window.data(), wanted, static_cast<off_t>(from));
      if (got < static_cast<ssize_t>(masked_key::size)) {
        break;
      }
      const std::size_t last = static_cast<std::size_t>(got) - masked_key::size;
      for (std::size_t at = 0; at <= last; ++at) {
        found += key.is_at(window.data() + at) ? 1 : 0;
      }
      from += last + 1;
    }
  }
  ::explicit_bzero(window.data(), window.size());
  return found;
}

socket& serve_curve(socket& one, const key_pair& keys) {
  return one.set(SLK_CURVE_SECRETKEY, keys.secret).set(SLK_CURVE_SERVER, 1);
}

socket& approach_curve(socket& one, const key_pair& keys, const key_pair& server) {
  return one.set(SLK_CURVE_PUBLICKEY, keys.open)
      .set(SLK_CURVE_SECRETKEY, keys.secret)
      .set(SLK_CURVE_SERVERKEY, server.open);
}

socket& approach_plain(socket& one, std::string_view name, std::string_view password) {
  return one.set(SLK_PLAIN_USERNAME, name).set(SLK_PLAIN_PASSWORD, password);
}

// One event at a time of those asked for.
class observer {
 public:
  observer(context& ctx, socket& of, int events) : reader_(ctx, SLK_PAIR) {
    const std::string name = inproc::unbound();
    REQUIRE(slk_socket_monitor(of.raw(), name.c_str(), events) == 0);
    reader_.connect(name);
  }
  std::pair<int, std::uint32_t> next() {
    const parts message = reader_.recv_message();
    REQUIRE(message.size() == 2);
    std::uint16_t event = 0;
    std::uint32_t value = 0;
    std::memcpy(&event, message[0].data(), 2);
    std::memcpy(&value, message[0].data() + 2, 4);
    return {event, value};
  }

 private:
  socket reader_;
};

// What a handler is asked, and its answer.
parts take_question(socket& handler) {
  parts asked = handler.recv_message();
  REQUIRE(asked.size() >= 8);
  CHECK(asked[1].empty());
  CHECK(asked[2] == "1.0");
  return asked;
}

void answer(socket& handler, const parts& asked, std::string_view status) {
  handler.send_message({asked[0], "", "1.0", asked[3], status, "text", "somebody", ""});
}

// Stands between client and server, and may change what passes: (to_server, bytes).
class relay {
 public:
  using change = std::function<std::string(bool, std::string)>;

  relay(const std::string& server, change changed)
      : change_(std::move(changed)), thread_([this, server] { run(server); }) {}
  ~relay() {
    stop_ = true;
    thread_.join();
  }
  const std::string& endpoint() const { return listener_.endpoint(); }
  std::string seen(bool to_server) {
    const std::lock_guard lock(mutex_);
    return to_server ? to_server_ : to_client_;
  }

 private:
  void run(const std::string& server) {
    while (!stop_ && !listener_.is_asked(5ms)) {
    }
    if (stop_) {
      return;
    }
    const raw_peer client = listener_.accept();
    const raw_peer upstream = raw_connect(server);
    while (!stop_ && pass(client, upstream, true) && pass(upstream, client, false)) {
    }
  }
  // False: one of them is gone.
  bool pass(const raw_peer& from, const raw_peer& to, bool to_server) {
    pollfd item{from.fd(), POLLIN, 0};
    if (::poll(&item, 1, 2) != 1) {
      return true;
    }
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(from.fd(), buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      return false;
    }
    const std::lock_guard lock(mutex_);
    std::string& seen = to_server ? to_server_ : to_client_;
    const std::string bytes(buffer.data(), static_cast<size_t>(got));
    const std::string passed = change_(to_server, bytes);
    seen += bytes;
    return ::send(to.fd(), passed.data(), passed.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(passed.size());
  }

  const raw_listener listener_;
  const change change_;
  std::mutex mutex_;
  std::string to_server_;  // guarded by mutex_
  std::string to_client_;  // guarded by mutex_
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("security: options choose the mechanism, and have libzmq's numbers") {
  context ctx;
  socket one(ctx, SLK_DEALER);
  CHECK(one.get(SLK_MECHANISM) == SLK_NULL);
  one.set(SLK_PLAIN_SERVER, 1);
  CHECK(one.get(SLK_MECHANISM) == SLK_PLAIN);
  approach_plain(one, "user", "pass");
  CHECK(one.get(SLK_PLAIN_SERVER) == 0);
  std::array<char, 256> text{};
  size_t length = text.size();
  REQUIRE(slk_getsockopt(one.raw(), SLK_PLAIN_USERNAME, text.data(), &length) == 0);
  CHECK(length == 5);
  CHECK(std::string(text.data()) == "user");
  CHECK(slk_setsockopt(one.raw(), SLK_PLAIN_USERNAME, nullptr, 0) == 0);
  CHECK(one.get(SLK_MECHANISM) == SLK_NULL);
  one.set(SLK_ZAP_DOMAIN, "global");
  CHECK(slk_setsockopt(one.raw(), SLK_MECHANISM, "x", 1) == -1);
  CHECK(errno == EINVAL);
  const int two = 2;
  CHECK(slk_setsockopt(one.raw(), SLK_PLAIN_SERVER, &two, sizeof two) == -1);
  CHECK(errno == EINVAL);
}

TEST_CASE("security: without CURVE its options say so" * doctest::skip(slk_has("curve") != 0)) {
  context ctx;
  socket one(ctx, SLK_DEALER);
  const int yes = 1;
  CHECK(slk_setsockopt(one.raw(), SLK_CURVE_SERVER, &yes, sizeof yes) == -1);
  CHECK(errno == ENOTSUP);
  char open[41];
  char secret[41];
  CHECK(slk_curve_keypair(open, secret) == -1);
  CHECK(errno == ENOTSUP);
}

TEST_CASE("security: keys go in and out in both forms, and none may be missing" * needs_curve) {
  context ctx;
  socket one(ctx, SLK_DEALER);
  const key_pair keys = fresh_keys();
  one.set(SLK_CURVE_PUBLICKEY, keys.open);
  std::array<std::uint8_t, 32> raw{};
  size_t length = raw.size();
  REQUIRE(slk_getsockopt(one.raw(), SLK_CURVE_PUBLICKEY, raw.data(), &length) == 0);
  std::array<char, 41> text{};
  REQUIRE(slk_z85_encode(text.data(), raw.data(), raw.size()) == text.data());
  CHECK(keys.open == text.data());
  REQUIRE(slk_setsockopt(one.raw(), SLK_CURVE_SERVERKEY, raw.data(), raw.size()) == 0);
  length = text.size();
  REQUIRE(slk_getsockopt(one.raw(), SLK_CURVE_SERVERKEY, text.data(), &length) == 0);
  CHECK(keys.open == text.data());
  REQUIRE(slk_curve_public(text.data(), keys.secret.c_str()) == 0);
  CHECK(keys.open == text.data());
  CHECK(slk_connect(one.raw(), "tcp://127.0.0.1:9") == -1);  // no secret key
  CHECK(errno == EINVAL);
  CHECK(slk_setsockopt(one.raw(), SLK_CURVE_SECRETKEY, "short", 5) == -1);
  CHECK(errno == EINVAL);
  one.set(SLK_CURVE_SECRETKEY, keys.secret);
  CHECK(slk_connect(one.raw(), "tcp://127.0.0.1:9") == 0);
}

CONTRACT_OVER_STREAMS("plain: the handler decides, and is told") {
  context ctx;
  socket handler(ctx, SLK_ROUTER);
  handler.bind(handler_name);
  socket server(ctx, SLK_ROUTER);
  server.set(SLK_PLAIN_SERVER, 1).set(SLK_ZAP_DOMAIN, "shop");
  observer watch(ctx, server, SLK_EVENT_HANDSHAKE_FAILED_AUTH | SLK_EVENT_HANDSHAKE_SUCCEEDED);
  const std::string endpoint = server.bind(Transport::wildcard());
  socket client(ctx, SLK_DEALER);
  approach_plain(client, "user", "pass").set(SLK_ROUTING_ID, "me");
  observer watch_client(ctx, client, SLK_EVENT_HANDSHAKE_FAILED_AUTH);
  client.connect(endpoint);
  client.send_message({"hello"});
  const parts asked = take_question(handler);
  CHECK(asked[4] == "shop");
  CHECK(asked[7] == "PLAIN");
  CHECK(asked[8] == "user");
  CHECK(asked[9] == "pass");
  CHECK(remains([&] { return !server.can_recv(); }));
  SUBCASE("yes") {
    answer(handler, asked, "200");
    slk_msg_t part;
    slk_msg_init(&part);
    REQUIRE(slk_msg_recv(&part, server.raw(), 0) == 2);
    CHECK(slk_msg_gets(&part, "User-Id") == std::string("somebody"));
    slk_msg_close(&part);
    CHECK(server.recv() == "hello");
    CHECK(watch.next() == std::pair(SLK_EVENT_HANDSHAKE_SUCCEEDED, 0u));
  }
  SUBCASE("no") {
    answer(handler, asked, "400");
    CHECK(watch.next() == std::pair(SLK_EVENT_HANDSHAKE_FAILED_AUTH, 400u));
    CHECK(watch_client.next() == std::pair(SLK_EVENT_HANDSHAKE_FAILED_AUTH, 400u));
    CHECK(remains([&] { return !server.can_recv() && !handler.can_recv(); }));
  }
  SUBCASE("not now") {
    answer(handler, asked, "300");
    answer(handler, take_question(handler), "200");  // it has tried again
    CHECK(server.recv_message() == parts{"me", "hello"});
  }
  SUBCASE("no answer at all") {
    handler.send_message({asked[0], "", "1.0", asked[3], "20O", "", "", ""});
    answer(handler, take_question(handler), "200");
    CHECK(server.recv_message() == parts{"me", "hello"});
  }
  SUBCASE("the handler goes") {
    handler.close();
    CHECK(remains([&] { return !server.can_recv(); }));
  }
  SUBCASE("the context goes, and is not held up") {
    client.close();
    server.close();
  }
}

TEST_CASE("plain: without a handler nobody gets in") {
  context ctx;
  socket server(ctx, SLK_PULL);
  server.set(SLK_PLAIN_SERVER, 1);
  observer watch(ctx, server, SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
  socket client(ctx, SLK_PUSH);
  approach_plain(client, "user", "pass").connect(server.bind(tcp::wildcard()));
  client.send_message({"never"});
  CHECK(watch.next().first == SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
  CHECK(remains([&] { return !server.can_recv(); }));
}

TEST_CASE("null: with a domain the handler decides") {
  context ctx;
  socket server(ctx, SLK_PULL);
  server.set(SLK_ZAP_DOMAIN, "shop");
  socket client(ctx, SLK_PUSH);
  client.connect(server.bind(tcp::wildcard()));
  client.send_message({"in time"});
  CHECK(remains([&] { return !server.can_recv(); }));
  socket handler(ctx, SLK_ROUTER);
  handler.bind(handler_name);
  const parts asked = take_question(handler);
  CHECK(asked[7] == "NULL");
  CHECK(asked.size() == 8);
  answer(handler, asked, "200");
  CHECK(server.recv() == "in time");
}

TEST_CASE_TEMPLATE("curve: carries messages as a connection in the clear does" * needs_curve,
                   Transport, tcp, ipc) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  socket server(ctx, SLK_ROUTER);
  socket client(ctx, SLK_DEALER);
  serve_curve(server, server_keys);
  approach_curve(client, fresh_keys(), server_keys).set(SLK_ROUTING_ID, "me");
  client.connect(server.bind(Transport::wildcard()));
  const std::string large(300'000, 'x');
  client.send_message({"", large, "", large, "end"});
  for (int i = 0; i < 500; ++i) {
    client.send_message({std::to_string(i), std::string(static_cast<size_t>(i), 'y')});
  }
  CHECK(server.recv_message() == parts{"me", "", large, "", large, "end"});
  for (int i = 0; i < 500; ++i) {
    REQUIRE(server.recv_message() ==
            parts{"me", std::to_string(i), std::string(static_cast<size_t>(i), 'y')});
  }
  server.send_message({"me", large});
  CHECK(client.recv() == large);
}

TEST_CASE("curve: a reader that stalls holds up its writer, and loses nothing" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  socket server(ctx, SLK_PULL);
  socket client(ctx, SLK_PUSH);
  serve_curve(server, server_keys).set(SLK_RCVHWM, 10).set(SLK_RCVBUF, 4096);
  approach_curve(client, fresh_keys(), server_keys).set(SLK_SNDHWM, 10).set(SLK_SNDBUF, 4096);
  client.connect(server.bind(tcp::wildcard()));
  REQUIRE(client.wait(SLK_POLLOUT));
  const std::string large(20'000, 'x');
  int sent = 0;
  for (bool stalled = false; !stalled && sent < 2000;) {
    if (client.try_send(large)) {
      ++sent;
    } else {
      stalled = !client.wait(SLK_POLLOUT, patience);
    }
  }
  CHECK(sent < 2000);
  for (int i = 0; i < sent; ++i) {
    REQUIRE(server.recv() == large);
  }
  CHECK(client.wait(SLK_POLLOUT));
  client.send_message({"and on"});
  CHECK(server.recv() == "and on");
}

TEST_CASE("curve: a lost connection is made anew, with other keys" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  socket client(ctx, SLK_DEALER);
  approach_curve(client, fresh_keys(), server_keys);
  std::string endpoint;
  for (int i = 0; i < 3; ++i) {
    socket server(ctx, SLK_DEALER);
    serve_curve(server, server_keys);
    if (i == 0) {
      endpoint = server.bind(tcp::wildcard());
      client.connect(endpoint);
    } else {
      REQUIRE(eventually([&] { return slk_bind(server.raw(), endpoint.c_str()) == 0; }));
    }
    server.send_message({"from the server"});
    CHECK(client.recv() == "from the server");
    client.send_message({"from the client"});
    CHECK(server.recv() == "from the client");
  }
}

TEST_CASE("curve: an allow list needs no handler" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  const key_pair friendly = fresh_keys();
  socket server(ctx, SLK_PULL);
  serve_curve(server, server_keys).set(SLK_CURVE_ALLOW, fresh_keys().open);
  server.set(SLK_CURVE_ALLOW, friendly.open);
  observer watch(ctx, server, SLK_EVENT_HANDSHAKE_FAILED_AUTH);
  const std::string endpoint = server.bind(tcp::wildcard());
  socket stranger(ctx, SLK_PUSH);
  approach_curve(stranger, fresh_keys(), server_keys).connect(endpoint);
  stranger.try_send("never");  // fails where the refusal, which ends the pipe, came first
  CHECK(watch.next() == std::pair(SLK_EVENT_HANDSHAKE_FAILED_AUTH, 400u));
  socket guest(ctx, SLK_PUSH);
  approach_curve(guest, friendly, server_keys).connect(endpoint);
  guest.send_message({"welcome"});
  CHECK(server.recv() == "welcome");
  CHECK(remains([&] { return !server.can_recv(); }));
}

TEST_CASE("curve: with a domain and no handler nobody gets in [strict]" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  socket server(ctx, SLK_PULL);
  serve_curve(server, server_keys).set(SLK_ZAP_DOMAIN, "shop");
  socket client(ctx, SLK_PUSH);
  approach_curve(client, fresh_keys(), server_keys).connect(server.bind(tcp::wildcard()));
  client.try_send("never");  // as above
  CHECK(remains([&] { return !server.can_recv(); }));
}

TEST_CASE("curve: neither end can be talked into less" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  SUBCASE("a server") {
    socket server(ctx, SLK_PULL);
    serve_curve(server, server_keys);
    const std::string endpoint = server.bind(tcp::wildcard());
    observer watch(ctx, server, SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    const raw_peer peer = raw_connect(endpoint);
    peer.write(raw_peer::greeting() + raw_peer::ready("PUSH") + frame("never"));
    CHECK(watch.next().second == SLK_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH);
    // The name alone is not enough.
    const raw_peer liar = raw_connect(endpoint);
    liar.write(raw_peer::greeting("CURVE") + raw_peer::ready("PUSH") + frame("never"));
    CHECK(watch.next().second == SLK_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND);
    CHECK(liar.is_closed());
    CHECK(remains([&] { return !server.can_recv(); }));
  }
  SUBCASE("a client") {
    for (const char* mechanism : {"NULL", "PLAIN", "CURVE"}) {
      socket client(ctx, SLK_PUSH);
      approach_curve(client, fresh_keys(), server_keys);
      const raw_listener listener;
      client.connect(listener.endpoint());
      client.send_message({"never"});
      const raw_peer peer = listener.accept();
      peer.write(raw_peer::greeting(mechanism) + raw_peer::ready("PULL"));
      CHECK(peer.read(1000).find("never") == std::string::npos);
    }
  }
}

TEST_CASE("curve: who has no key is sent nothing" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  const key_pair friendly = fresh_keys();
  socket server(ctx, SLK_PUSH);
  serve_curve(server, server_keys).set(SLK_CURVE_ALLOW, friendly.open);
  const std::string endpoint = server.bind(tcp::wildcard());
  for (const char* mechanism : {"NULL", "PLAIN", "CURVE"}) {
    CAPTURE(mechanism);
    const raw_peer peer = raw_connect(endpoint);
    peer.write(raw_peer::greeting(mechanism) + raw_peer::ready("PULL"));
    CHECK_FALSE(server.try_send("never"));
    // The greeting, and of what follows it nothing but the end.
    CHECK(peer.read(1000).size() <= 64);
  }
  socket without_keys(ctx, SLK_PULL);
  without_keys.connect(endpoint);
  socket mistaken(ctx, SLK_PULL);  // its server's key is another's
  approach_curve(mistaken, friendly, fresh_keys()).connect(endpoint);
  socket stranger(ctx, SLK_PULL);
  approach_curve(stranger, fresh_keys(), server_keys).connect(endpoint);
  CHECK(remains([&] { return !server.try_send("never"); }));
  socket guest(ctx, SLK_PULL);
  approach_curve(guest, friendly, server_keys).connect(endpoint);
  server.send_message({"yours"});
  CHECK(guest.recv() == "yours");
  CHECK_FALSE(without_keys.can_recv());
  CHECK_FALSE(mistaken.can_recv());
  CHECK_FALSE(stranger.can_recv());
}

TEST_CASE("curve: when all is closed, no secret key is left in memory" * needs_curve) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;  // they keep what was freed, and have terabytes to search
#endif
  masked_key server_key;
  masked_key client_key;
  CHECK(places_in_memory(server_key) == 0);
  {
    context ctx;
    socket server(ctx, SLK_PULL);
    socket client(ctx, SLK_PUSH);
    server.set(SLK_CURVE_SERVER, 1);
    server_key.give(server);
    client.set(SLK_CURVE_SERVERKEY, server_key.open()).set(SLK_CURVE_PUBLICKEY, client_key.open());
    client_key.give(client);
    CHECK(places_in_memory(server_key) > 0);  // so it would be found
    client.connect(server.bind(tcp::wildcard()));
    client.send_message({"x"});
    CHECK(server.recv() == "x");
  }
  CHECK(places_in_memory(server_key) == 0);
  CHECK(places_in_memory(client_key) == 0);
}

TEST_CASE("curve: what passes by cannot be read, changed or said again" * needs_curve) {
  context ctx;
  const key_pair server_keys = fresh_keys();
  socket server(ctx, SLK_PULL);
  serve_curve(server, server_keys);
  const std::string endpoint = server.bind(tcp::wildcard());
  const std::string body(64, 'Q');
  constexpr size_t message_bytes = 2 + 33 + 64;
  enum class harm { none, flip, repeat };
  std::atomic<harm> next_to_server{harm::none};
  relay between(endpoint, [&](bool to_server, std::string bytes) {
    const harm what = to_server ? next_to_server.exchange(harm::none) : harm::none;
    if (what == harm::flip) {
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    } else if (what == harm::repeat) {
      bytes += bytes;
    }
    return bytes;
  });
  socket client(ctx, SLK_PUSH);
  approach_curve(client, fresh_keys(), server_keys).set(SLK_RECONNECT_IVL, -1);
  client.connect(between.endpoint());
  client.send_message({body});
  REQUIRE(server.recv() == body);
  const std::string passed = between.seen(true);
  CHECK(passed.find("QQQQ") == std::string::npos);
  CHECK(passed.find("PUSH") == std::string::npos);
  CHECK(between.seen(false).find("PULL") == std::string::npos);
  CHECK(passed.substr(passed.size() - message_bytes + 2, 8) == "\7MESSAGE");
  SUBCASE("changed") {
    next_to_server = harm::flip;
    client.send_message({body});
    CHECK(remains([&] { return !server.can_recv(); }));
  }
  SUBCASE("said again") {
    next_to_server = harm::repeat;
    client.send_message({body});
    CHECK(server.recv() == body);
    CHECK(remains([&] { return !server.can_recv(); }));
  }
}

}  // namespace contract
