// How the two roles keep step, outside the library under measurement and the same for all of
// them: single bytes over a socket pair. Never used while the clock runs.
#pragma once

#include <utility>

#include "failure.hpp"
#include "unique_fd.hpp"

namespace slkbench {

enum class signal : char {
  idle_wanted = 'I',  // the receiver is about to take in some more idle peers
  idle_here = 'H',    // all idle peers are connected
  in_place = 'P',     // the receiver is about to receive
  warmed_up = 'W',    // all warm-up messages have arrived
  all_here = 'D',     // all messages have arrived and are right; the sender may close
  given_up = 'F',     // the other role has failed and reports why itself
};

class control_line {
 public:
  explicit control_line(unique_fd fd) noexcept : fd_(std::move(fd)) {}

  // The two ends of a line within one process.
  static failure make_pair(unique_fd& one, unique_fd& other);

  void tell(signal what) noexcept;
  [[nodiscard]] failure await(signal wanted, int timeout_ms);

 private:
  unique_fd fd_;
};

}  // namespace slkbench
