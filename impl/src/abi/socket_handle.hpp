#pragma once

#include "abi/handle.hpp"
#include "socket/socket.hpp"

namespace slk::abi {

// The socket behind a handle; nullptr: there is none, or no more.
inline socket* find_socket(void* raw) noexcept {
  return handle_pool<socket>::find(raw);
}

}  // namespace slk::abi
