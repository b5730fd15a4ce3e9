// stream_pipe: a peer behind a stream descriptor (tcp, ipc). Joins a stream_writer and a
// stream_reader, which say how the socket's thread and the I/O thread share them, with the patrol
// that flushes the tail of a burst.
//
// The patrol's protocol. armed_ says "the I/O thread looks after what is published":
//   application: publish, then patrol_watches(): light fence, load armed_; false: arm().
//   I/O thread:  armed_ = false, heavy fence, then a last look at the ring; something there: go on.
// So after every publish either the patrol sees the message or the application sees armed_ false.
// While the kernel's buffer is full the session waits for EPOLLOUT on the pipe's behalf; armed_
// stays true until the patrol has seen the pipe idle again. If the application has found no room
// meanwhile, it is told then.

#pragma once

#include <deque>
#include <memory>

#include "io/io_thread.hpp"
#include "pipe/pipe.hpp"
#include "pipe/stream_reader.hpp"
#include "pipe/stream_writer.hpp"
#include "pipe/trickle.hpp"

namespace slk {

// The session, as far as a pipe knows it. Called on the I/O thread only.
class stream_owner {
 public:
  // Nothing fits into the kernel's buffer: call stream_pipe::writable() when something does.
  virtual void want_writable() noexcept = 0;
  // The peer sent what is no ZMTP.
  virtual void peer_broke_protocol() noexcept = 0;
  // Another connection has taken this one's place.
  virtual void replaced() noexcept = 0;
  // The peer sent its first PING, or one with another time to live: stream_pipe::peer_ttl_tenths().
  virtual void peer_pings_anew() noexcept {}
  // The application has read, as it was awaited to: stream_reader::await_read().
  virtual void application_reads() noexcept {}

 protected:
  ~stream_owner() = default;
};

class stream_pipe final : public pipe, public patrolled {
 public:
  // A frame of so many bytes is sent straight from the caller's buffer, unless the connection is in
  // full flow; copying smaller ones to where others gather is cheaper in any case.
  static constexpr std::size_t direct_frame_bytes_min = 16 * 1024;

  struct settings {
    std::uint64_t send_mark = 1000;     // SNDHWM; 0 is unlimited
    std::int64_t frame_bytes_max = -1;  // MAXMSGSIZE; -1 is unlimited
    bool application_reads = true;      // false: the I/O thread reads, and discards messages
  };

  stream_pipe(io_thread& io, std::shared_ptr<inbox> owner, const settings& with);
  ~stream_pipe() override;

  // 0: none.
  [[nodiscard]] std::uint64_t send_mark() const noexcept { return send_mark_; }
  void set_high_water_marks(std::uint64_t send, std::uint64_t receive) noexcept override;

  // -- application's thread
  // -------------------------------------------------------------------------

  [[nodiscard]] int write(const std::uint8_t* data, std::size_t size_bytes,
                          bool more) noexcept override {
    if (size_bytes >= direct_frame_bytes_min && !more && !out_->has_unpublished()) {
      return write_large(data, size_bytes);
    }
    return append(data, size_bytes, more, [this] { count_published(); });
  }
  // append_short(), where no flush is due behind it.
  template <std::size_t BytesMax>
  [[nodiscard]] bool write_short(const std::uint8_t* data, std::size_t size_bytes) noexcept {
    if (unflushed_bytes + short_frame_header_bytes + size_bytes >= flushing.look_at_bytes ||
        !append_short<BytesMax>(data, size_bytes)) [[unlikely]] {
      return false;
    }
    unflushed_bytes += short_frame_header_bytes + size_bytes;
    count_published();
    return true;
  }
  // Sends what is published; `complete` gives credit back.
  flush_result flush() noexcept { return writer_.flush(); }
  [[nodiscard]] bool patrol_watches() noexcept {
    light_fence();  // pairs with: on_patrol()
    return armed_.load(std::memory_order_relaxed);
  }
  // The same. REQUIRES: light_fence_is_free().
  [[nodiscard]] bool patrol_watches_freely() noexcept {
    free_light_fence();  // pairs with: on_patrol()
    return armed_.load(std::memory_order_relaxed);
  }
  // Has the patrol look after the pipe; nothing if it does already.
  void arm() noexcept;
  // A batch goes out now: the patrol takes the pipe for busy until this is 100 µs ago.
  void note_batch(std::uint64_t now_ticks) noexcept {
    last_batch_ticks_.store(now_ticks, std::memory_order_relaxed);  // a hint, orders nothing
  }
  [[nodiscard]] stream_reader& reader() noexcept { return reader_; }
  [[nodiscard]] stream_writer& writer() noexcept { return writer_; }
  [[nodiscard]] const stream_writer& writer() const noexcept { return writer_; }
  // Forgets received bytes and reads no more.
  void abandon_input() noexcept;
  // Ends the connection; `ended` follows.
  void end_connection() noexcept;

  // Kept by the socket's flush policy: the pipe's place among those that wait for a flush.
  struct flush_state {
    bool dirty = false;              // in the policy's list
    const bool* burst = nullptr;     // whether the policy sees one; null: it has not decided yet
    bool offline = false;            // the last flush found no connection
    bool gathers = false;            // large frames too, where the connection is better off so
    std::size_t flush_at_bytes = 0;  // of unflushed bytes; grows while the kernel takes nothing
    std::size_t counted_bytes = 0;   // of the policy's total
    std::size_t look_at_bytes = 0;   // below this many unflushed bytes nothing is to be decided
    stream_pipe* previous = nullptr;
    stream_pipe* next = nullptr;
  };
  flush_state flushing;

