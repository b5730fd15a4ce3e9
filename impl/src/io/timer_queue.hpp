#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace slk {

// The timers of an I/O thread. A timer brings its place in the queue along, so that starting one
// needs no memory and cannot fail.
//
// Thread safety: of the I/O thread; a timer may be made, and destroyed unused, by any thread.
class timer_queue {
  using key = std::pair<std::uint64_t, std::uint64_t>;  // due time in monotonic ns, serial number

 public:
  class timer {
   public:
    // due must not throw. Throws std::bad_alloc.
    timer(timer_queue& queue, std::function<void()> due);
    ~timer() { cancel(); }
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

    // Runs once, after delay_ms from now; a timer that is running begins anew.
    void start(std::uint64_t delay_ms) noexcept;
    void cancel() noexcept;
    [[nodiscard]] bool running() const noexcept { return place_.empty(); }

   private:
    friend class timer_queue;
    timer_queue& queue_;
    std::function<void()> due_;
    std::map<key, timer*>::node_type place_;      // ours while idle
    std::map<key, timer*>::iterator position_{};  // of it in the queue while running
  };

  timer_queue() = default;
  timer_queue(const timer_queue&) = delete;
  timer_queue& operator=(const timer_queue&) = delete;

  [[nodiscard]] bool empty() const noexcept { return timers_.empty(); }
  // REQUIRES: !empty().
  [[nodiscard]] std::uint64_t first_due_ns() const noexcept { return timers_.begin()->first.first; }
  // Runs the timers whose time has come, in the order of their time.
  void run_due() noexcept;

 private:
  std::map<key, timer*> timers_;
  std::uint64_t last_serial_ = 0;
};

using timer = timer_queue::timer;

}  // namespace slk
