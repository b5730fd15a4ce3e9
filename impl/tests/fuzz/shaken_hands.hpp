// A handshake fed with a peer's bytes in pieces, and what came of it.
#pragma once

#include <string>

#include "fuzz_input.hpp"
#include "wire/handshake.hpp"

namespace fuzz {

struct shaken_hands {
  slk::handshake::state state;
  slk::failure_reason reason;
  std::size_t consumed = 0;
  std::string output;  // what the subject said
};

// Until the subject wants no more, or nothing is left. After each piece, fed() may answer what the
// subject asks.
template <class Fed>
shaken_hands shake_hands(slk::handshake& subject, bytes received, std::uint32_t seed, Fed fed) {
  cuts pieces(seed);
  shaken_hands result{};
  for (;;) {
    for (auto said = subject.output(); !said.empty(); said = subject.output()) {
      result.output.append(said.begin(), said.end());
      subject.sent(said.size());
    }
    const std::size_t left = received.size() - result.consumed;
    if (left == 0 || subject.current() != slk::handshake::state::running) {
      break;
    }
    const std::size_t given = pieces.next(left);
    const std::size_t used = subject.receive(received.data() + result.consumed, given);
    require(used <= given, "no more is consumed than given");
    require(used > 0 || subject.current() != slk::handshake::state::running,
            "a running handshake consumes");
    result.consumed += used;
    fed();
  }
  result.state = subject.current();
  result.reason = subject.reason();
  return result;
}

// However the bytes were cut. Of what a failed handshake still says, less may have been handed out.
inline void require_same(const shaken_hands& a, const shaken_hands& b) {
  require(a.state == b.state && a.reason == b.reason, "one verdict");
  require(a.consumed == b.consumed, "one length");
  require(a.state == slk::handshake::state::failed || a.output == b.output, "one answer");
}

}  // namespace fuzz
