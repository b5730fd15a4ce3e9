#pragma once

#include <algorithm>

namespace slk {

class stream_pipe;

// Which pipe a thread flushed last, and how often in a row: how many units its next batch may have.
//
// Several units at once leave the caches if several pipes do so in turn (measured with 8 peers at 1
// KiB: 3.8 to 2.4 million messages a second). So they are for a pipe that has the thread for
// itself. And they wait for each other: a batch is at most twice as large as the one before, so
// that the first bytes of a short burst leave early.
//
// Thread safety: one for each thread.
class flush_streak {
 public:
  void flushed(const stream_pipe& pipe) noexcept {
    units_ = last_ == &pipe ? std::min(2 * units_, units_cap) : 1;
    last_ = &pipe;
  }
  // A burst begins.
  void restart_with(const stream_pipe& pipe) noexcept {
    units_ = 1;
    last_ = &pipe;
  }
  // At least 1.
  [[nodiscard]] unsigned units_for(const stream_pipe& pipe) const noexcept {
    return last_ == &pipe ? units_ : 1;
  }

 private:
  static constexpr unsigned units_cap = 64;  // more than any connection takes at once

  const stream_pipe* last_ = nullptr;  // for comparison alone: it may be gone
  unsigned units_ = 1;
};

}  // namespace slk
