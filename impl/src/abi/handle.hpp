#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

namespace slk::abi {

// What a C handle points to. The memory is never given back, only reused, oldest first, so that a
// closed handle is recognised instead of followed.
template <class T>
struct handle {
  static constexpr std::uint32_t live_tag = 0x534C4B31;

  // pairs with: handle_pool::release(). A handle is handed from thread to thread by the user, with
  // an edge of his own; the tag only catches misuse.
  std::atomic<std::uint32_t> tag{0};
  T* object = nullptr;
  pid_t process = 0;  // a child of fork(2) must not touch its parent's sockets
};

// Thread-safe.
template <class T>
class handle_pool {
 public:
  static handle<T>* acquire(T* object) {
    handle_pool& pool = instance();
    const std::lock_guard lock(pool.mutex_);
    handle<T>* fresh = nullptr;
    if (pool.free_.size() > keep_dead) {
      fresh = pool.free_.front();
      pool.free_.pop_front();
    } else {
      fresh = &pool.all_.emplace_back();
    }
    fresh->object = object;
    fresh->process = current_process();
    fresh->tag.store(handle<T>::live_tag, std::memory_order_relaxed);
    return fresh;
  }

  // Kills the handle; the object is the caller's again. Of two callers one gets it, the other null.
  static T* release(handle<T>* dead) {
    if (dead->tag.exchange(0, std::memory_order_relaxed) != handle<T>::live_tag) {
      return nullptr;
    }
    T* object = dead->object;
    handle_pool& pool = instance();
    const std::lock_guard lock(pool.mutex_);
    pool.free_.push_back(dead);
    return object;
  }

  // The live object, or nullptr.
  static T* find(void* raw) noexcept {
    auto* named = static_cast<handle<T>*>(raw);
    if (named == nullptr || named->tag.load(std::memory_order_relaxed) != handle<T>::live_tag ||
        named->process != current_process()) [[unlikely]] {
      return nullptr;
    }
    return named->object;
  }

 private:
  static constexpr std::size_t keep_dead = 64;

  static pid_t current_process() noexcept;
  static handle_pool& instance() {
    static auto* pool = new handle_pool;  // outlives every static destructor that closes a socket
    return *pool;
  }

  std::mutex mutex_;
  std::deque<handle<T>> all_;
  std::deque<handle<T>*> free_;
};

// getpid(2), remembered per process: a call a message would be a system call a message.
extern pid_t remembered_process;

template <class T>
pid_t handle_pool<T>::current_process() noexcept {
  return remembered_process;
}

}  // namespace slk::abi
