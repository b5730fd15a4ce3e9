#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "pipe/stream_pipe.hpp"

namespace slk {

// When a socket hands published messages to the kernel. It is decided for the socket, not for a
// connection: with many peers each connection alone looks idle, and one system call a message is
// what that costs.
//
//   idle     a message goes out at once
//   burst    after a few messages in quick succession, on this socket or in turn with others of the
//            thread: a connection is flushed when a batch has gathered; with many peers the oldest
//            first when together they hold a lot; all before the application waits; and the tail
//            by the patrol, within about 200 µs, 500 µs behind a long burst
//
// Thread safety: of the socket's thread.
class flush_policy {
 public:
  // A message was published on this pipe. came_ticks: when it came; 0: just now.
  void message_published(stream_pipe& pipe, std::uint64_t came_ticks = 0) noexcept {
    // In a burst nothing is due until more has gathered.
    if (pipe.unflushed_bytes < pipe.flushing.look_at_bytes && pipe.patrol_watches()) [[likely]] {
      return;
    }
    decide(pipe, came_ticks);
  }

  // One is about to be written that may take its time, being sent right then: how close it follows
  // on the one before is seen now. For message_published().
  [[nodiscard]] std::uint64_t large_frame_comes(stream_pipe& pipe) noexcept;

  // The application is about to wait: all goes out, and the next message finds the socket idle.
  void flush_all() noexcept;

  // There may be room in the kernel again.
  void flush_now(stream_pipe& pipe) noexcept { flush(pipe); }

  // The pipe leaves the socket.
  void forget(stream_pipe& pipe) noexcept;

  [[nodiscard]] bool anything_unflushed() const noexcept { return oldest_ != nullptr; }

 private:
  void decide(stream_pipe& pipe, std::uint64_t came_ticks) noexcept;
  void flush(stream_pipe& pipe) noexcept;
  void flush_oldest() noexcept;
  void enlist(stream_pipe& pipe) noexcept;
  void look_later(stream_pipe& pipe) noexcept;
  void delist(stream_pipe& pipe) noexcept;
  void leave_burst() noexcept;

  bool burst_ = false;
  unsigned streak_ = 0;
  std::uint64_t idle_since_ticks_ = 0;     // while idle: end of the last flush
  std::uint64_t last_activity_ticks_ = 0;  // in a burst: of the last flush or arming
  std::size_t total_bytes_ = 0;            // gathered over all listed pipes
  stream_pipe* oldest_ = nullptr;
  stream_pipe* newest_ = nullptr;
};

}  // namespace slk
