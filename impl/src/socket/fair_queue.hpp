#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "io/ready_set.hpp"
#include "pipe/pipe.hpp"

namespace slk {

// The pipes that a socket receives from, message by message in turn.
//
// Three groups stand one behind the other in pipes_:
//
//   busy     [0, busy_)        looked at in turn, for every message
//   quiet    [busy_, active_)  inproc pipes that had nothing several times: looked at once in some
//                              messages, and when no busy one has any
//   waiting  the others        a stream pipe has none until the ready set says so, an inproc pipe
//                              until its peer does
//
// Few inproc pipes are quiet all the time in place of waiting: a look at one costs some loads, to
// be told of a message costs its sender much more.
//
// Thread safety: of the socket's thread. Pipes are kept alive by the socket.
class fair_queue {
 public:
  explicit fair_queue(ready_set& ready) noexcept : ready_(ready) {}

  void add(pipe& fresh);
  void remove(pipe& gone) noexcept;

  // A pipe with a whole message or the next frame of the one being read; nullptr: none now.
  [[nodiscard]] pipe* find() noexcept {
    if (reading_ != nullptr) {
      return reading_;
    }
    if (pipes_.size() == 1) [[likely]] {
      pipe* only = pipes_.front();
      return only->peek() ? only : note_if_ended(*only);
    }
    if (one_is_busy() && pipes_.front()->peek()) [[likely]] {
      return pipes_.front();
    }
    return find_among_many();
  }

  // The next frame and the pipe it came from; nullptr: none now.
  [[nodiscard]] pipe* take(frame_view& frame) noexcept {
    if (pipes_.size() == 1) [[likely]] {
      if (reading_ == nullptr && pipes_.front()->take_single(frame)) [[likely]] {
        return pipes_.front();
      }
    } else if (reading_ == nullptr && one_is_busy() && pipes_.front()->take_single(frame)) {
      note_size(frame);
      return pipes_.front();
    }
    pipe* from = find();
    if (from != nullptr) {
      from->take(frame);
      frame_taken(*from, frame);
    }
    return from;
  }

  // What find() returned gave a frame.
  void frame_taken(pipe& from, const frame_view& frame) noexcept {
    note_size(frame);
    if (frame.more) {
      reading_ = &from;
    } else {
      reading_ = nullptr;
      ++current_;
    }
  }

  // -- the same for a short frame that is a message (short_way)

  // Whose turn it is, where nothing else is due; nullptr: take(). turn_taken() follows if it gave
  // a message, or its name.
  [[nodiscard]] pipe* turn_of_short() noexcept {
    if (reading_ != nullptr || busy_ == 0 || since_look_ >= look_after_) [[unlikely]] {
      return nullptr;
    }
    if (current_ >= busy_) {
      current_ = 0;
    }
    return pipes_[current_];
  }
  void turn_taken(pipe& from) noexcept {
    if (from.silent_looks != 0) {
      from.silent_looks = 0;
    }
    ++since_look_;
    ++current_;
    if (busy_ > near_peers_max && current_ + turns_ahead < busy_) {
      pipes_[current_ + turns_ahead]->prefetch();
    }
  }

  // What it gave last is the only pipe to look at, until an event tells of another.
  [[nodiscard]] bool has_only_one() const noexcept {
    return pipes_.size() == 1 || (busy_ == 1 && active_ == 1 && streams_ == 0);
  }

  // Takes note of the edges that have come.
  void collect_edges() noexcept { static_cast<void>(collect()); }

  // Something may have come on this pipe.
  void wake(pipe& woken) noexcept;

  // A pipe that has ended and is read empty, each once; nullptr: no more.
  [[nodiscard]] pipe* next_ended() noexcept;

  [[nodiscard]] bool empty() const noexcept { return pipes_.empty(); }
  [[nodiscard]] bool has_ended() const noexcept { return !ended_.empty(); }

  // Before a sleep: producers learn how much was read.
  void give_credit() noexcept;

 private:
  // How long a quiet pipe may have to wait behind busy ones, and where all of them have been silent
  // for long.
  static constexpr unsigned messages_per_look = 30;
  static constexpr unsigned messages_per_late_look = 128;
  // Collecting edges costs a system call; often enough for fairness, rarely enough for speed.
  static constexpr unsigned messages_per_collect = 256;
  // One of these takes so long that the others are looked after each time.
  static constexpr std::size_t large_frame_bytes = 64 * 1024;

  static constexpr std::size_t attended_max = 16;
  // What is received of so many stays in the nearest caches until its turn comes; of more it is
  // called for so many turns ahead.
  static constexpr std::size_t near_peers_max = 16;
  static constexpr std::size_t turns_ahead = 2;
  static constexpr unsigned silent_looks_until_quiet = 4;
  static constexpr unsigned silent_looks_max = 64;

  // No other pipe's turn comes, and it is not yet time to look at those.
  [[nodiscard]] bool one_is_busy() noexcept {
    return busy_ == 1 && since_look_ < look_after_ && ++since_look_ != 0;
  }
  void note_size(const frame_view& frame) noexcept {
    if (frame.size_bytes >= large_frame_bytes) [[unlikely]] {
      since_look_ = since_collect_ = messages_per_collect;
    }
  }
  // Which pipes are quiet, or streams, has changed.
  void schedule_looks() noexcept {
    look_after_ = active_ > busy_ ? all_long_silent_ ? messages_per_late_look : messages_per_look
                  : streams_ > 0  ? messages_per_collect
                                  : std::numeric_limits<unsigned>::max();
  }
  pipe* find_among_many() noexcept;
  [[nodiscard]] pipe* find_among_busy() noexcept;
  [[nodiscard]] bool look_at_quiet() noexcept;
  [[nodiscard]] bool look_away_from_silent() noexcept;
  pipe* note_if_ended(pipe& silent) noexcept;
  bool collect() noexcept;
  void make_busy(pipe& found) noexcept;
  void make_quiet(pipe& silent) noexcept;
  void deactivate(pipe& silent) noexcept;
  void swap_positions(std::size_t a, std::size_t b) noexcept;
  void rely_on_edges() noexcept;

  ready_set& ready_;
  std::vector<pipe*> pipes_;
  std::vector<pipe*> ended_;
  std::size_t busy_ = 0;
  std::size_t active_ = 0;
  std::size_t streams_ = 0;       // of pipes_
  std::size_t current_ = 0;       // whose turn it is, of the busy ones
  unsigned look_after_ = 0;       // in messages: when something else than the busy ones is due
  unsigned since_look_ = 0;       // at it, in messages
  unsigned since_collect_ = 0;    // in messages
  bool all_long_silent_ = false;  // of the quiet ones
  pipe* reading_ = nullptr;
};

}  // namespace slk
