#include "floor_ring.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "spin.hpp"

namespace slkbench {
namespace {

// Several second-level caches, and always a few messages. What the reader has read must have left
// its own cache when the writer comes round again: taking lines back from there is dear (measured
// at 1 KiB with 256 KiB and 4 MiB: 10 and 36 million messages a second).
constexpr std::size_t ring_bytes_min = 4 * 1024 * 1024;

std::size_t ring_bytes(std::size_t message_bytes) noexcept {
  return std::max(ring_bytes_min, std::bit_ceil(4 * (message_bytes + 16)));
}

}  // namespace

ring_pair::ring_pair(std::size_t message_bytes)
    : there(ring_bytes(message_bytes)), back(ring_bytes(message_bytes)) {}

ring_link::ring_link(const workload_spec& spec, role_kind role, std::shared_ptr<ring_pair> rings)
    : spec_(spec),
      rings_(std::move(rings)),
      out_(role == role_kind::sender ? &rings_->there : &rings_->back),
      in_(role == role_kind::sender ? &rings_->back : &rings_->there) {}

failure ring_link::open(std::string&) {
  return {};
}

option_map ring_link::options() const {
  return {{"RING_BYTES", std::to_string(ring_bytes(spec_.size_bytes))}};
}

std::string ring_link::error_text() const {
  return "no progress for " + std::to_string(spec_.stall_ms) + " ms";
}

bool ring_link::send(const std::byte* data, std::size_t size) noexcept {
  if (out_->write(data, size)) [[likely]]
    return true;
  spin_wait wait(spec_.stall_ms);
  while (wait.again()) {
    if (out_->write(data, size))
      return true;
  }
  return false;
}

std::ptrdiff_t ring_link::receive(std::byte* data, std::size_t) noexcept {
  std::ptrdiff_t size = in_->read(data);
  if (size >= 0) [[likely]]
    return size;
  spin_wait wait(spec_.stall_ms);
  do {
    size = in_->read(data);
  } while (size < 0 && wait.again());
  return size;
}

}  // namespace slkbench
