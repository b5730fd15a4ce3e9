#include "socket/fair_queue.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/asymmetric_fence.hpp"
#include "pipe/stream_pipe.hpp"

namespace slk {

void fair_queue::add(pipe& fresh) {
  if (pipes_.size() == 1) {
    // Alone, it was read without regard to being active: its slab may hold messages whose edge will
    // never be reported, since the kernel has nothing left for it.
    wake(*pipes_.front());
  }
  ended_.reserve(pipes_.size() + 1);  // note_if_ended() must not fail
  pipes_.push_back(&fresh);
  streams_ += fresh.is_stream() ? 1 : 0;
  fresh.readable = true;
  fresh.queue_position = pipes_.size() - 1;
  make_busy(fresh);
  rely_on_edges();
}

void fair_queue::remove(pipe& gone) noexcept {
  if (!gone.readable) {
    return;
  }
  gone.readable = false;
  deactivate(gone);
  swap_positions(gone.queue_position, pipes_.size() - 1);
  pipes_.pop_back();
  streams_ -= gone.is_stream() ? 1 : 0;
  schedule_looks();
  std::erase(ended_, &gone);
  if (reading_ == &gone) {
    reading_ = nullptr;
  }
  if (pipes_.size() == 1) {
    // Alone, it is read without regard to being active, but gives credit only if it is.
    pipe& last = *pipes_.front();
    if (last.queue_position >= active_) {
      wake(last);
      last.look_again();
    }
  }
  rely_on_edges();
}

void fair_queue::rely_on_edges() noexcept {
  // Only the step from one to two, or back, changes anything for more than one pipe.
  for (std::size_t i = 0; i < std::min<std::size_t>(pipes_.size(), 2); ++i) {
    pipe* one = pipes_[i];
    if (one->is_stream()) {
      static_cast<stream_pipe*>(one)->reader().rely_on_edges(pipes_.size() > 1);
    }
  }
  if (pipes_.size() > 2 && pipes_.back()->is_stream()) {
    static_cast<stream_pipe*>(pipes_.back())->reader().rely_on_edges(true);
  }
}

pipe* fair_queue::find_among_many() noexcept {
  if (++since_look_ > look_after_) {
    since_collect_ += since_look_;
    since_look_ = 0;
    static_cast<void>(look_at_quiet());
    if (since_collect_ > messages_per_collect && streams_ > 0) {
      collect();
    }
  }
  for (;;) {
    if (pipe* found = find_among_busy(); found != nullptr) {
      return found;
    }
    // No system call for each look in vain.
    if (!look_at_quiet() && (streams_ == 0 || !collect())) {
      return nullptr;
    }
  }
}

pipe* fair_queue::find_among_busy() noexcept {
  std::size_t silent = 0;
  while (busy_ > silent) {
    if (current_ >= busy_) {
      current_ = 0;
    }
    pipe& candidate = *pipes_[current_];
    if (candidate.peek()) {
      candidate.silent_looks = 0;
      return &candidate;
    }
    note_if_ended(candidate);
    const bool leaves = candidate.is_stream() || candidate.input_ended();
    if (leaves || ++candidate.silent_looks >= silent_looks_until_quiet) {
      leaves ? deactivate(candidate) : make_quiet(candidate);
      silent = 0;  // the pipe swapped in may have been counted before, in the place of another
    } else {
      ++silent;
      ++current_;
    }
  }
  return nullptr;
}

// True: one of them has something, and is busy now.
bool fair_queue::look_at_quiet() noexcept {
  bool any = false;
  bool long_silent = false;
  all_long_silent_ = true;
  for (std::size_t i = busy_; i < active_;) {
    pipe& one = *pipes_[i];
    if (one.peek()) {
      make_busy(one);  // the pipe swapped in was looked at
      any = true;
      ++i;
      continue;
    }
    note_if_ended(one);
    if (one.input_ended()) {
      deactivate(one);  // the pipe swapped in comes next
      continue;
    }
    const bool this_one = ++one.silent_looks >= silent_looks_max;
    long_silent = long_silent || this_one;
    all_long_silent_ = all_long_silent_ && this_one;
    ++i;
  }
  schedule_looks();
  return (long_silent && look_away_from_silent()) || any;
}

// True: one of them has something, after all.
bool fair_queue::look_away_from_silent() noexcept {
  if (active_ <= attended_max) {
    return false;
  }
  const auto long_silent = [](const pipe& one) { return one.silent_looks >= silent_looks_max; };
  for (std::size_t i = busy_; i < active_; ++i) {
    if (long_silent(*pipes_[i])) {
      pipes_[i]->look_away();
    }
  }
  heavy_fence();  // pairs with: inproc_pipe::tell_reader()
  bool any = false;
  for (std::size_t i = busy_; i < active_;) {
    pipe& one = *pipes_[i];
    if (!long_silent(one)) {
      ++i;
    } else if (one.peek()) {
      one.look_again();
      make_busy(one);
      any = true;
      ++i;
    } else {
      deactivate(one);  // the pipe swapped in comes next
    }
  }
  return any;
}

// Returns nullptr, for find().
pipe* fair_queue::note_if_ended(pipe& silent) noexcept {
  if (silent.input_ended() && std::find(ended_.begin(), ended_.end(), &silent) == ended_.end()) {
    ended_.push_back(&silent);
  }
  return nullptr;
}

pipe* fair_queue::next_ended() noexcept {
  if (ended_.empty()) {
    return nullptr;
  }
  pipe* one = ended_.back();
  ended_.pop_back();
  return one;
}

// True: some pipe became active.
bool fair_queue::collect() noexcept {
  since_collect_ = 0;
  bool any = false;
  std::array<ready_set::event, ready_set::batch> events;
  const std::size_t count = ready_.collect(events);
  for (std::size_t i = 0; i < count; ++i) {
    if (events[i].tag != nullptr) {
      auto* pipe = static_cast<stream_pipe*>(events[i].tag);
      pipe->reader().set_ready(events[i].hang_up);
      wake(*pipe);
      any = true;
    }
  }
  return any;
}

void fair_queue::wake(pipe& woken) noexcept {
  if (woken.readable) {
    make_busy(woken);
  }
}

void fair_queue::make_busy(pipe& found) noexcept {
  found.silent_looks = 0;
  if (found.queue_position >= active_) {
    swap_positions(found.queue_position, active_++);
  }
  if (found.queue_position >= busy_) {
    swap_positions(found.queue_position, busy_++);
  }
  schedule_looks();
}

void fair_queue::make_quiet(pipe& silent) noexcept {
  if (silent.queue_position < busy_) {
    swap_positions(silent.queue_position, --busy_);
    all_long_silent_ = false;
  }
  schedule_looks();
}

void fair_queue::deactivate(pipe& silent) noexcept {
  make_quiet(silent);
  if (silent.queue_position < active_) {
    swap_positions(silent.queue_position, --active_);
  }
  schedule_looks();
}

void fair_queue::swap_positions(std::size_t a, std::size_t b) noexcept {
  std::swap(pipes_[a], pipes_[b]);
  pipes_[a]->queue_position = a;
  pipes_[b]->queue_position = b;
}

void fair_queue::give_credit() noexcept {
  // Those behind have given theirs when they became inactive, or need not.
  for (std::size_t i = 0; i < active_; ++i) {
    pipes_[i]->give_credit();
  }
}

}  // namespace slk
