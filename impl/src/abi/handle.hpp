#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "base/asymmetric_fence.hpp"
#include "base/cache_line.hpp"

namespace slk::abi {

// What a live handle bears in this process: its tag, and the process id. One load and one
// comparison tell both; a child of fork(2) must not touch its parent's sockets. getpid(2) would be
// a system call a message.
[[gnu::visibility("hidden")]] extern std::uint64_t live_word;

// What a C handle points to. The memory is never given back, only reused, oldest first, so that a
// closed handle is recognised instead of followed. A cache line of its own: two threads with a
// socket each write `inside` all the time.
template <class T>
struct alignas(cache_line_bytes) handle {
  // live_word, or 0. pairs with: handle_pool::release(), handle_pool::close(). A handle is handed
  // from thread to thread by the user, with an edge of his own; the word only catches misuse.
  std::atomic<std::uint64_t> word{0};
  // Not 0: a call is under way; written by the thread that makes it. See handle_call.
  std::atomic<std::uintptr_t> inside{0};
  T* object = nullptr;
  handle* next_free = nullptr;
};

// Thread-safe.
template <class T>
class handle_pool {
 public:
  static handle<T>* acquire(T* object) {
    handle_pool& pool = instance();
    const std::lock_guard lock(pool.mutex_);
    handle<T>* fresh = nullptr;
    if (pool.free_count_ > keep_dead) {
      fresh = std::exchange(pool.oldest_free_, pool.oldest_free_->next_free);
      --pool.free_count_;
    } else {
      fresh = &pool.all_.emplace_back();
    }
    fresh->object = object;
    fresh->word.store(live_word, std::memory_order_relaxed);
    return fresh;
  }

  // Kills the handle; the object is the caller's again. Of two callers one gets it, the other null.
  // For objects that are not used through a handle_call.
  static T* release(handle<T>* dead) {
    if (dead->word.exchange(0, std::memory_order_relaxed) != live_word) {
      return nullptr;
    }
    return take(*dead);
  }

  // Kills the handle. The object is given to dispose(T*) here or, if a call on it is under way, by
  // that call when it ends; interrupt(T&) then has to bring that about. False: there is none.
  template <class Interrupt, class Dispose>
  static bool close(void* raw, Interrupt interrupt, Dispose dispose) {
    if (!is_live(raw)) {
      return false;
    }
    auto& dead = *static_cast<handle<T>*>(raw);
    if (dead.word.exchange(0, std::memory_order_acq_rel) != live_word) {
      return false;
    }
    heavy_fence();  // pairs with: handle_call. It sees the word, or we see it inside.
    if (dead.inside.load(std::memory_order_acquire) == 0) {  // pairs with: ~handle_call()
      if (T* object = take(dead); object != nullptr) {
        dispose(object);
      }
      return true;
    }
    const std::lock_guard lock(instance().mutex_);
    if (dead.object != nullptr) {
      interrupt(*dead.object);
    }
    return true;
  }

  // Of a dead handle: the object, once.
  static T* take(handle<T>& dead) noexcept {
    handle_pool& pool = instance();
    const std::lock_guard lock(pool.mutex_);
    T* object = std::exchange(dead.object, nullptr);
    if (object != nullptr) {
      dead.next_free = nullptr;
      (pool.free_count_ == 0 ? pool.oldest_free_ : pool.newest_free_->next_free) = &dead;
      pool.newest_free_ = &dead;
      ++pool.free_count_;
    }
    return object;
  }

  // It may be closed just now, so this says nothing of `object`, nor may it look there.
  static bool is_live(void* raw) noexcept {
    auto* named = static_cast<handle<T>*>(raw);
    return named != nullptr && named->word.load(std::memory_order_relaxed) == live_word;
  }

  // The live object, or nullptr. For objects that are not used through a handle_call.
  static T* find(void* raw) noexcept {
    return is_live(raw) ? static_cast<handle<T>*>(raw)->object : nullptr;
  }

 private:
  static constexpr std::size_t keep_dead = 64;

  static handle_pool& instance() {
    static auto* pool = new handle_pool;  // outlives every static destructor that closes a socket
    return *pool;
  }

