// A peer of the library made by hand: a plain socket that speaks as much of the protocol as a test
// needs, and breaks off where it wants.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>

#include "fixture.hpp"

namespace contract {

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() { close(); }
  descriptor(descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  descriptor& operator=(descriptor&&) = delete;

  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_;
};

inline bool is_readable(int fd, std::chrono::milliseconds limit) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, static_cast<int>(limit.count())) == 1;
}

// A stream to the library, by hand.
class raw_peer {
 public:
  explicit raw_peer(descriptor fd) : fd_(std::move(fd)) {}

  void write(std::string_view bytes) const { REQUIRE(try_write(bytes)); }
  // False: the library has ended the connection.
  bool try_write(std::string_view bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  int fd() const { return fd_.get(); }

  // Exactly that many bytes, or fewer if the library ends the connection first.
  std::string read(size_t size) const {
    std::string bytes;
    while (bytes.size() < size && is_readable(fd_.get(), deadline)) {
      char byte = 0;
      if (::recv(fd_.get(), &byte, 1, 0) != 1) {
        break;
      }
      bytes += byte;
    }
    return bytes;
  }

  // True once the library closed the connection, whatever it sent before.
  bool is_closed(std::chrono::milliseconds limit = deadline) const {
    const auto end = clock::now() + limit;
    while (clock::now() < end) {
      char bytes[256];
      if (is_readable(fd_.get(), 10ms) && ::recv(fd_.get(), bytes, sizeof bytes, 0) <= 0) {
        return true;
      }
    }
    return false;
  }

  // Both greetings and both READY commands.
  void shake_hands(std::string_view socket_type) const { REQUIRE(try_shake_hands(socket_type)); }
  // False: the library has ended the connection.
  bool try_shake_hands(std::string_view socket_type) const {
    if (!try_write(greeting() + ready(socket_type)) || read(64).size() != 64) {
      return false;
    }
    const std::string header = read(2);
    if (header.size() != 2) {
      return false;
    }
    REQUIRE(header[0] == 4);
    const auto size = static_cast<unsigned char>(header[1]);
    return read(size).size() == size;
  }

  static std::string greeting(std::string_view mechanism = "NULL") {
    std::string bytes(64, '\0');
    bytes[0] = static_cast<char>(0xff);
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[11] = 1;
    bytes.replace(12, mechanism.size(), mechanism);
    return bytes;
  }

  static std::string ready(std::string_view socket_type) {
    std::string body = "\5READY\13Socket-Type";
    body += std::string(3, '\0') + static_cast<char>(socket_type.size());
    body += socket_type;
    return std::string{4, static_cast<char>(body.size())} + body;
  }

 private:
  descriptor fd_;
};

class raw_listener {
 public:
  raw_listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(fd_.get(), generic, length) == 0);
    REQUIRE(::listen(fd_.get(), 16) == 0);
    REQUIRE(getsockname(fd_.get(), generic, &length) == 0);
    endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  const std::string& endpoint() const { return endpoint_; }
  bool is_asked(std::chrono::milliseconds limit = deadline) const {
    return is_readable(fd_.get(), limit);
  }
  raw_peer accept() const {
    REQUIRE(is_asked());
    return raw_peer(descriptor(::accept(fd_.get(), nullptr, nullptr)));
  }

 private:
  descriptor fd_;
  std::string endpoint_;
};

inline raw_peer raw_connect(const std::string& endpoint,
                            descriptor fd = descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
                                                                0))) {
  if (endpoint.starts_with("ipc://")) {
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    endpoint.copy(local.sun_path, sizeof local.sun_path - 1, 6);
    descriptor stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(stream.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0);
    return raw_peer(std::move(stream));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return raw_peer(std::move(fd));
}

// Frames.
inline std::string frame(std::string_view body, bool more = false) {
  return std::string{static_cast<char>(more ? 1 : 0), static_cast<char>(body.size())} +
         std::string(body);
}

}  // namespace contract
