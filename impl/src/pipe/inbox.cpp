#include "pipe/inbox.hpp"

#include "message/properties.hpp"

namespace slk {

void properties_release::operator()(message_properties* properties) const noexcept {
  properties->release();
}

void inbox::post(socket_event event) {
  socket_events one;
  one.push_back(std::move(event));
  post(std::move(one));
}

void inbox::post(socket_events event) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return;  // the event goes behind the lock: its pipe may be the last to hold this inbox
    }
    events_.splice(events_.end(), event);
    pending_.store(true, std::memory_order_release);  // pairs with: has_events()
  }
  signal_.wake_if_sleeping();
}

void inbox::put_back(socket_events events) noexcept {
  const std::lock_guard lock(mutex_);
  events_.splice(events_.begin(), events);
  pending_.store(true, std::memory_order_release);  // pairs with: has_events()
}

socket_events inbox::take() noexcept {
  socket_events batch;
  const std::lock_guard lock(mutex_);
  batch.swap(events_);
  taken_stop_error_ = stop_error_;
  // Under the mutex, as the store of true. Who is stopped never has a quiet call again.
  pending_.store(stop_error_ != 0, std::memory_order_relaxed);
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

socket_events inbox::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  return take();
}

}  // namespace slk
