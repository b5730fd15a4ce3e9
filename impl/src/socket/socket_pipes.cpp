// The pipes of a socket: what other threads tell of them, how they come and how they go.

#include "socket/socket.hpp"

namespace slk {

int socket::process_events() {
  short_.forget();
  socket_events events = inbox_->take();
  const int stopped = inbox_->stop_error();
  while (!events.empty()) {
    try {
      handle(events.front());
    } catch (...) {
      inbox_->put_back(std::move(events));
      throw;
    }
    events.pop_front();
  }
  return stopped;
}

void socket::handle(socket_event& event) {
  if (event.what == socket_event::kind::attached) {
    attach(event);
    return;
  }
  pipe& subject = *event.subject;
  if (!pipes_.contains(&subject)) {
    return;  // disconnected meanwhile
  }
  if (event.what == socket_event::kind::connected) {
    if (event.properties != nullptr) {
      subject.properties = std::move(event.properties);
    }
    if (subject.is_stream() && type_ != socket_type::push) {
      static_cast<stream_pipe&>(subject).reader().watch(ready_, &subject);
    }
    peer_known(subject, std::string(event.routing_id));  // it may be called for once more
  } else if (event.what == socket_event::kind::ended) {
    pipe_ended(subject);
    subject.end_input();
  }
  if (subject.is_stream() && type_ != socket_type::push) {
    static_cast<stream_pipe&>(subject).reader().set_ready(false);
  }
  if (subject.readable) {
    queue_.wake(subject);
  } else if (subject.input_ended()) {
    remove_pipe(subject);
  }
}

// Leaves no trace where there is no memory: it is called for again.
void socket::attach(socket_event& event) {
  pipe& fresh = *event.subject;
  fresh.routing_id = event.routing_id;
  try {
    add_pipe(event.subject, true);
  } catch (...) {
    detach(fresh);
    throw;
  }
  fresh.properties = std::move(event.properties);
}

void socket::add_pipe(std::shared_ptr<pipe> fresh, bool known) {
  pipe& added = *fresh;
  short_.forget();
  pipes_.emplace(&added, std::move(fresh));
  inproc_pipes_ += added.is_stream() ? 0 : 1;
  added.set_high_water_marks(static_cast<std::uint64_t>(options_.sndhwm),
                             static_cast<std::uint64_t>(options_.rcvhwm));
  if (known && added.is_stream() && type_ != socket_type::push) {
    static_cast<stream_pipe&>(added).reader().watch(ready_, &added);
  }
  pipe_added(added, known);
  if (options_.probe_router != 0) {
    static_cast<void>(write_to(added, nullptr, 0, false));
  }
}

void socket::reap_ended() noexcept {
  while (pipe* ended = queue_.next_ended()) {
    remove_pipe(*ended);
  }
}

// The inverse of add_pipe().
void socket::detach(pipe& gone) noexcept {
  short_.forget();
  pipe_removed(gone);
  if (running_ahead_ == &gone) {
    running_ahead_ = nullptr;
  }
  queue_.remove(gone);
  gone.rollback();
  if (gone.is_stream()) {
    auto& stream = static_cast<stream_pipe&>(gone);
    stream.reader().unwatch(ready_);
    flush_.forget(stream);
  }
  const bool inproc = !gone.is_stream();
  if (pipes_.erase(&gone) != 0 && inproc) {
    --inproc_pipes_;
  }
}

void socket::remove_pipe(pipe& gone) noexcept {
  const std::shared_ptr<pipe> kept = gone.shared_from_this();
  if (gone.readable && gone.reading()) {  // else the I/O thread reads, and it may be doing so
    message_cut();
  }
  detach(gone);
  if (!gone.is_stream()) {
    static_cast<inproc_pipe&>(gone).leave();
  }
}

void socket::drop_connection(pipe& replaced) {
  if (replaced.is_stream()) {
    static_cast<stream_pipe&>(replaced).end_connection();
  } else {
    inbox_->post({socket_event::kind::ended, replaced.shared_from_this(), {}, {}});
  }
}

}  // namespace slk
