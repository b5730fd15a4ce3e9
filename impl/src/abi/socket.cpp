#include <serverlink/serverlink.h>

#include <climits>
#include <memory>
#include <span>
#include <string_view>

#include "abi/error.hpp"
#include "abi/handle.hpp"
#include "abi/socket_handle.hpp"
#include "socket/context.hpp"

using slk::abi::fail;
using slk::abi::guard;
using slk::abi::socket_call;

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
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (data == nullptr && length > 0) {
    return fail(EFAULT);
  }
  return guard([&] { return target->send(data, length, flags); });
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
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (buffer == nullptr && capacity > 0) {
    return fail(EFAULT);
  }
  return guard([&] { return target->receive(buffer, capacity, flags); });
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
