#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "session/session_settings.hpp"
#include "socket/security_options.hpp"
#include "wire/socket_type.hpp"

namespace slk {

// The options of one socket. Each is described once, in the table of options.cpp: its number, its
// type, its range, the socket types that have it.
struct socket_options {
  std::string routing_id;
  std::string connect_routing_id;  // for the next connect() only
  int sndbuf = -1;
  int rcvbuf = -1;
  int linger_ms = -1;
  int reconnect_ivl_ms = 100;
  int reconnect_ivl_max_ms = 0;
  int backlog = 100;
  std::int64_t maxmsgsize_bytes = -1;
  int sndhwm = 1000;
  int rcvhwm = 1000;
  int rcvtimeo_ms = -1;
  int sndtimeo_ms = -1;
  int router_mandatory = 0;
  int router_handover = 0;
  int probe_router = 0;
  int tcp_keepalive = -1;
  int tcp_keepalive_cnt = -1;
  int tcp_keepalive_idle_s = -1;
  int tcp_keepalive_intvl_s = -1;
  int immediate = 0;
  int ipv6 = 0;
  int handshake_ivl_ms = 30000;
  int heartbeat_ivl_ms = 0;
  int heartbeat_ttl_ms = 0;
  int heartbeat_timeout_ms = -1;
  security_options security;

  // 0 or EINVAL: no such option for this type, a wrong size or a value out of range. ENOTSUP: it is
  // CURVE's, which this build has not.
  [[nodiscard]] int set(socket_type type, int option, const void* value, std::size_t size_bytes);
  // 0 or EINVAL; *size_bytes is the room at value, and then what was written.
  [[nodiscard]] int get(socket_type type, int option, void* value, std::size_t* size_bytes) const;

  [[nodiscard]] session_settings for_session(socket_type type) const;
};

// Copies a value out as getsockopt does. EINVAL: no room.
[[nodiscard]] int copy_option(const void* from, std::size_t bytes, void* value,
                              std::size_t* size_bytes) noexcept;

}  // namespace slk
