// inproc_pipe: a peer in the same process. Two channels, one a direction; the ring of each is
// written by one socket's thread and read by the other's, and no third thread is involved.

#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "base/cache_line.hpp"
#include "pipe/pipe.hpp"

namespace slk {

// Roles: the producer is the sending socket's thread, the consumer the receiving socket's.
struct inproc_channel {
  explicit inproc_channel(chunk_pool& pool) noexcept
      : ring(pool, chunk_ring::between::two_threads) {}

  chunk_ring ring;

  // Messages that the consumer has read, as of its last report.
  // give_credit(): store, release   pairs with   find_room(): load, acquire.
  alignas(cache_line_bytes) std::atomic<std::uint64_t> read_messages{0};

  // How many messages may be unread; pipe::unlimited. Set by either side's socket (connect, bind, a
  // changed option), read by the producer and by the consumer for its report interval. A stale
  // value only delays the change.
  alignas(cache_line_bytes) std::atomic<std::uint64_t> capacity_messages{0};

  // Whom to wake: the consumer after a publish, the producer after a report. Null until that side
  // exists (connect before bind). join(): store, release   pairs with
  // tell_reader(), reader_waits(), give_credit(): load, acquire.
  std::atomic<signaler*> consumer{nullptr};
  // The consumer looks elsewhere, at the many others it has; who publishes tells it.
  // look_away(): store, heavy fence of the caller, look at the ring   pairs with
  // tell_reader(), reader_waits(): publish, light fence, load.
  std::atomic<bool> unattended{false};
  std::atomic<signaler*> producer{nullptr};
};

// What the two ends of an inproc connection share.
class inproc_link {
 public:
  enum class side : std::size_t { connecting, binding };

  explicit inproc_link(std::shared_ptr<chunk_pool> pool) noexcept
      : pool_(std::move(pool)), forward(*pool_), backward(*pool_) {}

 private:
  const std::shared_ptr<chunk_pool> pool_;  // outlives the rings

 public:
  inproc_channel forward;   // from the connecting to the binding socket
  inproc_channel backward;  // the other way

  // Registers an end. True: the other end has left already (its messages are still there).
  [[nodiscard]] bool join(side which, std::weak_ptr<pipe> end, std::shared_ptr<inbox> owner);

  // Unregisters an end, and tells the other socket if it is there.
  void leave(side which) noexcept;

  // Tells the other socket that something has come from this side.
  void announce(side which);

  // The high water marks of one side's socket; 0 is unlimited. Recomputes both capacities: the sum
  // of the sender's and the receiver's marks, the connecting side's alone while nobody is bound.
  void set_marks(side which, std::uint64_t send, std::uint64_t receive);

 private:
  struct end_state {
    std::weak_ptr<slk::pipe> pipe;
    std::shared_ptr<slk::inbox> owner;  // kept: the channels name its signaler
    socket_events farewell;             // what leave() tells the other end
    std::uint64_t send_mark = 0;
    std::uint64_t receive_mark = 0;
    bool joined = false;
    bool left = false;
  };

  std::mutex mutex_;
  std::array<end_state, 2> ends_;  // guarded by mutex_
};

class inproc_pipe final : public pipe {
 public:
  using side = inproc_link::side;

  inproc_pipe(std::shared_ptr<inproc_link> link, side which) noexcept;

  void set_high_water_marks(std::uint64_t send, std::uint64_t receive) noexcept override;
  [[nodiscard]] int write(const std::uint8_t* data, std::size_t size_bytes,
                          bool more) noexcept override {
    return append(data, size_bytes, more, [this] { tell_reader(); });
  }
  // append_short(); then reader_waits(), and if it does tell_reader().
  template <std::size_t BytesMax>
  [[nodiscard]] bool write_short(const std::uint8_t* data, std::size_t size_bytes) noexcept {
    if (!append_short<BytesMax>(data, size_bytes)) [[unlikely]] {
      return false;
    }
    if (pause_count_ != 0) [[unlikely]] {
      pause_count_ = 0;  // as in tell_reader()
    }
    return true;
  }
  [[nodiscard]] bool reader_waits() noexcept {
    // pairs with: inproc_link::join()
    signaler* const reader = out_channel_.consumer.load(std::memory_order_acquire);
    // The second behind the fence of the first. pairs with: look_away()
    return reader != nullptr &&
           (reader->may_sleep() || out_channel_.unattended.load(std::memory_order_relaxed));
  }
  // A message was published.
  void tell_reader() noexcept {
    pause_count_ = 0;  // a conversation, not a stream
    // pairs with: inproc_link::join()
    signaler* const reader = out_channel_.consumer.load(std::memory_order_acquire);
    if (reader == nullptr) [[unlikely]] {
      return;  // join() finds what is there
    }
    reader->wake_if_sleeping_often(vain_fences_);
    // Behind the fence that is in there. pairs with: look_away()
    if (out_channel_.unattended.load(std::memory_order_relaxed)) [[unlikely]] {
      announce();
    }
  }
  void give_credit() noexcept override;
  void look_away() noexcept override;
  void look_again() noexcept override;

  // This socket lets go of the pipe.
  void leave() noexcept { link_->leave(side_); }

 protected:
  bool find_room() noexcept override;
  void credit_due() noexcept override;
  bool refill(std::size_t wanted_bytes) noexcept override;
  bool command_received(const std::uint8_t*, std::size_t) noexcept override { return true; }
  void protocol_broken() noexcept override { input_ended_ = true; }

 private:
  void announce() noexcept;
  [[nodiscard]] std::uint64_t report_interval() const noexcept;
  void back_off() noexcept;

  std::shared_ptr<inproc_link> link_;
  side side_;
  inproc_channel& in_;
  inproc_channel& out_channel_;
  std::size_t viewed_bytes_ = 0;         // length of the view that cursor_ walks through
  std::uint64_t reported_messages_ = 0;  // of read_messages_, what the producer knows
  unsigned vain_fences_ = 0;             // of signaler::wake_if_sleeping_often()
  // Consumer back-off, see back_off().
  unsigned pause_count_ = 0;
  unsigned failed_looks_ = 0;
};

}  // namespace slk
