#include <serverlink/serverlink.h>

#include <climits>
#include <memory>
#include <span>
#include <string_view>

#include "abi/error.hpp"
#include "abi/handle.hpp"
#include "abi/socket_handle.hpp"
#include "socket/context.hpp"

using slk::short_way;
using slk::abi::fail;
using slk::abi::guard;
using slk::abi::socket_call;
using socket_handle = slk::abi::handle<slk::socket>;

namespace {

using pool = slk::abi::handle_pool<slk::socket>;
using context_pool = slk::abi::handle_pool<slk::context>;

// The calls that take an endpoint.
template <class Call>
int with_endpoint(void* socket, const char* endpoint, Call call) noexcept {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (endpoint == nullptr) {
    return fail(EINVAL);
  }
  return guard([&] { return call(*target, std::string_view(endpoint)); });
}

// What is behind the short calls, apart from them: they have nothing to save in registers then.

[[gnu::noinline]] int send_by_all_means(void* socket, const void* data, size_t length,
                                        int flags) noexcept {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (data == nullptr && length > 0) {
    return fail(EFAULT);
  }
  return guard([&] { return target->send(data, length, flags); });
}

[[gnu::noinline]] int receive_by_all_means(void* socket, void* buffer, size_t capacity,
                                           int flags) noexcept {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (buffer == nullptr && capacity > 0) {
    return fail(EFAULT);
  }
  return guard([&] { return target->receive(buffer, capacity, flags); });
}

// The socket was closed by another thread during a short call that did what it answers, or nothing.
[[gnu::noinline, gnu::cold]] int ended_closed(socket_handle& named, int outcome) noexcept {
  socket_call::clean_up(named);
  return outcome >= 0 ? outcome : fail(ENOTSOCK);
}

[[gnu::noinline]] int told_and_ended(socket_handle& named, int sent) noexcept {
  named.object->tell_of_short();
  return socket_call::leave(named) ? sent : ended_closed(named, sent);
}

}  // namespace

extern "C" {

void* slk_socket(void* context, int type) {
  slk::context* home = context_pool::find(context);
  if (home == nullptr) {
    fail(EFAULT);
    return nullptr;
  }
  void* fresh = nullptr;
  guard([&]() -> int {
    int error = 0;
    auto made = slk::socket::create(*home, type, error);
    if (made == nullptr) {
      return -error;
    }
    fresh = pool::acquire(made.get());
    made.release();  // the handle's, until slk_close()
    return 0;
  });
  return fresh;
}

int slk_close(void* socket) {
  return guard([&] {
    const bool closed =
        pool::close(socket, [](slk::socket& busy) { busy.interrupt(); }, slk::abi::dispose);
    return closed ? 0 : -ENOTSOCK;
  });
}

int slk_bind(void* socket, const char* endpoint) {
  return with_endpoint(socket, endpoint,
                       [](slk::socket& s, std::string_view name) { return s.bind(name); });
}

int slk_unbind(void* socket, const char* endpoint) {
  return with_endpoint(socket, endpoint,
                       [](slk::socket& s, std::string_view name) { return s.unbind(name); });
}

int slk_connect(void* socket, const char* endpoint) {
  return with_endpoint(socket, endpoint,
                       [](slk::socket& s, std::string_view name) { return s.connect(name); });
}

int slk_disconnect(void* socket, const char* endpoint) {
  return with_endpoint(socket, endpoint,
                       [](slk::socket& s, std::string_view name) { return s.disconnect(name); });
}

int slk_setsockopt(void* socket, int option, const void* value, size_t length) {
  const socket_call target(socket);
  return !target ? fail(ENOTSOCK)
                 : guard([&] { return target->set_option(option, value, length); });
}

int slk_getsockopt(void* socket, int option, void* value, size_t* length) {
  const socket_call target(socket);
  return !target ? fail(ENOTSOCK)
                 : guard([&] { return target->get_option(option, value, length); });
}

int slk_socket_monitor(void* socket, const char* endpoint, int events) {
  const socket_call target(socket);
  return !target ? fail(ENOTSOCK) : guard([&] { return target->monitor(endpoint, events); });
}

int slk_is_connected(void* socket, const void* id, size_t id_length) {
  const socket_call target(socket);
  int error = !target ? ENOTSOCK : id == nullptr ? EFAULT : 0;
  if (error == 0) {
    const int outcome =
        guard([&] { return target->is_connected({static_cast<const char*>(id), id_length}); });
    if (outcome == 1) {
      return 1;
    }
    error = outcome == 0 ? EHOSTUNREACH : errno;
  }
  errno = error;
  return 0;
}

int slk_send(void* socket, const void* data, size_t length, int flags) {
  if (auto* const named = socket_call::enter(socket); named != nullptr) [[likely]] {
    const auto outcome = named->object->send_short(data, length, flags);
    if (outcome == short_way::outcome::untold) [[unlikely]] {
      return told_and_ended(*named, static_cast<int>(length));
    }
    const int sent = outcome == short_way::outcome::done ? static_cast<int>(length) : -1;
    if (!socket_call::leave(*named)) [[unlikely]] {
      return ended_closed(*named, sent);
    }
    if (sent >= 0) [[likely]] {
      return sent;
    }
  }
  return send_by_all_means(socket, data, length, flags);
}

int slk_send_const(void* socket, const void* data, size_t length, int flags) {
  return slk_send(socket, data, length, flags);
}

int slk_send_to(void* socket, const void* id, size_t id_length, const void* data, size_t length,
                int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if ((id == nullptr && id_length > 0) || (data == nullptr && length > 0)) {
    return fail(EFAULT);
  }
  if (id_length < 1 || id_length > 255) {
    return fail(EINVAL);
  }
  return guard([&] {
    return target->send_to({static_cast<const char*>(id), id_length}, data, length, flags);
  });
}

int slk_send_parts(void* socket, const slk_part_t* parts, size_t count, int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (count < 1 || count > INT_MAX) {
    return fail(EINVAL);
  }
  if (parts == nullptr) {
    return fail(EFAULT);
  }
  const std::span<const slk_part_t> all(parts, count);
  for (const slk_part_t& part : all) {
    if (part.data == nullptr && part.size > 0) {
      return fail(EFAULT);
    }
  }
  return guard([&] { return target->send(all, flags); });
}

int slk_recv(void* socket, void* buffer, size_t capacity, int flags) {
  if (auto* const named = socket_call::enter(socket); named != nullptr) [[likely]] {
    const int received = buffer != nullptr ? named->object->receive_short(buffer, capacity) : -1;
    if (!socket_call::leave(*named)) [[unlikely]] {
      return ended_closed(*named, received);
    }
    if (received >= 0) [[likely]] {
      return received;
    }
  }
  return receive_by_all_means(socket, buffer, capacity, flags);
}

int slk_recv_alloc(void* socket, slk_alloc_fn* allocate, void* hint, int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (allocate == nullptr) {
    return fail(EFAULT);
  }
  return guard([&] { return target->receive(allocate, hint, flags); });
}

int slk_recv_each(void* socket, slk_take_fn* take, void* hint, int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (take == nullptr) {
    return fail(EFAULT);
  }
  return guard([&] { return target->receive_each(take, hint, flags); });
}

}  // extern "C"
