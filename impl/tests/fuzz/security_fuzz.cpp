// Security mechanisms. Whatever a stranger says, the verdict depends on its bytes alone, not on how
// they are cut, unless somebody was asked meanwhile; and of what is changed on the way between two
// that know each other, or said by one that has a key and means harm, nothing is believed that
// should not be.
//
// Input: which end (below), whether who asks is let in, a seed of cuts; then the peer's bytes, or
// for a conversation: the client's metadata, changes to bytes, frames to be sealed, bytes behind.
#include <string>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"
#include "pipe/sealed_input.hpp"
#include "shaken_hands.hpp"
#include "wire/curve.hpp"
#include "wire/curve_traffic.hpp"
#include "wire/handshake.hpp"
#include "wire/plain.hpp"

namespace {

using slk::handshake;
using bytes = std::vector<std::uint8_t>;

enum class end : std::uint8_t {
  null_asking,
  plain_client,
  plain_server,
  curve_client,
  curve_server,
  plain_conversation,
  curve_conversation,
  count
};

slk::curve_secret_key secret_of(std::uint8_t seed) {
  slk::curve_secret_key key;
  std::fill_n(key.data(), key.size(), seed);
  return key;
}

slk::curve_entropy entropy_of(std::uint8_t seed) {
  slk::curve_entropy entropy;
  std::fill_n(entropy.data(), entropy.size(), seed);
  return entropy;
}

slk::curve_keys keys_of_client() {
  slk::curve_keys keys{{}, secret_of(1), {}};
  fuzz::require(slk::derive_public_key(keys.ours, keys.secret) &&
                    slk::derive_public_key(keys.server, secret_of(2)),
                "a secret key has a public one");
  return keys;
}

slk::secret_text text(std::string_view content) {
  slk::secret_text made;
  made.assign(content);
  return made;
}

std::unique_ptr<slk::mechanism> make(end which, bytes metadata) {
  switch (which) {
    case end::plain_client:
      return slk::make_plain_client(std::move(metadata), text("user"), text("pass"));
    case end::plain_server:
      return slk::make_plain_server(std::move(metadata));
    case end::curve_client:
      return slk::make_curve_client(std::move(metadata), keys_of_client(), entropy_of(3));
    case end::curve_server:
      return slk::make_curve_server(std::move(metadata), secret_of(2), entropy_of(4));
    default:
      return slk::make_null_asking(std::move(metadata));
  }
}

handshake make_end(end which, slk::socket_type type, std::string_view name) {
  return {type, name, 1000, make(which, handshake::metadata_of(type, name))};
}

// True if there was something to answer.
bool answer(handshake& subject, bool admits) {
  if (!subject.inquiry()) {
    return false;
  }
  admits ? subject.admit() : subject.deny("400");
  return true;
}

struct outcome {
  fuzz::shaken_hands hands;
  bool was_asked = false;  // so it counts what the peer said before the answer, and what behind it
};

outcome shake(end which, bool admits, fuzz::bytes received, std::uint32_t seed) {
  handshake subject = make_end(which, slk::socket_type::dealer, "me");
  bool was_asked = false;
  auto hands = fuzz::shake_hands(subject, received, seed,
                                 [&] { was_asked = answer(subject, admits) || was_asked; });
  return {std::move(hands), was_asked};
}

void compare(const outcome& a, const outcome& b) {
  if (!a.was_asked && !b.was_asked) {
    fuzz::require_same(a.hands, b.hands);
  }
}

// A byte of what the client (or the server) says, and what it is changed by.
struct change {
  bool of_client;
  std::size_t at;
  std::uint8_t by;
};

struct conversation {
  handshake client;
  handshake server;
  bool admits;
  std::vector<change> changes;
  std::size_t said_by_client = 0;
  std::size_t said_by_server = 0;

