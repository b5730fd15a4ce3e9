#include "io/io_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/clock.hpp"

namespace slk {

namespace {

constexpr std::uint64_t patrol_interval_ns = 100'000;
// Longer gained nothing more; it is what the tail of a long burst may have to wait.
constexpr std::uint64_t patrol_interval_max_ns = 400'000;
// With timed waits off, the tail of a burst waits for this alone.
constexpr std::uint64_t untimed_patrol_interval_ns = 20'000'000;
constexpr std::uint64_t deferred_after_ns = 5'000'000;
constexpr unsigned long timer_slack_ns = 1'000;
constexpr std::size_t events_per_wait = 64;

// The handler's address is the epoll data; null is our own wake-up.
epoll_event interest(std::uint32_t events, event_handler* handler) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  return event;
}

// epoll_wait(2) with a timeout in nanoseconds, null for ever; on kernels before 5.11, too.
int wait_for_events(int epoll, std::array<epoll_event, events_per_wait>& events,
                    const timespec* timeout) noexcept {
  static std::atomic<bool> has_pwait2{true};  // relaxed: whoever reads a stale true asks once more
  if (has_pwait2.load(std::memory_order_relaxed)) {
    const int count =
        ::epoll_pwait2(epoll, events.data(), static_cast<int>(events.size()), timeout, nullptr);
    if (count >= 0 || errno != ENOSYS) {
      return count;
    }
    has_pwait2.store(false, std::memory_order_relaxed);
  }
  pollfd any{epoll, POLLIN, 0};
  const int ready = ::ppoll(&any, 1, timeout, nullptr);
  return ready <= 0 ? ready
                    : ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0);
}

std::uint64_t shortest_patrol_interval_ns() noexcept {
  return timed_waits() ? patrol_interval_ns : untimed_patrol_interval_ns;
}

}  // namespace

