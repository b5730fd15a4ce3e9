#pragma once
// The receiving end of an encrypted connection: bytes of the wire become frames in the clear.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "transport/stream_io.hpp"
#include "wire/curve_traffic.hpp"

namespace slk {

class sealed_input {
 public:
  // How much is read at once.
  static constexpr std::size_t read_bytes_max = 64 * 1024;

  // frame_bytes_max: of a frame in the clear. May throw std::bad_alloc.
  sealed_input(int fd, const curve_traffic_keys& keys, std::uint64_t frame_bytes_max);

  [[nodiscard]] int fd() const noexcept { return fd_; }

  // Appends the frames that end within `bytes`, the next ones of the wire. What cannot be opened
  // breaks the connection: nothing behind it is looked at. May throw std::bad_alloc, which breaks
  // it, too.
  void open(std::span<const std::uint8_t> bytes, std::vector<std::uint8_t>& out);
  // open() of what the kernel has now, once.
  io_outcome read(std::vector<std::uint8_t>& out);

  [[nodiscard]] bool broken() const noexcept { return broken_; }
  // Of a frame that is not here whole.
  [[nodiscard]] std::size_t pending_bytes() const noexcept { return pending_.size(); }

 private:
  const int fd_;
  const std::uint64_t sealed_bytes_max_;
  frame_opener opener_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::vector<std::uint8_t> pending_;  // grows as bytes arrive, not by what a header announces
  bool broken_ = false;
};

}  // namespace slk
