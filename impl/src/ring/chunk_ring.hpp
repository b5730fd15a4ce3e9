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
// 4. An emptied chunk goes back to the pool, and comes from there with nothing in it. The pool's
//    lock orders what its last reader and its next writer do.
// 5. reset_drained() needs both roles at once (for a socket's ring: the flush lock held by the
//    producer's thread, everything consumed, nothing unpublished).
// 6. unread_chunks() is what the producer linked less what the consumer dropped, as of a moment
//    ago: a measure of how far it runs ahead, which orders nothing. Nor does consumer_is_here().
// 7. Bytes of the last chunk from written_ on are the producer's: those below limit_ it may write
//    without asking for more, in front of limit_ it has claimed their lines.
//
// Lines are claimed because a processor does not overlap stores as it overlaps loads. Stores retire
// in order, and the processor looks only some ten of them ahead for lines that will be wanted.
// Where a message comes with more stores than that, each line is waited for: from a far core for
// long, or where a reader has it in its own cache (see chunk_pool). So the producer writes one byte
// to each of the next 32 lines, store after store, and they come together. Million messages a
// second with claims and without, 64 B: from a far core (a line's way there and back 340 ns) 26 and
// 7, from a near one (75 ns) 85 and 91. Prefetching for writing changes nothing. A larger message
// is written store after store anyway, and claims just its own lines: 1 KiB from a near core 23
// million, with lines ahead 20. From a far core it is written past the caches, see
// consumer_distance.
//
// Memory errors: reserve() answers nullptr, nothing else allocates. All functions are noexcept.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/affinity.hpp"
#include "base/cache_line.hpp"
#include "base/copy_bytes.hpp"
#include "ring/chunk_pool.hpp"
#include "ring/consumer_distance.hpp"

namespace slk {

class chunk_ring {
 public:
  // Whether producer and consumer are two threads. Where they run on two cores, lines are worth
  // claiming, and cold chunks cheaper than warm ones; whether they do is looked at with each chunk.
  enum class between : std::uint8_t { two_threads, one_thread };

  // The pool outlives the ring.
  chunk_ring(chunk_pool& pool, between ends) noexcept : pool_(pool), ends_(ends) {}
  chunk_ring(const chunk_ring&) = delete;
  chunk_ring& operator=(const chunk_ring&) = delete;
  ~chunk_ring();

  // -- producer ---------------------------------------------------------------------------------

  // Room for size_bytes right behind what is written already; nullptr when memory is out (what was
  // written stays). Valid until the next reserve().
  [[nodiscard]] std::uint8_t* reserve(std::size_t size_bytes) noexcept {
    if (tail_ != nullptr && written_ + size_bytes <= limit_) [[likely]] {
      return tail_->bytes() + written_;
    }
    return reserve_beyond(size_bytes);
  }

  // reserve(), commit() and publish() in one, where nothing else is to be done: write(end) fills
  // the size_bytes in front of `end`. False: nothing was done.
  template <class Write>
  [[nodiscard]] bool publish_here(std::size_t size_bytes, Write write) noexcept {
    const std::size_t end = written_ + size_bytes;
    if (end > limit_) [[unlikely]] {
      return false;
    }
    write(tail_->bytes() + end);
    written_ = published_ = end;
    tail_->published.store(end, std::memory_order_release);
    return true;
  }

  // Copies to what reserve() gave, all of it or a part, in the way that suits where the consumer
  // runs.
  void fill(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept {
    if (size_bytes >= streamed_bytes_min && distance_.matters()) [[unlikely]] {
      fill_by_distance(to, from, size_bytes);
    } else {
      copy_bytes(to, from, size_bytes);
    }
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
  // The consumer shared this thread's core, when it last finished a chunk.
  [[nodiscard]] bool consumer_is_here() const noexcept {
    return current_cpu() == consumer_cpu_.load(std::memory_order_relaxed);  // invariant 6
  }
  // Chunks linked so far; moves once in many messages.
  [[nodiscard]] std::size_t linked_chunks() const noexcept { return linked_chunks_; }

  // -- consumer ---------------------------------------------------------------------------------

  // Published, unconsumed bytes of the current chunk; empty if there are none at all. Never splits
  // a message that was contiguous when published.
  [[nodiscard]] std::span<const std::uint8_t> front() noexcept;

  // The same, and the bytes of the chunks behind it, as many as there are parts; how many it set.
  [[nodiscard]] std::size_t fronts(std::span<std::span<const std::uint8_t>> parts) noexcept;

  // Marks the first size_bytes of front() as read.
  void consume(std::size_t size_bytes) noexcept { consumed_ += size_bytes; }
  // The same of what fronts() gave.
  void consume_across(std::size_t size_bytes) noexcept;

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

  // What front() gave last is all that was written.
  [[nodiscard]] bool front_is_all() const noexcept { return head_ == tail_; }

  // Starts the chunk over, so that a drained ring keeps writing to the same warm memory. A chunk
  // that one huge message needed is given back.
  void reset_drained() noexcept {
    if (head_ == tail_ && tail_ != nullptr && consumed_ == written_) {
      // pairs with: front(), through the lock that gives the caller both roles
      tail_->published.store(0, std::memory_order_relaxed);
      consumed_ = boundary_ = written_ = published_ = 0;
      limit_ = cores_differ_ ? 0 : tail_->capacity;
      if (tail_->capacity > ring_chunk_bytes) [[unlikely]] {
        pool_.give_back(tail_);
        count_dropped();
        head_ = tail_ = nullptr;
        limit_ = 0;
        first_.store(nullptr, std::memory_order_relaxed);
      }
    }
  }

 private:
  static constexpr int no_cpu = -2;
  static constexpr std::size_t claimed_at_once_bytes = 32 * cache_line_bytes;
  static constexpr std::size_t claimed_ahead_bytes_max = 512;  // the message's size

  static constexpr std::size_t streamed_bytes_min = 1024;  // below, nothing was gained
  static constexpr std::size_t sample_bytes_max = 8192;

  std::uint8_t* reserve_beyond(std::size_t size_bytes) noexcept;
  void claim(std::size_t size_bytes) noexcept;
  void fill_by_distance(std::uint8_t* to, const std::uint8_t* from,
                        std::size_t size_bytes) noexcept;
  std::uint8_t* reserve_in_new_chunk(std::size_t size_bytes) noexcept;
  // One writer at a time, so load and store need not be one operation.
  void count_dropped() noexcept {
    consumer_cpu_.store(current_cpu(), std::memory_order_relaxed);  // invariant 6
    dropped_chunks_.store(dropped_chunks_.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);  // invariant 6
  }

  // Written by the producer only.
  alignas(cache_line_bytes) ring_chunk* tail_ = nullptr;
  std::size_t written_ = 0;
  std::size_t published_ = 0;
  std::size_t limit_ = 0;  // invariant 7; 0 without a chunk
  chunk_pool& pool_;
  const between ends_;
  bool cores_differ_ = false;  // as far as is known
  consumer_distance distance_;
  std::size_t linked_chunks_ = 0;
  // The first chunk, for a consumer that has none yet. pairs with: front(), acquire
  std::atomic<ring_chunk*> first_{nullptr};

  // Written by the consumer only.
  alignas(cache_line_bytes) ring_chunk* head_ = nullptr;
  std::size_t consumed_ = 0;
  std::size_t boundary_ = 0;
  std::atomic<std::size_t> dropped_chunks_{0};
  std::atomic<int> consumer_cpu_{no_cpu};  // where it last dropped one
};

}  // namespace slk
