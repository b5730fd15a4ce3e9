#include "transport/connect.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/resolve.hpp"

namespace slk {
namespace {

// Options are wishes: a kernel that refuses one doesn't cost the connection.
void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

int family_of(int fd) noexcept {
  int family = AF_UNSPEC;
  socklen_t bytes = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes);
  return family;
}

void tune_tcp(int fd, const transport_options& options) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.tcp_keepalive >= 0) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, options.tcp_keepalive);
  }
  if (options.tcp_keepalive_cnt > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, options.tcp_keepalive_cnt);
  }
  if (options.tcp_keepalive_idle > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.tcp_keepalive_idle);
  }
  if (options.tcp_keepalive_intvl > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.tcp_keepalive_intvl);
  }
  if (options.tos != 0) {
    set_option(fd, IPPROTO_IP, IP_TOS, options.tos);
    if (family_of(fd) == AF_INET6) {
      set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, options.tos);
    }
  }
}

bool name_of(int fd, int (*ask)(int, sockaddr*, socklen_t*), socket_address& out) noexcept {
  out.bytes = sizeof out.storage;
  return ask(fd, out.get(), &out.bytes) == 0;
}

int own_name(int fd, sockaddr* out, socklen_t* bytes) noexcept {
  return ::getsockname(fd, out, bytes);
}

int peer_name(int fd, sockaddr* out, socklen_t* bytes) noexcept {
  return ::getpeername(fd, out, bytes);
}

bool connected_to_itself(int fd) noexcept {
  socket_address own;
  socket_address peer;
  return name_of(fd, own_name, own) && name_of(fd, peer_name, peer) &&
         (own.family() == AF_INET || own.family() == AF_INET6) && own.bytes == peer.bytes &&
         std::memcmp(&own.storage, &peer.storage, own.bytes) == 0;
}

status bind_source(int fd, const address& where, int family) {
  result<socket_addresses> source = resolve_local(where.source_host, where.source_port, family);
  if (!source) {
    return failure{source.error()};
  }
  // A fixed source port would else be blocked by its last connection's TIME_WAIT.
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const socket_address& chosen = source.value().front();
  if (::bind(fd, chosen.get(), chosen.bytes) != 0) {
    return failure{errno};
  }
  return {};
}

result<connecting> start(const socket_address& target, const address& where,
                         const transport_options& options) {
  connecting attempt;
  attempt.fd.reset(::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!attempt.fd) {
    return failure{errno};
  }
  const int fd = attempt.fd.get();
  tune_connected(fd, where.scheme, options);
  if (!where.source_host.empty()) {
    const status bound = bind_source(fd, where, target.family());
    if (!bound) {
      return failure{bound.error()};
    }
  }
  if (::connect(fd, target.get(), target.bytes) == 0) {
    if (connected_to_itself(fd)) {
      return failure{ECONNREFUSED};
    }
    return attempt;
  }
  // An interrupted connect goes on in the background, like one in progress.
  if (errno != EINPROGRESS && errno != EINTR) {
    return failure{errno};
  }
  attempt.in_progress = true;
  return attempt;
}

result<connecting> connect_tcp(const address& where, const transport_options& options) {
  const int family = options.ipv6 ? AF_UNSPEC : AF_INET;
  result<socket_addresses> targets = resolve_host(where.host, where.port, family);
  if (!targets) {
    return failure{targets.error()};
  }
  int error = EHOSTUNREACH;
  for (const socket_address& target : targets.value()) {
    result<connecting> attempt = start(target, where, options);
    if (attempt) {
      return attempt;
    }
    error = attempt.error();
  }
  return failure{error};
}

}  // namespace

result<connecting> connect_to(const address& where, const transport_options& options) {
  switch (where.scheme) {
    case scheme::tcp:
      return connect_tcp(where, options);
    case scheme::ipc:
      if (where.wildcard_path()) {
        return failure{EINVAL};
      }
      return start(ipc_address(where.path), where, options);
    case scheme::inproc:
      break;
  }
  return failure{EINVAL};
}

status connect_finished(int fd) noexcept {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
    return failure{errno};
  }
  if (error != 0) {
    return failure{error};
  }
  if (connected_to_itself(fd)) {
    return failure{ECONNREFUSED};
  }
  return {};
}

void tune_connected(int fd, scheme kind, const transport_options& options) noexcept {
  if (options.sndbuf >= 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, options.sndbuf);
  }
  if (options.rcvbuf >= 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, options.rcvbuf);
  }
  if (kind == scheme::tcp) {
    tune_tcp(fd, options);
  }
}

std::string peer_address(int fd) {
  socket_address peer;
  return name_of(fd, peer_name, peer) ? numeric_host(peer) : std::string();
}

int max_segment_bytes(int fd) noexcept {
  int segment_bytes = 0;
  socklen_t bytes = sizeof segment_bytes;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, &bytes) != 0) {
    return 0;
  }
  return segment_bytes;
}

}  // namespace slk
