#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace slk {

// memcpy for sizes that are mostly small and never known to the compiler: up to 64 bytes without a
// call, by loads of fixed size that overlap in the middle. REQUIRES: no overlap of the two ranges.
inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept;

// The same for at most BytesMax bytes, without any call: for whoever must not have one in his way.
template <std::size_t BytesMax>
inline void copy_at_most(std::uint8_t* to, const std::uint8_t* from,
                         std::size_t size_bytes) noexcept;

// copy_bytes() out of what another core may be writing on right behind. AMD's string instructions
// read far ahead of what they copy, and take from the writer the lines that it writes to next
// (measured: 8 KiB a message between two near cores of Zen 3, 1.6 to 2.1 million a second with
// them, 4 to 5 without); so there it goes without them. Intel's are a quarter faster than a loop
// (64 KiB between two cores of a fifth generation Xeon, 170,000 and 130,000 a second).
inline void copy_shared_bytes(std::uint8_t* to, const std::uint8_t* from,
                              std::size_t size_bytes) noexcept;

// memmove towards the front. REQUIRES: to <= from.
void move_bytes_down(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept;

// copy_bytes() for more than 64 bytes.
//
// C libraries copy from a few KiB on by `rep movsb`. Where the destination lies up to 31 bytes
// behind the source, as offsets in their pages, AMD's Zen 3 then copies 15 to 30 times slower
// (measured: 64 KiB in 22 to 52 us in place of 1.5; glibc's bug 30994 tells of the same). Message
// buffers and frame headers make such offsets common, so those copies are done by a loop.
void copy_many_bytes(std::uint8_t* to, const std::uint8_t* from, std::size_t size_bytes) noexcept;

// copy_bytes() past the caches, to where another core reads that is far away: its caches then need
// not give back the lines first. What is written here is ordered before later stores.
void copy_streaming_bytes(std::uint8_t* to, const std::uint8_t* from,
                          std::size_t size_bytes) noexcept;

// copy_shared_bytes() for more than 64 bytes.
void copy_many_shared_bytes(std::uint8_t* to, const std::uint8_t* from,
                            std::size_t size_bytes) noexcept;

// Implementation details follow.

namespace detail {

// Copies size_bytes in [sizeof(Word), 2 * sizeof(Word)].
template <class Word>
inline void copy_two_words(std::uint8_t* to, const std::uint8_t* from,
                           std::size_t size_bytes) noexcept {
  Word first;
  Word last;
  const std::size_t last_at = size_bytes - sizeof(Word);
  std::memcpy(&first, from, sizeof(Word));
  std::memcpy(&last, from + last_at, sizeof(Word));
  std::memcpy(to, &first, sizeof(Word));
  std::memcpy(to + last_at, &last, sizeof(Word));
}

// Of vectors, which compilers keep in registers; structures of integers go by way of the stack.
using two_quads = std::uint64_t __attribute__((vector_size(16)));

inline void copy_four_vectors(std::uint8_t* to, const std::uint8_t* from,
                              std::size_t size_bytes) noexcept {
  two_quads pieces[4];
  const std::size_t last_at = size_bytes - 2 * sizeof(two_quads);
  std::memcpy(&pieces[0], from, sizeof(two_quads));
  std::memcpy(&pieces[1], from + sizeof(two_quads), sizeof(two_quads));
  std::memcpy(&pieces[2], from + last_at, sizeof(two_quads));
  std::memcpy(&pieces[3], from + last_at + sizeof(two_quads), sizeof(two_quads));
  std::memcpy(to, &pieces[0], sizeof(two_quads));
  std::memcpy(to + sizeof(two_quads), &pieces[1], sizeof(two_quads));
  std::memcpy(to + last_at, &pieces[2], sizeof(two_quads));
  std::memcpy(to + last_at + sizeof(two_quads), &pieces[3], sizeof(two_quads));
}

}  // namespace detail

namespace detail {

// Up to 64 bytes.
inline void copy_few_bytes(std::uint8_t* to, const std::uint8_t* from,
                           std::size_t size_bytes) noexcept {
  if (size_bytes >= 32) {
    copy_four_vectors(to, from, size_bytes);
  } else if (size_bytes >= 16) {
    copy_two_words<two_quads>(to, from, size_bytes);
  } else if (size_bytes >= 8) {
    copy_two_words<std::uint64_t>(to, from, size_bytes);
  } else if (size_bytes >= 4) {
    copy_two_words<std::uint32_t>(to, from, size_bytes);
  } else if (size_bytes >= 2) {
    copy_two_words<std::uint16_t>(to, from, size_bytes);
  } else if (size_bytes == 1) {
    *to = *from;
  }
}

}  // namespace detail

inline void copy_bytes(std::uint8_t* to, const std::uint8_t* from,
                       std::size_t size_bytes) noexcept {
  if (size_bytes > 64) {
    copy_many_bytes(to, from, size_bytes);
  } else {
    detail::copy_few_bytes(to, from, size_bytes);
  }
}

inline void copy_shared_bytes(std::uint8_t* to, const std::uint8_t* from,
                              std::size_t size_bytes) noexcept {
  if (size_bytes > 64) {
    copy_many_shared_bytes(to, from, size_bytes);
  } else {
    detail::copy_few_bytes(to, from, size_bytes);
  }
}

template <std::size_t BytesMax>
inline void copy_at_most(std::uint8_t* to, const std::uint8_t* from,
                         std::size_t size_bytes) noexcept {
  if constexpr (BytesMax > 64) {
    for (; size_bytes > 64; size_bytes -= 64, to += 64, from += 64) {
      detail::copy_four_vectors(to, from, 64);
    }
  }
  detail::copy_few_bytes(to, from, size_bytes);
}

}  // namespace slk
