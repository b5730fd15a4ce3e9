#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace slk {

// What a single non-blocking read or write came to.
struct io_outcome {
  enum class kind : std::uint8_t {
    done,     // bytes were moved
    blocked,  // EAGAIN: nothing now
    ended,    // end of stream (reads), or the connection is broken
  };
  kind what;
  std::size_t bytes;
};

// send(2) without SIGPIPE. Moves as many bytes as the kernel takes at once.
io_outcome send_some(int fd, const std::uint8_t* data, std::size_t size_bytes) noexcept;
// The same for a header and a body behind it.
io_outcome send_some(int fd, std::span<const std::uint8_t> head,
                     std::span<const std::uint8_t> body) noexcept;

// The same for several, of which it sends size_bytes at most.
io_outcome send_some(int fd, std::span<const std::span<const std::uint8_t>> parts,
                     std::size_t size_bytes) noexcept;
// As many as a batch of 768 KiB has where each chunk of the ring holds one frame of over 32 KiB.
inline constexpr std::size_t send_parts_max = 26;

io_outcome receive_some(int fd, std::uint8_t* data, std::size_t size_bytes) noexcept;
// Fills `first`, then `second`.
io_outcome receive_some(int fd, std::span<std::uint8_t> first,
                        std::span<std::uint8_t> second) noexcept;

// No more bytes will be sent; the peer reads to the end.
void end_sending(int fd) noexcept;
// Ends both directions at once; whoever watches fd sees the hang-up.
void abort_connection(int fd) noexcept;
// Bytes that have come and were not read; 0 where that cannot be known.
std::size_t unread_bytes(int fd) noexcept;
// Bytes that the peer's kernel has not acknowledged; 0 where that cannot be known.
std::size_t unacknowledged_bytes(int fd) noexcept;

}  // namespace slk
