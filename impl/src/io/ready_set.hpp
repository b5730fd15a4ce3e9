#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/unique_fd.hpp"

namespace slk {

// The descriptors that one socket reads from, with an edge-triggered poller around them. Its own
// descriptor is what SLK_FD gives out: readable while an edge has not been collected.
//
// Thread safety: of the socket's thread; the kernel's object is safe by itself.
class ready_set {
 public:
  static constexpr std::size_t batch = 64;
  struct event {
    void* tag;  // nullptr: the signaler
    bool hang_up;
  };

  // Watches signal_fd level-triggered. Throws std::system_error.
  explicit ready_set(int signal_fd);

  [[nodiscard]] int fd() const noexcept { return epoll_.get(); }
  // Watches input and hang-up of fd. Nothing is said of an fd that cannot be watched: it is being
  // closed, and its owner tells.
  void add(int fd, void* tag) noexcept;
  void remove(int fd) noexcept;
  // Collects edges without waiting; returns how many.
  std::size_t collect(std::array<event, batch>& out) noexcept;
  // Some were collected since this was asked last.
  [[nodiscard]] bool took_edges() noexcept { return std::exchange(took_edges_, false); }

 private:
  unique_fd epoll_;
  bool took_edges_ = false;
};

}  // namespace slk
