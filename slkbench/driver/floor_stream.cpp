#include "floor_stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "clock.hpp"
#include "spin.hpp"

namespace slkbench {
namespace {

constexpr std::string_view tcp_prefix = "tcp://127.0.0.1:";
constexpr std::string_view ipc_prefix = "ipc://";

failure call_failed(const std::string& call) {
  return failed(call + ": " + std::strerror(errno));
}

bool fill_ipc_address(const std::string& endpoint, sockaddr_un& address) noexcept {
  const std::string_view path = std::string_view(endpoint).substr(ipc_prefix.size());
  if (path.size() >= sizeof address.sun_path)
    return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

}  // namespace

stream_link::stream_link(const workload_spec& spec, role_kind role)
    : spec_(spec),
      role_(role),
      is_spinning_(spec.metric == metric_kind::round_trip),
      out_(piece_bytes(spec)),
      in_(slab_bytes) {}

std::size_t stream_link::piece_bytes(const workload_spec& spec) {
  constexpr std::size_t segments_min = 4;
  constexpr std::size_t segments_max = 12;
  constexpr std::size_t messages_max = 1024;
  const std::size_t wanted = messages_max * spec.size_bytes / segment_bytes;
  const bool is_tcp = spec.transport == transport_kind::tcp;
  return segment_bytes * (is_tcp ? std::clamp(wanted, segments_min, segments_max) : segments_min);
}

failure stream_link::open(std::string& endpoint) {
  return role_ == role_kind::sender ? connect_to(endpoint) : listen_at(endpoint);
}

failure stream_link::listen_at(std::string& endpoint) {
  const bool is_tcp = spec_.transport == transport_kind::tcp;
  listener_ = unique_fd(::socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener_.is_open())
    return call_failed("socket");
  if (is_tcp) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), raw, size) != 0 || ::listen(listener_.get(), 1) != 0 ||
        getsockname(listener_.get(), raw, &size) != 0)
      return call_failed("bind");
    endpoint = std::string(tcp_prefix) + std::to_string(ntohs(address.sin_port));
    return {};
  }
  sockaddr_un address{};
  if (!fill_ipc_address(endpoint, address))
    return failed("the path is too long: " + endpoint);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return call_failed("bind(" + endpoint + ")");
  socket_file_ = endpoint.substr(ipc_prefix.size());
  return ::listen(listener_.get(), 1) == 0 ? failure{} : call_failed("listen");
}

failure stream_link::connect_to(const std::string& endpoint) {
  const bool is_tcp = spec_.transport == transport_kind::tcp;
  stream_ = unique_fd(::socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!stream_.is_open())
    return call_failed("socket");
  int connected = -1;
  if (is_tcp) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int port = std::atoi(endpoint.c_str() + std::min(endpoint.size(), tcp_prefix.size()));
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connected = ::connect(stream_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_un address{};
    if (!fill_ipc_address(endpoint, address))
      return failed("the path is too long: " + endpoint);
    connected = ::connect(stream_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  return connected == 0 ? failure{} : call_failed("connect(" + endpoint + ")");
}

failure stream_link::set_up_stream() {
  if (spec_.transport == transport_kind::tcp) {
    const int on = 1;
    if (setsockopt(stream_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
      return call_failed("setsockopt(TCP_NODELAY)");
  }
  return limit_waiting(stream_.get());
}

failure stream_link::limit_waiting(int fd) const {
  const timeval stall{spec_.stall_ms / 1000, (spec_.stall_ms % 1000) * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall) != 0)
    return call_failed("setsockopt(SO_RCVTIMEO)");
  return {};
}

failure stream_link::handshake() {
  if (role_ == role_kind::receiver) {
    if (failure problem = limit_waiting(listener_.get()))
      return problem;
    stream_ = unique_fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!stream_.is_open())
      return call_failed("accept");
  }
  return set_up_stream();
}

option_map stream_link::options() const {
  option_map found;
  const int fd = stream_.is_open() ? stream_.get() : listener_.get();
  auto read_back = [&](const char* name, int level, int number) {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(fd, level, number, &value, &size) == 0)
      found[name] = std::to_string(value);
  };
  read_back("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF);
  read_back("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF);
  found["PIECE_BYTES"] = std::to_string(out_.size());
  return found;
}

void stream_link::close() {
  stream_.reset();
  listener_.reset();
  if (!socket_file_.empty())
    ::unlink(socket_file_.c_str());
}

bool stream_link::note_error(const char* call) {
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    error_ = "no progress for " + std::to_string(spec_.stall_ms) + " ms";
  else
    error_ = std::string(call) + ": " + std::strerror(errno);
  return false;
}

bool stream_link::flush_out() {
  const std::byte* next = out_.data();
  std::size_t left = out_size_;
  out_size_ = 0;
  while (left > 0) {
    const ssize_t sent = ::send(stream_.get(), next, left, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR)
        continue;
      return note_error("send");
    }
    next += sent;
    left -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool stream_link::refill_in() {
  // A stream's receiver looks some times before it sleeps: its sender would pay for waking it.
  constexpr int looks_before_sleep = 128;
  int looks = 0;
  spin_wait wait(spec_.stall_ms);
  for (;;) {
    const bool is_look = is_spinning_ || looks++ < looks_before_sleep;
    const ssize_t size = ::recv(stream_.get(), in_.data(), in_.size(), is_look ? MSG_DONTWAIT : 0);
    if (size > 0) {
      in_begin_ = 0;
      in_end_ = static_cast<std::size_t>(size);
      return true;
    }
    if (size == 0) {
      error_ = "the connection was closed";
      return false;
    }
    const bool is_to_repeat = errno == EINTR || (is_look && errno == EAGAIN && wait.again());
    if (!is_to_repeat)
      return note_error("recv");
  }
}

bool stream_link::put(const std::byte* data, std::size_t size) {
  while (size > 0) {
    const std::size_t part = std::min(size, out_.size() - out_size_);
    std::memcpy(out_.data() + out_size_, data, part);
    out_size_ += part;
    data += part;
    size -= part;
    if (out_size_ == out_.size() && !flush_out())
      return false;
  }
  return true;
}

bool stream_link::get(std::byte* data, std::size_t size) {
  while (size > 0) {
    if (in_begin_ == in_end_ && !refill_in())
      return false;
    const std::size_t part = std::min(size, in_end_ - in_begin_);
    std::memcpy(data, in_.data() + in_begin_, part);
    in_begin_ += part;
    data += part;
    size -= part;
  }
  return true;
}

bool stream_link::send(const std::byte* data, std::size_t size) {
  const auto length = static_cast<std::uint32_t>(size);
  std::byte header[sizeof length];
  std::memcpy(header, &length, sizeof length);
  return put(header, sizeof header) && put(data, size);
}

std::ptrdiff_t stream_link::receive(std::byte* data, std::size_t capacity) {
  std::byte header[sizeof(std::uint32_t)];
  if (!get(header, sizeof header))
    return -1;
  std::uint32_t length = 0;
  std::memcpy(&length, header, sizeof length);
  if (length > capacity) {
    error_ = "a frame of " + std::to_string(length) + " bytes";
    return -1;
  }
  return get(data, length) ? static_cast<std::ptrdiff_t>(length) : -1;
}

}  // namespace slkbench
