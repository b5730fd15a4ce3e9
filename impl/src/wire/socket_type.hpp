#pragma once
// The socket types, numbered as in zmq.h, and who may talk to whom.

#include <optional>
#include <string_view>

namespace slk {

enum class socket_type : int {
  pair = 0,
  pub = 1,
  sub = 2,
  req = 3,
  rep = 4,
  dealer = 5,
  router = 6,
  pull = 7,
  push = 8,
  xpub = 9,
  xsub = 10,
};

constexpr int socket_type_count = 11;

// As in the Socket-Type property: "PAIR", "ROUTER", ...
std::string_view name(socket_type type) noexcept;

// The reverse of name(), exact upper case; nothing for any other text.
std::optional<socket_type> parse_socket_type(std::string_view text) noexcept;

// May these two share a connection? Symmetric.
bool compatible(socket_type ours, socket_type theirs) noexcept;

// Does a READY of this type carry the Identity property (even an empty one)?
bool announces_identity(socket_type type) noexcept;

}  // namespace slk
