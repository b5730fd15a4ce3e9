#include "io/event_signal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace slk {

event_signal::event_signal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
}

void event_signal::raise() const noexcept {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is at its ceiling: raised already.
  while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

std::uint64_t event_signal::lower() const noexcept {
  std::uint64_t count = 0;
  while (::read(fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
  }
  return count;
}

bool event_signal::wait() const noexcept {
  pollfd item{fd_.get(), POLLIN, 0};
  return ::poll(&item, 1, -1) == 1;
}

}  // namespace slk
