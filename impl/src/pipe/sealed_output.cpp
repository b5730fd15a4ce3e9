#include "pipe/sealed_output.hpp"

namespace slk {

void sealed_output::seal(std::span<const std::uint8_t> frames) {
  wire_.clear();
  sent_bytes_ = settled_bytes_ = 0;
  frame_header header;
  while (wire_.size() < batch_bytes && decode_frame_header(frames.data(), frames.size(), header)) {
    const auto body_bytes = static_cast<std::size_t>(header.body_bytes);
    sealer_.seal(header.flags, frames.subspan(header.header_bytes, body_bytes), wire_);
    frames = frames.subspan(header.header_bytes + body_bytes);
  }
}

std::size_t sealed_output::sent(std::size_t bytes, std::span<const std::uint8_t> frames) noexcept {
  sent_bytes_ += bytes;
  std::size_t done_bytes = 0;
  frame_header header;
  while (settled_bytes_ < sent_bytes_ &&
         decode_frame_header(frames.data() + done_bytes, frames.size() - done_bytes, header)) {
    const auto sealed_bytes = static_cast<std::size_t>(sealed_frame_bytes(header.body_bytes));
    if (sent_bytes_ - settled_bytes_ < sealed_bytes) {
      break;
    }
    settled_bytes_ += sealed_bytes;
    done_bytes += header.header_bytes + static_cast<std::size_t>(header.body_bytes);
  }
  return done_bytes;
}

}  // namespace slk
