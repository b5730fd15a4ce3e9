#include "transport/resolve.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

namespace slk {
namespace {

int errno_of(int resolver_error) noexcept {
  switch (resolver_error) {
    case EAI_MEMORY:
      return ENOMEM;
    case EAI_SYSTEM:
      return errno;
    default:
      return EHOSTUNREACH;
  }
}

void set_port(socket_address& where, std::uint16_t port) noexcept {
  if (where.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&where.storage)->sin_port = htons(port);
  } else if (where.family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&where.storage)->sin6_port = htons(port);
  }
}

socket_address copy_of(const sockaddr* from, socklen_t bytes) noexcept {
  socket_address copy;
  std::memcpy(&copy.storage, from, bytes);
  copy.bytes = bytes;
  return copy;
}

result<socket_addresses> ask_resolver(const std::string& host, std::uint16_t port, int family,
                                      int flags) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* raw = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &raw);
  if (error != 0) {
    return failure{errno_of(error)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, ::freeaddrinfo);
  socket_addresses found;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen <= sizeof(sockaddr_storage)) {
      found.push_back(copy_of(entry->ai_addr, entry->ai_addrlen));
      set_port(found.back(), port);
    }
  }
  if (found.empty()) {
    return failure{EHOSTUNREACH};
  }
  return found;
}

// Empty where there is no such interface, or none with an address of the family.
result<socket_addresses> interface_addresses(const std::string& name, std::uint16_t port,
                                             int family) {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    return failure{errno};
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, ::freeifaddrs);
  socket_addresses found;
  const auto collect = [&](int wanted, socklen_t bytes) {
    for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
      if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == wanted &&
          name == entry->ifa_name) {
        found.push_back(copy_of(entry->ifa_addr, bytes));
        set_port(found.back(), port);
      }
    }
  };
  if (family != AF_INET6) {
    collect(AF_INET, sizeof(sockaddr_in));
  }
  if (family != AF_INET) {
    collect(AF_INET6, sizeof(sockaddr_in6));
  }
  return found;
}

socket_addresses any_address(std::uint16_t port, int family) {
  socket_addresses any;
  if (family != AF_INET) {
    sockaddr_in6 v6{};  // dual stack, unless the kernel has no IPv6
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_any;
    any.push_back(copy_of(reinterpret_cast<const sockaddr*>(&v6), sizeof v6));
  }
  if (family != AF_INET6) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_ANY);
    any.push_back(copy_of(reinterpret_cast<const sockaddr*>(&v4), sizeof v4));
  }
  return any;
}

}  // namespace

result<socket_addresses> resolve_host(const std::string& host, std::uint16_t port, int family) {
  return ask_resolver(host, port, family, 0);
}

result<socket_addresses> resolve_local(const std::string& host, std::uint16_t port, int family) {
  if (host.empty() || host == "*") {
    return any_address(port, family);
  }
  result<socket_addresses> numeric = ask_resolver(host, port, family, AI_NUMERICHOST);
  if (numeric) {
    return numeric;
  }
  result<socket_addresses> interface = interface_addresses(host, port, family);
  if (!interface || !interface.value().empty()) {
    return interface;
  }
  result<socket_addresses> named = ask_resolver(host, port, family, 0);
  if (!named && named.error() == EHOSTUNREACH) {
    return failure{ENODEV};
  }
  return named;
}

socket_address ipc_address(const std::string& path) noexcept {
  socket_address where;
  auto* un = reinterpret_cast<sockaddr_un*>(&where.storage);
  un->sun_family = AF_UNIX;
  const bool abstract = path[0] == '@';
  std::memcpy(un->sun_path, path.data(), path.size());
  if (abstract) {
    un->sun_path[0] = '\0';
  }
  // The length of an abstract name is part of it, so it counts no terminator.
  where.bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0U : 1U));
  return where;
}

std::string numeric_host(const socket_address& where) {
  socket_address shown = where;
  if (where.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&where.storage);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
      shown = copy_of(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    }
  } else if (where.family() != AF_INET) {
    return {};
  }
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(shown.get(), shown.bytes, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return {};
  }
  return text.data();
}

std::uint16_t port_of(const socket_address& where) noexcept {
  if (where.family() == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&where.storage)->sin_port);
  }
  if (where.family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&where.storage)->sin6_port);
  }
  return 0;
}

}  // namespace slk
