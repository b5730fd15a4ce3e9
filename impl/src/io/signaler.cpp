#include "io/signaler.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace slk {

namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free,
              "futex(2) reads the word as it is in memory");

// What a heavy fence costs: this many others on one processor, several times as many on two.
constexpr unsigned vain_fences_max = 64;

}  // namespace

void signaler::wake() noexcept {
  // pairs with: finish_sleep()
  switch (clear_place()) {
    case static_cast<std::uint32_t>(place::descriptor):
      event_.raise();
      break;
    case static_cast<std::uint32_t>(place::word):
      // It may have left by itself: then its next sleep there ends early, once.
      ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
      break;
    default:
      break;
  }
}

void signaler::wake_behind_fence(unsigned& vain_fences) noexcept {
  full_fence();  // pairs with: prepare_sleep()
  std::uint32_t now = word_.load(std::memory_order_relaxed);
  if ((now & place_bits) != 0) {
    vain_fences = 0;
    wake();
  } else if (now != 0 && ++vain_fences >= vain_fences_max) {
    vain_fences = 0;
    // Not if it went to sleep meanwhile. pairs with: prepare_sleep(), whose exchange() sees it.
    word_.compare_exchange_strong(now, 0, std::memory_order_relaxed);
  }
}

int signaler::wait(const deadline& until) noexcept {
  // Always with a time: without one, a signal's handler with SA_RESTART would not end the sleep.
  timespec end{INT_MAX, 0};
  if (!until.never()) {
    end.tv_sec = static_cast<time_t>(until.at_ns() / 1'000'000'000u);
    end.tv_nsec = static_cast<long>(until.at_ns() % 1'000'000'000u);
  }
  const long outcome = ::syscall(SYS_futex, &word_, FUTEX_WAIT_BITSET_PRIVATE, asleep_as_, &end,
                                 nullptr, FUTEX_BITSET_MATCH_ANY);
  return outcome < 0 && errno == EINTR ? EINTR : 0;
}

}  // namespace slk
