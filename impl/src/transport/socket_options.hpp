#pragma once
// The options that shape a transport's file descriptors. -1 leaves the choice to the system.

namespace slk {

struct transport_options {
  int sndbuf = -1;               // bytes, SO_SNDBUF
  int rcvbuf = -1;               // bytes, SO_RCVBUF
  int backlog = 100;             // pending connections of a listening socket
  int tcp_keepalive = -1;        // 0 or 1
  int tcp_keepalive_cnt = -1;    // probes
  int tcp_keepalive_idle = -1;   // seconds
  int tcp_keepalive_intvl = -1;  // seconds
  bool ipv6 = false;             // IPv6 as well as IPv4
  int tos = 0;                   // IP_TOS, IPV6_TCLASS; 0: untouched
};

}  // namespace slk
