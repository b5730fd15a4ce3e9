// stream_writer: the sending half of a stream_pipe: a chunk ring, and the descriptor that it is
// flushed to.
//
// Roles: the ring's producer is the application's thread. The ring's consumer is whoever holds
//        lock_: the application (flush on its own account) or the I/O thread (patrol, EPOLLOUT,
//        first flush of a new connection). The application only tries the lock.
//
// An encrypted connection has a sealed_output instead of fd_, which then is -1 as without any: the
// way of a connection in the clear is not longer for it.
//
// Invariants
// 1. Guarded by lock_: fd_, sealed_, segments, the ring's consumer side, raw_tail_bytes_,
//    control_, control_begun_.
// 2. The wire carries whole frames of this connection only: when a connection dies in the middle
//    of a message, the next one starts with that message again, if it is in the ring whole, or
//    behind it, if its head was sent straight from the caller's buffer (raw tail).
// 3. flushed_messages_ counts messages that are with the kernel; it only moves on a complete flush.
//    flush_locked(): reads published_messages_ (acquire) before it looks at the ring, so the count
//    covers only what that look can see   pairs with   published_count(): store, release, after
//    the ring's publish.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cache_line.hpp"
#include "base/try_lock.hpp"
#include "pipe/flush_result.hpp"
#include "pipe/sealed_output.hpp"
#include "ring/chunk_ring.hpp"
#include "transport/stream_io.hpp"
#include "wire/frame.hpp"

namespace slk {

class stream_writer {
 public:
  // The pool outlives the writer.
  explicit stream_writer(chunk_pool& pool) noexcept
      : ring_(pool, chunk_ring::between::one_thread) {}  // who flushes is mostly who writes

  // -- application's thread
  // -------------------------------------------------------------------------

  [[nodiscard]] chunk_ring& ring() noexcept { return ring_; }

  // Where the producer counts its messages: store, release, after each publish of the ring.
  // pairs with: flush_locked()
  [[nodiscard]] std::atomic<std::uint64_t>& published_count() noexcept {
    return published_messages_;
  }

  // Flushes what is published; nothing may be unpublished.
  flush_result flush() noexcept;

  // Sends a frame straight from the caller's buffer, if the ring is drained and the lock free. What
  // the kernel does not take is copied to the ring, already published. With may_carry a short rest
  // is left there as well, for the next frame to take along: sent alone it would cost as much as
  // half a segment.
  struct direct_outcome {
    enum class kind : std::uint8_t { sent, queued, carried, refused };
    kind what;
    std::size_t left_bytes;  // in the ring; of queued and carried
  };
  direct_outcome send_direct(std::span<const std::uint8_t> header,
                             std::span<const std::uint8_t> body, bool may_carry) noexcept;

  // A connection in full flow takes many units of this size at once: the less often the kernel is
  // asked, the cheaper is each byte. unit_bytes 0: it does not, or not yet. A stale answer does no
  // harm.
  struct flow {
    std::uint32_t unit_bytes = 0;
    std::uint16_t units_max = 1;       // in a batch
    bool large_frames_gather = false;  // copying them costs less than a send for each
  };
  [[nodiscard]] flow flow_seen() const noexcept { return flow_.load(std::memory_order_relaxed); }
  // A frame that should go with others, although it is large enough to be sent directly.
  [[nodiscard]] bool gathers(std::size_t size_bytes) const noexcept {
    return flow_seen().large_frames_gather &&
           size_bytes <= ring_chunk_bytes - frame_header_bytes_max;
  }

  // The descriptor to wait on for room, or -1.
  [[nodiscard]] int fd() noexcept;

  // -- I/O thread
  // -----------------------------------------------------------------------------------

