#pragma once
// The CURVE mechanism (ZeroMQ RFC 26), both ends. C, S: long-term keys; C', S': of this connection.
// Box [x](A->B) opens with B's secret key and A's public one; names and nonces as on the wire:
//
//   HELLO     version 1,0; 72 zeros; C'; nonce(8); box [64 zeros](C'->S)            200 bytes
//   WELCOME   nonce(16); box [S', cookie](S->C')                                    168 bytes
//             cookie = nonce(16), box [C', s'] with a key of the server's that one connection has
//   INITIATE  cookie; nonce(8); box [C, vouch, metadata](C'->S')
//             vouch = nonce(16), box [C', S](C->S')
//   READY     nonce(8); box [metadata](S'->C')
//
// The server answers a HELLO that a holder of S's public key made, with less than it got; between
// WELCOME and INITIATE it keeps nothing but the cookie's key, which it then forgets.

#include <memory>

#include "wire/curve_box.hpp"
#include "wire/mechanism.hpp"

namespace slk {

struct curve_keys {
  curve_public_key ours{};  // a client's; a server derives its own
  curve_secret_key secret;
  curve_public_key server{};  // the server's, as a client knows it
};

// What one handshake needs that nobody can foretell.
using curve_entropy = secret_array<96>;

// REQUIRES: is_curve_available(). metadata: ours, as in a READY.
[[nodiscard]] std::unique_ptr<mechanism> make_curve_client(mechanism::bytes metadata,
                                                           const curve_keys& keys,
                                                           const curve_entropy& entropy);
[[nodiscard]] std::unique_ptr<mechanism> make_curve_server(mechanism::bytes metadata,
                                                           const curve_secret_key& secret,
                                                           const curve_entropy& entropy);

}  // namespace slk
