#pragma once

#include "abi/handle.hpp"
#include "socket/socket.hpp"

namespace slk::abi {

inline void dispose(socket* dead) noexcept {
  dead->close();
  delete dead;
}

// A call on the socket behind a handle; false: there is none, or no more.
using socket_call = handle_call<socket, dispose>;

}  // namespace slk::abi