io_thread::io_thread()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), patrol_interval_ns_(shortest_patrol_interval_ns()) {
  if (!epoll_) {
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
  }
  epoll_event event = interest(EPOLLIN, nullptr);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.fd(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

io_thread::~io_thread() {
  stop();
  drop_armed();  // of one that never ran
}

void io_thread::start() {
  // The application's signal handlers belong to its own threads.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void io_thread::stop() noexcept {
  if (!thread_.joinable()) {
    return;
  }
  {
    const std::lock_guard lock(commands_mutex_);
    stopping_ = true;
  }
  wakeup_.raise();
  thread_.join();
}

void io_thread::post(task command) {
  class task_command final : public io_command {
   public:
    explicit task_command(task what) : what_(std::move(what)) {}
    void run() override { what_(); }

   private:
    task what_;
  };
  post(std::make_unique<task_command>(std::move(command)));
}

void io_thread::post(std::unique_ptr<io_command> command) noexcept {
  bool first = false;
  {
    const std::lock_guard lock(commands_mutex_);
    first = commands_ == nullptr;
    io_command* last = command.get();
    (first ? commands_ : last_command_->next_) = std::move(command);
    last_command_ = last;
  }
  if (first) {
    wakeup_.raise();
  }
}

void io_thread::arm(std::shared_ptr<patrolled> armed) noexcept {
  patrolled* node = armed.get();
  node->keep_alive_ = std::move(armed);
  patrolled* top = armed_stack_.load(std::memory_order_relaxed);
  do {
    node->next_armed_ = top;
  } while (!armed_stack_.compare_exchange_weak(top, node));
  if (sleeping_.load() && sleeping_.exchange(false)) {
    wakeup_.raise();
  }
}

void io_thread::adopt(std::shared_ptr<event_handler> handler) {
  event_handler* key = handler.get();
  live_.emplace(key, std::move(handler));
}

void io_thread::retire(event_handler& handler) noexcept {
  if (auto place = live_.extract(&handler); !place.empty()) {
    // Buried after the batch of events, some of which may still name it.
    retired_.insert(std::move(place));
  }
}

int io_thread::watch(int fd, std::uint32_t epoll_events, event_handler& handler) noexcept {
  epoll_event event = interest(epoll_events, &handler);
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void io_thread::rewatch(int fd, std::uint32_t epoll_events, event_handler& handler) noexcept {
  epoll_event event = interest(epoll_events, &handler);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void io_thread::unwatch(int fd) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void io_thread::run() noexcept {
  pthread_setname_np(pthread_self(), "slk-io");
  ::prctl(PR_SET_TIMERSLACK, timer_slack_ns, 0, 0, 0);
  while (!stop_seen_) {
    run_commands();
    patrol();
    timers_.run_due();
    retired_.clear();  // before the wait: somebody may be waiting for them to be gone
    wait_and_dispatch();
  }
  // The context stops us only when every session has gone; what is left dies with its descriptors.
  armed_.clear();
  live_.clear();
  retired_.clear();
  drop_armed();
}

// What was armed, and not listed any more, kept itself alive.
void io_thread::drop_armed() noexcept {
  for (patrolled* at = armed_stack_.exchange(nullptr); at != nullptr;) {
    const std::shared_ptr<patrolled> dropped = std::move(at->keep_alive_);
    at = at->next_armed_;
  }
}

void io_thread::run_commands() noexcept {
  std::unique_ptr<io_command> batch = std::move(deferred_);
  {
    std::unique_ptr<io_command>* end = &batch;
    while (*end != nullptr) {
      end = &(*end)->next_;
    }
    const std::lock_guard lock(commands_mutex_);
    *end = std::move(commands_);
    stop_wanted_ = stopping_;
    stop_seen_ = stopping_ && batch == nullptr;
  }
  std::unique_ptr<io_command>* deferred_end = &deferred_;
  while (batch != nullptr) {
    std::unique_ptr<io_command> command = std::move(batch);
    batch = std::move(command->next_);
    try {
      command->run();
    } catch (...) {
      *deferred_end = std::move(command);
      deferred_end = &(*deferred_end)->next_;
    }
  }
}

void io_thread::list_as_armed(patrolled& armed) noexcept {
  try {
    armed_.push_back(std::move(armed.keep_alive_));
  } catch (...) {
    // Out of memory: back to where it came from, for another attempt.
    patrolled* top = armed_stack_.load(std::memory_order_relaxed);
    do {
      armed.next_armed_ = top;
    } while (!armed_stack_.compare_exchange_weak(top, &armed));
  }
}

void io_thread::patrol() noexcept {
  if (armed_stack_.load(std::memory_order_relaxed) != nullptr) {  // else the next round sees it
    patrol_interval_ns_ = shortest_patrol_interval_ns();
    next_patrol_ns_ = std::min(next_patrol_ns_, monotonic_ns() + patrol_interval_ns_);
  }
  for (patrolled* at = armed_stack_.exchange(nullptr); at != nullptr;) {
    patrolled* next = at->next_armed_;
    list_as_armed(*at);
    at = next;
  }
  if (armed_.empty()) {
    return;
  }
  const std::uint64_t now_ns = monotonic_ns();
  if (now_ns < next_patrol_ns_) {
    return;
  }
  bool all_busy = true;
  for (std::size_t i = 0; i < armed_.size();) {
    const patrolled::look seen = armed_[i]->on_patrol();
    all_busy = all_busy && seen == patrolled::look::busy;
    if (seen != patrolled::look::idle) {
      ++i;
    } else {
      std::swap(armed_[i], armed_.back());
      armed_.pop_back();
    }
  }
  patrol_interval_ns_ = all_busy && timed_waits()
                            ? std::min(2 * patrol_interval_ns_, patrol_interval_max_ns)
                            : shortest_patrol_interval_ns();
  next_patrol_ns_ = now_ns + patrol_interval_ns_;
}

std::int64_t io_thread::next_wait_ns() const noexcept {
  if (stop_wanted_) {
    return 0;  // its wake-up is spent, and commands may still follow
  }
  std::int64_t wait_ns = -1;
  const std::uint64_t now_ns = monotonic_ns();
  const auto consider = [&](std::uint64_t due_ns) {
    const std::int64_t left_ns = due_ns > now_ns ? static_cast<std::int64_t>(due_ns - now_ns) : 0;
    wait_ns = wait_ns < 0 ? left_ns : std::min(wait_ns, left_ns);
  };
  if (deferred_ != nullptr) {
    consider(now_ns + deferred_after_ns);
  }
  if (!timers_.empty()) {
    consider(timers_.first_due_ns());
  }
  if (!armed_.empty()) {
    consider(next_patrol_ns_);
  }
  return wait_ns;
}

void io_thread::wait_and_dispatch() noexcept {
  std::int64_t wait_ns = next_wait_ns();
  if (armed_.empty() || patrol_interval_ns_ > shortest_patrol_interval_ns()) {
    sleeping_.store(true);
    if (armed_stack_.load() != nullptr) {
      wait_ns = 0;
    }
  }
  timespec timeout{};
  timeout.tv_sec = wait_ns / 1'000'000'000;
  timeout.tv_nsec = wait_ns % 1'000'000'000;
  std::array<epoll_event, events_per_wait> events;
  const int count = wait_for_events(epoll_.get(), events, wait_ns < 0 ? nullptr : &timeout);
  sleeping_.store(false);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      wakeup_.lower();
      continue;
    }
    auto* handler = static_cast<event_handler*>(event.data.ptr);
    if (live_.contains(handler)) {
      handler->on_events(event.events);
    }
  }
}

}  // namespace slk
