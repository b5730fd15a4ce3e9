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

int error_of(std::span<const slk_part_t> parts) noexcept {
  if (parts.empty() || parts.size() > INT_MAX) {
    return EINVAL;
  }
  if (parts.data() == nullptr) {
    return EFAULT;
  }
  for (const slk_part_t& part : parts) {
    if (part.data == nullptr && part.size > 0) {
      return EFAULT;
    }
  }
  return 0;
}

// What is behind the short calls, apart from them, as their last step: they have no call in their
// way then, and nothing to save on the stack (see short_way).

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

// The parts behind the first `sent`.
[[gnu::noinline]] int send_parts_by_all_means(void* socket, std::span<const slk_part_t> parts,
                                              size_t sent, int flags) noexcept {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  if (const int error = error_of(parts); error != 0) {
    return fail(error);
  }
  const int all = static_cast<int>(parts.size());
  return guard([&] {
    const long outcome = target->send(parts.subspan(sent), flags);
    return outcome < 0 ? outcome : all;
  });
}

// The socket was closed by another thread during a short call that did what it answers, or nothing.
[[gnu::noinline, gnu::cold]] int ended_closed(socket_handle& named, int outcome) noexcept {
  socket_call::clean_up(named);
  return outcome >= 0 ? outcome : fail(ENOTSOCK);
}

[[gnu::noinline, gnu::cold]] int closed_on_entry(socket_handle& named) noexcept {
  return socket_call::leave(named) ? fail(ENOTSOCK) : ended_closed(named, -1);
}

[[gnu::noinline]] int told_and_ended(socket_handle& named, int sent) noexcept {
  named.object->tell_of_short();
  return socket_call::leave(named) ? sent : ended_closed(named, sent);
}

[[gnu::noinline]] int leave_and_send(socket_handle& named, const void* data, size_t length,
                                     int flags) noexcept {
  return socket_call::leave(named) ? send_by_all_means(&named, data, length, flags)
                                   : ended_closed(named, -1);
}

[[gnu::noinline]] int leave_and_receive(socket_handle& named, void* buffer, size_t capacity,
                                        int flags) noexcept {
  return socket_call::leave(named) ? receive_by_all_means(&named, buffer, capacity, flags)
                                   : ended_closed(named, -1);
}

[[gnu::noinline]] int leave_and_send_parts(socket_handle& named, std::span<const slk_part_t> parts,
                                           size_t sent, int flags) noexcept {
  return socket_call::leave(named) ? send_parts_by_all_means(&named, parts, sent, flags)
                                   : ended_closed(named, -1);
}

// Messages of the size that the shortest code can copy, and others that are short. The former must
// get by with the registers that a call may use as it likes: each that is saved is written to the
// stack.
constexpr size_t shortest_max = 64;
constexpr size_t short_max = slk::short_frame_body_bytes_max;

template <size_t BytesMax>
[[gnu::always_inline]] inline int send_and_leave(socket_handle& named, const void* data,
                                                 size_t length, int flags) noexcept {
  const auto outcome = named.object->send_short<BytesMax>(data, length, flags);
  if (outcome == short_way::outcome::refused) [[unlikely]] {
    return leave_and_send(named, data, length, flags);
  }
  const int sent = static_cast<int>(length);
  if (outcome == short_way::outcome::untold) [[unlikely]] {
    return told_and_ended(named, sent);
  }
  return socket_call::leave(named) ? sent : ended_closed(named, sent);
}

[[gnu::noinline]] int send_short_and_leave(socket_handle& named, const void* data, size_t length,
                                           int flags) noexcept {
  return send_and_leave<short_max>(named, data, length, flags);
}

[[gnu::noinline]] int receive_short_and_leave(socket_handle& named, void* buffer, size_t capacity,
                                              int flags) noexcept {
  const int received = named.object->receive_short<short_max>(buffer, capacity);
  if (received < 0) [[unlikely]] {
    return leave_and_receive(named, buffer, capacity, flags);
  }
  return socket_call::leave(named) ? received : ended_closed(named, received);
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
  if (!socket_call::may_enter(socket)) [[unlikely]] {
    return send_by_all_means(socket, data, length, flags);
  }
  auto& named = *static_cast<socket_handle*>(socket);
  if (!socket_call::enter(named)) [[unlikely]] {
    return closed_on_entry(named);
  }
  if (length > shortest_max) [[unlikely]] {
    return send_short_and_leave(named, data, length, flags);
  }
  return send_and_leave<shortest_max>(named, data, length, flags);
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
  const std::span<const slk_part_t> all(parts, count);
  if (error_of(all) != 0 || !socket_call::may_enter(socket)) [[unlikely]] {
    return send_parts_by_all_means(socket, all, 0, flags);
  }
  auto& named = *static_cast<socket_handle*>(socket);
  if (!socket_call::enter(named)) [[unlikely]] {
    return closed_on_entry(named);
  }
  for (size_t sent = 0; sent < count; ++sent) {
    const int part_flags = sent + 1 < count ? flags | SLK_SNDMORE : flags;
    const auto outcome =
        named.object->send_short<short_max>(parts[sent].data, parts[sent].size, part_flags);
    if (outcome == short_way::outcome::refused) [[unlikely]] {
      return leave_and_send_parts(named, all, sent, flags);
    }
    if (outcome == short_way::outcome::untold) [[unlikely]] {
      return told_and_ended(named, static_cast<int>(count));  // a message's last frame it is
    }
  }
  return socket_call::leave(named) ? static_cast<int>(count)
                                   : ended_closed(named, static_cast<int>(count));
}

int slk_recv(void* socket, void* buffer, size_t capacity, int flags) {
  if (buffer == nullptr || !socket_call::may_enter(socket)) [[unlikely]] {
    return receive_by_all_means(socket, buffer, capacity, flags);
  }
  auto& named = *static_cast<socket_handle*>(socket);
  if (!socket_call::enter(named)) [[unlikely]] {
    return closed_on_entry(named);
  }
  const int received = named.object->receive_short<shortest_max>(buffer, capacity);
  if (received < 0) [[unlikely]] {
    return receive_short_and_leave(named, buffer, capacity, flags);
  }
  return socket_call::leave(named) ? received : ended_closed(named, received);
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
