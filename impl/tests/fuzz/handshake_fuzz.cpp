// Greeting and handshake: whatever the bytes, the verdict depends on them alone, not on how they
// are cut, and nothing behind READY is consumed.
//
// Input: our socket type, the limit of a message, a seed of cuts; then the peer's bytes.
#include "fuzz_input.hpp"
#include "shaken_hands.hpp"
#include "wire/handshake.hpp"

namespace {

using slk::failure_reason;
using slk::handshake;

struct outcome {
  fuzz::shaken_hands hands;
  slk::peer_info peer;
};

outcome shake(slk::socket_type type, std::int64_t max_bytes, fuzz::bytes received,
              std::uint32_t seed) {
  handshake subject(type, "me", max_bytes);
  const auto hands = fuzz::shake_hands(subject, received, seed, [] {});
  return {hands, subject.peer()};
}

void compare(const outcome& a, const outcome& b) {
  fuzz::require_same(a.hands, b.hands);
  fuzz::require(a.peer.routing_id == b.peer.routing_id && a.peer.minor == b.peer.minor &&
                    a.peer.socket_type_name == b.peer.socket_type_name &&
                    a.peer.properties == b.peer.properties &&
                    a.peer.error_reason == b.peer.error_reason,
                "one peer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input input({data, size});
  const auto type = static_cast<slk::socket_type>(input.byte() % slk::socket_type_count);
  const std::int64_t max_bytes = std::int64_t{input.number(2)} - 1;
  const std::uint32_t seed = input.byte();
  const fuzz::bytes received = input.rest();
  const outcome whole = shake(type, max_bytes, received, fuzz::cuts::whole);
  compare(whole, shake(type, max_bytes, received, fuzz::cuts::single_bytes));
  compare(whole, shake(type, max_bytes, received, seed));
  const fuzz::shaken_hands& hands = whole.hands;
  fuzz::require((hands.state == handshake::state::failed) == (hands.reason != failure_reason::none),
                "a failure has a reason");
  fuzz::require(!name(hands.reason).empty(), "a reason has a name");
  fuzz::require(whole.peer.routing_id.size() <= slk::routing_id_bytes_max, "a short routing id");
  if (hands.state == handshake::state::done) {
    fuzz::require(hands.consumed >= slk::greeting_bytes + 8, "a greeting and a READY");
    fuzz::require(hands.output.size() > slk::greeting_bytes, "our greeting and READY");
  }
  return 0;
}
