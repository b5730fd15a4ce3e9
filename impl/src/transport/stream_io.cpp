#include "transport/stream_io.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace slk {

namespace {

io_outcome outcome_of(ssize_t moved, bool reading) noexcept {
  if (moved > 0) {
    return {io_outcome::kind::done, static_cast<std::size_t>(moved)};
  }
  if (moved == 0) {
    return {reading ? io_outcome::kind::ended : io_outcome::kind::blocked, 0};
  }
  // ENOBUFS and ENOMEM pass by themselves.
  const bool temporary =
      errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
  return {temporary ? io_outcome::kind::blocked : io_outcome::kind::ended, 0};
}

template <class Call>
io_outcome retried(bool reading, Call call) noexcept {
  ssize_t moved = 0;
  do {
    moved = call();
  } while (moved < 0 && errno == EINTR);
  return outcome_of(moved, reading);
}

iovec vector_of(std::span<const std::uint8_t> bytes) noexcept {
  return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};  // writev does not write to it
}

}  // namespace

io_outcome send_some(int fd, const std::uint8_t* data, std::size_t size_bytes) noexcept {
  return retried(false, [&] { return ::send(fd, data, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

io_outcome send_some(int fd, std::span<const std::uint8_t> head,
                     std::span<const std::uint8_t> body) noexcept {
  const std::array parts{head, body};
  return send_some(fd, parts, head.size() + body.size());
}

io_outcome send_some(int fd, std::span<const std::span<const std::uint8_t>> parts,
                     std::size_t size_bytes) noexcept {
  std::array<iovec, send_parts_max> vectors;
  std::size_t count = 0;
  for (const auto part : parts.first(std::min(parts.size(), send_parts_max))) {
    const std::size_t taken = std::min(part.size(), size_bytes);
    if (taken == 0) {
      break;
    }
    vectors[count++] = vector_of(part.first(taken));
    size_bytes -= taken;
  }
  msghdr header{};
  header.msg_iov = vectors.data();
  header.msg_iovlen = count;
  return retried(false, [&] { return ::sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

io_outcome receive_some(int fd, std::uint8_t* data, std::size_t size_bytes) noexcept {
  return retried(true, [&] { return ::recv(fd, data, size_bytes, MSG_DONTWAIT); });
}

io_outcome receive_some(int fd, std::span<std::uint8_t> first,
                        std::span<std::uint8_t> second) noexcept {
  std::array<iovec, 2> parts{vector_of(first), vector_of(second)};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  return retried(true, [&] { return ::recvmsg(fd, &header, MSG_DONTWAIT); });
}

void end_sending(int fd) noexcept {
  ::shutdown(fd, SHUT_WR);
}

void abort_connection(int fd) noexcept {
  ::shutdown(fd, SHUT_RDWR);
}

namespace {

std::size_t queued_bytes(int fd, unsigned long which) noexcept {
  int pending = 0;
  return ::ioctl(fd, which, &pending) == 0 && pending > 0 ? static_cast<std::size_t>(pending) : 0;
}

}  // namespace

std::size_t unread_bytes(int fd) noexcept {
  return queued_bytes(fd, SIOCINQ);
}

std::size_t unacknowledged_bytes(int fd) noexcept {
  return queued_bytes(fd, SIOCOUTQ);
}

}  // namespace slk
