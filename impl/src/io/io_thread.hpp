// io_thread: one thread that owns listeners, connecting and shaking sessions, timers and the
// patrol.
//
// Duty cycle, in this order: run posted commands; patrol the armed pipes if it is time; run due
// timers; wait in epoll; dispatch its events; bury retired handlers. It blocks nowhere but in epoll
// (and, for an instant, on a pipe's try_lock or in name resolution).
//
// The patrol looks every 100 µs. While every armed pipe is flushed by its application faster than
// that, it would only take the processor away from it (a timer wake-up is dear, most of all on a
// virtual machine), so the interval doubles up to 400 µs; a pipe that falls silent, or a new one,
// brings it back.
//
// Threads: post(), arm() and load() may be called by any thread; everything else by this thread.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cache_line.hpp"
#include "base/unique_fd.hpp"
#include "io/event_signal.hpp"
#include "io/timer_queue.hpp"
#include "ring/chunk_pool.hpp"

namespace slk {

// Something with a file descriptor in the I/O thread's poller.
class event_handler {
 public:
  event_handler() = default;
  event_handler(const event_handler&) = delete;
  event_handler& operator=(const event_handler&) = delete;
  virtual ~event_handler() = default;
  virtual void on_events(std::uint32_t epoll_events) noexcept = 0;
};

// Something whose unflushed tail the patrol looks after while it is armed.
class patrolled {
 public:
  virtual ~patrolled() = default;
  enum class look : std::uint8_t {
    idle,   // forget me until I am armed again
    watch,  // look again soon
    busy,   // flushed by its application all the time
  };
  [[nodiscard]] virtual look on_patrol() noexcept = 0;

 private:
  friend class io_thread;
  std::shared_ptr<patrolled> keep_alive_;  // set while in the armed list
  patrolled* next_armed_ = nullptr;
};

// Something to run on an I/O thread, made where memory can be had.
class io_command {
 public:
  io_command() = default;
  io_command(const io_command&) = delete;
  io_command& operator=(const io_command&) = delete;
  virtual ~io_command() = default;
  // What throws has changed nothing, and is run again a little later.
  virtual void run() = 0;

 private:
  friend class io_thread;
  std::unique_ptr<io_command> next_;
};

class io_thread {
 public:
  using task = std::function<void()>;

  // Throws std::system_error.
  io_thread();
  ~io_thread();  // stops and joins

  void start();
  void stop() noexcept;

  // -- any thread ---------------------------------------------------------------------------------

  void post(task command);
  void post(std::unique_ptr<io_command> command) noexcept;
  void arm(std::shared_ptr<patrolled> armed) noexcept;
  [[nodiscard]] int load() const noexcept { return load_.load(std::memory_order_relaxed); }
  void adjust_load(int change) noexcept { load_.fetch_add(change, std::memory_order_relaxed); }
  // For what its connections have yet to send.
  [[nodiscard]] chunk_pool& chunks() noexcept { return chunks_; }

  // -- this thread --------------------------------------------------------------------------------

  // Keeps the handler alive, and lets it watch descriptors, until retire().
  void adopt(std::shared_ptr<event_handler> handler);
  void retire(event_handler& handler) noexcept;
  // 0 or an errno.
  [[nodiscard]] int watch(int fd, std::uint32_t epoll_events, event_handler& handler) noexcept;
  void rewatch(int fd, std::uint32_t epoll_events, event_handler& handler) noexcept;
  void unwatch(int fd) noexcept;

  [[nodiscard]] timer_queue& timers() noexcept { return timers_; }

 private:
  void run() noexcept;
  void run_commands() noexcept;
  void list_as_armed(patrolled& armed) noexcept;
  void drop_armed() noexcept;
  void patrol() noexcept;
  void wait_and_dispatch() noexcept;
  [[nodiscard]] std::int64_t next_wait_ns() const noexcept;  // -1: for ever

  unique_fd epoll_;
  event_signal wakeup_;
  std::thread thread_;

  // Any thread; guarded by commands_mutex_.
  std::mutex commands_mutex_;
  std::unique_ptr<io_command> commands_;  // a list, so that posting needs no memory
  io_command* last_command_ = nullptr;
  bool stopping_ = false;

  // Any thread. arm(): push, then look at sleeping_   pairs with   wait_and_dispatch(): set
  // sleeping_, then look at armed_stack_; all seq_cst, so one of the two sees the other. It stays
  // false for waits that end within the shortest interval anyway.
  alignas(cache_line_bytes) std::atomic<patrolled*> armed_stack_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::atomic<int> load_{0};

  chunk_pool chunks_;  // any thread; outlives the handlers, whose pipes hold some

  // This thread only.
  timer_queue timers_;  // outlives the handlers, which own timers
  // Places move from one to the other, so that retiring cannot fail.
  using handlers = std::map<event_handler*, std::shared_ptr<event_handler>>;
  handlers live_;
  handlers retired_;
  std::unique_ptr<io_command> deferred_;  // commands that failed, for lack of memory
  std::vector<std::shared_ptr<patrolled>> armed_;
  std::uint64_t next_patrol_ns_ = 0;
  std::uint64_t patrol_interval_ns_;
  bool stop_wanted_ = false;
  bool stop_seen_ = false;  // and nothing is left to run
};

}  // namespace slk
