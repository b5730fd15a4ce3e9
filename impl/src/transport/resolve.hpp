#pragma once
// From names to socket addresses; internal to transport/.

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "transport/address.hpp"

namespace slk {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  int family() const noexcept { return storage.ss_family; }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

using socket_addresses = std::vector<socket_address>;  // in order of preference, never empty

// A numeric address or a host name; asks the system's resolver, which may block.
// `family` is AF_INET, AF_INET6 or AF_UNSPEC. EHOSTUNREACH: unknown; ENOMEM, EMFILE.
result<socket_addresses> resolve_host(const std::string& host, std::uint16_t port, int family);

// What to bind a tcp listener or the source of a connection to: also a wildcard ("" or "*") or the
// name of an interface, whose IPv4 address is preferred. ENODEV: no such interface or host.
result<socket_addresses> resolve_local(const std::string& host, std::uint16_t port, int family);

// REQUIRES: a path that parse_address() accepted, no wildcard.
socket_address ipc_address(const std::string& path) noexcept;

// "127.0.0.1", "::1", "fe80::1%eth0"; an IPv4 address inside an IPv6 one is shown as IPv4.
// Empty for other families.
std::string numeric_host(const socket_address& where);
std::uint16_t port_of(const socket_address& where) noexcept;

}  // namespace slk
