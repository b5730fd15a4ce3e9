#include "transport/listen.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "transport/connect.hpp"
#include "transport/resolve.hpp"

namespace slk {
namespace {

// Leaves room for "/slk-XXXXXX/socket" within sun_path.
constexpr std::size_t temporary_root_bytes_max = 80;

result<unique_fd> open_listener(const socket_address& where, scheme kind,
                                const transport_options& options) {
  unique_fd fd(::socket(where.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    return failure{errno};
  }
  const int on = 1;
  const int off = 0;
  if (kind == scheme::tcp) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (where.family() == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  // Accepted sockets inherit all of it; buffer sizes must precede listen() to shape the window.
  tune_connected(fd.get(), kind, options);
  if (::bind(fd.get(), where.get(), where.bytes) != 0 || ::listen(fd.get(), options.backlog) != 0) {
    return failure{errno};
  }
  return fd;
}

std::string tcp_endpoint_of(int fd) {
  socket_address bound;
  bound.bytes = sizeof bound.storage;
  if (::getsockname(fd, bound.get(), &bound.bytes) != 0) {
    return {};
  }
  const std::string host = numeric_host(bound);
  const std::string shown = host.find(':') == host.npos ? host : '[' + host + ']';
  return "tcp://" + shown + ':' + std::to_string(port_of(bound));
}

result<listening> listen_on_tcp(const address& where, const transport_options& options) {
  const int family = options.ipv6 ? AF_UNSPEC : AF_INET;
  result<socket_addresses> candidates = resolve_local(where.host, where.port, family);
  if (!candidates) {
    return failure{candidates.error()};
  }
  int error = ENODEV;
  for (const socket_address& candidate : candidates.value()) {
    result<unique_fd> fd = open_listener(candidate, scheme::tcp, options);
    if (fd) {
      listening done;
      done.endpoint = tcp_endpoint_of(fd.value().get());
      done.fd = fd.take();
      return done;
    }
    error = fd.error();
    // Only an address this host doesn't have is a reason to look at the next one: a wildcard that
    // is taken under IPv6 must not be bound under IPv4 behind the owner's back.
    if (error != EADDRNOTAVAIL && error != EAFNOSUPPORT) {
      break;
    }
  }
  return failure{error};
}

void remove_old_socket(const std::string& path) noexcept {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
    ::unlink(path.c_str());
  }
}

result<std::string> make_private_directory() {
  const char* configured = std::getenv("TMPDIR");
  std::string root = configured == nullptr ? "" : configured;
  if (root.empty() || root.size() > temporary_root_bytes_max) {
    root = "/tmp";
  }
  std::string directory = root + "/slk-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    return failure{errno};
  }
  return directory;
}

result<listening> listen_on_ipc(const address& where, const transport_options& options) {
  listening done;
  std::string path = where.path;
  if (where.wildcard_path()) {
    result<std::string> directory = make_private_directory();
    if (!directory) {
      return failure{directory.error()};
    }
    done.unlink_dir = directory.take();
    done.unlink_path = done.unlink_dir + "/socket";
    path = done.unlink_path;
  } else if (!where.abstract_path()) {
    remove_old_socket(path);
  }
  result<unique_fd> fd = open_listener(ipc_address(path), scheme::ipc, options);
  if (!fd) {
    remove_socket_file(done.unlink_path, done.unlink_dir);
    return failure{fd.error()};
  }
  done.fd = fd.take();
  done.endpoint = "ipc://" + path;
  return done;
}

// The connection was gone before it was accepted, or the network reported an old error of it
// (accept(2) hands those through): nothing is wrong with the listening socket.
bool peer_vanished(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

result<listening> listen_on(const address& where, const transport_options& options) {
  switch (where.scheme) {
    case scheme::tcp:
      return listen_on_tcp(where, options);
    case scheme::ipc:
      return listen_on_ipc(where, options);
    case scheme::inproc:
      break;
  }
  return failure{EINVAL};
}

void remove_socket_file(const std::string& unlink_path, const std::string& unlink_dir) noexcept {
  if (!unlink_path.empty()) {
    ::unlink(unlink_path.c_str());
  }
  if (!unlink_dir.empty()) {
    ::rmdir(unlink_dir.c_str());
  }
}

result<unique_fd> accept_from(int listen_fd, scheme kind, const transport_options& options) {
  int raw = -1;
  do {
    raw = ::accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (raw < 0 && errno == EINTR);
  if (raw < 0) {
    return failure{peer_vanished(errno) ? EAGAIN : errno};
  }
  unique_fd fd(raw);
  tune_connected(fd.get(), kind, options);
  return fd;
}

}  // namespace slk
