#include "context.hpp"

#include <serverlink/serverlink.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "error.hpp"
#include "interpreter.hpp"

namespace slk::python {

namespace {

// Told by the terminating thread, waited for by abandon(); outlives whichever ends first.
struct completion {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
};

// Starts the thread with all signals blocked: handlers are the main thread's business.
std::shared_ptr<completion> terminate_in_background(void* raw) {
  auto finished = std::make_shared<completion>();
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &previous);
  try {
    std::thread([raw, finished] {
      slk_ctx_destroy(raw);
      const std::lock_guard lock(finished->mutex);
      finished->done = true;
      finished->done_changed.notify_all();
    }).detach();
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return finished;
}

}  // namespace

context_handle::context_handle(void* context) noexcept
    : raw(context), generation(fork_generation()) {}

context_handle::~context_handle() {
  abandon(0);
}

bool context_handle::is_inherited() const noexcept {
  return generation != fork_generation();
}

void* context_handle::usable() const {
  if (raw != nullptr && is_inherited()) {
    raise_error(ETERM, "the context was made before fork(): make a Context in the child");
  }
  if (raw == nullptr || terminating) {
    raise_error(ETERM);
  }
  return raw;
}

void context_handle::abandon(int grace_ms) noexcept {
  if (raw == nullptr || terminating || is_inherited()) {
    return;
  }
  void* const context = raw;
  raw = nullptr;
  slk_ctx_shutdown(context);
  try {
    const auto finished = terminate_in_background(context);
    if (grace_ms > 0) {
      without_gil([&] {
        std::unique_lock lock(finished->mutex);
        return finished->done_changed.wait_for(lock, std::chrono::milliseconds(grace_ms),
                                               [&] { return finished->done; });
      });
    }
  } catch (const std::bad_alloc&) {
    // Out of memory or of threads: the context leaks, which is better than waiting for ever.
  } catch (const std::system_error&) {
  }
}

context::context(int io_threads) {
  void* raw = slk_ctx_new();
  if (raw == nullptr) {
    raise_last_error();
  }
  handle_ = std::make_shared<context_handle>(raw);
  set(SLK_IO_THREADS, io_threads);
}

bool context::closed() const noexcept {
  return handle_->raw == nullptr || handle_->is_inherited();
}

void context::set(int option, int value) {
  if (slk_ctx_set(handle_->usable(), option, value) != 0) {
    raise_last_error();
  }
}

int context::get(int option) const {
  const int value = slk_ctx_get(handle_->usable(), option);
  if (value < 0) {
    raise_last_error();
  }
  return value;
}

void context::shutdown() {
  if (!closed() && !handle_->terminating) {
    slk_ctx_shutdown(handle_->raw);
  }
}

void context::term() {
  const auto handle = handle_;  // survives what a signal handler does to us
  while (handle->raw != nullptr && !handle->terminating && !handle->is_inherited()) {
    handle->terminating = true;
    const int result = without_gil([&] { return slk_ctx_term(handle->raw); });
    const int error = errno;
    handle->terminating = false;
    if (result == 0) {
      handle->raw = nullptr;
    } else if (error == EINTR) {
      check_signals();
    } else {
      raise_error(error);
    }
  }
}

void context::abandon(int grace_ms) noexcept {
  handle_->abandon(grace_ms);
}

}  // namespace slk::python
