#pragma once
// The shared body of a large message: one malloc'd block, header and data; or a header alone, which
// stands for foreign data and gives it back through its free function.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace slk {

using message_free_fn = void (*)(void* data, void* hint);

// Thread safety: size and data belong to whoever holds the only reference; the rest may be called
// by every holder.
class alignas(16) message_block {
 public:
  // One reference, size 0. nullptr: no memory, or the sum exceeds size_t.
  static message_block* allocate(std::size_t capacity_bytes) noexcept;

  // Enlarges a block with one reference, which then is no longer valid under its old address; the
  // data up to size() is kept. nullptr: no memory, the old block is as it was.
  static message_block* grow(message_block* block, std::size_t capacity_bytes) noexcept;

  // A block for `size` bytes at `data`, which `free_fn` gets back with the last reference.
  // nullptr: no memory, free_fn is not called.
  static message_block* wrap(void* data, std::size_t size, message_free_fn free_fn,
                             void* hint) noexcept;

  message_block(const message_block&) = delete;
  message_block& operator=(const message_block&) = delete;

  std::uint8_t* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_bytes_; }
  std::size_t capacity() const noexcept { return capacity_bytes_; }
  // REQUIRES: size <= capacity().
  void set_size(std::size_t size) noexcept { size_bytes_ = size; }

  // Relaxed: whoever adds a reference holds one already, and hands the new one on through an edge
  // of its own (ring, mailbox or program order).
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  // Somebody else holds a reference too. Relaxed: a holder who wants to write must know anyway that
  // nobody copies meanwhile.
  bool shared() const noexcept { return references_.load(std::memory_order_relaxed) > 1; }
  // Frees the block, or gives foreign data back, with the last reference.
  void release() noexcept;

 private:
  message_block(std::uint8_t* data, std::size_t size_bytes, std::size_t capacity_bytes,
                message_free_fn free_fn, void* hint) noexcept
      : data_(data),
        size_bytes_(size_bytes),
        capacity_bytes_(capacity_bytes),
        free_fn_(free_fn),
        hint_(hint) {}
  ~message_block() = default;

  std::uint8_t* own_data() noexcept { return reinterpret_cast<std::uint8_t*>(this + 1); }

  std::uint8_t* data_;
  std::size_t size_bytes_;
  std::size_t capacity_bytes_;
  const message_free_fn free_fn_;  // nullptr: the data is this block's own
  void* const hint_;
  std::atomic<unsigned> references_{1};
};

static_assert(sizeof(message_block) % 16 == 0, "own data starts as aligned as malloc's");

}  // namespace slk
