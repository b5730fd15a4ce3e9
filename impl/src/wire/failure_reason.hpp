#pragma once

#include <string_view>

namespace slk {

// Why a handshake failed.
enum class failure_reason {
  none,
  signature,                 // not ZMTP: the first byte, or bit 0 of the tenth
  version,                   // ZMTP before 3.0
  mechanism,                 // another one than ours
  unexpected_command,        // a message, or a command out of turn
  malformed_metadata,        // also a command without a name, an Identity above 255 bytes
  malformed_command,         // not the size or shape that the mechanism gives it
  incompatible_socket_type,  // also an unknown one
  oversize,                  // above 64 KiB or above the maximal message size
  peer_error,                // the peer sent ERROR
  cryptography,              // a box that does not open, a key that is none, a nonce used before
  denied,                    // by whom we asked
};

// For logs and monitors: "signature", "version", ...
std::string_view name(failure_reason reason) noexcept;

}  // namespace slk
