// Greeting and handshake: whatever the bytes, the verdict depends on them alone, not on how they
// are cut, and nothing behind READY is consumed.
//
// Input: our socket type, the limit of a message, a seed of cuts; then the peer's bytes.
#include <string>

#include "fuzz_input.hpp"
#include "wire/handshake.hpp"

namespace {

using slk::failure_reason;
using slk::handshake;

struct outcome {
  handshake::state state;
  failure_reason reason;
  std::size_t consumed = 0;
  std::string output;
  slk::peer_info peer;
};

void hand_out(handshake& subject, std::string& output) {
  for (auto bytes = subject.output(); !bytes.empty(); bytes = subject.output()) {
    output.append(bytes.begin(), bytes.end());
    subject.sent(bytes.size());
  }
}

outcome shake(slk::socket_type type, std::int64_t max_bytes, fuzz::bytes received,
              std::uint32_t seed) {
  handshake subject(type, "me", max_bytes);
  fuzz::cuts cuts(seed);
  outcome result{};
  for (;;) {
    hand_out(subject, result.output);
    const std::size_t left = received.size() - result.consumed;
    if (left == 0 || subject.current() != handshake::state::running) {
      break;
    }
    const std::size_t given = cuts.next(left);
    const std::size_t used = subject.receive(received.data() + result.consumed, given);
    fuzz::require(used <= given, "no more is consumed than given");
    fuzz::require(used > 0 || subject.current() != handshake::state::running,
                  "a running handshake consumes");
    result.consumed += used;
  }
  result.state = subject.current();
  result.reason = subject.reason();
  result.peer = subject.peer();
  return result;
}

void compare(const outcome& a, const outcome& b) {
  fuzz::require(a.state == b.state && a.reason == b.reason, "one verdict");
  fuzz::require(a.consumed == b.consumed, "one length");
  fuzz::require(a.state == handshake::state::failed || a.output == b.output, "one answer");
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
  fuzz::require((whole.state == handshake::state::failed) == (whole.reason != failure_reason::none),
                "a failure has a reason");
  fuzz::require(!name(whole.reason).empty(), "a reason has a name");
  fuzz::require(whole.peer.routing_id.size() <= slk::routing_id_bytes_max, "a short routing id");
  if (whole.state == handshake::state::done) {
    fuzz::require(whole.consumed >= slk::greeting_bytes + 8, "a greeting and a READY");
    fuzz::require(whole.output.size() > slk::greeting_bytes, "our greeting and READY");
  }
  return 0;
}
