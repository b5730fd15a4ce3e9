// short_way: of a short message on a socket whose next message has one way to go. It does what
// route() and fetch() would do, without asking for what was known already: at 64 bytes a message
// costs what its instructions cost (measured: 0.6 of them, 1.2 to 1.3 times the rate over tcp).
//
// A type shows the way where it has just gone it: one peer to send to, or the one that was named;
// one peer to receive from, or several in turn. Whatever may change that (an event, a pipe that
// comes or goes, a wait that is announced) has the way forgotten. What the way does not cover it
// refuses, and nothing has happened then: long frames, parts that others follow, a full pipe, a new
// chunk, credit that is due, a flush that is due.
//
// It writes to memory as little as it can: the fewer stores come with a message, the more messages
// fit the processor's view of the lines that it will want (see chunk_ring).
//
// Thread safety: of the socket's thread. Pipes are kept alive by the socket, which forgets them
// here before they go.

#pragma once

#include <cstddef>
#include <cstdint>

#include "base/same_bytes.hpp"
#include "pipe/inproc_pipe.hpp"
#include "pipe/stream_pipe.hpp"
#include "socket/fair_queue.hpp"

namespace slk {

class short_way {
 public:
  enum class outcome : std::uint8_t {
    refused,
    done,
    untold,  // written, but reader or patrol have to be told: untold()
  };

  // -- what a type shows
  // ----------------------------------------------------------------------------

  // The next messages go to this pipe.
  void leads_to(pipe& peer) noexcept { to_ = &peer; }
  void leads_nowhere() noexcept { to_ = nullptr; }
  // They come from this one: the only one there is.
  void leads_from(pipe& peer) noexcept { from_ = &peer; }
  void leads_from_nobody() noexcept {
    from_ = from_named_ = nullptr;
    turns_ = turns::none;
  }
  // They come from several, in turn.
  void leads_from_many() noexcept {
    leads_from_nobody();
    turns_ = turns::plain;
  }
  // Likewise, for a type that puts the peer's name in front of its message.
  void leads_from_named(pipe& peer) noexcept { from_named_ = &peer; }
  void leads_from_many_named() noexcept {
    leads_from_nobody();
    turns_ = turns::named;
  }
  void forget() noexcept {
    leads_nowhere();
    named_ = nullptr;
    leads_from_nobody();
  }

  // -- of a type whose messages begin with a name
  // ---------------------------------------------------

  // A message was begun by a name; target: whom it is for, null: nobody is there.
  void begin_message(pipe* target) noexcept {
    open_ = true;
    target_ = named_ = target;
  }
  void end_message() noexcept { open_ = false; }
  [[nodiscard]] bool message_open() const noexcept { return open_; }
  // REQUIRES: message_open().
  [[nodiscard]] pipe* target() const noexcept { return target_; }
  // Whoever it is, he is gone.
  void lose_target() noexcept { target_ = named_ = nullptr; }

  // The name was received of this pipe, which has a whole message, though perhaps it was not asked
  // by peek(); its body comes next.
  void body_follows(pipe* named) noexcept { body_of_ = named; }
  [[nodiscard]] pipe* body_of() const noexcept { return body_of_; }

  // -- the way itself
  // -------------------------------------------------------------------------------

  // Refuses more than BytesMax. REQUIRES: light_fence_is_free().
  template <std::size_t BytesMax>
  [[nodiscard]] outcome send(const std::uint8_t* data, std::size_t size_bytes, bool more) noexcept {
    if (more) {
      return name(data, size_bytes) ? outcome::done : outcome::refused;
    }
    pipe* const to = open_ ? named_ : to_;
    if (to == nullptr || size_bytes > BytesMax || data == nullptr) [[unlikely]] {
      return outcome::refused;
    }
    bool told = true;
    if (to->is_stream()) {
      auto& stream = static_cast<stream_pipe&>(*to);
      if (!stream.write_short<BytesMax>(data, size_bytes)) [[unlikely]] {
        return outcome::refused;
      }
      told = stream.patrol_watches_freely();
    } else {
      auto& inproc = static_cast<inproc_pipe&>(*to);
      if (!inproc.write_short<BytesMax>(data, size_bytes)) [[unlikely]] {
        return outcome::refused;
      }
      told = !inproc.reader_waits();
    }
    if (open_) {
      open_ = false;
    }
    if (!told) [[unlikely]] {
      untold_ = to;
      return outcome::untold;
    }
    return outcome::done;
  }
  [[nodiscard]] pipe& untold() const noexcept { return *untold_; }

  // The next frame, of at most so many bytes. False: refused.
  [[nodiscard]] bool receive(frame_view& frame, std::size_t bytes_max) noexcept {
    if (pipe* const of = body_of_; of != nullptr) {
      if (!of->take_short(frame, bytes_max)) [[unlikely]] {
        return false;
      }
      body_of_ = nullptr;
      return true;
    }
    if (from_ != nullptr) [[likely]] {
      return from_->take_short(frame, bytes_max);
    }
    return from_named_ != nullptr && give_name(*from_named_, frame, bytes_max);
  }
  // The same where it leads from several, which stand in `queue`.
  [[nodiscard]] bool receive_in_turn(fair_queue& queue, frame_view& frame,
                                     std::size_t bytes_max) noexcept {
    if (turns_ == turns::none || body_of_ != nullptr) [[unlikely]] {
      return false;
    }
    pipe* const from = queue.turn_of_short();
    if (from == nullptr || !(turns_ == turns::named ? give_name(*from, frame, bytes_max)
                                                    : from->take_short(frame, bytes_max))) {
      return false;
    }
    queue.turn_taken(*from);
    return true;
  }

 private:
  enum class turns : std::uint8_t { none, plain, named };

  // The message is for the peer that the last one was for.
  [[nodiscard]] bool name(const std::uint8_t* data, std::size_t size_bytes) noexcept {
    pipe* const to = named_;
    if (to == nullptr || open_ || data == nullptr || size_bytes > same_bytes_inline_max ||
        !to->has_known_room() ||
        !same_bytes(to->routing_id, {reinterpret_cast<const char*>(data), size_bytes}))
        [[unlikely]] {
      return false;
    }
    open_ = true;
    return true;
  }

  // Its message is here; its name comes first.
  [[nodiscard]] bool give_name(pipe& from, frame_view& frame, std::size_t bytes_max) noexcept {
    if (from.routing_id.size() > bytes_max || !from.has_short()) [[unlikely]] {
      return false;
    }
    frame.set(reinterpret_cast<const std::uint8_t*>(from.routing_id.data()), from.routing_id.size(),
              true);
    body_of_ = &from;
    return true;
  }

  pipe* to_ = nullptr;  // where messages without a name go
  pipe* from_ = nullptr;
  pipe* untold_ = nullptr;

  // Who was named last; named_ is null where that has to be found out anew.
  pipe* target_ = nullptr;
  pipe* named_ = nullptr;
  pipe* from_named_ = nullptr;  // whose name comes next
  pipe* body_of_ = nullptr;
  bool open_ = false;  // a message was begun for target_
  turns turns_ = turns::none;
};

}  // namespace slk
