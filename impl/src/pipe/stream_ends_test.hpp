#pragma once
// Both ends of a stream for the tests of pipes: ours is given to the unit, the far one is the
// peer's and handled by the test.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "wire/frame.hpp"

namespace slk {

inline constexpr int stream_patience_ms = 10'000;

class stream_ends {
 public:
  enum class over : std::uint8_t { ipc, tcp };

  explicit stream_ends(over transport = over::ipc) {
    if (transport == over::tcp) {
      connect_over_loopback();
      return;
    }
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
    ours_.reset(fds[0]);
    far_.reset(fds[1]);
  }

  [[nodiscard]] int ours() const { return ours_.get(); }
  [[nodiscard]] int far() const { return far_.get(); }
  void close_ours() { ours_.reset(); }
  void close_far() { far_.reset(); }

  // The peer sends.
  void send(std::string_view bytes) const {
    REQUIRE(::send(far_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // All that the peer can read now.
  [[nodiscard]] std::string received() const { return read_at_most(SIZE_MAX); }
  // At most so many bytes of it.
  [[nodiscard]] std::string read_at_most(std::size_t limit) const {
    std::string all;
    std::array<char, 65536> buffer;
    while (all.size() < limit) {
      const ssize_t got =
          ::recv(far_.get(), buffer.data(), std::min(buffer.size(), limit - all.size()), 0);
      if (got <= 0) {
        break;
      }
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  // The peer waits for so many bytes.
  [[nodiscard]] std::string receive(std::size_t bytes) const {
    std::string all;
    pollfd item{far_.get(), POLLIN, 0};
    while (all.size() < bytes && ::poll(&item, 1, stream_patience_ms) == 1) {
      const std::string more = read_at_most(bytes - all.size());
      if (more.empty()) {
        break;
      }
      all += more;
    }
    return all;
  }

 private:
  void connect_over_loopback() {
    const unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const named = reinterpret_cast<sockaddr*>(&address);
    socklen_t address_bytes = sizeof address;
    REQUIRE(::bind(listener.get(), named, address_bytes) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), named, &address_bytes) == 0);
    ours_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(ours_.get(), named, address_bytes) == 0);
    REQUIRE(::fcntl(ours_.get(), F_SETFL, O_NONBLOCK) == 0);
    far_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    REQUIRE(far_.get() >= 0);
  }

  unique_fd ours_;
  unique_fd far_;
};

// A frame as it stands on the wire.
inline std::string frame_bytes(std::string_view body, std::uint8_t flags = 0) {
  std::string bytes(frame_header_bytes_max + body.size(), '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(bytes.data());
  const std::size_t header_bytes = encode_frame_header(out, body.size(), flags);
  bytes.resize(header_bytes);
  return bytes.append(body);
}

inline std::string command_bytes(std::string_view name, std::string_view data) {
  std::string body(1, static_cast<char>(name.size()));
  return frame_bytes(body.append(name).append(data), flag_command);
}

inline std::string ping_bytes(std::string_view context) {
  return command_bytes("PING", std::string(2, '\0').append(context));
}

inline std::string pong_bytes(std::string_view context) {
  return command_bytes("PONG", context);
}

}  // namespace slk
