// chunk_pool: the memory of chunk rings: chunks of standard size that no ring needs at the moment.
//
// Which spare chunk a ring goes on with decides what its bytes cost. Where one thread writes and
// reads, the warmest: given back last, it is still in that core's cache. Where one core writes and
// another reads, the coldest. A line that the reader has in its own cache must be taken back from
// there by whoever writes to it; once its core has read as much else as that cache holds, the line
// has left it, and is found in the cache that all share. Measured between two near cores of 1 MiB
// each, ns to pass on a line of records of 64 B / 1 KiB / 8 KiB: with 128 KiB in use 21 / 8.8
// / 7.8, with 4 MiB in turn 3.5 / 2.2 / 1.5; how many of them are unread at a time does not matter.
// So a pool that is asked for cold chunks first sees to it that enough are in turn, for all rings
// that share it together.
//
// Threads: any. Errors: null where memory is out. All functions are noexcept.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/cache_line.hpp"

namespace slk {

// The frame of a message of 64 KiB fits, with its header.
inline constexpr std::size_t ring_chunk_bytes = 64 * 1024 + 64;

// A stretch of a ring; for the fields see chunk_ring.
struct ring_chunk {
  std::atomic<ring_chunk*> next{nullptr};
  std::size_t capacity = 0;
  bool used_before = false;  // its memory is there, not just promised by the system
  alignas(cache_line_bytes) std::atomic<std::size_t> published{0};

  // The bytes, `capacity` of them, follow the header.
  [[nodiscard]] std::uint8_t* bytes() noexcept {
    return reinterpret_cast<std::uint8_t*>(this) + sizeof(ring_chunk);
  }
  [[nodiscard]] const std::uint8_t* bytes() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(this) + sizeof(ring_chunk);
  }
};
static_assert(sizeof(ring_chunk) % cache_line_bytes == 0, "payload starts on a line of its own");

class chunk_pool {
 public:
  enum class spare : std::uint8_t { warmest, coldest };

  // With what the rings hold: 4 MiB.
  static constexpr std::size_t chunks_in_turn = 64;

  chunk_pool() = default;
  chunk_pool(const chunk_pool&) = delete;
  chunk_pool& operator=(const chunk_pool&) = delete;
  // REQUIRES: all chunks are given back.
  ~chunk_pool();

  // A chunk for at least that many bytes, of standard size unless they are more: nothing published,
  // no next, and nobody else knows of it. Null: memory is out.
  [[nodiscard]] ring_chunk* take(std::size_t capacity_bytes, spare which) noexcept;

  // REQUIRES: taken from this pool, and nobody uses it any more.
  void give_back(ring_chunk* emptied) noexcept;

 private:
  static constexpr std::size_t spares_max = chunks_in_turn;

  [[nodiscard]] ring_chunk* take_spare(spare which) noexcept;
  [[nodiscard]] bool keep(ring_chunk* emptied) noexcept;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::array<ring_chunk*, spares_max> spares_{};  // a queue, in the order they were given back
  std::size_t coldest_ = 0;
  std::size_t spare_count_ = 0;
  std::size_t chunk_count_ = 0;  // of standard size, spare or not
};

}  // namespace slk
