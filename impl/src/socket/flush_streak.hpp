#pragma once

namespace slk {

class stream_pipe;

// Which pipe a thread flushed last, and how often in a row.
//
// Several units at once leave the caches if several pipes do so in turn (measured with 8 peers at 1
// KiB: 3.8 to 2.4 million messages a second). So they are for a pipe that has the thread for
// itself.
//
// Thread safety: one for each thread.
class flush_streak {
 public:
  void flushed(const stream_pipe& pipe) noexcept {
    repeats_ = last_ == &pipe ? repeats_ + 1 : 0;
    last_ = &pipe;
  }
  [[nodiscard]] bool is_of(const stream_pipe& pipe) const noexcept {
    return last_ == &pipe && repeats_ >= repeats_min;
  }

 private:
  static constexpr unsigned repeats_min = 2;

  const stream_pipe* last_ = nullptr;  // for comparison alone: it may be gone
  unsigned repeats_ = 0;
};

}  // namespace slk
