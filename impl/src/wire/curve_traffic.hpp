#pragma once
// What follows a CURVE handshake: each frame in a MESSAGE of its own.
//
//   MESSAGE  nonce(8); box [flags(1) body]      flags: bit 0 MORE, bit 1 the body is a command's
//
// Nonces only grow; the direction is part of them, so nothing can be sent back. libzmq frames a
// MESSAGE without the COMMAND flag, and so do we; the frame's own flags say nothing and are not
// looked at.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wire/frame.hpp"
#include "wire/mechanism.hpp"

namespace slk {

// "\7MESSAGE", nonce, box, flags.
constexpr std::size_t message_overhead_bytes = 8 + 8 + box_overhead_bytes + 1;

// How many bytes a frame with such a body takes on the wire.
[[nodiscard]] constexpr std::uint64_t sealed_frame_bytes(std::uint64_t body_bytes) noexcept {
  const std::uint64_t sealed = body_bytes + message_overhead_bytes;
  return sealed + (sealed <= short_frame_body_bytes_max ? short_frame_header_bytes
                                                        : long_frame_header_bytes);
}

// Thread safety: none. One for each direction of a connection.
class frame_sealer {
 public:
  explicit frame_sealer(const curve_traffic_keys& keys) noexcept : keys_(keys) {}

  // Appends the sealed form of a frame; flags as in frame_header. May throw std::bad_alloc.
  void seal(std::uint8_t flags, std::span<const std::uint8_t> body, std::vector<std::uint8_t>& out);

 private:
  curve_traffic_keys keys_;
  std::vector<std::uint8_t> content_;  // kept for its memory
};

class frame_opener {
 public:
  explicit frame_opener(const curve_traffic_keys& keys) noexcept : keys_(keys) {}

  // Appends the frame that was sealed in such a body. False: it is none, or not of this connection
  // and direction, or was there before. May throw std::bad_alloc.
  [[nodiscard]] bool open(std::span<const std::uint8_t> sealed_body,
                          std::vector<std::uint8_t>& out);

 private:
  curve_traffic_keys keys_;
  std::vector<std::uint8_t> content_;
};

}  // namespace slk