  // -- I/O thread
  // -----------------------------------------------------------------------------------

  // A connection is up: uses it for both directions, and sends what has gathered.
  // keys: it is encrypted with them.
  void open(stream_owner& session, int fd, std::size_t segment_bytes,
            std::span<const std::uint8_t> early, const curve_traffic_keys* keys = nullptr);
  // It has died: what was received is kept for the application. Afterwards fd may be closed.
  void close(bool keep_received) noexcept;
  // The kernel's buffer has room again. True: all is sent, no need to wait any longer.
  bool writable() noexcept;
  look on_patrol() noexcept override;
  // Has the session say when the kernel's buffer has room, for a pipe nobody else flushes.
  void wait_until_writable() noexcept;
  // The application has not read for a while, and something has come: answers PINGs on its behalf.
  void attend_silence() noexcept;
  // Sends a PING, which may wait behind messages.
  void ping(std::uint16_t ttl_tenths) noexcept;
  // Of this connection's last PING: how long the peer may be unheard of; 0 is for ever.
  [[nodiscard]] std::uint16_t peer_ttl_tenths() const noexcept {
    return peer_ttl_tenths_.load(std::memory_order_relaxed);
  }
  // It has sent any PING.
  [[nodiscard]] bool peer_pings() const noexcept {
    return peer_pings_.load(std::memory_order_relaxed);
  }
  // Reads what has come, for a socket that only sends. REQUIRES: !settings::application_reads.
  void discard_input() noexcept;

 protected:
  bool find_room() noexcept override;
  bool refill(std::size_t wanted_bytes) noexcept override;
  bool command_received(const std::uint8_t* body, std::size_t size_bytes) noexcept override;
  void protocol_broken() noexcept override;
  void take_staged(frame_view& frame) noexcept override;

 private:
  // The kernel's buffer holds much more already, and a batch no more.
  static constexpr std::size_t run_ahead_chunks = send_parts_max;

  // In vain, that is: for no message. A peer that sends commands, or parts of a message, faster
  // than they are read must not keep the application from its other peers, or in its call. A
  // command, or a part, is one unit of work.
  static constexpr unsigned vain_work_max = 1024;
  static constexpr unsigned work_of_a_read = 64;

  enum class absorb_result : std::uint8_t { whole, need_more, broken };

  // A last frame of direct_frame_bytes_min or more on an idle ring.
  [[nodiscard]] int write_large(const std::uint8_t* data, std::size_t size_bytes) noexcept;
  void count_published() noexcept {
    // pairs with: the writer's look at it
    writer_.published_count().store(written_messages_, std::memory_order_release);
  }
  bool view_slab() noexcept;
  void restart_input() noexcept;
  void forget_input() noexcept;
  bool turn_is_over() noexcept;
  void obey(std::span<const std::uint8_t> command) noexcept;
  void count_read(stream_reader::outcome got) noexcept;
  bool stage() noexcept;
  absorb_result absorb_slab() noexcept;
  bool begin_body(const frame_header& header, std::span<const std::uint8_t> present) noexcept;
  bool grow_body() noexcept;
  bool finish_body() noexcept;
  void end_waiting() noexcept;
  void room_changed() noexcept;
  void flush_on_io_thread() noexcept;
  void answer_if_ping(std::span<const std::uint8_t> command) noexcept;
  void tell_of_ping() noexcept;
  // Later, on the I/O thread, if there is a session then. False: out of memory.
  bool tell_session(void (stream_owner::*what)() noexcept) noexcept;
  template <class Task>  // void(stream_pipe&)
  bool on_io_thread(Task task) noexcept;

  io_thread& io_;
  std::shared_ptr<inbox> inbox_;
  std::uint64_t send_mark_;
  const bool reads_on_io_thread_;
  stream_writer writer_;
  stream_reader reader_;

  // Of the thread that reads: work in vain, and how many messages there had been before it.
  unsigned vain_work_ = 0;
  std::uint64_t messages_before_ = 0;
  bool answered_ = false;  // a command, since the last read

  // A message that does not fit into the slab, frame by frame; of the thread that reads.
  std::deque<message> staged_frames_;
  message staged_current_;         // what take_staged() gave out last
  message_block* body_ = nullptr;  // the frame being read now, or null
  std::uint64_t body_bytes_ = 0;   // its announced size; the block grows as bytes arrive
  bool body_more_ = false;
  bool staging_ = false;

  alignas(cache_line_bytes) std::atomic<bool> armed_{false};
  std::atomic<std::uint64_t> last_batch_ticks_{0};
  // Written by the application: its last look found no room.
  std::atomic<bool> room_wanted_{false};

  // Hints for the I/O thread from whoever reads; nothing is ordered by them.
  std::atomic<std::uint16_t> peer_ttl_tenths_{0};
  std::atomic<bool> peer_pings_{false};
  // The session is about to be told of a PING; a peer cannot have it told faster than it listens.
  std::atomic<bool> telling_ping_{false};

  // I/O thread.
  stream_owner* session_ = nullptr;
  std::uint32_t patrol_flush_count_ = 0;
  unsigned idle_looks_ = 0;
  trickle trickle_;
  bool waiting_writable_ = false;
  bool untold_input_ = false;  // was taken over, and the socket was not told of it
  // Armed, but not on the patrol's list, nor about to be put there by arm(): an entry is linked
  // through the pipe itself, so it must never be listed twice.
  bool parked_ = false;
};

}  // namespace slk
