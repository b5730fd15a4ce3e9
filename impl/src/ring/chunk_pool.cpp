#include "ring/chunk_pool.hpp"

#include <cstdlib>
#include <new>

namespace slk {

namespace {

ring_chunk* allocate(std::size_t capacity_bytes) noexcept {
  const std::size_t total = (sizeof(ring_chunk) + capacity_bytes + cache_line_bytes - 1) /
                            cache_line_bytes * cache_line_bytes;
  void* memory = std::aligned_alloc(cache_line_bytes, total);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* fresh = new (memory) ring_chunk;
  fresh->capacity = capacity_bytes;
  return fresh;
}

void release(ring_chunk* dead) noexcept {
  dead->~ring_chunk();
  std::free(dead);
}

}  // namespace

chunk_pool::~chunk_pool() {
  while (spare_count_ > 0) {
    --spare_count_;
    release(spares_[(coldest_ + spare_count_) % spares_max]);
  }
}

ring_chunk* chunk_pool::take(std::size_t capacity_bytes, spare which) noexcept {
  if (capacity_bytes > ring_chunk_bytes) {
    return allocate(capacity_bytes);
  }
  if (ring_chunk* kept = take_spare(which); kept != nullptr) {
    kept->next.store(nullptr, std::memory_order_relaxed);  // the taker's alone until it is linked
    kept->published.store(0, std::memory_order_relaxed);
    return kept;
  }
  ring_chunk* fresh = allocate(ring_chunk_bytes);
  if (fresh == nullptr) {
    const std::lock_guard lock(mutex_);
    --chunk_count_;
  }
  return fresh;
}

// Null: a fresh one is to be made, and is counted already.
ring_chunk* chunk_pool::take_spare(spare which) noexcept {
  const std::lock_guard lock(mutex_);
  if (spare_count_ == 0 || (which == spare::coldest && chunk_count_ < chunks_in_turn)) {
    ++chunk_count_;
    return nullptr;
  }
  --spare_count_;
  if (which == spare::warmest) {
    return spares_[(coldest_ + spare_count_) % spares_max];
  }
  ring_chunk* const coldest = spares_[coldest_];
  coldest_ = (coldest_ + 1) % spares_max;
  return coldest;
}

void chunk_pool::give_back(ring_chunk* emptied) noexcept {
  if (emptied->capacity > ring_chunk_bytes || !keep(emptied)) {
    release(emptied);
  }
}

bool chunk_pool::keep(ring_chunk* emptied) noexcept {
  const std::lock_guard lock(mutex_);
  if (spare_count_ == spares_max) {
    --chunk_count_;
    return false;
  }
  emptied->used_before = true;
  spares_[(coldest_ + spare_count_) % spares_max] = emptied;
  ++spare_count_;
  return true;
}

}  // namespace slk