  bool step(bool from_client) {
    handshake& from = from_client ? client : server;
    handshake& to = from_client ? server : client;
    std::size_t& said = from_client ? said_by_client : said_by_server;
    const auto output = from.output();
    bytes sent(output.begin(), output.end());
    from.sent(sent.size());
    for (std::uint8_t& byte : sent) {
      for (const change& one : changes) {
        byte = static_cast<std::uint8_t>(
            one.of_client == from_client && one.at == said ? byte ^ one.by : byte);
      }
      ++said;
      if (to.current() == handshake::state::running) {
        to.receive(&byte, 1);
        answer(to, admits);
      }
    }
    return !sent.empty();
  }
  void run() {
    for (bool said = true; said;) {
      said = step(true);
      said = step(false) || said;
    }
  }
};

void seal_and_open(fuzz::input& input, const handshake& client, const handshake& server) {
  slk::frame_sealer sealer(*client.traffic_keys());
  slk::sealed_input opener(-1, *server.traffic_keys(), 1000);
  for (int frames = input.byte() % 4; frames > 0 && !opener.broken(); --frames) {
    const std::uint8_t flags = input.byte();
    const fuzz::bytes body = input.take(input.byte());
    bytes wire;
    sealer.seal(flags & (slk::flag_more | slk::flag_command), body, wire);
    bytes out;
    opener.open(wire, out);
    fuzz::require(!opener.broken(), "what was sealed opens");
    fuzz::require(out.size() >= body.size() &&
                      std::equal(body.begin(), body.end(), out.end() - std::ssize(body)),
                  "as it was");
  }
  bytes out;
  opener.open(input.rest(), out);
  fuzz::require(out.empty(), "what nobody sealed does not open");
}

void converse(fuzz::input& input, bool is_curve, bool admits) {
  const std::uint8_t metadata_bytes = input.byte();
  const fuzz::bytes theirs = input.take(metadata_bytes);
  const bytes usual = handshake::metadata_of(slk::socket_type::dealer, "me");
  const bytes metadata = theirs.empty() ? usual : bytes(theirs.begin(), theirs.end());
  std::vector<change> changes;
  for (int count = input.byte() % 4; count > 0; --count) {
    const std::uint8_t whose = input.byte();
    changes.push_back({whose % 2 == 0, input.number(2), input.byte()});
  }
  conversation both{
      {slk::socket_type::dealer, "me", 1000,
       make(is_curve ? end::curve_client : end::plain_client, metadata)},
      make_end(is_curve ? end::curve_server : end::plain_server, slk::socket_type::router, "you"),
      admits,
      std::move(changes)};
  both.run();
  const bool client_is_done = both.client.current() == handshake::state::done;
  const bool server_is_done = both.server.current() == handshake::state::done;
  fuzz::require(admits || !(client_is_done || server_is_done), "who is denied is not let in");
  if (!is_curve) {
    return;
  }
  fuzz::require(!client_is_done || both.client.peer().routing_id == "you",
                "a client believes the server alone");
  fuzz::require(!server_is_done || metadata != usual || both.server.peer().routing_id == "me",
                "a server believes the client alone");
  if (client_is_done && server_is_done) {
    seal_and_open(input, both.client, both.server);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input input({data, size});
  const auto which = static_cast<end>(input.byte() % static_cast<int>(end::count));
  const bool admits = input.byte() % 2 == 0;
  const std::uint32_t seed = input.byte();
  const bool is_curve =
      which == end::curve_client || which == end::curve_server || which == end::curve_conversation;
  if (is_curve && !slk::is_curve_available()) {
    return 0;
  }
  if (which == end::plain_conversation || which == end::curve_conversation) {
    converse(input, is_curve, admits);
    return 0;
  }
  const fuzz::bytes received = input.rest();
  const outcome whole = shake(which, admits, received, fuzz::cuts::whole);
  compare(whole, shake(which, admits, received, fuzz::cuts::single_bytes));
  compare(whole, shake(which, admits, received, seed));
  fuzz::require(!is_curve || whole.hands.state != handshake::state::done, "no stranger is let in");
  return 0;
}
