// The security mechanisms end against end, without a network: what both sides say, and that nothing
// else is good enough.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "wire/curve.hpp"
#include "wire/curve_traffic.hpp"
#include "wire/handshake.hpp"
#include "wire/plain.hpp"
#include "wire/z85.hpp"

namespace slk {

namespace {

using bytes = std::vector<std::uint8_t>;

// What an end sends may be changed on its way: (end, position in its stream, byte).
using tamper = std::function<std::uint8_t(bool from_client, std::size_t at, std::uint8_t byte)>;

std::uint8_t leave(bool, std::size_t, std::uint8_t byte) {
  return byte;
}

struct conversation {
  handshake client;
  handshake server;
  std::string said_by_client;
  std::string said_by_server;
  bool admits = true;
  // Neither end gets more than this of what the other says.
  std::size_t limit = SIZE_MAX;

  bool step(handshake& from, handshake& to, std::string& said, const tamper& change) {
    const auto output = from.output();
    bytes sent(output.begin(), output.end());
    from.sent(sent.size());
    for (std::size_t i = 0; i < sent.size() && said.size() < limit; ++i) {
      const std::uint8_t byte = change(&from == &client, said.size(), sent[i]);
      said += static_cast<char>(byte);
      if (to.current() == handshake::state::running) {
        to.receive(&byte, 1);
      }
      if (admits && to.inquiry()) {
        to.admit();
      }
    }
    return !sent.empty();
  }
  void run(const tamper& change = leave) {
    while (step(client, server, said_by_client, change) |
           step(server, client, said_by_server, change)) {
    }
  }
  bool agreed() const {
    return client.current() == handshake::state::done && server.current() == handshake::state::done;
  }
};

const bytes dealer_data = handshake::metadata_of(socket_type::dealer, "me");
const bytes router_data = handshake::metadata_of(socket_type::router, "you");

conversation converse(std::unique_ptr<mechanism> client, std::unique_ptr<mechanism> server) {
  return {handshake(socket_type::dealer, "me", -1, std::move(client)),
          handshake(socket_type::router, "you", -1, std::move(server)),
          {},
          {}};
}

secret_text text(std::string_view content) {
  secret_text made;
  made.assign(content);
  return made;
}

conversation plain(std::string_view name, std::string_view password) {
  return converse(make_plain_client(dealer_data, text(name), text(password)),
                  make_plain_server(router_data));
}

curve_secret_key secret_of(std::uint8_t seed) {
  curve_secret_key key;
  std::fill_n(key.data(), key.size(), seed);
  return key;
}

curve_public_key public_of(const curve_secret_key& secret) {
  curve_public_key key{};
  REQUIRE(derive_public_key(key, secret));
  return key;
}

curve_entropy entropy_of(std::uint8_t seed) {
  curve_entropy entropy;
  for (std::size_t i = 0; i < entropy.size(); ++i) {
    entropy.data()[i] = static_cast<std::uint8_t>(seed + i);
  }
  return entropy;
}

const auto without_curve = doctest::skip(!is_curve_available());

curve_keys client_keys() {
  return {public_of(secret_of(1)), secret_of(1), public_of(secret_of(2))};
}

conversation curve(const curve_keys& keys = client_keys()) {
  return converse(make_curve_client(dealer_data, keys, entropy_of(3)),
                  make_curve_server(router_data, secret_of(2), entropy_of(99)));
}

constexpr std::size_t hello_frame = 2 + 200;
constexpr std::size_t welcome_frame = 2 + 168;

}  // namespace

TEST_CASE("z85: the example of its specification, and what is none") {
  constexpr std::array<std::uint8_t, 8> hello = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
  std::array<char, 10> encoded{};
  REQUIRE(encode_z85(encoded.data(), hello));
  CHECK(std::string(encoded.data(), encoded.size()) == "HelloWorld");
  std::array<std::uint8_t, 8> decoded{};
  REQUIRE(decode_z85(decoded.data(), "HelloWorld"));
  CHECK(decoded == hello);
  CHECK_FALSE(encode_z85(encoded.data(), std::span(hello).first(3)));
  CHECK_FALSE(decode_z85(decoded.data(), "Hell"));
  CHECK_FALSE(decode_z85(decoded.data(), "Hell~"));
  CHECK_FALSE(decode_z85(decoded.data(), "#####"));
  CHECK_FALSE(decode_z85(decoded.data(), std::string_view("Hel\0o", 5)));
}

TEST_CASE("plain: both sides of it, as they stand on the wire") {
  conversation both = plain("user", "pass");
  both.run();
  CHECK(both.agreed());
  CHECK(both.client.peer().socket_type_name == "ROUTER");
  CHECK(both.server.peer().routing_id == "me");
  CHECK(both.client.traffic_keys() == nullptr);
  const std::string_view client(both.said_by_client);
  CHECK(client.substr(12, 20) == std::string("PLAIN").append(15, '\0'));
  CHECK(client[32] == 0);
  CHECK(client.substr(64, 18) == "\x04\x10\x05HELLO\x04user\x04pass");
  CHECK(client.substr(82, 11) == "\x04\x2E\x08INITIATE");
  const std::string_view server(both.said_by_server);
  CHECK(server[32] == 1);
  CHECK(server.substr(64, 10) == "\x04\x08\x07WELCOME");
  CHECK(server.substr(74, 2) == "\x04\x2C");
  CHECK(server.substr(76, 6) == "\x05READY");
}

TEST_CASE("plain: a server waits for the word of others") {
  conversation both = plain("user", "pass");
  both.admits = false;
  both.run();
  const auto asked = both.server.inquiry();
  REQUIRE(asked);
  CHECK(asked->mechanism == "PLAIN");
  CHECK(asked->shown == std::vector<std::string>{"user", "pass"});
  SUBCASE("yes") {
    both.server.admit();
    both.run();
    CHECK(both.agreed());
  }
  SUBCASE("no") {
    both.server.deny("400");
    both.run();
    CHECK(both.server.reason() == failure_reason::denied);
    CHECK(both.client.reason() == failure_reason::peer_error);
    CHECK(both.client.peer().error_reason == "400");
  }
  SUBCASE("the client cannot wait") {
    const std::string more("\x04\x09\x08INITIATE");
    both.server.receive(reinterpret_cast<const std::uint8_t*>(more.data()), more.size());
    CHECK(both.server.reason() == failure_reason::unexpected_command);
  }
}

TEST_CASE("plain: what is no HELLO") {
  for (const std::string_view data :
       {std::string_view{}, std::string_view("\x05user", 5), std::string_view("\x04user", 5),
        std::string_view("\x04user\x05pass", 10), std::string_view("\x04user\x04passx", 11)}) {
    auto server = make_plain_server(router_data);
    bytes out;
    const byte_view view(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    CHECK(server->receive({"HELLO", view}, 6 + data.size(), out) ==
          failure_reason::malformed_command);
  }
}

TEST_CASE("null that asks: our READY waits, and the peer's may come first") {
  conversation both = converse(make_null_asking(dealer_data), make_null_asking(router_data));
  both.admits = false;
  both.run();
  CHECK(both.said_by_client.size() == 64);
  both.server.admit();
  both.run();
  CHECK_FALSE(both.agreed());
  both.client.admit();
  both.run();
  CHECK(both.agreed());
}

TEST_CASE("mechanisms that differ never agree") {
  const auto of = [](int kind, bool server) -> std::unique_ptr<mechanism> {
    switch (kind) {
      case 0:
        return nullptr;
      case 1:
        return server ? make_plain_server(router_data)
                      : make_plain_client(dealer_data, text("a"), text("b"));
      default:
        return server ? make_curve_server(router_data, secret_of(2), entropy_of(4))
                      : make_curve_client(dealer_data, curve_keys{}, entropy_of(5));
    }
  };
  for (int client = 0; client < 3; ++client) {
    for (int server = 0; server < 3; ++server) {
      if (client != server) {
        conversation both = converse(of(client, false), of(server, true));
        both.run();
        CHECK(both.client.current() != handshake::state::done);
        CHECK(both.server.reason() == failure_reason::mechanism);
      }
    }
  }
}

TEST_CASE("curve: the keys of libzmq's documentation" * without_curve) {
  curve_secret_key secret;
  curve_public_key expected{};
  REQUIRE(decode_z85(secret.data(), "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"));
  REQUIRE(decode_z85(expected.data(), "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"));
  CHECK(public_of(secret) == expected);
}

TEST_CASE("curve: both sides agree, and nothing of it is in the clear" * without_curve) {
  conversation both = curve();
  both.run();
  REQUIRE(both.agreed());
  CHECK(both.client.peer().routing_id == "you");
  CHECK(both.server.peer().routing_id == "me");
  const curve_traffic_keys& ours = *both.client.traffic_keys();
  const curve_traffic_keys& theirs = *both.server.traffic_keys();
  CHECK(same_secret(ours.shared.data(), theirs.shared.data(), ours.shared.size()));
  CHECK(ours.sent_nonce == theirs.received_nonce);
  const std::string_view client(both.said_by_client);
  const std::string_view server(both.said_by_server);
  CHECK(client.substr(64, 10) == std::string_view("\x04\xC8\x05HELLO\x01\x00", 10));
  CHECK(server.substr(64, 10) == "\x04\xA8\x07WELCOME");
  CHECK(server.size() - 64 < client.size() - 64);  // no amplifier
  CHECK(client.find("DEALER") == client.npos);
  CHECK(server.find("ROUTER") == server.npos);
}

TEST_CASE("curve: who is asked about" * without_curve) {
  conversation both = curve();
  both.admits = false;
  both.run();
  const auto asked = both.server.inquiry();
  REQUIRE(asked);
  const curve_public_key client = public_of(secret_of(1));
  CHECK(asked->shown == std::vector<std::string>{std::string(client.begin(), client.end())});
  CHECK(both.client.current() == handshake::state::running);
  both.server.admit();
  both.run();
  CHECK(both.agreed());
}

TEST_CASE("curve: keys that do not fit" * without_curve) {
  curve_keys keys = client_keys();
  SUBCASE("another server") {
    keys.server = public_of(secret_of(7));
  }
  SUBCASE("somebody else's name") {
    keys.ours = public_of(secret_of(7));
  }
  SUBCASE("no key at all") {
    keys.server = {};
  }
  conversation both = curve(keys);
  both.run();
  CHECK(both.server.current() != handshake::state::done);
  CHECK(both.client.current() != handshake::state::done);
}

TEST_CASE("curve: any byte that is changed on the way ends the handshake" * without_curve) {
  conversation right = curve();
  right.run();
  const auto free = [](std::size_t at, std::size_t second_frame) {
    // The greeting has its own tests; the flags of a frame have bits without meaning.
    return at < 64 || at == 64 || at == 64 + second_frame;
  };
  const auto try_all = [&](bool of_client, std::size_t size, std::size_t second_frame) {
    for (std::size_t at = 0; at < size; ++at) {
      if (!free(at, second_frame)) {
        conversation both = curve();
        both.run([&](bool from_client, std::size_t position, std::uint8_t byte) {
          const bool here = from_client == of_client && position == at;
          return static_cast<std::uint8_t>(here ? byte ^ (1u << at % 8) : byte);
        });
        CAPTURE(of_client);
        CAPTURE(at);
        REQUIRE((of_client ? both.server : both.client).current() != handshake::state::done);
      }
    }
  };
  try_all(true, right.said_by_client.size(), hello_frame);
  try_all(false, right.said_by_server.size(), welcome_frame);
}

TEST_CASE("curve: a part of the handshake is not enough" * without_curve) {
  conversation right = curve();
  right.run();
  for (std::size_t limit = 0; limit < right.said_by_client.size(); ++limit) {
    conversation both = curve();
    both.limit = limit;
    both.run();
    REQUIRE(both.server.current() == handshake::state::running);
  }
}

TEST_CASE("curve: yesterday's handshake said once more" * without_curve) {
  conversation right = curve();
  right.run();
  handshake server(socket_type::router, "you", -1,
                   make_curve_server(router_data, secret_of(2), entropy_of(100)));
  const auto* said = reinterpret_cast<const std::uint8_t*>(right.said_by_client.data());
  std::size_t used = 0;
  while (server.current() == handshake::state::running && used < right.said_by_client.size()) {
    used += server.receive(said + used, right.said_by_client.size() - used);
  }
  CHECK(server.reason() == failure_reason::cryptography);
}

TEST_CASE("curve traffic: frames come back as they were, once, and in order" * without_curve) {
  conversation both = curve();
  both.run();
  frame_sealer sealer(*both.client.traffic_keys());
  frame_opener opener(*both.server.traffic_keys());
  frame_opener mirror(*both.client.traffic_keys());
  for (const std::size_t size : {0u, 1u, 221u, 222u, 223u, 255u, 256u, 70000u}) {
    for (const std::uint8_t flags : {std::uint8_t{0}, flag_more, flag_command}) {
      const bytes body(size, 0x5A);
      bytes wire;
      sealer.seal(flags, body, wire);
      CHECK(wire.size() == sealed_frame_bytes(size));
      frame_header header;
      REQUIRE(decode_frame_header(wire.data(), wire.size(), header));
      CHECK(header.flags == (wire.size() > 257 ? flag_long : 0));
      const auto sealed = std::span<const std::uint8_t>(wire).subspan(header.header_bytes);
      CHECK(std::search_n(sealed.begin(), sealed.end(), 4, 0x5A) == sealed.end());
      bytes out;
      CHECK_FALSE(mirror.open(sealed, out));  // sent back to where it came from
      for (std::size_t at = 0; at < std::min<std::size_t>(sealed.size(), 60); ++at) {
        bytes changed(sealed.begin(), sealed.end());
        changed[at] ^= 0x10;
        REQUIRE_FALSE(opener.open(changed, out));
      }
      CHECK_FALSE(opener.open(sealed.first(sealed.size() - 1), out));
      CHECK(out.empty());
      REQUIRE(opener.open(sealed, out));
      frame_header plain{};
      REQUIRE(decode_frame_header(out.data(), out.size(), plain));
      CHECK((plain.flags & (flag_more | flag_command)) == flags);
      CHECK(bytes(out.begin() + plain.header_bytes, out.end()) == body);
      CHECK_FALSE(opener.open(sealed, out));  // once more
    }
  }
  CHECK_FALSE(opener.open({}, *std::make_unique<bytes>()));
}

}  // namespace slk
