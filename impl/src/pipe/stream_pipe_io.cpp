// What the I/O thread does with a stream pipe: connections that come and go, the patrol, PINGs.

#include <algorithm>
#include <array>

#include "base/clock.hpp"
#include "pipe/stream_pipe.hpp"
#include "wire/command.hpp"

namespace slk {

namespace {

// An application that flushes at least this often needs nobody to look after it.
constexpr std::uint64_t batch_gap_us = 100;
// Looks in a row that find all sent before the pipe is left alone: of an application that sends
// nothing, and of one that sends by itself, as in a conversation. To that one every look is a loss:
// it takes the processor away for as long as several round trips.
constexpr unsigned idle_looks_of_silent = 2;
constexpr unsigned idle_looks_of_flushing = 4;

}  // namespace

void stream_pipe::open(stream_owner& session, int fd, std::size_t segment_bytes,
                       std::span<const std::uint8_t> early, const curve_traffic_keys* keys) {
  auto sealed_in =
      keys == nullptr ? nullptr : std::make_unique<sealed_input>(fd, *keys, frame_bytes_max_);
  auto sealed_out = keys == nullptr ? nullptr : std::make_unique<sealed_output>(fd, *keys);
  session_ = &session;
  peer_ttl_tenths_.store(0, std::memory_order_relaxed);
  peer_pings_.store(false, std::memory_order_relaxed);
  if (sealed_in != nullptr) {
    reader_.open(std::move(sealed_in), early);
    writer_.open(std::move(sealed_out), segment_bytes);
  } else {
    reader_.open(fd, early);
    writer_.open(fd, segment_bytes);
  }
  waiting_writable_ = false;
  flush_on_io_thread();
  room_changed();
}

void stream_pipe::flush_on_io_thread() noexcept {
  if (writer_.flush_from_io() == flush_result::blocked && session_ != nullptr) {
    wait_until_writable();
  }
}

void stream_pipe::close(bool keep_received) noexcept {
  session_ = nullptr;
  writer_.close();
  reader_.close(keep_received);
  end_waiting();
}

bool stream_pipe::writable() noexcept {
  const flush_result outcome = writer_.flush_from_io();
  room_changed();
  if (outcome == flush_result::blocked) {
    return false;
  }
  end_waiting();
  return true;
}

void stream_pipe::wait_until_writable() noexcept {
  waiting_writable_ = true;
  // The patrol leaves waiting pipes alone. If the application has armed it, the pipe is on the list
  // or about to be; else it is kept off it.
  if (!armed_.exchange(true, std::memory_order_acq_rel)) {  // pairs with: arm()
    parked_ = true;
  }
  session_->want_writable();
}

// Back to the patrol, which disarms the pipe when it is idle.
void stream_pipe::end_waiting() noexcept {
  waiting_writable_ = false;
  if (parked_) {
    parked_ = false;
    io_.arm(std::static_pointer_cast<stream_pipe>(shared_from_this()));
  }
}

patrolled::look stream_pipe::on_patrol() noexcept {
  if (waiting_writable_) {
    parked_ = true;
    return look::idle;  // end_waiting() puts it back on the list
  }
  const std::uint32_t flushes = writer_.flush_count();
  const bool application_flushed = flushes != patrol_flush_count_;
  trickle_.look(application_flushed);
  if (application_flushed) {
    patrol_flush_count_ = flushes;
    // Clocks of two cores may differ by a little: a batch of the future is one of now.
    const auto since = static_cast<std::int64_t>(
        ticks() - last_batch_ticks_.load(std::memory_order_relaxed));  // pairs with: note_batch()
    if (since < static_cast<std::int64_t>(ticks_from_us(batch_gap_us))) {
      idle_looks_ = 0;
      return look::busy;
    }
  }
  bool idle = false;
  const std::uint64_t flushed_messages = writer_.flushed_messages();
  switch (writer_.try_flush_from_io(idle)) {
    case flush_result::busy:
      return look::watch;  // the application is at it
    case flush_result::blocked:
      idle_looks_ = 0;
      if (session_ == nullptr) {
        return look::watch;
      }
      waiting_writable_ = parked_ = true;
      session_->want_writable();
      return look::idle;  // stays armed
    case flush_result::no_stream:
      break;  // the next connection sends what there is
    case flush_result::complete:
      if (!idle) {
        idle_looks_ = 0;
        room_changed();
        patrol_flush_count_ = writer_.flush_count();
        if (!trickle_.found(writer_.flushed_messages() - flushed_messages)) {
          return look::watch;
        }
        break;
      }
      if (++idle_looks_ < (application_flushed ? idle_looks_of_flushing : idle_looks_of_silent)) {
        return look::watch;
      }
      break;
  }
  idle_looks_ = 0;
  trickle_.end();
  armed_.exchange(false, std::memory_order_acq_rel);  // pairs with: arm(), patrol_watches()
  heavy_fence();
  if (writer_.has_anything_to_send() && !armed_.exchange(true, std::memory_order_acq_rel)) {
    return look::watch;
  }
  // All is sent, by whomever; but this thread may have held the lock whenever the application
  // looked. pairs with: find_room(), which comes before the exchange of armed_ by whoever waits
  if (idle && room_wanted_.load(std::memory_order_relaxed)) {
    room_changed();
  }
  return look::idle;
}

void stream_pipe::attend_silence() noexcept {
  bool legal = true;
  try {
    bool received = false;
    legal = reader_.take_over(
        frame_bytes_max_, received,
        [this](std::span<const std::uint8_t> command) { answer_if_ping(command); });
    untold_input_ = untold_input_ || received;
    if (untold_input_) {
      inbox_->post({socket_event::kind::received, shared_from_this(), {}, {}});
      untold_input_ = false;
    }
  } catch (...) {
    // Out of memory: what was not taken or told is so the next time.
  }
  if (writer_.has_control()) {
    flush_on_io_thread();
  }
  if (!legal && session_ != nullptr) {
    session_->peer_broke_protocol();
  }
}

void stream_pipe::ping(std::uint16_t ttl_tenths) noexcept {
  std::array<std::uint8_t, ping_frame_bytes_max> frame;
  writer_.queue_control({frame.data(), encode_ping(frame.data(), ttl_tenths, {})});
  if (writer_.has_control()) {
    flush_on_io_thread();
  }
}

void stream_pipe::discard_input() noexcept {
  frame_view ignored;
  vain_work_ = 0;  // all of it is; what is left in the kernel is seen in the next round
  while (peek()) {
    take(ignored);
  }
}

void stream_pipe::room_changed() noexcept {
  inbox_->signal().wake_if_sleeping();
}

}  // namespace slk
