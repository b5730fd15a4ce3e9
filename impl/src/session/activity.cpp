#include "session/activity.hpp"

#include <cerrno>

namespace slk {

void activity::change(int by) noexcept {
  const std::lock_guard lock(mutex_);
  count_ += by;
  if (count_ == 0) {
    rest_.raise();  // inside the lock: who sees rest may destroy this object
  }
}

int activity::wait_for_rest() noexcept {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (count_ == 0) {
        return 0;
      }
      rest_.lower();
    }
    if (!rest_.wait() && errno == EINTR) {
      return EINTR;
    }
  }
}

}  // namespace slk
