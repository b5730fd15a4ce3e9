// When each message of a paced workload is due, and a timer that a poll can wait for.
#pragma once

#include <sys/timerfd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "clock.hpp"
#include "failure.hpp"
#include "unique_fd.hpp"

namespace slkbench {

// Absolute times, so that a late message delays none after it.
class schedule {
 public:
  explicit schedule(std::int64_t msgs_per_s) noexcept : msgs_per_s_(msgs_per_s) {}

  void begin_at(std::int64_t begin_ns) noexcept { begin_ns_ = begin_ns; }
  [[nodiscard]] std::int64_t due_ns(std::uint64_t number) const noexcept {
    constexpr std::int64_t second_ns = 1'000'000'000;
    const auto count = static_cast<std::int64_t>(number);
    return begin_ns_ + count / msgs_per_s_ * second_ns +
           count % msgs_per_s_ * second_ns / msgs_per_s_;
  }

 private:
  std::int64_t msgs_per_s_;
  std::int64_t begin_ns_ = 0;
};

// The time-out of a poll counts whole milliseconds, too coarse for 10,000 messages a second: a
// descriptor among the polled wakes it in time.
class due_timer {
 public:
  [[nodiscard]] failure open() {
    fd_ = unique_fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (fd_.get() < 0)
      return failed(std::string("timerfd_create: ") + std::strerror(errno));
    return {};
  }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // Readable from `due_ns` on; from never on for 0.
  void arm(std::int64_t due_ns) noexcept {
    if (due_ns == armed_ns_)
      return;
    armed_ns_ = due_ns;
    itimerspec when{};
    when.it_value.tv_sec = due_ns / 1'000'000'000;
    when.it_value.tv_nsec = due_ns % 1'000'000'000;
    timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

 private:
  unique_fd fd_;
  std::int64_t armed_ns_ = 0;
};

}  // namespace slkbench
