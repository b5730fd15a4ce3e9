#include "pipe/inbox.hpp"

#include "message/properties.hpp"

namespace slk {

void properties_release::operator()(message_properties* properties) const noexcept {
  properties->release();
}

void inbox::post(socket_event event) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return;  // the event goes behind the lock: its pipe may be the last to hold this inbox
    }
    events_.push_back(std::move(event));
    pending_.store(true, std::memory_order_release);  // pairs with: has_events()
  }
  signal_.wake_if_sleeping();
}

std::vector<socket_event> inbox::take() {
  std::vector<socket_event> batch;
  const std::lock_guard lock(mutex_);
  batch.swap(events_);
  taken_stop_error_ = stop_error_;
  pending_.store(false, std::memory_order_relaxed);  // under the mutex, as the store of true
  return batch;
}

void inbox::stop(int error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (stop_error_ == 0) {
      stop_error_ = error;
    }
    pending_.store(true, std::memory_order_release);  // pairs with: has_events()
  }
  signal_.wake_if_sleeping();
}

std::vector<socket_event> inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  return take();
}

}  // namespace slk
