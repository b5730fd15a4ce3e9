// stream_reader: the receiving half of a stream_pipe: a slab that the application's thread fills
// from the descriptor itself, and what the I/O thread left for it.
//
// Roles: the application's thread owns the slab and reads the descriptor; the I/O thread hands over
//        descriptors, and takes over reading where the application cannot be waited for: when a
//        connection has died, so that the descriptor can be closed and nothing received is lost;
//        and while the application is silent, so that commands are seen (take_over()).
//
// An encrypted connection has a sealed_input instead of fd_, which then is -1; its frames go to
// left_ in the clear, and from there to whoever reads.
//
// Invariants
// 1. Guarded by lock_: fd_, sealed_, watched_by_, drained_, abandoned_, left_.
// 2. The bytes of one connection are read in this order: the slab, its entries in left_, fd_.
//    An entry with ends_stream is the last of its connection: what then remains of a message is
//    discarded, never spliced with the next connection's bytes.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "base/try_lock.hpp"
#include "io/ready_set.hpp"
#include "pipe/sealed_input.hpp"
#include "wire/frame_walker.hpp"

namespace slk {

class stream_reader {
 public:
  // A slab holds about 2000 small messages. Larger did not measure better, smaller hurt fan-in.
  static constexpr std::size_t slab_bytes = 128 * 1024;

  enum class outcome : std::uint8_t {
    bytes,    // more bytes
    nothing,  // none now
    restart,  // the connection has ended; what is unread of it is an unfinished message
    full,     // the slab holds the start of a message and has no room for more
    broken,   // what came on an encrypted connection cannot be opened
  };

  // -- application's thread
  // -------------------------------------------------------------------------

  // Reads more behind `unread`, which must be empty or a tail of what the last call left in the
  // slab. On return the unread bytes have moved to the slab's start: slab() has them and the new.
  outcome read_more(std::span<const std::uint8_t> unread) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> slab() const noexcept {
    return {slab_.get(), filled_bytes_};
  }

  // Reads straight into `into`, which continues the bytes read so far; with `beyond` also on into
  // the slab, which must be empty. direct_bytes: how many went to `into`.
  outcome read_direct(std::span<std::uint8_t> into, bool beyond,
                      std::size_t& direct_bytes) noexcept;

  // Behind a read: the I/O thread awaited one. Once only.
  [[nodiscard]] bool read_was_awaited() noexcept {
    return read_awaited_.load(std::memory_order_relaxed) &&
           read_awaited_.exchange(false, std::memory_order_relaxed);  // a hint, too
  }

  // One of several connections: don't ask the kernel when the last read took all there was and the
  // socket's poller has not reported an edge since. A single connection is faster asked directly.
  void rely_on_edges(bool rely) noexcept { rely_on_edges_ = rely; }
  void set_ready(bool hang_up) noexcept {
    ready_ = true;
    hang_up_ = hang_up_ || hang_up;
  }

  // Adds the descriptor to, or removes it from, the socket's poller; nothing if there is none.
  void watch(ready_set& set, void* tag) noexcept;
  void unwatch(ready_set& set) noexcept;

  // No more reading: the peer broke the protocol, or the application disconnected.
  void abandon() noexcept;

  // -- I/O thread
  // -----------------------------------------------------------------------------------

  // early: bytes that arrived together with the handshake.
  void open(int fd, std::span<const std::uint8_t> early);
  // The same for one that is encrypted.
  void open(std::unique_ptr<sealed_input> sealed, std::span<const std::uint8_t> early);
  // The connection has died, or is to be dropped: keeps what the kernel still has, lets go of fd,
  // whose edges then name nobody: the socket may drop the pipe before the descriptor is closed.
  void close(bool keep_received) noexcept;

  // Changes with every read of the application; what the I/O thread tells its silence by.
  [[nodiscard]] std::uint32_t reads() const noexcept {
    return reads_.load(std::memory_order_relaxed);  // a hint, nothing is ordered by it
  }

  // The application's next read that finds something is one to tell of: read_was_awaited().
  void await_read(bool wanted) noexcept {
    read_awaited_.store(wanted, std::memory_order_relaxed);  // a hint, nothing is ordered by it
  }

