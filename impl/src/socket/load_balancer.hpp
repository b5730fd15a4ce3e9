#pragma once

#include <cstddef>
#include <vector>

#include "pipe/pipe.hpp"

namespace slk {

// The pipes that a socket deals its messages to, in turn, in the order they came; full ones are
// passed over. All frames of a message go to the same pipe.
//
// Thread safety: of the socket's thread. Pipes are kept alive by the socket.
class load_balancer {
 public:
  void add(pipe& fresh);
  void remove(pipe& gone) noexcept;

  // The pipe for the next frame; nullptr: none has room.
  [[nodiscard]] pipe* find() noexcept {
    if (!pipes_.empty()) [[likely]] {
      pipe* candidate = pipes_[current_];
      if (open_ || candidate->has_room()) [[likely]] {
        return candidate;
      }
    }
    return find_other();
  }

  // The frame went to the pipe that find() returned.
  void frame_written(bool more) noexcept {
    open_ = more;
    if (!more && pipes_.begin() + static_cast<std::ptrdiff_t>(++current_) == pipes_.end()) {
      current_ = 0;
    }
  }

  // The pipe of an unfinished message has gone: its remaining frames have nowhere to go.
  [[nodiscard]] bool dropping() const noexcept { return dropping_; }
  void frame_dropped(bool more) noexcept { dropping_ = more; }

  // The next frame is not the first of its message.
  [[nodiscard]] bool message_open() const noexcept { return open_ || dropping_; }
  [[nodiscard]] const std::vector<pipe*>& pipes() const noexcept { return pipes_; }

 private:
  pipe* find_other() noexcept;

  std::vector<pipe*> pipes_;
  std::size_t current_ = 0;
  bool open_ = false;
  bool dropping_ = false;
};

}  // namespace slk
