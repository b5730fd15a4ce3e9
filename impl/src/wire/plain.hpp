#pragma once
// The PLAIN mechanism (ZeroMQ RFC 24): a name and a password in the clear, for a server to ask
// about. It keeps out whom it should on networks that nobody listens to.
//
//   HELLO     name-length(1) name password-length(1) password
//   WELCOME   nothing
//   INITIATE  metadata
//   READY     metadata

#include <memory>
#include <string_view>

#include "base/secret.hpp"
#include "wire/mechanism.hpp"

namespace slk {

// metadata: ours, as in a READY.
[[nodiscard]] std::unique_ptr<mechanism> make_plain_client(mechanism::bytes metadata,
                                                           const secret_text& username,
                                                           const secret_text& password);
[[nodiscard]] std::unique_ptr<mechanism> make_plain_server(mechanism::bytes metadata);

}  // namespace slk