  // Changes with every read, of either thread, that found bytes: the peer's sign of life.
  [[nodiscard]] std::uint32_t arrivals() const noexcept {
    return arrivals_.load(std::memory_order_relaxed);  // a hint, nothing is ordered by it
  }

  // The application is silent: reads what has come on its behalf, up to a limit, and calls
  // visit(body) for the commands that it has not seen yet (some it may have, if they are in the
  // slab). received: there are bytes that the application has to be told of.
  // False: a frame announces more than frame_bytes_max, or cannot be opened.
  template <class Visit>
  [[nodiscard]] bool take_over(std::uint64_t frame_bytes_max, bool& received, Visit visit);

 private:
  struct left_over {
    std::vector<std::uint8_t> bytes;
    std::size_t read_bytes = 0;
    bool ends_stream = false;
    bool visited = false;  // by take_over()
  };
  // Of bytes that the I/O thread holds for a silent application; beyond, the peer has to wait.
  static constexpr std::size_t taken_over_bytes_max = 256 * 1024;

  outcome take_left_over(std::span<std::uint8_t> into, std::size_t& taken_bytes) noexcept;
  outcome read_descriptor(std::span<std::uint8_t> first, std::span<std::uint8_t> second,
                          std::size_t& read_bytes) noexcept;
  outcome read_sealed(std::span<std::uint8_t> into, std::size_t& read_bytes) noexcept;
  void read_ahead_sealed();
  void drain_sealed(std::vector<std::uint8_t>& into) noexcept;
  [[nodiscard]] bool make_slab() noexcept;
  void read_ahead();
  void count_read() noexcept;
  void count_arrival() noexcept;
  [[nodiscard]] std::size_t left_bytes() const noexcept;
  // Of a connection of either kind, or -1.
  [[nodiscard]] int descriptor() const noexcept { return sealed_ != nullptr ? sealed_->fd() : fd_; }

  std::unique_ptr<std::uint8_t[]> slab_;
  std::size_t filled_bytes_ = 0;
  bool ready_ = true;
  bool hang_up_ = false;
  bool rely_on_edges_ = false;

  try_lock lock_;
  int fd_ = -1;
  std::unique_ptr<sealed_input> sealed_;
  ready_set* watched_by_ = nullptr;
  bool drained_ = false;  // end of stream or an error was read; the I/O thread will close
  bool abandoned_ = false;
  bool slab_aligned_ = true;  // the slab begins with a frame
  std::list<left_over> left_;
  std::list<left_over> end_mark_;  // made by open(), so that close() cannot fail to set it
  std::atomic<std::uint32_t> reads_{0};
  std::atomic<bool> read_awaited_{false};
  std::atomic<std::uint32_t> arrivals_{0};
};

// Implementation details follow.

template <class Visit>
bool stream_reader::take_over(std::uint64_t frame_bytes_max, bool& received, Visit visit) {
  const try_lock_guard guard(lock_);
  received = false;
  if (descriptor() < 0 || abandoned_ || !slab_aligned_) {
    return true;
  }
  for (const left_over& rest : left_) {
    if (rest.ends_stream || rest.read_bytes > 0) {
      return true;  // of an earlier connection, or half read: the application is at it
    }
  }
  if (sealed_ != nullptr) {
    read_ahead_sealed();
  } else {
    read_ahead();
  }
  frame_walker walker;
  bool legal = walker.walk(slab(), frame_bytes_max, visit);
  for (auto rest = left_.begin(); rest != left_.end() && legal;) {
    const bool fresh = !rest->visited;
    const bool aligned = walker.between_frames();
    const std::uint64_t other_frames = walker.other_frames();
    rest->visited = true;
    legal = walker.walk(rest->bytes, frame_bytes_max, [&](std::span<const std::uint8_t> command) {
      if (fresh) {
        visit(command);
      }
    });
    if (aligned && walker.between_frames() && walker.other_frames() == other_frames) {
      rest = left_.erase(rest);  // commands, done with: a peer that beats fills no memory
      continue;
    }
    received = received || fresh;
    ++rest;
  }
  return legal && (sealed_ == nullptr || !sealed_->broken());
}

}  // namespace slk