  std::mutex mutex_;  // also of the `object` of dead handles
  std::deque<handle<T>> all_;
  // A list through the handles, so that giving one back needs no memory.
  handle<T>* oldest_free_ = nullptr;
  handle<T>* newest_free_ = nullptr;
  std::size_t free_count_ = 0;
};

// A call on the object behind a handle: as long as it lives, so does the object, though another
// thread close the handle. The thread that calls says so with a plain store, and looks whether the
// handle is live behind a light fence; the thread that closes kills the handle and looks for a call
// behind a heavy one. One of the two sees the other, and destroys.
//
// Calls of one thread may nest. Calls of two threads at a time are a programming error, which debug
// builds notice.
template <class T, void (*Dispose)(T*) noexcept>
class handle_call {
 public:
  explicit handle_call(void* raw) noexcept {
    auto* named = static_cast<handle<T>*>(raw);
    if (!handle_pool<T>::is_live(named)) [[unlikely]] {
      return;
    }
    nested_ = named->inside.load(std::memory_order_relaxed) != 0;
    complain_of_others(*named);
    named->inside.store(this_thread(), std::memory_order_relaxed);
    light_fence();  // pairs with: handle_pool::close()
    handle_ = named;
    if (named->word.load(std::memory_order_relaxed) != live_word) [[unlikely]] {
      end();
    }
  }
  ~handle_call() {
    if (handle_ != nullptr) [[likely]] {
      end();
    }
  }
  handle_call(handle_call&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), nested_(other.nested_) {}
  handle_call(const handle_call&) = delete;
  handle_call& operator=(const handle_call&) = delete;
  handle_call& operator=(handle_call&&) = delete;

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  T* operator->() const noexcept { return handle_->object; }
  T& operator*() const noexcept { return *handle_->object; }

  // -- the same without an object, for calls that must not have a call in their way: may_enter(),
  // enter(), what is to be done, leave()

  // False also where only a handle_call will do: within another one, or without a light fence.
  [[nodiscard]] static bool may_enter(void* raw) noexcept {
    auto* const named = static_cast<handle<T>*>(raw);
    return handle_pool<T>::is_live(named) && named->inside.load(std::memory_order_relaxed) == 0 &&
           light_fence_is_free();
  }
  // False: it has been closed just now; leave() and clean_up() have to follow. REQUIRES:
  // may_enter().
  [[nodiscard]] static bool enter(handle<T>& named) noexcept {
    named.inside.store(this_thread(), std::memory_order_relaxed);
    free_light_fence();  // pairs with: handle_pool::close()
    return named.word.load(std::memory_order_relaxed) == live_word;
  }
  // False: it was closed meanwhile, and clean_up() has to follow.
  [[nodiscard]] static bool leave(handle<T>& named) noexcept {
    named.inside.store(0, std::memory_order_release);  // pairs with: handle_pool::close()
    free_light_fence();                                // likewise
    return named.word.load(std::memory_order_relaxed) == live_word;
  }
  static void clean_up(handle<T>& named) noexcept { dispose_of(named); }

 private:
  void end() noexcept {
    handle<T>& named = *std::exchange(handle_, nullptr);
    if (nested_) {
      return;
    }
    named.inside.store(0, std::memory_order_release);  // pairs with: handle_pool::close()
    light_fence();                                     // likewise
    if (named.word.load(std::memory_order_relaxed) != live_word) [[unlikely]] {
      dispose_of(named);
    }
  }

  // Apart, so that the code of every call stays small.
  [[gnu::cold, gnu::noinline]] static void dispose_of(handle<T>& dead) noexcept {
    const int error = errno;
    if (T* object = handle_pool<T>::take(dead); object != nullptr) {
      Dispose(object);
    }
    errno = error;
  }

#ifdef NDEBUG
  static std::uintptr_t this_thread() noexcept { return 1; }
  static void complain_of_others(const handle<T>&) noexcept {}
#else
  static std::uintptr_t this_thread() noexcept {
    static thread_local char mark;
    return reinterpret_cast<std::uintptr_t>(&mark);
  }
  static void complain_of_others(const handle<T>& named) noexcept {
    const std::uintptr_t other = named.inside.load(std::memory_order_relaxed);
    if (other != 0 && other != this_thread()) {
      std::fputs("serverlink: two threads use a socket at the same time\n", stderr);
      std::abort();
    }
  }
#endif

  handle<T>* handle_ = nullptr;
  bool nested_ = false;
};

}  // namespace slk::abi
