#pragma once

#include <atomic>

// A fence whose cost lies on one side. The frequent side (a producer about to look at a "sleeping"
// flag) runs light_fence(), free where the kernel offers membarrier(2); the rare side (a thread
// about to sleep) runs heavy_fence(), which makes every thread of this process pass a full barrier.
// Together they order like two seq_cst fences (store, fence, load on both sides). The heavy side
// interrupts the other processors; where no frequent side takes part, two full_fence() do.
//
// The pair covers one process only: our rings never cross a process boundary.

namespace slk {

namespace detail {
[[gnu::visibility("hidden")]] extern std::atomic<bool> membarrier_registered;
}  // namespace detail

// A fence for both sides of a protocol that is frequent on neither: store, fence, load.
void full_fence() noexcept;

// Registers this process with the kernel; idempotent, cheap, called by every context. A child of
// fork(2) inherits the registration.
void register_asymmetric_fence() noexcept;

inline void light_fence() noexcept {
  // pairs with: register_asymmetric_fence(). Relaxed suffices: a stale false only costs a fence.
  if (detail::membarrier_registered.load(std::memory_order_relaxed)) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    full_fence();
  }
}

// Who asks this once may pass free_light_fence() in place of several light_fence().
[[nodiscard]] inline bool light_fence_is_free() noexcept {
  return detail::membarrier_registered.load(std::memory_order_relaxed);  // as in light_fence()
}

// A light_fence(). REQUIRES: light_fence_is_free().
inline void free_light_fence() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void heavy_fence() noexcept;

}  // namespace slk
