#include "socket/options.hpp"

#include <serverlink/serverlink.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <variant>

#include "wire/handshake.hpp"

namespace slk {

namespace {

using types_mask = unsigned;

constexpr types_mask bit(socket_type type) noexcept {
  return 1u << static_cast<unsigned>(type);
}
constexpr types_mask every_type = ~types_mask{0};
constexpr types_mask router_only = bit(socket_type::router);
constexpr types_mask probing = bit(socket_type::router) | bit(socket_type::dealer);

using int_member = int socket_options::*;
using int64_member = std::int64_t socket_options::*;
using bytes_member = std::string socket_options::*;

struct option_row {
  int number;
  std::variant<int_member, int64_member, bytes_member> member;
  std::int64_t least;  // for bytes: the shortest and the longest
  std::int64_t most;
  types_mask types;
};

constexpr std::int64_t any_int = std::numeric_limits<int>::max();
constexpr std::int64_t any_int64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t id_bytes = static_cast<std::int64_t>(routing_id_bytes_max);

// On the wire it is 16 bits of tenths of a second, and that is how it is kept.
constexpr int ttl_unit_ms = 100;
constexpr std::int64_t ttl_ms_max = 65535 * ttl_unit_ms + ttl_unit_ms - 1;

using o = socket_options;

const option_row table[] = {
    {SLK_ROUTING_ID, &o::routing_id, 1, id_bytes, every_type},
    {SLK_SNDBUF, &o::sndbuf, -1, any_int, every_type},
    {SLK_RCVBUF, &o::rcvbuf, -1, any_int, every_type},
    {SLK_LINGER, &o::linger_ms, -1, any_int, every_type},
    {SLK_RECONNECT_IVL, &o::reconnect_ivl_ms, -1, any_int, every_type},
    {SLK_RECONNECT_IVL_MAX, &o::reconnect_ivl_max_ms, 0, any_int, every_type},
    {SLK_BACKLOG, &o::backlog, 0, any_int, every_type},
    {SLK_MAXMSGSIZE, &o::maxmsgsize_bytes, -1, any_int64, every_type},
    {SLK_SNDHWM, &o::sndhwm, 0, any_int, every_type},
    {SLK_RCVHWM, &o::rcvhwm, 0, any_int, every_type},
    {SLK_RCVTIMEO, &o::rcvtimeo_ms, -1, any_int, every_type},
    {SLK_SNDTIMEO, &o::sndtimeo_ms, -1, any_int, every_type},
    {SLK_ROUTER_MANDATORY, &o::router_mandatory, 0, 1, router_only},
    {SLK_ROUTER_HANDOVER, &o::router_handover, 0, 1, router_only},
    {SLK_CONNECT_ROUTING_ID, &o::connect_routing_id, 1, id_bytes, router_only},
    {SLK_PROBE_ROUTER, &o::probe_router, 0, 1, probing},
    {SLK_TCP_KEEPALIVE, &o::tcp_keepalive, -1, 1, every_type},
    {SLK_TCP_KEEPALIVE_CNT, &o::tcp_keepalive_cnt, -1, any_int, every_type},
    {SLK_TCP_KEEPALIVE_IDLE, &o::tcp_keepalive_idle_s, -1, any_int, every_type},
    {SLK_TCP_KEEPALIVE_INTVL, &o::tcp_keepalive_intvl_s, -1, any_int, every_type},
    {SLK_IMMEDIATE, &o::immediate, 0, 1, every_type},
    {SLK_IPV6, &o::ipv6, 0, 1, every_type},
    {SLK_HANDSHAKE_IVL, &o::handshake_ivl_ms, 0, any_int, every_type},
    {SLK_HEARTBEAT_IVL, &o::heartbeat_ivl_ms, 0, any_int, every_type},
    {SLK_HEARTBEAT_TTL, &o::heartbeat_ttl_ms, 0, ttl_ms_max, every_type},
    {SLK_HEARTBEAT_TIMEOUT, &o::heartbeat_timeout_ms, -1, any_int, every_type},
};

const option_row* find_row(socket_type type, int option) noexcept {
  for (const option_row& row : table) {
    if (row.number == option) {
      return (row.types & bit(type)) != 0 ? &row : nullptr;
    }
  }
  return nullptr;
}

// Reads a number of type T. False: wrong size.
template <class T>
bool read_number(const void* value, std::size_t size_bytes, T& out) noexcept {
  if (value == nullptr || size_bytes != sizeof(T)) {
    return false;
  }
  std::memcpy(&out, value, sizeof(T));
  return true;
}

struct setter {
  socket_options& options;
  const option_row& row;
  const void* value;
  std::size_t size_bytes;

