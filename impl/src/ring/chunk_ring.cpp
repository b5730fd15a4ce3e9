#include "ring/chunk_ring.hpp"

#include <algorithm>
#include <limits>

#include "base/asymmetric_fence.hpp"
#include "base/clock.hpp"
#include "base/copy_bytes.hpp"

namespace slk {

chunk_ring::~chunk_ring() {
  ring_chunk* at = head_ != nullptr ? head_ : first_.load(std::memory_order_acquire);
  while (at != nullptr) {
    ring_chunk* next = at->next.load(std::memory_order_relaxed);
    pool_.give_back(at);
    at = next;
  }
}

std::span<const std::uint8_t> chunk_ring::front() noexcept {
  if (head_ == nullptr) {
    head_ = first_.load(std::memory_order_acquire);  // pairs with: reserve_in_new_chunk()
    if (head_ == nullptr) {
      return {};
    }
  }
  for (;;) {
    std::size_t published = head_->published.load(std::memory_order_acquire);
    if (published == consumed_) {
      ring_chunk* next = head_->next.load(std::memory_order_acquire);  // invariant 3
      if (next == nullptr) {
        return {};
      }
      published = head_->published.load(std::memory_order_acquire);
      if (published == consumed_) {
        ring_chunk* emptied = head_;
        head_ = next;
        consumed_ = boundary_ = 0;
        count_dropped();
        pool_.give_back(emptied);
        continue;
      }
    }
    return {head_->bytes() + consumed_, published - consumed_};
  }
}

std::size_t chunk_ring::fronts(std::span<std::span<const std::uint8_t>> parts) noexcept {
  if (parts.empty() || front().empty()) {
    return 0;
  }
  std::size_t count = 0;
  std::size_t consumed = consumed_;
  for (ring_chunk* at = head_; at != nullptr && count < parts.size();) {
    ring_chunk* const next = at->next.load(std::memory_order_acquire);  // invariant 3
    const std::size_t published = at->published.load(std::memory_order_acquire);
    parts[count++] = {at->bytes() + consumed, published - consumed};
    consumed = 0;
    at = next;
  }
  return count;
}

void chunk_ring::consume_across(std::size_t size_bytes) noexcept {
  while (size_bytes > 0) {
    const std::size_t here = std::min(size_bytes, front().size());
    consume(here);
    size_bytes -= here;
  }
}

chunk_ring::history chunk_ring::since_boundary() const noexcept {
  if (head_ == nullptr) {
    return {{}, 0};
  }
  const std::size_t published = head_->published.load(std::memory_order_acquire);  // as in front()
  return {{head_->bytes() + boundary_, published - boundary_}, consumed_ - boundary_};
}

std::uint8_t* chunk_ring::reserve_beyond(std::size_t size_bytes) noexcept {
  std::uint8_t* at = nullptr;
  if (tail_ != nullptr && tail_->capacity - written_ >= size_bytes) {
    at = tail_->bytes() + written_;
  } else {
    at = reserve_in_new_chunk(size_bytes);
  }
  if (at != nullptr) {
    claim(size_bytes);
  }
  return at;
}

// Has limit_ cover the next size_bytes, and more where that is worth it.
void chunk_ring::claim(std::size_t size_bytes) noexcept {
  if (!cores_differ_) {
    limit_ = tail_->capacity;
    return;
  }
  const std::size_t begin = std::max(limit_, written_);
  const std::size_t end = written_ + size_bytes;
  limit_ = size_bytes > claimed_ahead_bytes_max
               ? end
               : std::min(end + claimed_at_once_bytes, tail_->capacity);
  if (size_bytes >= streamed_bytes_min && distance_.matters()) {
    return;  // see fill_by_distance()
  }
  constexpr std::size_t line = cache_line_bytes;
  for (std::size_t at = (begin + line - 1) / line * line; at < limit_; at += line) {
    tail_->bytes()[at] = 0;  // of no message yet
  }
}

void chunk_ring::fill_by_distance(std::uint8_t* to, const std::uint8_t* from,
                                  std::size_t size_bytes) noexcept {
  std::size_t done = 0;
  if (distance_.wants_sample()) {
    done = std::min(size_bytes, sample_bytes_max);
    const std::uint64_t start = ticks();
    copy_bytes(to, from, done);
    full_fence();  // every line has come
    distance_.sample((ticks() - start) * 1000 / ticks_from_us(1), done / cache_line_bytes);
  }
  if (distance_.is_far()) {
    copy_streaming_bytes(to + done, from + done, size_bytes - done);
  } else {
    copy_bytes(to + done, from + done, size_bytes - done);
  }
}

std::uint8_t* chunk_ring::reserve_in_new_chunk(std::size_t size_bytes) noexcept {
  const std::size_t carried = written_ - published_;
  if (size_bytes > std::numeric_limits<std::size_t>::max() / 4 - carried) {
    return nullptr;
  }
  // A long multipart message doubles its chunk, so that carrying it over stays linear in total.
  const std::size_t wanted = carried == 0 ? size_bytes : 2 * (carried + size_bytes);
  cores_differ_ = ends_ == between::two_threads && !consumer_is_here();
  ring_chunk* fresh =
      pool_.take(wanted, cores_differ_ ? chunk_pool::spare::coldest : chunk_pool::spare::warmest);
  if (fresh == nullptr) {
    return nullptr;
  }
  if (tail_ == nullptr) {
    first_.store(fresh, std::memory_order_release);  // pairs with: front()
  } else {
    if (carried > 0) {
      copy_bytes(fresh->bytes(), tail_->bytes() + published_, carried);
    }
    tail_->next.store(fresh, std::memory_order_release);  // invariant 3
  }
  tail_ = fresh;
  ++linked_chunks_;
  if (cores_differ_) {
    distance_.chunk_begins(fresh->used_before && timed_waits());
  } else {
    distance_.forget();
  }
  published_ = 0;
  written_ = limit_ = carried;
  return tail_->bytes() + written_;
}

}  // namespace slk
