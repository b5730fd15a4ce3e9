// pipe: one peer, as a socket sees it. Messages go out as ZMTP frames into a chunk ring; messages
// come in as a view over contiguous bytes (a slab read from a descriptor, or the peer's ring).
//
// Thread safety: everything here belongs to the socket's thread, except where a derived class says
// otherwise. Two objects only cross threads: the chunk ring and the words documented beside it.
//
// A message that is written becomes visible to the peer with its last frame, and is offered to the
// reader when its last frame is here: peek() is true for whole messages only.

#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "base/cache_line.hpp"
#include "base/copy_bytes.hpp"
#include "message/message.hpp"
#include "pipe/inbox.hpp"
#include "ring/chunk_ring.hpp"
#include "wire/frame.hpp"

namespace slk {

// One received frame. Valid until the next peek() or take() on its pipe.
struct frame_view {
  const std::uint8_t* data = nullptr;
  std::size_t size_bytes = 0;
  bool more = false;
  message* whole = nullptr;  // the frame as a message that may be moved from; often there is none

  // Field by field: assigning a temporary makes the compiler write it in small stores and copy it
  // in wide loads, which stalls on each of them (measured: half of the time of a receive).
  void set(const std::uint8_t* bytes, std::size_t count, bool more_follows) noexcept {
    data = bytes;
    size_bytes = count;
    more = more_follows;
    whole = nullptr;
  }
};

// On cache lines of its own: of the two ends of an inproc connection each is written to by a thread
// with every message.
class alignas(cache_line_bytes) pipe : public std::enable_shared_from_this<pipe> {
 public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  pipe(const pipe&) = delete;
  pipe& operator=(const pipe&) = delete;
  virtual ~pipe() = default;

  // -- outgoing
  // -------------------------------------------------------------------------------------

  // Below the high water mark. True stays true until a message is finished.
  [[nodiscard]] bool has_room() noexcept { return written_messages_ < room_limit_ || find_room(); }

  // has_room(), but false where it takes a look at the reader.
  [[nodiscard]] bool has_known_room() const noexcept { return written_messages_ < room_limit_; }

  // Appends a frame; the one without `more` finishes the message. 0, or ENOMEM: the frames of this
  // message written so far stay, so that the caller may try again or rollback().
  [[nodiscard]] virtual int write(const std::uint8_t* data, std::size_t size_bytes,
                                  bool more) noexcept = 0;

  // The reader, or the kernel, is so far behind that what is written next would be read from main
  // memory: worth waiting for a moment. Said once for each chunk that is begun.
  [[nodiscard]] bool runs_ahead() noexcept {
    if (out_->linked_chunks() == looked_at_chunks_) [[likely]] {
      return false;
    }
    looked_at_chunks_ = out_->linked_chunks();
    return out_->unread_chunks() >= run_ahead_chunks_max_;
  }
  // Not right after waits in vain: the reader may share this thread's processor, or do other
  // things.
  [[nodiscard]] bool worth_waiting() noexcept {
    if (waits_to_skip_ > 0) {
      --waits_to_skip_;
      return false;
    }
    return true;
  }
  void waited() noexcept {
    constexpr unsigned skip_max = 255;
    vain_waits_ = still_ahead() ? std::min(2 * vain_waits_ + 1, skip_max) : 0;
    waits_to_skip_ = vain_waits_;
  }
  // Still so: for somebody who waits.
  [[nodiscard]] bool still_ahead() const noexcept {
    return out_->unread_chunks() > run_ahead_chunks_max_ / 2;
  }

  // The reader shares this thread's core, as far as is known: it reads only while this thread
  // sleeps.
  [[nodiscard]] bool reader_is_here() const noexcept { return out_->consumer_is_here(); }
  // So much is unread that giving such a reader its turn costs less than writing on. Measured on
  // one core, 1 / 2 / 4 MiB, thousand messages a second: 8 KiB 1630 / 1840 / 2010, 64 KiB 181 / 217
  // / 231; without any limit 650 and 72.
  [[nodiscard]] bool owes_turn() const noexcept {
    return out_->unread_chunks() >= chunk_pool::chunks_in_turn;
  }

  // Drops the frames of an unfinished message.
  void rollback() noexcept { out_->rollback(); }
  [[nodiscard]] bool message_open() const noexcept { return out_->has_unpublished(); }

  // Bytes appended since the pipe was last known to be flushed; what the flush policy goes by.
  std::size_t unflushed_bytes = 0;

