#include "byte_ring.hpp"

#include <algorithm>
#include <cstring>

namespace slkbench {
namespace {

using length_word = std::uint64_t;

// Records begin at multiples of a length word, so that none of these is ever divided.
std::uint64_t record_bytes(std::size_t size) noexcept {
  return sizeof(length_word) +
         (size + sizeof(length_word) - 1) / sizeof(length_word) * sizeof(length_word);
}

// memcpy in pieces that C libraries do not leave to string instructions: those read far ahead, and
// take lines from the writer that it is about to write.
void copy_from_writer(std::byte* to, const std::byte* from, std::size_t size) noexcept {
  constexpr std::size_t piece = 1024;
  for (; size > piece; size -= piece, to += piece, from += piece)
    std::memcpy(to, from, piece);
  std::memcpy(to, from, size);
}

}  // namespace

byte_ring::byte_ring(std::size_t capacity_bytes)
    : mask_(capacity_bytes - 1), bytes_(capacity_bytes) {}

void byte_ring::copy_in(std::uint64_t at, const void* data, std::size_t size) noexcept {
  const std::size_t begin = at & mask_;
  const std::size_t first = std::min(size, bytes_.size() - begin);
  std::memcpy(bytes_.data() + begin, data, first);
  if (first < size)
    std::memcpy(bytes_.data(), static_cast<const std::byte*>(data) + first, size - first);
}

void byte_ring::copy_out(std::uint64_t at, void* data, std::size_t size) const noexcept {
  const std::size_t begin = at & mask_;
  const std::size_t first = std::min(size, bytes_.size() - begin);
  copy_from_writer(static_cast<std::byte*>(data), bytes_.data() + begin, first);
  if (first < size)
    copy_from_writer(static_cast<std::byte*>(data) + first, bytes_.data(), size - first);
}

// The next record ends at `end`, and there is room for it. A large one is a row of stores itself.
void byte_ring::claim(std::uint64_t end) noexcept {
  const std::uint64_t room_ends = known_head_ + bytes_.size();
  std::uint64_t at = std::max(claimed_, written_);
  claimed_ = std::min(end + claimed_at_once_bytes, room_ends);
  at = (at + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
  for (; at < claimed_; at += cache_line_bytes)
    bytes_[at & mask_] = std::byte{0};
}

bool byte_ring::write(const std::byte* data, std::size_t size) noexcept {
  const std::uint64_t end = written_ + record_bytes(size);
  if (end - known_head_ > bytes_.size()) {
    // pairs with: release(); what was read there may be overwritten here
    known_head_ = head_.load(std::memory_order_acquire);
    if (end - known_head_ > bytes_.size()) {
      publish();
      return false;
    }
  }
  if (end > claimed_ && size <= claimed_ahead_bytes_max)
    claim(end);
  const length_word length = size;
  copy_in(written_, &length, sizeof length);
  copy_in(written_ + sizeof length, data, size);
  written_ = end;
  // relaxed: only this thread stores tail_
  if (written_ - tail_.load(std::memory_order_relaxed) >= batch_bytes)
    publish();
  return true;
}

void byte_ring::publish() noexcept {
  // pairs with: read(), acquire; the records are complete before they are seen
  tail_.store(written_, std::memory_order_release);
}

std::ptrdiff_t byte_ring::read(std::byte* data) noexcept {
  if (read_ == known_tail_) {
    // pairs with: publish()
    known_tail_ = tail_.load(std::memory_order_acquire);
    if (read_ == known_tail_) {
      release();
      return -1;
    }
  }
  length_word length = 0;
  copy_out(read_, &length, sizeof length);
  copy_out(read_ + sizeof length, data, length);
  read_ += record_bytes(length);
  // relaxed: only this thread stores head_
  if (read_ - head_.load(std::memory_order_relaxed) >= batch_bytes)
    release();
  return static_cast<std::ptrdiff_t>(length);
}

void byte_ring::release() noexcept {
  // relaxed: only this thread stores head_; a store would take the cache line from the producer
  if (head_.load(std::memory_order_relaxed) != read_) {
    // pairs with: write(), acquire; the bytes are copied before the room is given back
    head_.store(read_, std::memory_order_release);
  }
}

}  // namespace slkbench
