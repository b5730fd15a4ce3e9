// signaler: how any thread gets a socket's owner out of its sleep.
//
// Roles: one sleeper (the thread that uses the socket), any number of wakers.
//
// Protocol: sleeper: prepare_sleep() sets sleeping_ and passes a fence; then looks once more for
//           whatever it waits for; then blocks on fd() or in wait(); then finish_sleep().
//           waker: makes its change visible, then passes a fence, looks at sleeping_, and wakes.
// The fences guarantee that the sleeper's last look sees the change or the waker sees sleeping_.
// Frequent wakers (an inproc peer, once a message) pass a light fence, which needs a heavy one on
// the sleeper's side; all others pass a full one, and a sleeper that has no frequent wakers as
// well. After "looked and slept" exactly one waker raises the eventfd, or wakes who waits for the
// word itself: exchange() picks it.
//
// Who has nothing else to wait for sleeps on the word, with futex(2): one system call a side in
// place of a write on the one, and a poll and a read on the other.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/asymmetric_fence.hpp"
#include "base/cache_line.hpp"
#include "io/event_signal.hpp"
#include "io/wait.hpp"

namespace slk {

class signaler {
 public:
  // Where the sleeper sleeps.
  enum class place : std::uint32_t { awake, descriptor, word };

  [[nodiscard]] int fd() const noexcept { return event_.fd(); }

  // -- wakers -------------------------------------------------------------------------------------

  void wake_if_sleeping() noexcept {
    full_fence();  // pairs with: prepare_sleep()
    if (sleeping_.load(std::memory_order_relaxed) != place::awake) {
      wake();
    }
  }

  // For a waker that calls this with every message. REQUIRES: the sleeper knows that it has such.
  void wake_if_sleeping_often() noexcept {
    light_fence();  // pairs with: prepare_sleep(), heavy
    if (sleeping_.load(std::memory_order_relaxed) != place::awake) [[unlikely]] {
      wake();
    }
  }

  // -- the sleeper
  // ----------------------------------------------------------------------------------

  void prepare_sleep(bool frequent_wakers, place where = place::descriptor) noexcept {
    place_ = where;
    sleeping_.store(where, std::memory_order_relaxed);  // ordered by the fence below
    if (frequent_wakers) {
      heavy_fence();  // pairs with: wake_if_sleeping_often(), wake_if_sleeping()
    } else {
      full_fence();  // pairs with: wake_if_sleeping()
    }
  }

  // Sleeps until a waker has come, or time is up: 0; or EINTR. REQUIRES: prepare_sleep() on the
  // word.
  [[nodiscard]] int wait(const deadline& until) noexcept;

  // Also right where prepare_sleep() was not followed by a sleep.
  void finish_sleep() noexcept {
    const place was = sleeping_.exchange(place::awake, std::memory_order_acq_rel);
    if (was == place::awake && place_ == place::descriptor) {  // pairs with: wake()
      ++raises_due_;
    }
    if (raises_due_ > 0) [[unlikely]] {
      raises_due_ -= std::min(raises_due_, event_.lower());
    }
  }

  [[nodiscard]] bool armed() const noexcept {
    return sleeping_.load(std::memory_order_relaxed) != place::awake;
  }

 private:
  void wake() noexcept;

  event_signal event_;
  place place_ = place::awake;  // of the sleeper: where it slept last
  // Of the sleeper: wake-ups taken whose raise it has not seen. A waker may be between the two;
  // what it raises later must not be left to end every sleep from then on.
  std::uint64_t raises_due_ = 0;
  alignas(cache_line_bytes) std::atomic<place> sleeping_{place::awake};
};

}  // namespace slk
