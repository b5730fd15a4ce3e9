#pragma once
// The sending end of an encrypted connection: frames of the ring on their way to the wire.
//
// What is in the ring is in the clear: it outlives connections, and keys do not. Frames are sealed
// when the kernel is about to take them, and leave the ring when it has taken the last of their
// sealed bytes; so what is to be sent again on the next connection is known to the frame, as it is
// without encryption.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wire/curve_traffic.hpp"

namespace slk {

class sealed_output {
 public:
  sealed_output(int fd, const curve_traffic_keys& keys) : fd_(fd), sealer_(keys) {}

  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Sealed bytes that the kernel has not taken yet.
  [[nodiscard]] std::span<const std::uint8_t> unsent() const noexcept {
    return {wire_.data() + sent_bytes_, wire_.size() - sent_bytes_};
  }
  // Seals whole frames from the start of `frames`, about a batch of them. REQUIRES: nothing unsent.
  // may throw std::bad_alloc, after which the connection is of no more use: nonces were spent.
  void seal(std::span<const std::uint8_t> frames);
  // The kernel took so many of unsent(). `frames` begins as the last time. Returns the bytes of
  // those among them that are with the kernel whole, to be taken off.
  [[nodiscard]] std::size_t sent(std::size_t bytes, std::span<const std::uint8_t> frames) noexcept;

 private:
  static constexpr std::size_t batch_bytes = 64 * 1024;

  const int fd_;
  frame_sealer sealer_;
  std::vector<std::uint8_t> wire_;
  std::size_t sent_bytes_ = 0;
  std::size_t settled_bytes_ = 0;  // of these, what sent() has told of
};

}  // namespace slk
