#include "base/asymmetric_fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace slk {

namespace detail {

std::atomic<bool> membarrier_registered{false};

}  // namespace detail

void full_fence() noexcept {
#if defined(__SANITIZE_THREAD__)
  // ThreadSanitizer does not model fences; a read-modify-write on one word orders as well.
  static std::atomic<int> word{0};
  word.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

namespace {

int membarrier(int command) noexcept {
  return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0));
}

}  // namespace

void register_asymmetric_fence() noexcept {
  if (detail::membarrier_registered.load(std::memory_order_relaxed)) {
    return;
  }
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) {
    // pairs with: light_fence()
    detail::membarrier_registered.store(true, std::memory_order_relaxed);
  }
}

void heavy_fence() noexcept {
  full_fence();
  if (detail::membarrier_registered.load(std::memory_order_relaxed)) {
    // Cannot fail once registered; were it to, the light side would be a mere compiler barrier,
    // so fall back to fences for good.
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
      detail::membarrier_registered.store(false, std::memory_order_relaxed);
    }
  }
}

}  // namespace slk