  // -- incoming
  // -------------------------------------------------------------------------------------

  // A whole message is here, or the rest of one that was begun.
  [[nodiscard]] bool peek() noexcept {
    if (frame_ready_) {
      return true;
    }
    const auto available = static_cast<std::size_t>(limit_ - cursor_);
    if (decode_frame_header(cursor_, available, header_) && header_.flags == 0 &&
        header_.body_bytes <= frame_bytes_max_ &&
        header_.body_bytes <= available - header_.header_bytes) [[likely]] {
      frame_ready_ = true;
      return true;
    }
    return peek_slow();
  }

  // The next frame. REQUIRES: peek().
  void take(frame_view& frame) noexcept {
    if (staged_) [[unlikely]] {
      take_staged(frame);
      return;
    }
    const bool more = header_.more();
    frame.set(cursor_ + header_.header_bytes, static_cast<std::size_t>(header_.body_bytes), more);
    cursor_ += header_.header_bytes + header_.body_bytes;
    if (!more) [[likely]] {
      message_taken();
    } else {
      next_part();
    }
  }

  // peek() and take() at once, for a message of one frame that is in view: the usual case. False:
  // ask peek().
  [[nodiscard]] bool take_single(frame_view& frame) noexcept {
    const auto available = static_cast<std::size_t>(limit_ - cursor_);
    frame_header header;
    if (staged_ || frame_ready_ || !decode_frame_header(cursor_, available, header) ||
        (header.flags & (flag_more | flag_command)) != 0 || header.body_bytes > frame_bytes_max_ ||
        header.body_bytes > available - header.header_bytes) [[unlikely]] {
      return false;
    }
    frame.set(cursor_ + header.header_bytes, static_cast<std::size_t>(header.body_bytes), false);
    cursor_ += header.header_bytes + header.body_bytes;
    if (++read_messages_ >= credit_due_) {
      credit_due();
    }
    return true;
  }

  // -- the same for a short frame that is a message, and only where nothing else is to be done
  // (short_way)

  // There is one, for sure.
  [[nodiscard]] bool has_short() const noexcept { return short_body_bytes() >= 0; }
  // peek() and take() of one of at most so many bytes. False: ask peek().
  [[nodiscard]] bool take_short(frame_view& frame, std::size_t bytes_max) noexcept {
    const int body_bytes = short_body_bytes();
    if (body_bytes < 0 || static_cast<std::size_t>(body_bytes) > bytes_max) [[unlikely]] {
      return false;
    }
    const auto size_bytes = static_cast<std::size_t>(body_bytes);
    frame.set(cursor_ + short_frame_header_bytes, size_bytes, false);
    cursor_ += short_frame_header_bytes + size_bytes;
    ++read_messages_;
    return true;
  }

  // The next message is wanted soon.
  void prefetch() const noexcept {
    if (cursor_ != limit_) {  // a line that is still written to is better left alone
      __builtin_prefetch(cursor_);
      __builtin_prefetch(cursor_ + cache_line_bytes);
    }
  }

  // In the middle of a message that is being read.
  [[nodiscard]] bool reading() const noexcept { return reading_; }

  // No more bytes will come: forget the pipe once peek() is false.
  void end_input() noexcept { input_ended_ = true; }
  [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }

  // The consumer is about to sleep: tell the producer of all that was read so far.
  virtual void give_credit() noexcept {}

  // The reader will not look here until it is told of something by its inbox. After a heavy fence
  // it must look once more: what was published before is not told.
  virtual void look_away() noexcept {}
  // The reader looks by itself again.
  virtual void look_again() noexcept {}

  // -- both
  // -----------------------------------------------------------------------------------------

  [[nodiscard]] bool is_stream() const noexcept { return stream_; }
  virtual void set_high_water_marks(std::uint64_t send, std::uint64_t receive) noexcept = 0;

  // Name of the peer: for a ROUTER its routing id.
  std::string routing_id;
  properties_ref properties;
  // Where the pipe stands in the socket's lists; each is kept by the list that it names.
  bool routed = false;             // in the peer table, the load balancer, or the one of a PAIR
  bool readable = false;           // in the fair queue
  std::size_t queue_position = 0;  // where in the fair queue
  unsigned silent_looks = 0;       // of the fair queue, in vain, one after the other

 protected:
  pipe(chunk_ring* out, bool stream) noexcept : out_(out), stream_(stream) {}

