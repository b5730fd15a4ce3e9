#include "ring/chunk_ring.hpp"

#include <algorithm>
#include <limits>

#include "base/copy_bytes.hpp"

namespace slk {

chunk_ring::~chunk_ring() {
  chunk* at = head_ != nullptr ? head_ : first_.load(std::memory_order_acquire);
  while (at != nullptr) {
    chunk* next = at->next.load(std::memory_order_relaxed);
    release(at);
    at = next;
  }
  for (auto& slot : recycled_) {
    if (chunk* spare = slot.load(std::memory_order_relaxed); spare != nullptr) {
      release(spare);
    }
  }
}

std::span<const std::uint8_t> chunk_ring::front() noexcept {
  if (head_ == nullptr) {
    head_ = first_.load(std::memory_order_acquire);  // pairs with: reserve_in_new_chunk()
    if (head_ == nullptr) {
      return {};
    }
  }
  for (;;) {
    std::size_t published = head_->published.load(std::memory_order_acquire);
    if (published == consumed_) {
      chunk* next = head_->next.load(std::memory_order_acquire);  // invariant 3
      if (next == nullptr) {
        return {};
      }
      published = head_->published.load(std::memory_order_acquire);
      if (published == consumed_) {
        chunk* emptied = head_;
        head_ = next;
        consumed_ = boundary_ = 0;
        count_dropped();
        recycle(emptied);
        continue;
      }
    }
    return {head_->bytes() + consumed_, published - consumed_};
  }
}

chunk_ring::history chunk_ring::since_boundary() const noexcept {
  if (head_ == nullptr) {
    return {{}, 0};
  }
  const std::size_t published = head_->published.load(std::memory_order_acquire);  // as in front()
  return {{head_->bytes() + boundary_, published - boundary_}, consumed_ - boundary_};
}

std::uint8_t* chunk_ring::reserve_beyond(std::size_t size_bytes) noexcept {
  std::uint8_t* at = nullptr;
  if (tail_ != nullptr && tail_->capacity - written_ >= size_bytes) {
    at = tail_->bytes() + written_;
  } else {
    at = reserve_in_new_chunk(size_bytes);
  }
  if (at != nullptr) {
    claim(size_bytes);
  }
  return at;
}

// Has limit_ cover the next size_bytes, and more where that is worth it.
void chunk_ring::claim(std::size_t size_bytes) noexcept {
  if (claim_bytes_ == 0) {
    limit_ = tail_->capacity;
    return;
  }
  const std::size_t begin = std::max(limit_, written_);
  const std::size_t end = written_ + size_bytes;
  // Of a larger message none beyond: its reader is at full speed, and the processor that reads
  // ahead for it takes those back.
  limit_ = std::min(size_bytes > claim_bytes_ ? end : end + claim_bytes_, tail_->capacity);
  constexpr std::size_t line = cache_line_bytes;
  for (std::size_t at = (begin + line - 1) / line * line; at < limit_; at += line) {
    tail_->bytes()[at] = 0;  // of no message yet
  }
}

std::uint8_t* chunk_ring::reserve_in_new_chunk(std::size_t size_bytes) noexcept {
  const std::size_t carried = written_ - published_;
  if (size_bytes > std::numeric_limits<std::size_t>::max() / 4 - carried) {
    return nullptr;
  }
  // A long multipart message doubles its chunk, so that carrying it over stays linear in total.
  const std::size_t wanted = carried == 0 ? size_bytes : 2 * (carried + size_bytes);
  chunk* fresh = take_chunk(std::max(wanted, ring_chunk_bytes));
  if (fresh == nullptr) {
    return nullptr;
  }
  if (tail_ == nullptr) {
    first_.store(fresh, std::memory_order_release);  // pairs with: front()
  } else {
    if (carried > 0) {
      copy_bytes(fresh->bytes(), tail_->bytes() + published_, carried);
    }
    tail_->next.store(fresh, std::memory_order_release);  // invariant 3
  }
  tail_ = fresh;
  ++linked_chunks_;
  published_ = 0;
  written_ = limit_ = carried;
  return tail_->bytes() + written_;
}

chunk_ring::chunk* chunk_ring::take_chunk(std::size_t capacity) noexcept {
  if (capacity == ring_chunk_bytes) {
    if (chunk* spare = take_recycled(); spare != nullptr) {
      return spare;
    }
  }
  return allocate(capacity);
}

chunk_ring::chunk* chunk_ring::take_recycled() noexcept {
  auto& slot = recycled_[take_slot_ % recycle_slots];
  chunk* spare = slot.load(std::memory_order_acquire);  // pairs with: recycle()
  if (spare == nullptr) {
    return nullptr;
  }
  spare->next.store(nullptr, std::memory_order_relaxed);  // ours alone until linked
  spare->published.store(0, std::memory_order_relaxed);
  slot.store(nullptr, std::memory_order_release);  // pairs with: recycle()
  ++take_slot_;
  return spare;
}

void chunk_ring::recycle(chunk* emptied) noexcept {
  auto& slot = recycled_[give_slot_ % recycle_slots];
  // pairs with: take_recycled(): an acquired null says that the producer is done with the slot
  if (emptied->capacity == ring_chunk_bytes && slot.load(std::memory_order_acquire) == nullptr) {
    slot.store(emptied, std::memory_order_release);  // pairs with: take_recycled()
    ++give_slot_;
  } else {
    release(emptied);
  }
}

chunk_ring::chunk* chunk_ring::allocate(std::size_t capacity) noexcept {
  const std::size_t total =
      (sizeof(chunk) + capacity + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
  void* memory = std::aligned_alloc(cache_line_bytes, total);
  if (memory == nullptr) {
    return nullptr;
  }
  chunk* fresh = new (memory) chunk;
  fresh->capacity = capacity;
  return fresh;
}

void chunk_ring::release(chunk* dead) noexcept {
  dead->~chunk();
  std::free(dead);
}

}  // namespace slk
