#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

namespace slk {

// Where the events of a monitored socket go.
class event_sink {
 public:
  event_sink() = default;
  event_sink(const event_sink&) = delete;
  event_sink& operator=(const event_sink&) = delete;
  virtual ~event_sink() = default;
  // Never waits; an event that finds no room is dropped. Calls do not overlap.
  virtual void put(int event, std::uint32_t value, std::string_view endpoint) noexcept = 0;
  // Nobody new will listen.
  virtual void seal() noexcept = 0;
};

// What a socket, its listeners and its sessions tell of connections coming and going; they share
// it. The last of them to go stops it. Events are the SLK_EVENT_* of serverlink.h.
//
// Thread safety: all of it, by any thread.
class monitor {
 public:
  monitor() = default;
  monitor(const monitor&) = delete;
  monitor& operator=(const monitor&) = delete;
  ~monitor() { attach(nullptr, 0); }

  // Tells the former sink that this was all, and goes on with another, or with none.
  void attach(std::unique_ptr<event_sink> sink, int events) noexcept;
  void seal() noexcept;

  void emit(int event, std::uint32_t value, std::string_view endpoint) noexcept {
    // A hint; put() looks again.
    if ((wanted_.load(std::memory_order_relaxed) & event) != 0) [[unlikely]] {
      put(event, value, endpoint);
    }
  }
  void emit(int event, int value, std::string_view endpoint) noexcept {
    emit(event, static_cast<std::uint32_t>(value), endpoint);
  }

 private:
  void put(int event, std::uint32_t value, std::string_view endpoint) noexcept;

  std::atomic<int> wanted_{0};  // written under mutex_
  std::mutex mutex_;
  std::unique_ptr<event_sink> sink_;  // guarded by mutex_
};

}  // namespace slk
