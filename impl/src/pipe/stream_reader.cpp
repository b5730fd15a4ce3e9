#include "pipe/stream_reader.hpp"

#include <algorithm>
#include <array>
#include <new>

#include "base/copy_bytes.hpp"
#include "transport/stream_io.hpp"

namespace slk {

// One writer, so load and store need not be one operation.
void stream_reader::count_read() noexcept {
  reads_.store(reads_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Under lock_, so the same holds.
void stream_reader::count_arrival() noexcept {
  arrivals_.store(arrivals_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// REQUIRES: lock_ held: take_over() looks at the slab, too.
bool stream_reader::make_slab() noexcept {
  if (slab_ == nullptr) {
    slab_.reset(new (std::nothrow) std::uint8_t[slab_bytes]);
  }
  return slab_ != nullptr;
}

stream_reader::outcome stream_reader::read_more(std::span<const std::uint8_t> unread) noexcept {
  count_read();
  const try_lock_guard guard(lock_);
  if (!make_slab()) {
    return outcome::nothing;
  }
  if (!unread.empty() && unread.data() != slab_.get()) {
    move_bytes_down(slab_.get(), unread.data(), unread.size());
  }
  filled_bytes_ = unread.size();
  slab_aligned_ = true;
  if (abandoned_) {
    return outcome::nothing;
  }
  if (filled_bytes_ == slab_bytes) {
    return outcome::full;
  }
  std::size_t read_bytes = 0;
  const std::span<std::uint8_t> room{slab_.get() + filled_bytes_, slab_bytes - filled_bytes_};
  if (!left_.empty()) [[unlikely]] {
    const outcome result = take_left_over(room, read_bytes);
    filled_bytes_ = result == outcome::restart ? 0 : filled_bytes_ + read_bytes;
    return result;
  }
  const outcome result = read_descriptor(room, {}, read_bytes);
  filled_bytes_ += read_bytes;
  return result;
}

stream_reader::outcome stream_reader::read_direct(std::span<std::uint8_t> into, bool beyond,
                                                  std::size_t& direct_bytes) noexcept {
  direct_bytes = 0;
  count_read();
  const try_lock_guard guard(lock_);
  if (!make_slab()) {
    return outcome::nothing;
  }
  filled_bytes_ = 0;
  slab_aligned_ = false;
  if (abandoned_) {
    return outcome::nothing;
  }
  if (!left_.empty()) {
    const outcome result = take_left_over(into, direct_bytes);
    slab_aligned_ = beyond && direct_bytes == into.size();
    return result;
  }
  std::size_t read_bytes = 0;
  const std::span<std::uint8_t> slab{slab_.get(), beyond ? slab_bytes : 0};
  const outcome result = read_descriptor(into, slab, read_bytes);
  direct_bytes = std::min(read_bytes, into.size());
  filled_bytes_ = read_bytes - direct_bytes;
  slab_aligned_ = beyond && direct_bytes == into.size();
  return result;
}

std::size_t stream_reader::left_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const left_over& rest : left_) {
    bytes += rest.bytes.size();
  }
  return bytes;
}

// REQUIRES: lock_ held.
void stream_reader::read_ahead() {
  std::array<std::uint8_t, 16 * 1024> step;
  std::size_t held_bytes = left_bytes();
  while (held_bytes < taken_over_bytes_max && !drained_) {
    left_over& ahead = left_.emplace_back();
    ahead.bytes.reserve(step.size());
    const io_outcome got = receive_some(fd_, step.data(), step.size());
    if (got.what != io_outcome::kind::done) {
      left_.pop_back();
      break;  // the end of the stream is reported by the poller, too
    }
    count_arrival();
    ahead.bytes.assign(step.begin(), step.begin() + static_cast<std::ptrdiff_t>(got.bytes));
    ahead.bytes.shrink_to_fit();
    held_bytes += got.bytes;
  }
}

// REQUIRES: lock_ held, left_ not empty, `into` not empty.
stream_reader::outcome stream_reader::take_left_over(std::span<std::uint8_t> into,
                                                     std::size_t& taken_bytes) noexcept {
  left_over& first = left_.front();
  taken_bytes = std::min(first.bytes.size() - first.read_bytes, into.size());
  if (taken_bytes > 0) {
    copy_bytes(into.data(), first.bytes.data() + first.read_bytes, taken_bytes);
    first.read_bytes += taken_bytes;
    if (first.read_bytes == first.bytes.size() && !first.ends_stream) {
      left_.pop_front();  // take_over() would take it for one that is being read
      ready_ = true;
    }
    return outcome::bytes;
  }
  const bool ended = first.ends_stream;
  left_.pop_front();
  ready_ = true;
  return ended ? outcome::restart : outcome::bytes;
}

// REQUIRES: lock_ held.
stream_reader::outcome stream_reader::read_descriptor(std::span<std::uint8_t> first,
                                                      std::span<std::uint8_t> second,
                                                      std::size_t& read_bytes) noexcept {
  if (fd_ < 0 || drained_ || (rely_on_edges_ && !ready_)) {
    return sealed_ != nullptr ? read_sealed(first, read_bytes) : outcome::nothing;
  }
  const io_outcome got = second.empty() ? receive_some(fd_, first.data(), first.size())
                                        : receive_some(fd_, first, second);
  read_bytes = got.bytes;
  switch (got.what) {
    case io_outcome::kind::done:
      count_arrival();
      // Less than asked for: the kernel's buffer is empty, and the next arrival is a new edge.
      // Not so behind a hang-up, which has had its edge already.
      ready_ = hang_up_ || got.bytes == first.size() + second.size();
      return outcome::bytes;
    case io_outcome::kind::blocked:
      ready_ = false;
      return outcome::nothing;
    case io_outcome::kind::ended:
      // The I/O thread sees the same and ends the stream in left_.
      drained_ = true;
      ready_ = false;
      return outcome::nothing;
  }
  return outcome::nothing;
}

void stream_reader::watch(ready_set& set, void* tag) noexcept {
  const try_lock_guard guard(lock_);
  ready_ = true;
  hang_up_ = false;
  if (descriptor() >= 0) {
    watched_by_ = &set;
    set.add(descriptor(), tag);
  }
}

void stream_reader::unwatch(ready_set& set) noexcept {
  const try_lock_guard guard(lock_);
  if (descriptor() >= 0) {
    set.remove(descriptor());
  }
  watched_by_ = nullptr;
}

void stream_reader::abandon() noexcept {
  const try_lock_guard guard(lock_);
  abandoned_ = true;
  left_.clear();
  filled_bytes_ = 0;
}

void stream_reader::open(int fd, std::span<const std::uint8_t> early) {
  std::list<left_over> end_mark;
  end_mark.push_back({{}, 0, true, false});
  const try_lock_guard guard(lock_);
  if (!early.empty()) {
    left_.push_back({{early.begin(), early.end()}, 0, false, false});
  }
  end_mark_ = std::move(end_mark);
  fd_ = fd;
  drained_ = false;
}

void stream_reader::open(std::unique_ptr<sealed_input> sealed,
                         std::span<const std::uint8_t> early) {
  std::list<left_over> fresh;
  fresh.emplace_back();
  sealed->open(early, fresh.front().bytes);
  if (fresh.front().bytes.empty()) {
    fresh.clear();
  }
  open(-1, {});
  const try_lock_guard guard(lock_);
  left_.splice(left_.end(), fresh);
  sealed_ = std::move(sealed);
}

// REQUIRES: lock_ held, left_ empty, `into` not empty.
stream_reader::outcome stream_reader::read_sealed(std::span<std::uint8_t> into,
                                                  std::size_t& read_bytes) noexcept {
  if (sealed_->broken()) {
    return outcome::broken;
  }
  if (drained_ || (rely_on_edges_ && !ready_)) {
    return outcome::nothing;
  }
  try {
    std::vector<std::uint8_t>& frames = left_.emplace_back().bytes;
    const io_outcome got = sealed_->read(frames);
    drained_ = got.what == io_outcome::kind::ended;  // the I/O thread sees the same
    ready_ = got.what == io_outcome::kind::done &&
             (hang_up_ || got.bytes == sealed_input::read_bytes_max);
    if (frames.empty()) {
      left_.pop_back();
    }
    if (got.what != io_outcome::kind::done) {
      return outcome::nothing;
    }
    count_arrival();
    return left_.empty() ? outcome::bytes : take_left_over(into, read_bytes);
  } catch (...) {
    // Out of memory. If bytes were lost with it, the next look finds the connection broken.
    return sealed_->broken() ? outcome::bytes : outcome::nothing;
  }
}

// REQUIRES: lock_ held.
void stream_reader::read_ahead_sealed() {
  while (left_bytes() + sealed_->pending_bytes() < taken_over_bytes_max && !drained_ &&
         !sealed_->broken()) {
    std::vector<std::uint8_t>& frames = left_.emplace_back().bytes;
    const io_outcome got = sealed_->read(frames);
    if (frames.empty()) {
      left_.pop_back();
    }
    if (got.what != io_outcome::kind::done) {
      break;  // the end of the stream is reported by the poller, too
    }
    count_arrival();
  }
}

// REQUIRES: lock_ held.
void stream_reader::drain_sealed(std::vector<std::uint8_t>& into) noexcept {
  try {
    while (sealed_->read(into).what == io_outcome::kind::done && !sealed_->broken()) {
    }
  } catch (...) {
    // Out of memory: the rest is lost with the connection.
  }
}

void stream_reader::close(bool keep_received) noexcept {
  const try_lock_guard guard(lock_);
  if (descriptor() < 0) {
    return;
  }
  left_over& rest = end_mark_.front();
  if (keep_received && !abandoned_ && !drained_ && sealed_ != nullptr) {
    drain_sealed(rest.bytes);
  } else if (keep_received && !abandoned_ && !drained_) {
    constexpr std::size_t step_bytes = 64 * 1024;
    for (;;) {
      const std::size_t have = rest.bytes.size();
      try {
        rest.bytes.resize(have + step_bytes);
      } catch (...) {
        break;  // out of memory: what is still in the kernel is lost with the connection
      }
      const io_outcome got = receive_some(fd_, rest.bytes.data() + have, step_bytes);
      rest.bytes.resize(have + got.bytes);
      if (got.what != io_outcome::kind::done) {
        break;
      }
    }
  }
  if (!abandoned_) {
    left_.splice(left_.end(), end_mark_);
  }
  if (watched_by_ != nullptr) {
    watched_by_->remove(descriptor());
    watched_by_ = nullptr;
  }
  fd_ = -1;
  sealed_.reset();
}

}  // namespace slk
