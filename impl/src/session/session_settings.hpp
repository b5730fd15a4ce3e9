#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "session/heartbeat.hpp"
#include "session/security_settings.hpp"
#include "transport/socket_options.hpp"
#include "wire/socket_type.hpp"

namespace slk {

// A socket's options as of its connect() or bind(): what a connection is made with.
struct session_settings {
  slk::socket_type socket_type = slk::socket_type::pair;
  std::string routing_id;
  std::string endpoint;  // for the monitor: what was bound or connected to
  transport_options transport;
  std::uint64_t send_mark = 1000;
  std::int64_t frame_bytes_max = -1;
  int handshake_interval_ms = 30000;  // 0: none
  int reconnect_interval_ms = 100;    // -1: never
  int reconnect_interval_max_ms = 0;  // 0: no exponential back-off
  slk::heartbeat::settings heartbeat;
  // None: NULL, and nobody is asked. Never changed, so that its secrets are there once.
  std::shared_ptr<const security_settings> security;
  bool immediate = false;         // no pipe without a connection
  bool application_reads = true;  // false for a socket type that only sends
};

}  // namespace slk
