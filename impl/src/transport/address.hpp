#pragma once
// Endpoints as text: what they say, without resolving any name.
//
//   tcp://host:port              host: IPv4, [IPv6], a name; to bind also * or an interface
//                                port: 1-65535; to bind also * or 0
//   tcp://source:port;host:port  to connect from a given address; source and its port may be *
//   ipc://path                   a socket file; to bind also *: a fresh private one
//   ipc://@name                  an abstract name
//   inproc://name

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace slk {

enum class scheme { tcp, ipc, inproc };

struct address {
  slk::scheme scheme = slk::scheme::tcp;
  std::string text;  // the endpoint as given

  // tcp
  std::string host;  // without brackets; empty when wildcard_host
  std::uint16_t port = 0;
  bool wildcard_host = false;
  bool wildcard_port = false;
  std::string source_host;  // without brackets; empty: none; "*": any, with source_port
  std::uint16_t source_port = 0;

  // ipc: the path, or '@' and the abstract name, or "*". inproc: the name.
  std::string path;

  bool abstract_path() const noexcept { return scheme == slk::scheme::ipc && path[0] == '@'; }
  bool wildcard_path() const noexcept { return scheme == slk::scheme::ipc && path == "*"; }
};

// EINVAL: no "://", an empty part, a missing, malformed or too large port, a wildcard where none is
// allowed, [IPv6] without `ipv6`, a host with impossible characters.
// EPROTONOSUPPORT: an unknown scheme. ENAMETOOLONG: an ipc path of 108 bytes or more.
result<address> parse_address(std::string_view endpoint, bool for_bind, bool ipv6);

}  // namespace slk
