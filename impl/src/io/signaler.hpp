// signaler: how any thread gets a socket's owner out of its sleep.
//
// Roles: one sleeper (the thread that uses the socket), any number of wakers.
//
// Protocol: sleeper: prepare_sleep() sets sleeping_ and passes a fence; then looks once more for
//           whatever it waits for; then blocks on fd(); then finish_sleep().
//           waker: makes its change visible, then passes a fence, looks at sleeping_, and raises.
// The fences guarantee that the sleeper's last look sees the change or the waker sees sleeping_.
// Frequent wakers (an inproc peer, once a message) pass a light fence, which needs a heavy one on
// the sleeper's side; all others pass a full one, and a sleeper that has no frequent wakers as
// well. After "looked and slept" exactly one waker raises the eventfd: exchange() picks it.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/asymmetric_fence.hpp"
#include "base/cache_line.hpp"
#include "io/event_signal.hpp"

namespace slk {

class signaler {
 public:
  [[nodiscard]] int fd() const noexcept { return event_.fd(); }

  // -- wakers -------------------------------------------------------------------------------------

  void wake_if_sleeping() noexcept {
    full_fence();  // pairs with: prepare_sleep()
    if (sleeping_.load(std::memory_order_relaxed)) {
      wake();
    }
  }

  // For a waker that calls this with every message. REQUIRES: the sleeper knows that it has such.
  void wake_if_sleeping_often() noexcept {
    light_fence();  // pairs with: prepare_sleep(), heavy
    if (sleeping_.load(std::memory_order_relaxed)) [[unlikely]] {
      wake();
    }
  }

  // -- the sleeper
  // ----------------------------------------------------------------------------------

  void prepare_sleep(bool frequent_wakers) noexcept {
    sleeping_.store(true, std::memory_order_relaxed);  // ordered by the fence below
    if (frequent_wakers) {
      heavy_fence();  // pairs with: wake_if_sleeping_often(), wake_if_sleeping()
    } else {
      full_fence();  // pairs with: wake_if_sleeping()
    }
  }

  // Also right where prepare_sleep() was not followed by a sleep.
  void finish_sleep() noexcept {
    if (!sleeping_.exchange(false, std::memory_order_acq_rel)) {  // pairs with: wake()
      ++raises_due_;
    }
    if (raises_due_ > 0) [[unlikely]] {
      raises_due_ -= std::min(raises_due_, event_.lower());
    }
  }

  [[nodiscard]] bool armed() const noexcept { return sleeping_.load(std::memory_order_relaxed); }

 private:
  void wake() noexcept {
    if (sleeping_.exchange(false, std::memory_order_acq_rel)) {  // pairs with: finish_sleep()
      event_.raise();
    }
  }

  event_signal event_;
  // Of the sleeper: wake-ups taken whose raise it has not seen. A waker may be between the two;
  // what it raises later must not be left to end every sleep from then on.
  std::uint64_t raises_due_ = 0;
  alignas(cache_line_bytes) std::atomic<bool> sleeping_{false};
};

}  // namespace slk
