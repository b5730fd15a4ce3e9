#include "socket.hpp"

#include <serverlink/serverlink.h>

#include <limits>
#include <vector>

#include "error.hpp"
#include "interpreter.hpp"
#include "message.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

using clock = std::chrono::steady_clock;

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

void* socket::usable() const {
  if (closed()) {
    raise_error(ENOTSOCK);
  }
  if (busy_) {
    raise_error(EBUSY);
  }
  return handle_;
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

// Repeats `call` without the GIL until it ends otherwise than by a signal. While signals eat into
// the time allowed, the library's own time-out option carries what is left of it.
template <typename Call>
int socket::wait(int timeout_option, Call call) {
  const int timeout_ms = get_int(timeout_option);
  if (timeout_ms == 0) {
    errno = EAGAIN;
    return -1;
  }
  const auto deadline = clock::now() + std::chrono::milliseconds(timeout_ms);
  bool shortened = false;
  for (;;) {
    check_signals();
    int result = -1;
    if (shortened) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
      set_int(timeout_option, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    }
    {
      void* const handle = usable();
      const use in_use(*this);
      result = without_gil([&] { return call(handle); });
    }
    const int error = errno;
    if (shortened && !closed()) {
      slk_setsockopt(handle_, timeout_option, &timeout_ms, sizeof timeout_ms);
    }
    errno = error;
    if (result >= 0 || error != EINTR) {
      return result;
    }
    shortened = timeout_ms > 0;
  }
}

// One send or receive: at once if possible, else waiting if `flags` allow it. `call` gets the
// handle and the flags.
template <typename Call>
int socket::attempt(int flags, int timeout_option, Call call) {
  void* const handle = usable();
  const int result = call(handle, flags | SLK_DONTWAIT);
  if (result >= 0 || (flags & SLK_DONTWAIT) != 0 || (errno != EAGAIN && errno != EINTR)) {
    return result;
  }
  return wait(timeout_option, [&](void* waiting) { return call(waiting, flags); });
}

nb::object socket::send(nb::handle data, int flags) {
  const buffer_view bytes(data.ptr());
  const int result = attempt(flags, SLK_SNDTIMEO, [&](void* handle, int call_flags) {
    return slk_send(handle, bytes.data(), bytes.size(), call_flags);
  });
  if (result < 0) {
    set_error(errno);
    return {};
  }
  return nb::none();
}

nb::object socket::send_multipart(nb::handle parts, int flags) {
  std::vector<buffer_view> views;  // all of them first: a wrong last part must not leave half sent
  for (const nb::handle part : nb::iter(parts)) {
    views.emplace_back(part.ptr());
  }
  if (views.empty()) {
    raise_error(EINVAL);
  }
  for (size_t i = 0; i < views.size(); ++i) {
    const int part_flags = i + 1 < views.size() ? flags | SLK_SNDMORE : flags;
    const int result = attempt(part_flags, SLK_SNDTIMEO, [&](void* handle, int call_flags) {
      return slk_send(handle, views[i].data(), views[i].size(), call_flags);
    });
    if (result < 0) {
      set_error(errno);
      return {};
    }
  }
  return nb::none();
}

nb::object socket::recv(int flags) {
  received_part part;
  const int result = attempt(flags, SLK_RCVTIMEO, [&](void* handle, int call_flags) {
    return slk_msg_recv(part.get(), handle, call_flags);
  });
  if (result < 0) {
    set_error(errno);
    return {};
  }
  return nb::steal(part.to_bytes());
}

nb::object socket::recv_multipart(int flags) {
  nb::list parts;
  for (bool more = true; more;) {
    received_part part;
    const int result = attempt(flags, SLK_RCVTIMEO, [&](void* handle, int call_flags) {
      return slk_msg_recv(part.get(), handle, call_flags);
    });
    if (result < 0) {
      set_error(errno);
      return {};
    }
    nb::object bytes = nb::steal(part.to_bytes());
    if (!bytes.is_valid()) {
      return {};
    }
    parts.append(bytes);
    more = part.more();
  }
  return nb::object(std::move(parts));
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
