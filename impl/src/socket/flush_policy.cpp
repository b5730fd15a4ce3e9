#include "socket/flush_policy.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "socket/flush_streak.hpp"

namespace slk {

namespace {

// Measured: smaller batches cost throughput at 64 B; larger ones gain where they fill a segment.
constexpr std::size_t batch_bytes = 32 * 1024;
constexpr std::size_t total_bytes_max = 1024 * 1024;
// Of more, filling a batch takes longer than its reader stays awake without one. Batches of six
// segments, million messages of 64 B a second: without such a limit 24, with it 44.
constexpr std::uint64_t batch_messages_max = 1024;
constexpr std::uint64_t gap_us = 3;
constexpr unsigned streak_of_burst = 4;
// How often a pipe's share of the total is counted anew.
constexpr std::size_t count_step_bytes = 4 * 1024;
// A socket that is sent on less often is idle, however busy its thread is with others.
constexpr std::uint64_t turn_us = 1000;
// Longer than the patrol needs to find a pipe idle and disarm it.
constexpr std::uint64_t idle_us = 150;

// When this thread last finished a flush, or decided on one, for any socket. A thread that deals
// its messages over many sockets is busy, although each of them alone looks idle: the gap between
// two of its messages would be the system calls for all the others.
thread_local std::uint64_t thread_active_ticks = 0;

// Of all sockets of this thread.
thread_local flush_streak streak_of_thread;

// Whole units, as many as the high water mark lets in of messages like the first one. Full is one
// when another such message would not fit. 0: there are no units.
std::size_t units_bytes(const stream_pipe& pipe) noexcept {
  const stream_writer::flow flow = pipe.writer().flow_seen();
  const std::size_t message_bytes = pipe.unflushed_bytes;
  if (flow.unit_bytes == 0) {
    return 0;
  }
  const std::size_t unit_bytes = flow.unit_bytes;
  const std::size_t units_max =
      std::min<std::size_t>(flow.units_max, streak_of_thread.units_for(pipe));
  const std::uint64_t mark = pipe.send_mark();
  const std::uint64_t messages =
      mark == 0 ? batch_messages_max : std::min(mark, batch_messages_max);
  const std::size_t units =
      std::clamp<std::size_t>(messages * message_bytes / unit_bytes, 1, units_max);
  return units * unit_bytes - std::min(unit_bytes, message_bytes);
}

}  // namespace

std::uint64_t flush_policy::large_frame_comes(stream_pipe& pipe) noexcept {
  if (!burst_) {
    pipe.flushing.gathers = false;
    return ticks();
  }
  streak_of_thread.flushed(pipe);  // as good as
  pipe.flushing.gathers = streak_of_thread.units_for(pipe) > 1;
  return 0;
}

void flush_policy::decide(stream_pipe& pipe, std::uint64_t came_ticks) noexcept {
  pipe.flushing.burst = &burst_;
  if (!burst_) {
    const std::uint64_t now = came_ticks != 0 ? came_ticks : ticks();
    const bool close = (now - thread_active_ticks < ticks_from_us(gap_us) &&
                        now - idle_since_ticks_ < ticks_from_us(turn_us)) ||
                       !timed_waits();
    streak_ = close ? streak_ + 1 : 0;
    if (streak_ < streak_of_burst) {
      flush(pipe);
      // From here: what the system call took says nothing about how busy the application is.
      idle_since_ticks_ = thread_active_ticks = ticks();
      return;
    }
    burst_ = true;
    streak_of_thread.restart_with(pipe);
    last_activity_ticks_ = now;
  }
  if (pipe.flushing.offline) [[unlikely]] {
    flush(pipe);
    return;
  }
  if (pipe.unflushed_bytes == 0) {
    return;  // a large frame went out by itself
  }
  if (!pipe.patrol_watches()) [[unlikely]] {
    const std::uint64_t now = ticks();
    if (now - last_activity_ticks_ > ticks_from_us(idle_us) && timed_waits()) {
      flush_all();
      flush(pipe);
      idle_since_ticks_ = thread_active_ticks = ticks();
      return;
    }
    last_activity_ticks_ = thread_active_ticks = now;
    pipe.arm();
  }
  enlist(pipe);
  if (pipe.unflushed_bytes >= pipe.flushing.flush_at_bytes) {
    last_activity_ticks_ = ticks();
    pipe.note_batch(last_activity_ticks_);
    flush(pipe);
    thread_active_ticks = ticks();
  } else if (total_bytes_ >= total_bytes_max) [[unlikely]] {
    flush_oldest();
  }
}

void flush_policy::flush(stream_pipe& pipe) noexcept {
  streak_of_thread.flushed(pipe);
  switch (pipe.flush()) {
    case flush_result::complete:
      pipe.flushing.offline = false;
      pipe.unflushed_bytes = 0;
      delist(pipe);
      break;
    case flush_result::no_stream:
      // Opening the next connection flushes what is there; until then there is nothing to do.
      pipe.flushing.offline = true;
      pipe.unflushed_bytes = 0;
      delist(pipe);
      break;
    case flush_result::blocked:
      // Asking again before another batch has gathered would be a futile call per message.
      pipe.flushing.offline = false;
      enlist(pipe);
      pipe.flushing.flush_at_bytes = pipe.unflushed_bytes + batch_bytes;
      look_later(pipe);
      pipe.arm();
      break;
    case flush_result::busy:
      enlist(pipe);
      pipe.arm();
      break;
  }
}

void flush_policy::flush_oldest() noexcept {
  stream_pipe& pipe = *oldest_;
  last_activity_ticks_ = ticks();
  flush(pipe);
  if (pipe.flushing.dirty) {
    // Blocked: the next oldest gets its turn, and this one comes back at the end.
    delist(pipe);
    enlist(pipe);
  }
}

void flush_policy::flush_all() noexcept {
  leave_burst();  // outside of it every message is decided on
  for (stream_pipe* pipe = oldest_; pipe != nullptr;) {
    stream_pipe* next = pipe->flushing.next;
    flush(*pipe);
    pipe = next;
  }
}

void flush_policy::leave_burst() noexcept {
  burst_ = false;
  streak_ = 0;
}

void flush_policy::forget(stream_pipe& pipe) noexcept {
  pipe.flushing.burst = nullptr;
  delist(pipe);
}

void flush_policy::enlist(stream_pipe& pipe) noexcept {
  auto& state = pipe.flushing;
  if (!state.dirty) {
    state.dirty = true;
    state.flush_at_bytes = std::max(batch_bytes, units_bytes(pipe));
    state.counted_bytes = 0;
    state.next = nullptr;
    state.previous = newest_;
    (newest_ != nullptr ? newest_->flushing.next : oldest_) = &pipe;
    newest_ = &pipe;
  }
  total_bytes_ += pipe.unflushed_bytes - state.counted_bytes;
  state.counted_bytes = pipe.unflushed_bytes;
  look_later(pipe);
}

void flush_policy::look_later(stream_pipe& pipe) noexcept {
  auto& state = pipe.flushing;
  state.look_at_bytes =
      burst_ ? std::min(state.flush_at_bytes, pipe.unflushed_bytes + count_step_bytes) : 0;
}

void flush_policy::delist(stream_pipe& pipe) noexcept {
  auto& state = pipe.flushing;
  if (!state.dirty) {
    return;
  }
  state.dirty = false;
  state.look_at_bytes = 0;
  total_bytes_ -= state.counted_bytes;
  (state.previous != nullptr ? state.previous->flushing.next : oldest_) = state.next;
  (state.next != nullptr ? state.next->flushing.previous : newest_) = state.previous;
}

}  // namespace slk
