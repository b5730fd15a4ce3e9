// A bounded ring of bytes between two threads: the lower bound of inproc.
//
// Roles: one producer thread (write), one consumer thread (read). Never more.
// Shared: tail_, the bytes ever written, stored by the producer; head_, the bytes ever read,
//         stored by the consumer. Each side keeps a copy of the other's, which may be old: it then
//         sees less room, or fewer bytes, than there are, and looks again.
// Both are stored once for many messages, or the cache lines that hold them would travel between
// the two cores for each: the producer calls publish() when it pauses, the consumer release().
//
// Of small records the producer takes the lines that it writes next back from the consumer's side
// by a row of stores of one byte: a processor overlaps those, and waits for each line where many
// other stores are in between.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace slkbench {

class byte_ring {
 public:
  explicit byte_ring(std::size_t capacity_bytes);  // a power of two

  // Writes a length-prefixed message, or publishes and returns false if there is no room.
  bool write(const std::byte* data, std::size_t size) noexcept;
  // Reads a message whole: its size, or releases and returns -1 if there is none. `data` has room
  // for any message.
  std::ptrdiff_t read(std::byte* data) noexcept;

  void publish() noexcept;  // by the producer: all that was written may be read
  void release() noexcept;  // by the consumer: all that was read may be overwritten

 private:
  static constexpr std::size_t cache_line_bytes = 64;
  static constexpr std::size_t batch_bytes = 16 * 1024;
  static constexpr std::size_t claimed_at_once_bytes = 32 * cache_line_bytes;
  static constexpr std::size_t claimed_ahead_bytes_max = 512;

  void claim(std::uint64_t end) noexcept;
  void copy_in(std::uint64_t at, const void* data, std::size_t size) noexcept;
  void copy_out(std::uint64_t at, void* data, std::size_t size) const noexcept;

  const std::size_t mask_;
  std::vector<std::byte> bytes_;

  alignas(cache_line_bytes) std::atomic<std::uint64_t> tail_{0};
  alignas(cache_line_bytes) std::uint64_t written_ = 0;  // producer's, as the next
  std::uint64_t known_head_ = 0;
  std::uint64_t claimed_ = 0;  // lines up to here are the producer's
  alignas(cache_line_bytes) std::atomic<std::uint64_t> head_{0};
  alignas(cache_line_bytes) std::uint64_t read_ = 0;  // consumer's, as the next
  std::uint64_t known_tail_ = 0;
};

}  // namespace slkbench
