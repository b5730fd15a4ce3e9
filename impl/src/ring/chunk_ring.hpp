// chunk_ring: bytes from one thread to another, in linked chunks, message by message.
//
// Roles: one producer (reserve, commit, publish, rollback) and one consumer (front, consume).
//        Either role may move to another thread through a lock or a fence, never be shared.
//
// Invariants
// 1. A message (everything between two publish() calls that the caller makes at message ends) is
//    contiguous in one chunk: when it outgrows the chunk, its unpublished bytes move to the next.
// 2. Bytes below chunk::published are complete and immutable. publish(): store, release
//    pairs with front(): load, acquire.
// 3. chunk::next is set after the chunk's last publish: so a consumer that has seen next and then
//    re-reads published sees its final value, and may drop the chunk once that much is consumed.
//    link(): store, release   pairs with   front(): load, acquire.
// 4. An emptied chunk of standard size returns to the producer through the recycle slots:
//    recycle(): store, release   pairs with   take_recycled(): load, acquire. A slot is written by
//    the consumer only while it is null and by the producer only while it is not.
// 5. reset_drained() needs both roles at once (for a socket's ring: the flush lock held by the
//    producer's thread, everything consumed, nothing unpublished).
// 6. unread_chunks() is what the producer linked less what the consumer dropped, as of a moment
// ago:
//    a measure of how far it runs ahead, which orders nothing.
//
// Memory errors: reserve() answers nullptr, nothing else allocates. All functions are noexcept.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>

#include "base/cache_line.hpp"

namespace slk {

// The frame of a message of 64 KiB fits, with its header.
inline constexpr std::size_t ring_chunk_bytes = 64 * 1024 + 64;

class chunk_ring {
 public:
  chunk_ring() noexcept = default;
  chunk_ring(const chunk_ring&) = delete;
  chunk_ring& operator=(const chunk_ring&) = delete;
  ~chunk_ring();

  // -- producer ---------------------------------------------------------------------------------

  // Room for size_bytes right behind what is written already; nullptr when memory is out (what was
  // written stays). Valid until the next reserve().
  [[nodiscard]] std::uint8_t* reserve(std::size_t size_bytes) noexcept {
    if (tail_ != nullptr && tail_->capacity - written_ >= size_bytes) [[likely]] {
      return tail_->bytes() + written_;
    }
    return reserve_in_new_chunk(size_bytes);
  }

  // The same, but nullptr where it takes a new chunk.
  [[nodiscard]] std::uint8_t* reserve_here(std::size_t size_bytes) noexcept {
    if (tail_ == nullptr || tail_->capacity - written_ < size_bytes) [[unlikely]] {
      return nullptr;
    }
    return tail_->bytes() + written_;
  }

  void commit(std::size_t size_bytes) noexcept { written_ += size_bytes; }

  // Makes all committed bytes visible: call at the end of a message. pairs with: front()
  void publish() noexcept {
    published_ = written_;
    tail_->published.store(written_, std::memory_order_release);
  }

  // Drops what was committed since the last publish().
  void rollback() noexcept { written_ = published_; }

  [[nodiscard]] bool has_unpublished() const noexcept { return written_ != published_; }

  // Chunks that are not read to their end yet. Somebody who writes on while many are evicts them
  // all from the caches before they are read.
  [[nodiscard]] std::size_t unread_chunks() const noexcept {
    return linked_chunks_ - dropped_chunks_.load(std::memory_order_relaxed);  // invariant 6
  }
  // Chunks linked so far; moves once in many messages.
  [[nodiscard]] std::size_t linked_chunks() const noexcept { return linked_chunks_; }

  // -- consumer ---------------------------------------------------------------------------------

  // Published, unconsumed bytes of the current chunk; empty if there are none at all. Never splits
  // a message that was contiguous when published.
  [[nodiscard]] std::span<const std::uint8_t> front() noexcept;

  // Marks the first size_bytes of front() as read.
  void consume(std::size_t size_bytes) noexcept { consumed_ += size_bytes; }

  // What a stream needs to find the beginning of the message that it was in when its connection
  // died: all bytes of the current chunk from the last known message boundary on, and how many of
  // them are consumed. A chunk begins with a boundary (invariant 1) unless mark_boundary() moved
  // it.
  struct history {
    std::span<const std::uint8_t> bytes;
    std::size_t consumed_bytes;
  };
  [[nodiscard]] history since_boundary() const noexcept;

  // The consumed position is the start of a message.
  void mark_boundary() noexcept { boundary_ = consumed_; }

  // Un-reads the last size_bytes, no further back than the boundary.
  void unconsume(std::size_t size_bytes) noexcept { consumed_ -= size_bytes; }

  // -- both roles -------------------------------------------------------------------------------

  // Starts the chunk over, so that a drained ring keeps writing to the same warm memory. A chunk
  // that one huge message needed is given back.
  void reset_drained() noexcept {
    if (head_ == tail_ && tail_ != nullptr && consumed_ == written_) {
      // pairs with: front(), through the lock that gives the caller both roles
      tail_->published.store(0, std::memory_order_relaxed);
      consumed_ = boundary_ = written_ = published_ = 0;
      if (tail_->capacity > ring_chunk_bytes) [[unlikely]] {
        release(tail_);
        count_dropped();
        head_ = tail_ = nullptr;
        first_.store(nullptr, std::memory_order_relaxed);
      }
    }
  }

 private:
  struct chunk {
    std::atomic<chunk*> next{nullptr};
    std::size_t capacity = 0;
    alignas(cache_line_bytes) std::atomic<std::size_t> published{0};

    [[nodiscard]] std::uint8_t* bytes() noexcept {
      return reinterpret_cast<std::uint8_t*>(this) + sizeof(chunk);
    }
    [[nodiscard]] const std::uint8_t* bytes() const noexcept {
      return reinterpret_cast<const std::uint8_t*>(this) + sizeof(chunk);
    }
  };
  static_assert(sizeof(chunk) % cache_line_bytes == 0, "payload starts on a line of its own");

  static constexpr std::size_t recycle_slots = 64;

  std::uint8_t* reserve_in_new_chunk(std::size_t size_bytes) noexcept;
  chunk* take_chunk(std::size_t capacity) noexcept;
  chunk* take_recycled() noexcept;
  void recycle(chunk* emptied) noexcept;
  static chunk* allocate(std::size_t capacity) noexcept;
  static void release(chunk* dead) noexcept;
  // One writer at a time, so load and store need not be one operation.
  void count_dropped() noexcept {
    dropped_chunks_.store(dropped_chunks_.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);  // invariant 6
  }

  // Written by the producer only.
  alignas(cache_line_bytes) chunk* tail_ = nullptr;
  std::size_t written_ = 0;
  std::size_t published_ = 0;
  std::size_t take_slot_ = 0;
  std::size_t linked_chunks_ = 0;
  // The first chunk, for a consumer that has none yet. pairs with: front(), acquire
  std::atomic<chunk*> first_{nullptr};

  // Written by the consumer only.
  alignas(cache_line_bytes) chunk* head_ = nullptr;
  std::size_t consumed_ = 0;
  std::size_t boundary_ = 0;
  std::size_t give_slot_ = 0;
  std::atomic<std::size_t> dropped_chunks_{0};

  alignas(cache_line_bytes) std::array<std::atomic<chunk*>, recycle_slots> recycled_{};
};

}  // namespace slk
