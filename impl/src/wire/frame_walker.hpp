#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "wire/frame.hpp"

namespace slk {

// Follows a stream of frames without keeping their bodies, to see the commands among them. Starts
// at the start of a frame; bytes may come in any pieces.
class frame_walker {
 public:
  // The largest command whose body is shown; what is longer is passed over.
  static constexpr std::size_t command_bytes_max = 64;

  // Calls visit(std::span<const std::uint8_t> body) for each command that ends within `bytes`.
  // False: a frame announces more than frame_bytes_max; nothing behind it is looked at.
  template <class Visit>
  [[nodiscard]] bool walk(std::span<const std::uint8_t> bytes, std::uint64_t frame_bytes_max,
                          Visit visit);

  // Nothing of a frame has come that is not complete.
  [[nodiscard]] bool between_frames() const noexcept { return !in_body_ && header_bytes_ == 0; }
  // How many frames have begun that are not shown to visit().
  [[nodiscard]] std::uint64_t other_frames() const noexcept { return other_frames_; }

 private:
  [[nodiscard]] std::size_t take_header(std::span<const std::uint8_t> bytes) noexcept;

  std::array<std::uint8_t, frame_header_bytes_max> header_{};
  std::size_t header_bytes_ = 0;
  std::uint64_t other_frames_ = 0;
  frame_header frame_{};
  bool in_body_ = false;
  std::uint64_t body_left_ = 0;
  std::array<std::uint8_t, command_bytes_max> command_{};
  std::size_t command_bytes_ = 0;
};

// Implementation details follow.

// Returns how many bytes it took; in_body_ tells whether the header is complete.
inline std::size_t frame_walker::take_header(std::span<const std::uint8_t> bytes) noexcept {
  const std::size_t before = header_bytes_;
  const std::size_t count = std::min(bytes.size(), header_.size() - before);
  std::memcpy(header_.data() + before, bytes.data(), count);
  header_bytes_ += count;
  if (!decode_frame_header(header_.data(), header_bytes_, frame_)) {
    return count;
  }
  header_bytes_ = 0;
  command_bytes_ = 0;
  in_body_ = true;
  body_left_ = frame_.body_bytes;
  if (!frame_.command() || frame_.body_bytes > command_bytes_max) {
    ++other_frames_;
  }
  return frame_.header_bytes - before;
}

template <class Visit>
bool frame_walker::walk(std::span<const std::uint8_t> bytes, std::uint64_t frame_bytes_max,
                        Visit visit) {
  while (!bytes.empty() || (in_body_ && body_left_ == 0)) {
    if (!in_body_) {
      bytes = bytes.subspan(take_header(bytes));
      if (in_body_ && frame_.body_bytes > frame_bytes_max) {
        return false;
      }
      continue;
    }
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
    if (count > 0 && frame_.command() && frame_.body_bytes <= command_bytes_max) {
      std::memcpy(command_.data() + command_bytes_, bytes.data(), count);
      command_bytes_ += count;
    }
    bytes = bytes.subspan(count);
    body_left_ -= count;
    if (body_left_ == 0) {
      in_body_ = false;
      if (frame_.command() && frame_.body_bytes <= command_bytes_max) {
        visit(std::span<const std::uint8_t>(command_.data(), command_bytes_));
      }
    }
  }
  return true;
}

}  // namespace slk
