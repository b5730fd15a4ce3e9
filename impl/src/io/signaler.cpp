#include "io/signaler.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace slk {

namespace {

static_assert(sizeof(std::atomic<signaler::place>) == sizeof(std::uint32_t) &&
                  std::atomic<signaler::place>::is_always_lock_free,
              "futex(2) reads the word as it is in memory");

}  // namespace

void signaler::wake() noexcept {
  // pairs with: finish_sleep()
  switch (sleeping_.exchange(place::awake, std::memory_order_acq_rel)) {
    case place::awake:
      break;
    case place::descriptor:
      event_.raise();
      break;
    case place::word:
      // It may have left by itself: then its next sleep there ends early, once.
      ::syscall(SYS_futex, &sleeping_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
      break;
  }
}

int signaler::wait(const deadline& until) noexcept {
  // Always with a time: without one, a signal's handler with SA_RESTART would not end the sleep.
  timespec end{INT_MAX, 0};
  if (!until.never()) {
    end.tv_sec = static_cast<time_t>(until.at_ns() / 1'000'000'000u);
    end.tv_nsec = static_cast<long>(until.at_ns() % 1'000'000'000u);
  }
  const long outcome =
      ::syscall(SYS_futex, &sleeping_, FUTEX_WAIT_BITSET_PRIVATE,
                static_cast<std::uint32_t>(place::word), &end, nullptr, FUTEX_BITSET_MATCH_ANY);
  return outcome < 0 && errno == EINTR ? EINTR : 0;
}

}  // namespace slk
