#include "pipe/sealed_input.hpp"

#include <algorithm>

namespace slk {

sealed_input::sealed_input(int fd, const curve_traffic_keys& keys, std::uint64_t frame_bytes_max)
    : fd_(fd),
      sealed_bytes_max_(std::min(frame_bytes_max, frame_body_bytes_max - message_overhead_bytes) +
                        message_overhead_bytes),
      opener_(keys),
      buffer_(new std::uint8_t[read_bytes_max]) {}

void sealed_input::open(std::span<const std::uint8_t> bytes, std::vector<std::uint8_t>& out) {
  if (broken_) {
    return;
  }
  broken_ = true;  // until all of it has proved right
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  std::span<const std::uint8_t> rest(pending_);
  frame_header header;
  while (decode_frame_header(rest.data(), rest.size(), header)) {
    if (header.body_bytes > sealed_bytes_max_) {
      return;
    }
    if (header.body_bytes > rest.size() - header.header_bytes) {
      break;
    }
    const auto body_bytes = static_cast<std::size_t>(header.body_bytes);
    if (!opener_.open(rest.subspan(header.header_bytes, body_bytes), out)) {
      return;
    }
    rest = rest.subspan(header.header_bytes + body_bytes);
  }
  pending_.erase(pending_.begin(), pending_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  broken_ = false;
}

io_outcome sealed_input::read(std::vector<std::uint8_t>& out) {
  const io_outcome got = receive_some(fd_, buffer_.get(), read_bytes_max);
  if (got.what == io_outcome::kind::done) {
    open({buffer_.get(), got.bytes}, out);
  }
  return got;
}

}  // namespace slk