  template <class T>
  [[nodiscard]] int number(T socket_options::* member) const noexcept {
    T parsed{};
    if (!read_number(value, size_bytes, parsed) || parsed < row.least || parsed > row.most) {
      return EINVAL;
    }
    options.*member = parsed;
    return 0;
  }
  int operator()(int_member member) const noexcept { return number(member); }
  int operator()(int64_member member) const noexcept { return number(member); }
  int operator()(bytes_member member) const {
    const auto size = static_cast<std::int64_t>(size_bytes);
    if (value == nullptr || size < row.least || size > row.most) {
      return EINVAL;
    }
    (options.*member).assign(static_cast<const char*>(value), size_bytes);
    return 0;
  }
};

struct getter {
  const socket_options& options;
  void* value;
  std::size_t* size_bytes;

  template <class T>
  int operator()(T socket_options::* member) const noexcept {
    return copy_option(&(options.*member), sizeof(T), value, size_bytes);
  }
  int operator()(bytes_member member) const noexcept {
    const std::string& bytes = options.*member;
    return copy_option(bytes.data(), bytes.size(), value, size_bytes);
  }
};

}  // namespace

int copy_option(const void* from, std::size_t bytes, void* value,
                std::size_t* size_bytes) noexcept {
  if (size_bytes == nullptr || *size_bytes < bytes || (value == nullptr && bytes > 0)) {
    return EINVAL;
  }
  if (bytes > 0) {
    std::memcpy(value, from, bytes);
  }
  *size_bytes = bytes;
  return 0;
}

int socket_options::set(socket_type type, int option, const void* value, std::size_t size_bytes) {
  const option_row* row = find_row(type, option);
  if (row == nullptr) {
    return security.set(option, value, size_bytes);
  }
  const int error = std::visit(setter{*this, *row, value, size_bytes}, row->member);
  heartbeat_ttl_ms -= heartbeat_ttl_ms % ttl_unit_ms;
  return error;
}

int socket_options::get(socket_type type, int option, void* value, std::size_t* size_bytes) const {
  const option_row* row = find_row(type, option);
  return row == nullptr ? security.get(option, value, size_bytes)
                        : std::visit(getter{*this, value, size_bytes}, row->member);
}

session_settings socket_options::for_session(socket_type type) const {
  session_settings settings;
  settings.socket_type = type;
  settings.routing_id = routing_id;
  settings.transport = {sndbuf,
                        rcvbuf,
                        backlog,
                        tcp_keepalive,
                        tcp_keepalive_cnt,
                        tcp_keepalive_idle_s,
                        tcp_keepalive_intvl_s,
                        ipv6 != 0,
                        0};
  settings.send_mark = static_cast<std::uint64_t>(sndhwm);
  settings.frame_bytes_max = maxmsgsize_bytes;
  settings.handshake_interval_ms = handshake_ivl_ms;
  settings.reconnect_interval_ms = reconnect_ivl_ms;
  settings.reconnect_interval_max_ms = reconnect_ivl_max_ms;
  settings.heartbeat = {heartbeat_ivl_ms, heartbeat_timeout_ms, heartbeat_ttl_ms};
  settings.security = security.for_session();
  settings.immediate = immediate != 0;
  settings.application_reads = type != socket_type::push;
  return settings;
}

}  // namespace slk