  // Starts using a connection. segment_bytes: the largest single send, until the connection is seen
  // to have larger segments; 0 for no limit.
  void open(int fd, std::size_t segment_bytes) noexcept;
  // The same for one that is encrypted.
  void open(std::unique_ptr<sealed_output> sealed, std::size_t segment_bytes) noexcept;
  // Stops using it. The message in flight is taken up again by the next open(), see invariant 2.
  void close() noexcept;
  flush_result flush_from_io() noexcept;
  // flush_from_io() for a look in passing: `busy` where the application holds the lock, rather than
  // waiting for it to finish its system call. idle: there was nothing to send.
  flush_result try_flush_from_io(bool& idle) noexcept;

  // -- any thread
  // -----------------------------------------------------------------------------------

  // Queues a command frame, to be sent between messages. Dropped where many wait already: a peer
  // that asks without reading must not cost memory without end.
  void queue_control(std::span<const std::uint8_t> frame) noexcept;

  // Breaks the connection, if there is one; the I/O thread sees the hang-up.
  void abort() noexcept;

  // Some wait for that. A stale answer is mended by the next flush.
  [[nodiscard]] bool has_control() const noexcept {
    return has_control_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t flushed_messages() const noexcept {
    return flushed_messages_.load(std::memory_order_acquire);  // pairs with: flush_locked()
  }
  // Moves with every flush that sent something; the patrol's sign of life.
  [[nodiscard]] std::uint32_t flush_count() const noexcept {
    return flush_count_.load(std::memory_order_relaxed);  // a hint, nothing is ordered by it
  }
  // Something published is not with the kernel yet. Takes the lock.
  [[nodiscard]] bool has_unsent() noexcept;
  // The same, or a command frame, and there is a connection to send it on.
  [[nodiscard]] bool has_anything_to_send() noexcept;
  [[nodiscard]] bool is_open() noexcept;

 private:
  static constexpr std::size_t control_bytes_max = 4096;
  static constexpr std::size_t carried_bytes_max = 4096;
  static constexpr std::size_t full_send_bytes = 16 * 1024;  // says that the stream is in full flow

  flush_result flush_locked() noexcept;
  io_outcome send_front(std::span<const std::uint8_t> front) noexcept;
  direct_outcome send_direct_locked(std::span<const std::uint8_t> header,
                                    std::span<const std::uint8_t> body, bool may_carry) noexcept;
  flush_result flush_sealed() noexcept;
  flush_result send_sealed(std::span<const std::uint8_t> frames, std::size_t& done_bytes) noexcept;
  flush_result send_control_sealed() noexcept;
  flush_result send_control() noexcept;
  flush_result broken() noexcept;
  [[nodiscard]] std::size_t piece_bytes(std::size_t size_bytes) const noexcept;
  void follow_flow() noexcept;
  [[nodiscard]] bool leaves_short_rest(std::size_t size_bytes) const noexcept;
  [[nodiscard]] bool keep_rest(std::span<const std::uint8_t> head,
                               std::span<const std::uint8_t> body) noexcept;
  void note_sent(std::size_t size_bytes) noexcept;
  void rewind_to_message() noexcept;
  // Of a connection of either kind, or -1.
  [[nodiscard]] int descriptor() const noexcept { return sealed_ != nullptr ? sealed_->fd() : fd_; }

  chunk_ring ring_;

  try_lock lock_;
  int fd_ = -1;
  std::unique_ptr<sealed_output> sealed_;
  std::size_t segment_bytes_ = 0;
  std::size_t first_segment_bytes_ = 0;  // as opened with
  unsigned full_sends_ = 0;
  bool may_grow_ = false;           // see follow_flow()
  std::size_t raw_tail_bytes_ = 0;  // of the ring's next bytes: the rest of a frame sent directly
  std::vector<std::uint8_t> control_;
  bool control_begun_ = false;  // control_ is the rest of what is on the wire in part

  alignas(cache_line_bytes) std::atomic<std::uint64_t> published_messages_{0};
  alignas(cache_line_bytes) std::atomic<std::uint64_t> flushed_messages_{0};
  std::atomic<std::uint32_t> flush_count_{0};
  std::atomic<flow> flow_{flow{}};
  std::atomic<bool> has_control_{false};
};

}  // namespace slk
