#pragma once

#include <mutex>

#include "io/event_signal.hpp"

namespace slk {

// Counts what still runs on a context's behalf: sockets, listeners, sessions. Termination waits
// for it to come to rest. Thread-safe.
class activity {
 public:
  // Holds the count up for as long as it lives.
  class token {
   public:
    explicit token(activity& of) : of_(&of) { of.change(+1); }
    ~token() { of_->change(-1); }
    token(const token&) = delete;
    token& operator=(const token&) = delete;

   private:
    activity* of_;
  };

  // Waits until nothing is counted. 0, or EINTR after a signal handler ran.
  [[nodiscard]] int wait_for_rest() noexcept;

 private:
  void change(int by) noexcept;

  event_signal rest_;
  std::mutex mutex_;
  int count_ = 0;  // guarded by mutex_
};

}  // namespace slk
