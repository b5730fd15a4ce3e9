#include "base/copy_bytes.hpp"

#include <algorithm>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "base/cache_line.hpp"

namespace slk {

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t slow_distance_bytes = 64;  // twice what was measured
constexpr std::size_t string_copy_bytes_min = 2048;

// See copy_shared_bytes(). Before it is known, the other way is right as well, and slower at most.
#if defined(__x86_64__)
const bool string_copies_read_ahead = __builtin_cpu_is("amd") != 0;
#else
constexpr bool string_copies_read_ahead = false;
#endif

struct block {
  std::uint64_t words[8];
};

bool is_slow(const std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept {
  const std::size_t distance_bytes =
      (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from)) % page_bytes;
  return size_bytes >= string_copy_bytes_min && distance_bytes != 0 &&
         distance_bytes < slow_distance_bytes;
}

// From front to back, each block read before it is written.
std::size_t copy_blocks(std::uint8_t* to, const std::uint8_t* from,
                        std::size_t size_bytes) noexcept {
  std::size_t done = 0;
  for (; done + sizeof(block) <= size_bytes; done += sizeof(block)) {
    block piece;
    std::memcpy(&piece, from + done, sizeof piece);
    std::memcpy(to + done, &piece, sizeof piece);
  }
  return done;
}

}  // namespace

void copy_many_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept {
  const std::size_t done = is_slow(to, from, size_bytes) ? copy_blocks(to, from, size_bytes) : 0;
  std::memcpy(to + done, from + done, size_bytes - done);
}

void copy_many_shared_bytes(std::uint8_t* to, const std::uint8_t* from,
                            std::size_t size_bytes) noexcept {
  const std::size_t done = string_copies_read_ahead && size_bytes >= string_copy_bytes_min
                               ? copy_blocks(to, from, size_bytes)
                               : 0;
  std::memcpy(to + done, from + done, size_bytes - done);
}

void copy_streaming_bytes(std::uint8_t* to, const std::uint8_t* from,
                          std::size_t size_bytes) noexcept {
#if defined(__x86_64__)
  const std::size_t to_line =
      (cache_line_bytes - reinterpret_cast<std::uintptr_t>(to)) % cache_line_bytes;
  std::size_t done = std::min(to_line, size_bytes);
  std::memcpy(to, from, done);
  for (; done + cache_line_bytes <= size_bytes; done += cache_line_bytes) {
    for (std::size_t at = done; at < done + cache_line_bytes; at += sizeof(__m128i)) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + at),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
    }
  }
  std::memcpy(to + done, from + done, size_bytes - done);
  _mm_sfence();
#else
  copy_bytes(to, from, size_bytes);
#endif
}

void move_bytes_down(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept {
  const std::size_t done = is_slow(to, from, size_bytes) ? copy_blocks(to, from, size_bytes) : 0;
  std::memmove(to + done, from + done, size_bytes - done);
}

}  // namespace slk
