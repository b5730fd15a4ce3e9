#pragma once

#include "session/authenticator.hpp"
#include "socket/inproc_registry.hpp"

namespace slk {

// Asks the handler of a context, as ZeroMQ RFC 27 has it: a socket bound to
// "inproc://zeromq.zap.01". Each question comes from a peer of its own, in a REQ's envelope:
//
//   "", "1.0", "1", domain, address, routing id, mechanism, credentials...
//   "", "1.0", "1", status, text, user id, metadata                        the answer
//
// Thread safety: used by every I/O thread.
class zap_client final : public authenticator {
 public:
  explicit zap_client(inproc_registry& registry) noexcept : registry_(registry) {}

  [[nodiscard]] std::shared_ptr<inquiry> ask(io_thread& io, const question& about,
                                             answer then) override;

 private:
  inproc_registry& registry_;
};

}  // namespace slk
