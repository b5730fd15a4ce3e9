#include "io/timer_queue.hpp"

#include "base/clock.hpp"

namespace slk {

timer_queue::timer::timer(timer_queue& queue, std::function<void()> due)
    : queue_(queue), due_(std::move(due)) {
  std::map<key, timer*> nursery;
  nursery.emplace(key{}, this);
  place_ = nursery.extract(nursery.begin());
}

void timer_queue::timer::start(std::uint64_t delay_ms) noexcept {
  cancel();
  place_.key() = {monotonic_ns() + delay_ms * 1'000'000u, ++queue_.last_serial_};
  position_ = queue_.timers_.insert(std::move(place_)).position;
}

void timer_queue::timer::cancel() noexcept {
  if (running()) {
    place_ = queue_.timers_.extract(position_);
  }
}

void timer_queue::run_due() noexcept {
  if (timers_.empty()) {
    return;
  }
  const std::uint64_t now_ns = monotonic_ns();
  while (!timers_.empty() && timers_.begin()->first.first <= now_ns) {
    timer& first = *timers_.begin()->second;
    first.cancel();
    first.due_();
  }
}

}  // namespace slk