  // Recomputes room_limit_ from what the reader or the kernel took.
  [[nodiscard]] virtual bool find_room() noexcept = 0;
  // read_messages_ has reached credit_due_.
  virtual void credit_due() noexcept {}
  // Makes more input available behind cursor_, keeping the bytes from cursor_ to limit_.
  // wanted_bytes: how many the caller needs from cursor_ on, 0 if unknown.
  [[nodiscard]] virtual bool refill(std::size_t wanted_bytes) noexcept = 0;
  // False: enough for now; the pipe sees to it that it is looked at again.
  virtual bool command_received(const std::uint8_t* body, std::size_t size_bytes) noexcept = 0;
  // The peer broke the protocol; no more input is wanted.
  virtual void protocol_broken() noexcept = 0;
  virtual void take_staged(frame_view&) noexcept {}

  void message_taken() noexcept {
    frame_ready_ = reading_ = false;
    if (++read_messages_ >= credit_due_) {
      credit_due();
    }
  }

  // write() of a frame of at most BytesMax that ends its message, in a chunk that is there. False:
  // nothing was done, write() it.
  template <std::size_t BytesMax>
  [[nodiscard]] bool append_short(const std::uint8_t* data, std::size_t size_bytes) noexcept {
    static_assert(BytesMax <= short_frame_body_bytes_max);
    const auto write = [data, size_bytes](std::uint8_t* end) {
      std::uint8_t* const body = end - size_bytes;
      encode_short_header(body - short_frame_header_bytes, size_bytes);
      copy_at_most<BytesMax>(body, data, size_bytes);
    };
    if (!has_known_room() || !out_->publish_here(short_frame_header_bytes + size_bytes, write))
        [[unlikely]] {
      return false;
    }
    ++written_messages_;
    return true;
  }

  // write() by way of the ring; tell(): a message was published.
  template <class Tell>
  [[nodiscard]] int append(const std::uint8_t* data, std::size_t size_bytes, bool more,
                           Tell tell) noexcept {
    std::uint8_t* at = out_->reserve(frame_header_bytes_max + size_bytes);
    if (at == nullptr) [[unlikely]] {
      return ENOMEM;
    }
    const std::size_t header_bytes =
        encode_frame_header(at, size_bytes, more ? flag_more : std::uint8_t{0});
    out_->fill(at + header_bytes, data, size_bytes);
    out_->commit(header_bytes + size_bytes);
    unflushed_bytes += header_bytes + size_bytes;
    if (!more) {
      out_->publish();
      ++written_messages_;
      tell();
    }
    return 0;
  }

  // Outgoing.
  chunk_ring* out_;
  const bool stream_;
  std::uint64_t written_messages_ = 0;
  std::uint64_t room_limit_ = 0;      // write while written_messages_ is below
  std::size_t looked_at_chunks_ = 0;  // of out_, by runs_ahead()
  unsigned vain_waits_ = 0;
  unsigned waits_to_skip_ = 0;
  std::size_t run_ahead_chunks_max_ = 8;

  // Incoming: bytes in [cursor_, limit_).
  static constexpr std::uint8_t no_bytes = 0;
  const std::uint8_t* cursor_ = &no_bytes;
  const std::uint8_t* limit_ = &no_bytes;
  frame_header header_{};
  bool frame_ready_ = false;  // header_ is that of a frame that is here whole
  bool reading_ = false;      // a frame with `more` was taken last
  bool staged_ = false;       // take_staged() has the next frame
  bool input_ended_ = false;
  std::uint64_t frame_bytes_max_ = std::numeric_limits<std::int64_t>::max();  // MAXMSGSIZE
  std::uint64_t read_messages_ = 0;
  std::uint64_t credit_due_ = unlimited;

 private:
  enum class scan_result { whole, command, incomplete, broken };

  // Of a message that take_single() would give without credit being due; -1: there is none.
  [[nodiscard]] int short_body_bytes() const noexcept {
    if (staged_ || frame_ready_ || read_messages_ + 1 >= credit_due_) [[unlikely]] {
      return -1;
    }
    const int body_bytes = decode_short_frame(cursor_, static_cast<std::size_t>(limit_ - cursor_));
    return body_bytes >= 0 && static_cast<std::uint64_t>(body_bytes) > frame_bytes_max_
               ? -1
               : body_bytes;
  }
  bool peek_slow() noexcept;
  scan_result scan(std::size_t& wanted_bytes) noexcept;
  void next_part() noexcept;
};

}  // namespace slk
