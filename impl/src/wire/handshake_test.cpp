#include "wire/handshake.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace slk {
namespace {

using namespace std::string_literals;
using state = handshake::state;

constexpr auto dealer = socket_type::dealer;

const std::string greeting = "\xFF"s + std::string(8, '\0') + "\x7F\x03\x01NULL" +
                             std::string(16, '\0') + std::string(32, '\0');

std::string property(const std::string& name, const std::string& value) {
  std::vector<std::uint8_t> out(property_bytes(name, value));
  encode_property(out.data(), name, value);
  return {out.begin(), out.end()};
}

std::string frame(const std::string& body, std::uint8_t flags = flag_command) {
  std::array<std::uint8_t, frame_header_bytes_max> out{};
  const std::size_t n = encode_frame_header(out.data(), body.size(), flags);
  return std::string(out.begin(), out.begin() + static_cast<long>(n)) + body;
}

std::string ready(const std::string& metadata) {
  return frame("\x05READY" + metadata);
}

std::string router_ready(const std::string& identity = "") {
  return ready(property("Socket-Type", "ROUTER") + property("Identity", identity));
}

std::size_t feed(handshake& h, const std::string& bytes) {
  // A copy of the exact size, so that a sanitizer sees every byte read past the end.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  return h.receive(exact.data(), exact.size());
}

std::string take_output(handshake& h) {
  const std::string out(h.output().begin(), h.output().end());
  h.sent(out.size());
  return out;
}

// Feeds everything in one piece, then byte by byte; both must come to the same end.
failure_reason refusal(const std::string& bytes, std::int64_t max_message_bytes = -1) {
  handshake whole(dealer, "", max_message_bytes);
  feed(whole, bytes);
  handshake slow(dealer, "", max_message_bytes);
  for (const char c : bytes) {
    feed(slow, std::string(1, c));
  }
  CHECK(whole.reason() == slow.reason());
  if (whole.reason() != failure_reason::none) {
    CHECK(whole.current() == state::failed);
    CHECK(slow.current() == state::failed);
    CHECK(whole.output().empty());
    CHECK(feed(whole, "more") == 0);
  }
  return whole.reason();
}

TEST_CASE("the greeting is on offer at once, READY behind the peer's greeting") {
  handshake h(socket_type::push, "", -1);
  CHECK(take_output(h) == greeting);
  CHECK(h.output().empty());
  for (std::size_t i = 0; i + 1 < greeting.size(); ++i) {
    CHECK(feed(h, greeting.substr(i, 1)) == 1);
    CHECK(h.output().empty());
  }
  CHECK(feed(h, greeting.substr(63)) == 1);
  CHECK(take_output(h) == "\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH"s);
  CHECK(h.current() == state::running);
  const std::string pull = ready(property("Socket-Type", "PULL"));
  CHECK(feed(h, pull) == pull.size());
  CHECK(h.current() == state::done);
}

TEST_CASE("DEALER, ROUTER and REQ send Identity, the others don't") {
  for (int i = 0; i < socket_type_count; ++i) {
    const auto type = static_cast<socket_type>(i);
    for (const std::string& id : {""s, "me"s, std::string(255, 'i')}) {
      handshake h(type, id, -1);
      feed(h, greeting);
      std::string metadata = property("Socket-Type", std::string(name(type)));
      if (announces_identity(type)) {
        metadata += property("Identity", id);
      }
      CHECK(take_output(h) == greeting + ready(metadata));
    }
  }
}

TEST_CASE("output may go out in any pieces, and done waits for the last byte") {
  for (std::size_t piece = 1; piece < 80; ++piece) {
    handshake h(dealer, "abc", -1);
    std::string out;
    feed(h, greeting + router_ready());
    while (!h.output().empty()) {
      CHECK(h.current() == state::running);
      const std::size_t n = std::min(piece, h.output().size());
      out.append(h.output().begin(), h.output().begin() + static_cast<long>(n));
      h.sent(n);
    }
    CHECK(h.current() == state::done);
    CHECK(out == greeting + ready(property("Socket-Type", "DEALER") + property("Identity", "abc")));
  }
}

TEST_CASE("every way to split the input comes to the same end, and nothing behind READY is taken") {
  const std::string hello = greeting + router_ready("peer");
  const std::string input = hello + frame("first message", 0);
  for (std::size_t split = 0; split <= input.size(); ++split) {
    handshake h(dealer, "", -1);
    take_output(h);
    const std::size_t first = feed(h, input.substr(0, split));
    CHECK(first == std::min(split, hello.size()));
    const std::size_t second = feed(h, input.substr(first));
    CHECK(first + second == hello.size());
    take_output(h);
    CHECK(h.current() == state::done);
    CHECK(h.peer().routing_id == "peer");
    CHECK(h.peer().socket_type_name == "ROUTER");
    CHECK(h.peer().minor == 1);
    CHECK(h.peer().properties.size() == 2);
  }
}

TEST_CASE("our handshake against itself, all pairs of types") {
  for (int i = 0; i < socket_type_count; ++i) {
    for (int j = 0; j < socket_type_count; ++j) {
      const auto left = static_cast<socket_type>(i);
      const auto right = static_cast<socket_type>(j);
      handshake a(left, "left", -1);
      handshake b(right, "right", -1);
      for (int turn = 0; turn < 4; ++turn) {
        feed(b, take_output(a));
        feed(a, take_output(b));
      }
      CAPTURE(name(left));
      CAPTURE(name(right));
      if (compatible(left, right)) {
        CHECK(a.current() == state::done);
        CHECK(b.current() == state::done);
        CHECK(a.peer().routing_id == (announces_identity(right) ? "right" : ""));
        CHECK(b.peer().socket_type_name == name(left));
      } else {
        // The first to notice falls silent and closes; the other never gets its READY.
        CHECK(a.reason() == failure_reason::incompatible_socket_type);
        CHECK(b.current() != state::done);
      }
    }
  }
}

TEST_CASE("strangers are refused at the first byte that gives them away") {
  handshake http(dealer, "", -1);
  CHECK(feed(http, "GET / HTTP/1.1\r\n") == 1);
  CHECK(http.reason() == failure_reason::signature);
  CHECK(refusal("\x01\0\x06\0hello"s) == failure_reason::signature);
  CHECK(refusal("\xFF\0\0\0\0\0\0\0\x01\x7E"s) == failure_reason::signature);
  const std::string signature = greeting.substr(0, 10);
  CHECK(refusal(signature + '\0') == failure_reason::version);
  CHECK(refusal(signature + '\x01') == failure_reason::version);
  CHECK(refusal(signature + '\x02') == failure_reason::version);
  CHECK(refusal(signature + "\x03\x01PLAIN") == failure_reason::mechanism);
  CHECK(refusal(signature + "\x03\x01NULLX") == failure_reason::mechanism);
  CHECK(refusal(signature + "\x03\x01null") == failure_reason::mechanism);
}

TEST_CASE("higher versions are met as 3.1, lower minors as 3.0") {
  struct {
    char major, minor;
    int expected;
  } const cases[] = {{3, 0, 0}, {3, 1, 1}, {3, 9, 1}, {4, 0, 1}, {'\xFF', 0, 1}};
  for (const auto& c : cases) {
    std::string theirs = greeting;
    theirs[10] = c.major;
    theirs[11] = c.minor;
    handshake h(dealer, "", -1);
    feed(h, theirs + router_ready());
    take_output(h);
    CHECK(h.current() == state::done);
    CHECK(h.peer().minor == c.expected);
  }
}

TEST_CASE("padding, as-server and filler are not looked at") {
  std::string theirs = greeting;
  for (std::size_t i = 1; i < 9; ++i) {
    theirs[i] = 'p';
  }
  theirs[9] = '\x01';
  for (std::size_t i = 32; i < 64; ++i) {
    theirs[i] = 'f';
  }
  CHECK(refusal(theirs + router_ready()) == failure_reason::none);
}

TEST_CASE("what is no READY is refused") {
  using enum failure_reason;
  CHECK(refusal(greeting + frame("hello", 0)) == unexpected_command);
  CHECK(refusal(greeting + frame("", 0)) == unexpected_command);
  CHECK(refusal(greeting + frame("\x04PING\0\0"s)) == unexpected_command);
  CHECK(refusal(greeting + frame("\x05ready")) == unexpected_command);
  CHECK(refusal(greeting + frame("")) == malformed_metadata);
  CHECK(refusal(greeting + frame("\0"s)) == malformed_metadata);
  CHECK(refusal(greeting + frame("\x06READY")) == malformed_metadata);
  CHECK(refusal(greeting + frame("\x05"
                                 "ERROR\x02no")) == peer_error);
  CHECK(refusal(greeting + frame("\x05"
                                 "ERROR")) == peer_error);
}

TEST_CASE("what an ERROR said can be asked") {
  handshake h(dealer, "", -1);
  feed(h, greeting + frame("\x05"
                           "ERROR\x02no"));
  CHECK(h.peer().error_reason == "no");
  CHECK(name(h.reason()) == "peer error");
}

TEST_CASE("READY cut short inside its frame is malformed, unless the cut is between properties") {
  const std::string metadata = property("Socket-Type", "ROUTER") + property("X-Name", "value");
  for (std::size_t n = 0; n <= metadata.size(); ++n) {
    const bool border =
        n == 0 || n == property("Socket-Type", "ROUTER").size() || n == metadata.size();
    CHECK(refusal(greeting + ready(metadata.substr(0, n))) ==
          (border ? failure_reason::none : failure_reason::malformed_metadata));
  }
}

TEST_CASE("properties: any case, any order, unknown ones kept, the type optional") {
  using enum failure_reason;
  CHECK(refusal(greeting + ready("")) == none);
  CHECK(refusal(greeting + ready(property("socket-type", "PUSH"))) == incompatible_socket_type);
  CHECK(refusal(greeting + ready(property("Socket-Type", "router"))) == incompatible_socket_type);
  CHECK(refusal(greeting + ready(property("Socket-Type", ""))) == incompatible_socket_type);
  handshake h(dealer, "", -1);
  feed(h, greeting + ready(property("X-Color", "red") + property("IDENTITY", "\0me"s) +
                           property("SOCKET-TYPE", "REP")));
  take_output(h);
  CHECK(h.current() == state::done);
  CHECK(h.peer().routing_id == "\0me"s);
  CHECK(h.peer().socket_type_name == "REP");
  REQUIRE(h.peer().properties.size() == 3);
  CHECK(h.peer().properties[0] == std::pair("X-Color"s, "red"s));
}

TEST_CASE("an Identity has at most 255 bytes") {
  CHECK(refusal(greeting + router_ready(std::string(255, 'i'))) == failure_reason::none);
  CHECK(refusal(greeting + router_ready(std::string(256, 'i'))) ==
        failure_reason::malformed_metadata);
}

TEST_CASE("a command above the limit is refused by its header") {
  const std::string fits(handshake_command_bytes_max - 6 - property_bytes("X", ""), 'x');
  CHECK(refusal(greeting + ready(property("X", fits))) == failure_reason::none);
  CHECK(refusal(greeting + ready(property("X", fits + 'x')).substr(0, 9)) ==
        failure_reason::oversize);
  CHECK(refusal(greeting + "\x06" + std::string(8, '\xFF')) == failure_reason::oversize);
  CHECK(refusal(greeting + "\x06\x7F" + std::string(7, '\xFF')) == failure_reason::oversize);
  CHECK(refusal(greeting + router_ready().substr(0, 2), 5) == failure_reason::oversize);
  const auto exact = static_cast<std::int64_t>(router_ready().size() - 2);
  CHECK(refusal(greeting + router_ready(), exact) == failure_reason::none);
  CHECK(refusal(greeting + router_ready(), exact - 1) == failure_reason::oversize);
  CHECK(refusal(greeting + router_ready(), INT64_MAX) == failure_reason::none);
}

TEST_CASE("READY in the long form, or with a stray MORE, is understood") {
  const std::string body = "\x05READY" + property("Socket-Type", "ROUTER");
  const std::string long_form = "\x06"s + std::string(7, '\0') + static_cast<char>(body.size());
  CHECK(refusal(greeting + long_form + body) == failure_reason::none);
  CHECK(refusal(greeting + frame(body, flag_command | flag_more)) == failure_reason::none);
}

TEST_CASE("no input makes it crash or overrun: one byte changed, everywhere") {
  const std::string hello = greeting + router_ready("peer");
  for (std::size_t at = 0; at < hello.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      std::string bent = hello;
      bent[at] = static_cast<char>(value);
      handshake h(dealer, "", -1);
      const std::size_t consumed = feed(h, bent);
      CHECK(consumed <= bent.size());
    }
  }
}

}  // namespace
}  // namespace slk
