#include "io/wait.hpp"

#include <cerrno>

namespace slk {

int wait_for(std::span<pollfd> items, const deadline& until) noexcept {
  timespec left{};
  if (!until.never()) {
    const std::uint64_t now_ns = monotonic_ns();
    const std::uint64_t left_ns = until.at_ns() > now_ns ? until.at_ns() - now_ns : 0;
    left.tv_sec = static_cast<time_t>(left_ns / 1'000'000'000u);
    left.tv_nsec = static_cast<long>(left_ns % 1'000'000'000u);
  }
  const int count = ::ppoll(items.data(), items.size(), until.never() ? nullptr : &left, nullptr);
  return count < 0 ? errno : 0;
}

}  // namespace slk
