#pragma once

#include <cstdint>

#include "base/unique_fd.hpp"

namespace slk {

// An eventfd: any thread raises it, one thread waits for it in a poller and lowers it.
class event_signal {
 public:
  // Throws std::system_error (EMFILE, ENFILE, ENOMEM).
  event_signal();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  void raise() const noexcept;
  // How often it was raised since it was lowered last.
  std::uint64_t lower() const noexcept;
  // Waits until it is raised, without lowering it. False: errno says why (EINTR).
  [[nodiscard]] bool wait() const noexcept;

 private:
  unique_fd fd_;
};

}  // namespace slk
