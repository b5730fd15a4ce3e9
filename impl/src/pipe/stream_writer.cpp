#include "pipe/stream_writer.hpp"

#include <algorithm>
#include <array>

#include "base/copy_bytes.hpp"
#include "transport/connect.hpp"
#include "wire/frame.hpp"

namespace slk {

flush_result stream_writer::flush() noexcept {
  if (!lock_.try_acquire()) {
    return flush_result::busy;
  }
  const flush_result outcome = flush_locked();
  if (outcome == flush_result::complete) {
    ring_.reset_drained();  // this thread is the producer, and holds the consumer's lock
  }
  lock_.release();
  return outcome;
}

flush_result stream_writer::flush_from_io() noexcept {
  const try_lock_guard guard(lock_);
  return flush_locked();
}

flush_result stream_writer::try_flush_from_io(bool& idle) noexcept {
  idle = false;
  if (!lock_.try_acquire()) {
    return flush_result::busy;
  }
  idle = ring_.front().empty() && !has_control_.load(std::memory_order_relaxed);
  const flush_result outcome = idle ? flush_result::complete : flush_locked();
  lock_.release();
  return outcome;
}

flush_result stream_writer::flush_locked() noexcept {
  if (fd_ < 0) {
    return sealed_ != nullptr ? flush_sealed() : flush_result::no_stream;
  }
  // pairs with: published_count(); invariant 3
  const std::uint64_t published = published_messages_.load(std::memory_order_acquire);
  if (control_begun_) [[unlikely]] {
    if (const flush_result outcome = send_control(); outcome != flush_result::complete) {
      return outcome;
    }
  }
  for (auto front = ring_.front(); !front.empty(); front = ring_.front()) {
    const io_outcome sent = send_front(front);
    if (sent.what == io_outcome::kind::blocked) {
      return flush_result::blocked;
    }
    if (sent.what == io_outcome::kind::ended) {
      return broken();
    }
    ring_.consume_across(sent.bytes);
    note_sent(sent.bytes);
    if (raw_tail_bytes_ > 0) [[unlikely]] {
      raw_tail_bytes_ -= sent.bytes;
      if (raw_tail_bytes_ == 0) {
        ring_.mark_boundary();
      }
    }
  }
  flushed_messages_.store(published, std::memory_order_release);  // pairs with: flushed_messages()
  if (has_control_.load(std::memory_order_relaxed)) [[unlikely]] {
    return send_control();
  }
  return flush_result::complete;
}

io_outcome stream_writer::send_front(std::span<const std::uint8_t> front) noexcept {
  if (raw_tail_bytes_ > 0) {
    // The rest of a direct send goes alone, so that its end is known as a message boundary.
    return send_some(fd_, front.data(), piece_bytes(std::min(raw_tail_bytes_, front.size())));
  }
  if (const flow seen = flow_seen(); seen.unit_bytes > 0) {
    std::array<std::span<const std::uint8_t>, send_parts_max> parts;
    const std::size_t count = ring_.fronts(parts);
    if (count > 1) {
      return send_some(fd_, std::span(parts).first(count),
                       std::size_t{seen.units_max} * seen.unit_bytes);
    }
  }
  return send_some(fd_, front.data(), piece_bytes(front.size()));
}

flush_result stream_writer::flush_sealed() noexcept {
  // pairs with: published_count(); invariant 3
  const std::uint64_t published = published_messages_.load(std::memory_order_acquire);
  if (control_begun_) {
    if (const flush_result outcome = send_control_sealed(); outcome != flush_result::complete) {
      return outcome;
    }
  }
  for (auto front = ring_.front(); !front.empty(); front = ring_.front()) {
    std::size_t done_bytes = 0;
    const flush_result outcome = send_sealed(front, done_bytes);
    ring_.consume(done_bytes);
    if (outcome != flush_result::complete) {
      return outcome;
    }
  }
  flushed_messages_.store(published, std::memory_order_release);  // pairs with: flushed_messages()
  return has_control_.load(std::memory_order_relaxed) ? send_control_sealed()
                                                      : flush_result::complete;
}

// Sends on, or begins with, a batch of frames. done_bytes: those that are with the kernel.
flush_result stream_writer::send_sealed(std::span<const std::uint8_t> frames,
                                        std::size_t& done_bytes) noexcept {
  if (sealed_->unsent().empty()) {
    try {
      sealed_->seal(frames);
    } catch (...) {
      abort_connection(sealed_->fd());  // no memory, and nonces are spent
      return broken();
    }
  }
  for (auto unsent = sealed_->unsent(); !unsent.empty(); unsent = sealed_->unsent()) {
    const io_outcome sent = send_some(sealed_->fd(), unsent.data(), piece_bytes(unsent.size()));
    if (sent.what == io_outcome::kind::blocked) {
      return flush_result::blocked;
    }
    if (sent.what == io_outcome::kind::ended) {
      return broken();
    }
    done_bytes += sealed_->sent(sent.bytes, frames.subspan(done_bytes));
    note_sent(sent.bytes);
  }
  return flush_result::complete;
}

// As send_control(). What is sealed is not taken up again: begun, it goes out whole or not at all.
flush_result stream_writer::send_control_sealed() noexcept {
  while (!control_.empty()) {
    control_begun_ = true;
    std::size_t done_bytes = 0;
    const flush_result outcome = send_sealed(control_, done_bytes);
    control_.erase(control_.begin(), control_.begin() + static_cast<std::ptrdiff_t>(done_bytes));
    if (outcome != flush_result::complete) {
      return outcome;
    }
  }
  control_begun_ = false;
  has_control_.store(false, std::memory_order_relaxed);  // under lock_
  return flush_result::complete;
}

// The ring is drained: the wire is between two messages.
flush_result stream_writer::send_control() noexcept {
  const io_outcome sent = send_some(fd_, control_.data(), control_.size());
  if (sent.what == io_outcome::kind::blocked) {
    return flush_result::blocked;
  }
  if (sent.what == io_outcome::kind::ended) {
    return broken();
  }
  if (sent.bytes < control_.size()) {
    control_.erase(control_.begin(), control_.begin() + static_cast<std::ptrdiff_t>(sent.bytes));
    control_begun_ = true;  // messages wait until the rest is out
    return flush_result::blocked;
  }
  control_.clear();
  control_begun_ = false;
  has_control_.store(false, std::memory_order_relaxed);  // under lock_
  return flush_result::complete;
}

// The I/O thread sees the same hang-up and closes; until then there is nothing to send to.
flush_result stream_writer::broken() noexcept {
  return flush_result::no_stream;
}

std::size_t stream_writer::piece_bytes(std::size_t size_bytes) const noexcept {
  if (segment_bytes_ == 0 || size_bytes <= segment_bytes_) {
    return size_bytes;
  }
  // Even pieces: a short last one is what pacing congestion controls punish.
  const std::size_t pieces = (size_bytes + segment_bytes_ - 1) / segment_bytes_;
  return (size_bytes + pieces - 1) / pieces;
}

// In full flow. A connection over loopback begins with segments of 32 KiB, and has some of 64 KiB
// once its peer announces a large window. A send costs as much as 33 KiB of its bytes (measured:
// 4.5 us, and 0.14 ns a byte), so a batch should fill a segment, and several at once are cheaper
// yet: messages of 1 KiB, million a second, with one / two / three / six / eight / twelve segments
// a send 4.43 / 4.64 / 4.84 / 5.06 / 5.21 / 5.39 from bare sockets; of ours, more than twelve gain
// nothing. It makes even the copy worth it that lets large frames go together: thousand frames a
// second sent directly, and gathered, 20'000 B 121 and 259, 32 KiB 102 and 150, 64 KiB 63 and 75.
// ipc has no segments, and gains from neither.
void stream_writer::follow_flow() noexcept {
  constexpr unsigned sends_per_look = 16;  // a look costs a system call
  constexpr std::uint16_t segments_per_batch = 12;
  constexpr flow ipc_flow = {32 * 1024, 6, false};
  if (++full_sends_ % sends_per_look != 0) {
    return;
  }
  const auto segment = static_cast<std::size_t>(max_segment_bytes(fd_));
  const bool grown = segment > first_segment_bytes_;
  segment_bytes_ = grown ? segment : first_segment_bytes_;
  may_grow_ = segment != 0;
  const flow tcp_flow = {static_cast<std::uint32_t>(segment), segments_per_batch, true};
  const flow seen = grown ? tcp_flow : segment == 0 ? ipc_flow : flow{};
  flow_.store(seen, std::memory_order_relaxed);  // a hint
}

void stream_writer::note_sent(std::size_t size_bytes) noexcept {
  // Written under lock_ only, so load and store need not be one operation.
  flush_count_.store(flush_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (may_grow_ && size_bytes >= full_send_bytes) {
    follow_flow();
  }
}

// Sent in whole segments, so many bytes leave a few.
bool stream_writer::leaves_short_rest(std::size_t size_bytes) const noexcept {
  return segment_bytes_ > 0 && size_bytes > segment_bytes_ &&
         size_bytes % segment_bytes_ <= carried_bytes_max;
}

// Of a frame whose beginning is with the kernel.
bool stream_writer::keep_rest(std::span<const std::uint8_t> head,
                              std::span<const std::uint8_t> body) noexcept {
  ring_.reset_drained();
  std::uint8_t* const at = ring_.reserve(head.size() + body.size());
  if (at == nullptr) {
    return false;
  }
  std::copy(head.begin(), head.end(), at);
  copy_bytes(at + head.size(), body.data(), body.size());
  ring_.commit(head.size() + body.size());
  ring_.publish();
  raw_tail_bytes_ = head.size() + body.size();
  return true;
}

stream_writer::direct_outcome stream_writer::send_direct(std::span<const std::uint8_t> header,
                                                         std::span<const std::uint8_t> body,
                                                         bool may_carry) noexcept {
  if (!lock_.try_acquire()) {
    return {direct_outcome::kind::refused, 0};
  }
  const direct_outcome outcome = send_direct_locked(header, body, may_carry);
  lock_.release();
  return outcome;
}

stream_writer::direct_outcome stream_writer::send_direct_locked(
    std::span<const std::uint8_t> header, std::span<const std::uint8_t> body,
    bool may_carry) noexcept {
  // The rest of the frame in front, which this one takes along, and this one's header.
  std::array<std::uint8_t, carried_bytes_max + frame_header_bytes_max> head;
  const std::size_t rest_bytes = raw_tail_bytes_;
  may_carry = may_carry && rest_bytes <= carried_bytes_max &&
              leaves_short_rest(rest_bytes + header.size() + body.size());
  const std::span<const std::uint8_t> front = ring_.front();
  if (fd_ < 0 || has_control_.load(std::memory_order_relaxed) ||
      (!front.empty() && !(may_carry && front.size() == rest_bytes && ring_.front_is_all()))) {
    return {direct_outcome::kind::refused, 0};
  }
  std::copy(front.begin(), front.end(), head.begin());
  std::copy(header.begin(), header.end(), head.begin() + static_cast<std::ptrdiff_t>(rest_bytes));
  const std::size_t head_bytes = rest_bytes + header.size();
  const std::size_t total_bytes = head_bytes + body.size();
  std::size_t sent_bytes = 0;
  while (sent_bytes < total_bytes) {
    const std::size_t unsent_bytes = total_bytes - sent_bytes;
    if (may_carry && unsent_bytes <= carried_bytes_max) {
      break;
    }
    const std::size_t piece =
        may_carry ? std::min(unsent_bytes, segment_bytes_) : piece_bytes(unsent_bytes);
    const std::size_t head_sent = std::min(head_bytes, sent_bytes);
    const std::span<const std::uint8_t> head_left(head.data() + head_sent, head_bytes - head_sent);
    const std::size_t body_at = sent_bytes - head_sent;
    const io_outcome sent =
        head_left.empty() ? send_some(fd_, body.data() + body_at, piece)
                          : send_some(fd_, head_left,
                                      body.first(std::min(piece - head_left.size(), body.size())));
    if (sent.what != io_outcome::kind::done) {
      may_carry = false;
      break;  // a broken connection looks the same: the rest goes with it
    }
    sent_bytes += sent.bytes;
    note_sent(sent.bytes);
  }
  if (rest_bytes > 0) {
    const std::size_t taken_along = std::min(rest_bytes, sent_bytes);
    ring_.consume(taken_along);
    raw_tail_bytes_ -= taken_along;
    if (raw_tail_bytes_ == 0) {
      ring_.mark_boundary();
    }
  }
  if (sent_bytes <= rest_bytes) {
    return {direct_outcome::kind::refused, 0};
  }
  const std::size_t left_bytes = total_bytes - sent_bytes;
  if (left_bytes == 0) {
    return {direct_outcome::kind::sent, 0};
  }
  const std::size_t head_sent = std::min(head_bytes, sent_bytes);
  if (!keep_rest({head.data() + head_sent, head_bytes - head_sent},
                 body.subspan(sent_bytes - head_sent))) {
    abort_connection(fd_);  // no memory for the rest, and the head is on the wire
  }
  return {may_carry ? direct_outcome::kind::carried : direct_outcome::kind::queued, left_bytes};
}

int stream_writer::fd() noexcept {
  const try_lock_guard guard(lock_);
  return descriptor();
}

void stream_writer::open(int fd, std::size_t segment_bytes) noexcept {
  const try_lock_guard guard(lock_);
  fd_ = fd;
  segment_bytes_ = first_segment_bytes_ = segment_bytes;
  may_grow_ = segment_bytes > 0;
  flow_.store({}, std::memory_order_relaxed);  // a hint
}

void stream_writer::open(std::unique_ptr<sealed_output> sealed,
                         std::size_t segment_bytes) noexcept {
  const try_lock_guard guard(lock_);
  sealed_ = std::move(sealed);
  segment_bytes_ = segment_bytes;
  may_grow_ = false;
}

void stream_writer::close() noexcept {
  const try_lock_guard guard(lock_);
  fd_ = -1;
  sealed_.reset();
  control_.clear();
  control_begun_ = false;
  has_control_.store(false, std::memory_order_relaxed);  // under lock_
  rewind_to_message();
}

void stream_writer::rewind_to_message() noexcept {
  if (raw_tail_bytes_ > 0) {
    // Its head went into the dead connection from the caller's buffer: the message is lost.
    for (auto front = ring_.front(); raw_tail_bytes_ > 0 && !front.empty(); front = ring_.front()) {
      const std::size_t dropped = std::min(raw_tail_bytes_, front.size());
      ring_.consume(dropped);
      raw_tail_bytes_ -= dropped;
    }
    ring_.mark_boundary();
    return;
  }
  const auto [bytes, consumed] = ring_.since_boundary();
  std::size_t message_at = 0;
  std::size_t at = 0;
  while (at < consumed) {
    frame_header header;
    if (!decode_frame_header(bytes.data() + at, bytes.size() - at, header)) {
      return;  // cannot be: the ring holds what append() encoded
    }
    at += header.header_bytes + static_cast<std::size_t>(header.body_bytes);
    if (!header.more() && at <= consumed) {
      message_at = at;
    } else if (!header.more()) {
      break;
    }
  }
  ring_.unconsume(consumed - message_at);
}

void stream_writer::queue_control(std::span<const std::uint8_t> frame) noexcept {
  const try_lock_guard guard(lock_);
  if (control_.size() + frame.size() > control_bytes_max) {
    return;
  }
  try {
    control_.insert(control_.end(), frame.begin(), frame.end());
  } catch (...) {
    return;  // out of memory, which peers must bear as they do a lost PING
  }
  has_control_.store(true, std::memory_order_relaxed);  // under lock_
}

void stream_writer::abort() noexcept {
  const try_lock_guard guard(lock_);
  if (descriptor() >= 0) {
    abort_connection(descriptor());
  }
}

bool stream_writer::has_unsent() noexcept {
  const try_lock_guard guard(lock_);
  return !ring_.front().empty();
}

bool stream_writer::has_anything_to_send() noexcept {
  const try_lock_guard guard(lock_);
  return descriptor() >= 0 &&
         (!ring_.front().empty() || has_control_.load(std::memory_order_relaxed));
}

bool stream_writer::is_open() noexcept {
  const try_lock_guard guard(lock_);
  return descriptor() >= 0;
}

}  // namespace slk
