#include "session/monitor.hpp"

#include <serverlink/serverlink.h>

#include <utility>

namespace slk {

void monitor::attach(std::unique_ptr<event_sink> sink, int events) noexcept {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr && (wanted_.load(std::memory_order_relaxed) & SLK_EVENT_MONITOR_STOPPED)) {
    sink_->put(SLK_EVENT_MONITOR_STOPPED, 0, {});
  }
  sink_ = std::move(sink);
  wanted_.store(sink_ == nullptr ? 0 : events, std::memory_order_relaxed);  // under mutex_
}

void monitor::seal() noexcept {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr) {
    sink_->seal();
  }
}

void monitor::put(int event, std::uint32_t value, std::string_view endpoint) noexcept {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr && (wanted_.load(std::memory_order_relaxed) & event) != 0) {
    sink_->put(event, value, endpoint);
  }
}

}  // namespace slk
