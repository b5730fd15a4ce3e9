// The three ABIs that the driver speaks, as data: prefix, numbers of errors, shapes that differ.
#pragma once

#include <optional>
#include <string_view>

namespace slkbench {

enum class abi_kind { zmq, serverlink, public_serverlink };

struct abi_traits {
  abi_kind kind;
  std::string_view name;
  std::string_view prefix;
  std::string_view context_end;  // ctx_term returns int, ctx_destroy nothing: the driver ignores it
  bool context_options_by_pointer;
  bool own_error_numbers;  // SLK_EAGAIN is 3 and so on, instead of errno.h's
};

const abi_traits& traits_of(abi_kind kind) noexcept;
std::optional<abi_kind> abi_by_name(std::string_view name) noexcept;

// Translates a library's error number into errno.h's. Numbers that mean the same pass through.
int posix_error(const abi_traits& abi, int number) noexcept;

// Numbers of zmq.h; the public ServerLink has the same for all that the driver uses.
namespace option {
inline constexpr int routing_id = 5;
inline constexpr int sndbuf = 11;
inline constexpr int rcvbuf = 12;
inline constexpr int type = 16;
inline constexpr int linger = 17;
inline constexpr int sndhwm = 23;
inline constexpr int rcvhwm = 24;
inline constexpr int rcvtimeo = 27;
inline constexpr int sndtimeo = 28;
inline constexpr int last_endpoint = 32;
inline constexpr int router_mandatory = 33;
inline constexpr int immediate = 39;
}  // namespace option

namespace context_option {
inline constexpr int io_threads = 1;
inline constexpr int max_sockets = 2;
}  // namespace context_option

namespace socket_type {
inline constexpr int router = 6;
inline constexpr int pull = 7;
inline constexpr int push = 8;
}  // namespace socket_type

namespace message_flag {
inline constexpr int dontwait = 1;
inline constexpr int sndmore = 2;
}  // namespace message_flag

// What poll takes, the same in all three: a socket, or (socket null) a descriptor.
struct poll_item {
  void* socket;
  int fd;
  short events;
  short revents;
};

namespace poll_event {
inline constexpr short in = 1;
inline constexpr short out = 2;
}  // namespace poll_event

}  // namespace slkbench
