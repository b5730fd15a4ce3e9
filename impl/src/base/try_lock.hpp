#pragma once

#include <sched.h>

#include <atomic>

namespace slk {

// A one-byte lock for sections that are short and rarely contended. The application thread only
// ever tries; the I/O thread, which holds no other lock then, may wait for it.
class try_lock {
 public:
  // pairs with: release()
  [[nodiscard]] bool try_acquire() noexcept {
    return !held_.load(std::memory_order_relaxed) &&
           !held_.exchange(true, std::memory_order_acquire);
  }

  void acquire() noexcept {
    while (!try_acquire()) {
      ::sched_yield();
    }
  }

  // pairs with: try_acquire()
  void release() noexcept { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

// Holds a try_lock for a scope.
class try_lock_guard {
 public:
  explicit try_lock_guard(try_lock& lock) noexcept : lock_(lock) { lock_.acquire(); }
  ~try_lock_guard() { lock_.release(); }
  try_lock_guard(const try_lock_guard&) = delete;
  try_lock_guard& operator=(const try_lock_guard&) = delete;

 private:
  try_lock& lock_;
};

}  // namespace slk
