// signaler: how any thread gets a socket's owner out of its sleep.
//
// Roles: one sleeper (the thread that uses the socket), any number of wakers.
//
// Protocol: sleeper: prepare_sleep() sets a place in word_ and passes a fence; then looks once more
//           for whatever it waits for; then blocks on fd() or in wait(); then finish_sleep().
//           waker: makes its change visible, then passes a fence, looks at word_, and wakes.
// The fences guarantee that the sleeper's last look sees the change or the waker sees the place.
// After "looked and slept" exactly one waker raises the eventfd, or wakes who waits for the word
// itself: clear_place() picks it.
//
// Fences: all wakers pass a full one, and then a full one does for the sleeper, but for frequent
// wakers (an inproc peer, once a message). A light fence is all that those can afford in a stream;
// it takes a heavy one of the sleeper, which interrupts the other processors and costs both sides
// as much as a hundred messages. In a conversation of a few messages a sleep that would be most of
// the bill. So a sleep with a heavy fence leaves `wakers_fence` behind: while that is set, frequent
// wakers pass a full fence as well, and the next sleeps do without a heavy one. A frequent waker
// that has done so for many messages in vain clears it.
// Why that is safe: setting it is followed by a heavy fence, so whoever has not seen it since had
// published before. The sleeper takes it for set only if its exchange() found it so.
//
// Room: readers report what they have read, though hardly any writer waits for that. Such a report
// wakes only who said await_room(). Else each end of a conversation would be woken twice a message.
//
// Who has nothing else to wait for sleeps on the word, with futex(2): one system call a side in
// place of a write on the one, and a poll and a read on the other.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/asymmetric_fence.hpp"
#include "base/cache_line.hpp"
#include "io/event_signal.hpp"
#include "io/wait.hpp"

namespace slk {

class signaler {
 public:
  // Where the sleeper sleeps.
  enum class place : std::uint32_t { descriptor = 1, word = 2 };

  [[nodiscard]] int fd() const noexcept { return event_.fd(); }

  // -- wakers -------------------------------------------------------------------------------------

  void wake_if_sleeping() noexcept {
    full_fence();  // pairs with: prepare_sleep()
    if (armed()) {
      wake();
    }
  }

  // For a waker that calls this with every message. vain_fences is its own, for this signaler.
  // REQUIRES: the sleeper knows that it has such.
  void wake_if_sleeping_often(unsigned& vain_fences) noexcept {
    light_fence();  // pairs with: prepare_sleep(), heavy
    if (word_.load(std::memory_order_relaxed) != 0) [[unlikely]] {
      wake_behind_fence(vain_fences);
    }
  }

  // For a waker that has made room: whoever waits for something else sleeps on.
  void wake_if_awaiting_room() noexcept {
    full_fence();  // pairs with: await_room()
    const std::uint32_t now = word_.load(std::memory_order_relaxed);
    if ((now & room) != 0 && (now & place_bits) != 0) {
      wake();
    }
  }

  // Behind a publish: wake_if_sleeping_often() has something to do. REQUIRES:
  // light_fence_is_free().
  [[nodiscard]] bool may_sleep() const noexcept {
    free_light_fence();  // pairs with: prepare_sleep(), heavy
    return word_.load(std::memory_order_relaxed) != 0;
  }

  // -- the sleeper
  // ----------------------------------------------------------------------------------

  // frequent_wakers: it waits for what some of them bring.
  void prepare_sleep(bool frequent_wakers, place where = place::descriptor) noexcept {
    const auto bits = static_cast<std::uint32_t>(where);
    if (!frequent_wakers) {
      asleep_as_ = bits | word_.fetch_or(bits, std::memory_order_relaxed);
      full_fence();  // pairs with: wake_if_sleeping()
      return;
    }
    asleep_as_ = bits | wakers_fence;
    if ((word_.exchange(asleep_as_, std::memory_order_relaxed) & wakers_fence) != 0) {
      full_fence();  // pairs with: wake_behind_fence(), wake_if_sleeping()
    } else {
      heavy_fence();  // pairs with: wake_if_sleeping_often(), wake_if_sleeping()
    }
  }

  // It waits for room as well, of which the last look has to come behind this. REQUIRES:
  // prepare_sleep().
  void await_room() noexcept {
    asleep_as_ |= room;
    word_.fetch_or(room, std::memory_order_relaxed);
    full_fence();  // pairs with: wake_if_awaiting_room()
  }

  // Sleeps until a waker has come, or time is up: 0; or EINTR. REQUIRES: prepare_sleep() on the
  // word.
  [[nodiscard]] int wait(const deadline& until) noexcept;

  // Also right where prepare_sleep() was not followed by a sleep. True: a waker has come.
  bool finish_sleep() noexcept {
    const bool woken = clear_place() == 0;  // pairs with: wake()
    if (woken && (asleep_as_ & place_bits) == static_cast<std::uint32_t>(place::descriptor)) {
      ++raises_due_;
    }
    if (raises_due_ > 0) [[unlikely]] {
      raises_due_ -= std::min(raises_due_, event_.lower());
    }
    return woken;
  }

  [[nodiscard]] bool armed() const noexcept {
    return (word_.load(std::memory_order_relaxed) & place_bits) != 0;
  }

 private:
  static constexpr std::uint32_t place_bits = 3;
  static constexpr std::uint32_t wakers_fence = 4;
  static constexpr std::uint32_t room = 8;  // says nothing without a place

  // The place that was there; 0: none.
  std::uint32_t clear_place() noexcept {
    return word_.fetch_and(~(place_bits | room), std::memory_order_acq_rel) & place_bits;
  }
  void wake() noexcept;
  void wake_behind_fence(unsigned& vain_fences) noexcept;

  event_signal event_;
  std::uint32_t asleep_as_ = 0;  // of the sleeper: word_ as it left it for its last sleep
  // Of the sleeper: wake-ups taken whose raise it has not seen. A waker may be between the two;
  // what it raises later must not be left to end every sleep from then on.
  std::uint64_t raises_due_ = 0;
  // A place while the sleeper is there or about to be, with room if it waits for that; and
  // wakers_fence.
  alignas(cache_line_bytes) std::atomic<std::uint32_t> word_{0};
};

}  // namespace slk
