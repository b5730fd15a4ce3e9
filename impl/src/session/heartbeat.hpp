#pragma once

#include <cstdint>
#include <functional>

#include "io/timer_queue.hpp"
#include "pipe/stream_pipe.hpp"

namespace slk {

// Tells a silent peer from a dead one: sends PINGs and gives up a peer of which nothing is heard
// after one; and gives up a peer that announced, in the PINGs it sends, to be heard of more often.
//
// Whoever reads the connection, the application or the I/O thread, counts what arrives; bytes that
// wait in the kernel count as well. So a connection is never given up for being read too slowly,
// and hearing costs the reader nothing.
//
// Thread safety: of the I/O thread; made by any thread.
class heartbeat {
 public:
  struct settings {
    int interval_ms = 0;  // between PINGs; 0: none
    int timeout_ms = -1;  // from a PING until the peer is given up; -1: the interval, 0: never
    int ttl_ms = 0;       // announced to the peer, in whole tenths of a second
  };

  // lost: the peer is to be given up. Must not throw.
  heartbeat(timer_queue& timers, const settings& with, std::function<void()> lost);

  // application_reads: what comes may have to be taken over from a silent application.
  void start(stream_pipe& pipe, int fd, bool application_reads) noexcept;
  void stop() noexcept;
  // After stream_owner::peer_pings_anew().
  void watch_ttl() noexcept;

 private:
  void beat() noexcept;
  void answer_overdue() noexcept;
  void look_for_life() noexcept;
  [[nodiscard]] bool heard_since(std::uint32_t& arrivals) noexcept;

  const settings settings_;
  const std::function<void()> lost_;
  timer beat_timer_;
  timer answer_timer_;  // runs from a PING until something is heard
  timer ttl_timer_;

  stream_pipe* pipe_ = nullptr;  // null: stopped
  int fd_ = -1;
  bool application_reads_ = true;
  std::uint32_t arrivals_at_ping_ = 0;
  std::uint32_t arrivals_at_look_ = 0;
  int silent_looks_ = 0;
};

}  // namespace slk
