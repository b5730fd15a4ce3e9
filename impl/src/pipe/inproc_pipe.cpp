#include "pipe/inproc_pipe.hpp"

namespace slk {

namespace {

constexpr std::size_t productive_look_bytes = 4096;
constexpr unsigned pause_count_max = 64;
constexpr unsigned failed_looks_max = 24;

std::uint64_t sum_of_marks(std::uint64_t send, std::uint64_t receive) noexcept {
  return send == 0 || receive == 0 ? pipe::unlimited : send + receive;
}

constexpr std::size_t index_of(inproc_link::side which) noexcept {
  return static_cast<std::size_t>(which);
}

}  // namespace

bool inproc_link::join(side which, std::weak_ptr<pipe> end, std::shared_ptr<inbox> owner) {
  signaler* signal = &owner->signal();
  socket_events farewell;
  farewell.push_back({socket_event::kind::ended, nullptr, {}, {}});
  const std::lock_guard lock(mutex_);
  ends_[index_of(which)].pipe = std::move(end);
  ends_[index_of(which)].owner = std::move(owner);
  ends_[index_of(which)].joined = true;
  ends_[index_of(which)].farewell = std::move(farewell);
  inproc_channel& out = which == side::connecting ? forward : backward;
  inproc_channel& in = which == side::connecting ? backward : forward;
  out.producer.store(signal, std::memory_order_release);  // pairs with: give_credit()
  in.consumer.store(signal, std::memory_order_release);   // pairs with: tell_reader()
  return ends_[1 - index_of(which)].left;
}

void inproc_link::leave(side which) noexcept {
  std::shared_ptr<pipe> other;
  std::shared_ptr<inbox> other_owner;
  std::shared_ptr<inbox> released;
  socket_events farewell;
  {
    const std::lock_guard lock(mutex_);
    ends_[index_of(which)].left = true;
    end_state& peer = ends_[1 - index_of(which)];
    if (!peer.joined) {
      // It may be long until somebody comes for the messages, and nobody is woken any more.
      inproc_channel& out = which == side::connecting ? forward : backward;
      inproc_channel& in = which == side::connecting ? backward : forward;
      out.producer.store(nullptr, std::memory_order_relaxed);  // the other end comes by mutex_
      in.consumer.store(nullptr, std::memory_order_relaxed);
      released = std::move(ends_[index_of(which)].owner);
    }
    if (!peer.left) {
      other = peer.pipe.lock();
      other_owner = peer.owner;
      farewell = std::move(ends_[index_of(which)].farewell);
    }
  }
  if (other != nullptr && other_owner != nullptr && !farewell.empty()) {
    farewell.front().subject = std::move(other);
    other_owner->post(std::move(farewell));
  }
}

void inproc_link::announce(side which) {
  std::shared_ptr<pipe> other;
  std::shared_ptr<inbox> other_owner;
  {
    const std::lock_guard lock(mutex_);
    other = ends_[1 - index_of(which)].pipe.lock();
    other_owner = ends_[1 - index_of(which)].owner;
  }
  if (other != nullptr && other_owner != nullptr) {
    other_owner->post({socket_event::kind::received, std::move(other), {}, {}});
  }
}

void inproc_link::set_marks(side which, std::uint64_t send, std::uint64_t receive) {
  const std::lock_guard lock(mutex_);
  ends_[index_of(which)].send_mark = send;
  ends_[index_of(which)].receive_mark = receive;
  const end_state& connecting = ends_[index_of(side::connecting)];
  const end_state& binding = ends_[index_of(side::binding)];
  constexpr auto relaxed = std::memory_order_relaxed;  // see capacity_messages
  if (!binding.joined) {
    forward.capacity_messages.store(
        connecting.send_mark == 0 ? pipe::unlimited : connecting.send_mark, relaxed);
    return;
  }
  forward.capacity_messages.store(sum_of_marks(connecting.send_mark, binding.receive_mark),
                                  relaxed);
  backward.capacity_messages.store(sum_of_marks(binding.send_mark, connecting.receive_mark),
                                   relaxed);
}

inproc_pipe::inproc_pipe(std::shared_ptr<inproc_link> link, side which) noexcept
    : pipe(which == side::connecting ? &link->forward.ring : &link->backward.ring, false),
      link_(std::move(link)),
      side_(which),
      in_(which == side::connecting ? link_->backward : link_->forward),
      out_channel_(which == side::connecting ? link_->forward : link_->backward) {
  credit_due_ = 1;  // the first message read computes the interval
}

void inproc_pipe::set_high_water_marks(std::uint64_t send, std::uint64_t receive) noexcept {
  link_->set_marks(side_, send, receive);
  room_limit_ = 0;  // look again
}

bool inproc_pipe::find_room() noexcept {
  if (input_ended_) {
    return false;
  }
  const std::uint64_t capacity = out_channel_.capacity_messages.load(std::memory_order_relaxed);
  // pairs with: give_credit()
  const std::uint64_t read = out_channel_.read_messages.load(std::memory_order_acquire);
  room_limit_ = capacity == unlimited ? unlimited : read + capacity;
  return written_messages_ < room_limit_;
}

void inproc_pipe::announce() noexcept {
  if (out_channel_.unattended.exchange(false, std::memory_order_acq_rel)) {
    try {
      link_->announce(side_);
    } catch (...) {
      // Out of memory: the next message tells of this one.
      out_channel_.unattended.store(true, std::memory_order_relaxed);
    }
  }
}

void inproc_pipe::look_away() noexcept {
  give_credit();
  in_.unattended.store(true, std::memory_order_relaxed);  // the caller's fence orders it
}

void inproc_pipe::look_again() noexcept {
  in_.unattended.store(false, std::memory_order_relaxed);  // a late announcement does no harm
}

// Half of the capacity, so that producer and consumer do not pass the word back and forth with
// every message.
std::uint64_t inproc_pipe::report_interval() const noexcept {
  constexpr std::uint64_t unlimited_interval = 1u << 20;
  const std::uint64_t capacity = in_.capacity_messages.load(std::memory_order_relaxed);
  return capacity == unlimited ? unlimited_interval : (capacity + 1) / 2;
}

void inproc_pipe::credit_due() noexcept {
  const std::uint64_t interval = report_interval();
  if (read_messages_ - reported_messages_ >= interval) {
    give_credit();
  }
  credit_due_ = reported_messages_ + interval;
}

void inproc_pipe::give_credit() noexcept {
  if (reported_messages_ != read_messages_) {
    reported_messages_ = read_messages_;
    in_.read_messages.store(read_messages_, std::memory_order_release);  // pairs with: find_room()
    // pairs with: inproc_link::join()
    if (signaler* sender = in_.producer.load(std::memory_order_acquire); sender != nullptr) {
      sender->wake_if_awaiting_room();
    }
  }
}

bool inproc_pipe::refill(std::size_t) noexcept {
  if (viewed_bytes_ > 0) {
    in_.ring.consume(viewed_bytes_);
    viewed_bytes_ = 0;
    back_off();
  }
  const auto front = in_.ring.front();
  cursor_ = front.data();
  limit_ = front.data() + front.size();
  viewed_bytes_ = front.size();
  if (front.empty()) {
    cursor_ = limit_ = &no_bytes;
    // A mark that was lowered meanwhile: the producer may wait for a report due by the new one.
    if (read_messages_ - reported_messages_ >= report_interval()) [[unlikely]] {
      give_credit();
    }
    if (++failed_looks_ > failed_looks_max) {
      pause_count_ = 0;
    }
    return false;
  }
  failed_looks_ = 0;
  if (front.size() >= productive_look_bytes) {
    pause_count_ /= 2;
  } else if (pause_count_ < pause_count_max) {
    pause_count_ = pause_count_ == 0 ? 1 : pause_count_ * 2;
  }
  return true;
}

// A consumer right behind its producer makes the ring's cache lines bounce with every message, at
// several times the price of the message. Letting a few more messages gather first pays; the pause
// grows while looks find little and vanishes when the stream is over or this side sends as well.
void inproc_pipe::back_off() noexcept {
  for (unsigned i = 0; i < pause_count_; ++i) {
    cpu_pause();
  }
}

}  // namespace slk
