#include "socket.hpp"

#include <serverlink/serverlink.h>

#include "message.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

constexpr size_t bytes_option_max = 1024;

}  // namespace

socket::socket(context& owner, int type)
    : context_(owner.handle()),
      handle_(slk_socket(context_->usable(), type)),
      generation_(fork_generation()) {
  if (handle_ == nullptr) {
    raise_last_error();
  }
}

socket::~socket() {
  close_handle(0);
}

socket::use::~use() {
  socket_.busy_ = false;
  if (socket_.close_when_idle_) {
    const int error = errno;
    socket_.close_handle(socket_.pending_linger_ms_);
    errno = error;
  }
}

bool socket::closed() const noexcept {
  return handle_ == nullptr || generation_ != fork_generation();
}

void socket::raise_unusable() const {
  if (busy_ && !closed()) {
    raise_error(EBUSY, "another thread is inside a call on this socket: one thread at a time");
  }
  if (handle_ != nullptr && generation_ != fork_generation()) {
    raise_error(ENOTSOCK, "the socket was made before fork(): make a Context in the child");
  }
  raise_error(ENOTSOCK);
}

void socket::close_handle(int linger_ms) noexcept {
  if (!closed()) {
    if (linger_ms >= -1) {
      // Fails once the context is being terminated; there is nothing to be done about that then.
      slk_setsockopt(handle_, SLK_LINGER, &linger_ms, sizeof linger_ms);
    }
    slk_close(handle_);
  }
  handle_ = nullptr;
  shelf_.clear();
}

void socket::close(int linger_ms) {
  if (!closed()) {
    usable();
  }
  close_handle(linger_ms);
}

void socket::close_soon(int linger_ms) {
  if (busy_) {
    close_when_idle_ = true;
    pending_linger_ms_ = linger_ms;
  } else {
    close_handle(linger_ms);
  }
}

void socket::bind(const std::string& endpoint) {
  if (slk_bind(usable(), endpoint.c_str()) != 0) {
    raise_last_error();
  }
}

void socket::unbind(const std::string& endpoint) {
  if (slk_unbind(usable(), endpoint.c_str()) != 0) {
    raise_last_error();
  }
}

void socket::connect(const std::string& endpoint) {
  if (slk_connect(usable(), endpoint.c_str()) != 0) {
    raise_last_error();
  }
}

void socket::disconnect(const std::string& endpoint) {
  if (slk_disconnect(usable(), endpoint.c_str()) != 0) {
    raise_last_error();
  }
}

void socket::monitor(const std::optional<std::string>& endpoint, int events) {
  if (slk_socket_monitor(usable(), endpoint ? endpoint->c_str() : nullptr, events) != 0) {
    raise_last_error();
  }
}

void socket::set_int(int option, int value) {
  if (slk_setsockopt(usable(), option, &value, sizeof value) != 0) {
    raise_last_error();
  }
}

void socket::set_int64(int option, std::int64_t value) {
  if (slk_setsockopt(usable(), option, &value, sizeof value) != 0) {
    raise_last_error();
  }
}

void socket::set_bytes(int option, nb::handle value) {
  const buffer_view bytes(value.ptr());
  if (slk_setsockopt(usable(), option, bytes.data(), bytes.size()) != 0) {
    raise_last_error();
  }
}

int socket::get_int(int option) {
  int value = 0;
  size_t length = sizeof value;
  if (slk_getsockopt(usable(), option, &value, &length) != 0) {
    raise_last_error();
  }
  return value;
}

std::int64_t socket::get_int64(int option) {
  std::int64_t value = 0;
  size_t length = sizeof value;
  if (slk_getsockopt(usable(), option, &value, &length) != 0) {
    raise_last_error();
  }
  return value;
}

nb::bytes socket::get_bytes(int option) {
  char value[bytes_option_max];
  size_t length = sizeof value;
  if (slk_getsockopt(usable(), option, value, &length) != 0) {
    raise_last_error();
  }
  return nb::bytes(value, length);
}

bool socket::is_connected(nb::handle id) {
  const buffer_view name(id.ptr());
  if (slk_is_connected(usable(), name.data(), name.size()) != 0) {
    return true;
  }
  if (errno != EHOSTUNREACH) {
    raise_last_error();
  }
  return false;
}

}  // namespace slk::python
