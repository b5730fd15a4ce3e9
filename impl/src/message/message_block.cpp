#include "message/message_block.hpp"

#include <cassert>
#include <cstdlib>
#include <limits>
#include <new>

namespace slk {
namespace {

// 0: the sum exceeds what an object may have (malloc refuses more than PTRDIFF_MAX anyway).
std::size_t total_bytes(std::size_t capacity_bytes) noexcept {
  constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
  return capacity_bytes > limit - sizeof(message_block) ? 0
                                                        : sizeof(message_block) + capacity_bytes;
}

}  // namespace

message_block* message_block::allocate(std::size_t capacity_bytes) noexcept {
  const std::size_t bytes = total_bytes(capacity_bytes);
  void* memory = bytes == 0 ? nullptr : std::malloc(bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* data = static_cast<std::uint8_t*>(memory) + sizeof(message_block);
  return new (memory) message_block(data, 0, capacity_bytes, nullptr, nullptr);
}

message_block* message_block::grow(message_block* block, std::size_t capacity_bytes) noexcept {
  // Relaxed: the caller holds the only reference.
  assert(block->references_.load(std::memory_order_relaxed) == 1);
  assert(block->free_fn_ == nullptr && capacity_bytes >= block->size_bytes_);
  const std::size_t bytes = total_bytes(capacity_bytes);
  const std::size_t size = block->size_bytes_;
  void* memory = bytes == 0 ? nullptr : std::realloc(static_cast<void*>(block), bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* data = static_cast<std::uint8_t*>(memory) + sizeof(message_block);
  return new (memory) message_block(data, size, capacity_bytes, nullptr, nullptr);
}

message_block* message_block::wrap(void* data, std::size_t size, message_free_fn free_fn,
                                   void* hint) noexcept {
  assert(free_fn != nullptr);
  void* memory = std::malloc(sizeof(message_block));
  if (memory == nullptr) {
    return nullptr;
  }
  return new (memory) message_block(static_cast<std::uint8_t*>(data), size, size, free_fn, hint);
}

void message_block::release() noexcept {
  // Acquire: who sees 1 is the only holder left and takes over what the others did, without the
  // cost of a read-modify-write. Pairs with: the fetch_sub of the other holders.
  if (references_.load(std::memory_order_acquire) != 1) {
    // Release: this holder's accesses happen before the freeing; acquire: for the one who frees.
    // Pairs with: load and fetch_sub in the other holders' release().
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return;
    }
  }
  if (free_fn_ != nullptr) {
    free_fn_(data_, hint_);
  }
  std::free(this);
}

}  // namespace slk
