// A bounded ring of bytes between two threads: the lower bound of inproc.
//
// Roles: one producer thread (write), one consumer thread (read). Never more.
// Shared: tail_, the bytes ever written, stored by the producer; head_, the bytes ever read,
//         stored by the consumer. Each side keeps a copy of the other's, which may be old: it then
//         sees less room, or fewer bytes, than there are, and looks again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace slkbench {

class byte_ring {
 public:
  explicit byte_ring(std::size_t capacity_bytes);  // a power of two

  // Writes a length-prefixed message, or returns false if there is no room for all of it.
  bool write(const std::byte* data, std::size_t size) noexcept;
  // Reads a message whole: its size, or -1 if there is none. `data` has room for any message.
  std::ptrdiff_t read(std::byte* data) noexcept;

 private:
  static constexpr std::size_t cache_line_bytes = 64;

  void copy_in(std::uint64_t at, const void* data, std::size_t size) noexcept;
  void copy_out(std::uint64_t at, void* data, std::size_t size) const noexcept;

  const std::size_t mask_;
  std::vector<std::byte> bytes_;

  alignas(cache_line_bytes) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t known_head_ = 0;  // producer's
  alignas(cache_line_bytes) std::atomic<std::uint64_t> head_{0};
  std::uint64_t known_tail_ = 0;  // consumer's
};

}  // namespace slkbench
