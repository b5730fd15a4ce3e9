// A context and its lifetime. Everything here runs with the GIL held unless said.
#pragma once

#include <memory>

namespace slk::python {

// The C context, shared by the Python Context and all its sockets, so that it outlives them.
//
// Invariants
// 1. raw is null once the context was terminated or given up.
// 2. While terminating, another thread is inside slk_ctx_term(), which frees raw: nobody else may
//    pass raw to the library.
struct context_handle {
  explicit context_handle(void* context) noexcept;
  ~context_handle();
  context_handle(const context_handle&) = delete;
  context_handle& operator=(const context_handle&) = delete;

  // The process forked since; raw belongs to the parent.
  bool is_inherited() const noexcept;

  // raw for a call into the library; throws ContextTerminated if there is none to use.
  void* usable() const;

  // Gives raw to a detached thread that terminates it, so that nothing here ever waits for
  // lingering messages or for sockets that a caller forgot; then waits for it, without the GIL, at
  // most grace_ms. Never throws.
  void abandon(int grace_ms) noexcept;

  void* raw;
  const unsigned generation;
  bool terminating = false;
};

class context {
 public:
  explicit context(int io_threads);
  // The same context by another object.
  context(const context& shared) = default;

  bool closed() const noexcept;
  void set(int option, int value);
  int get(int option) const;

  // Wakes every blocked call on the sockets with ContextTerminated.
  void shutdown();

  // Waits until all sockets are closed and lingering is over. Runs signal handlers meanwhile; if
  // one raises, the call can be repeated. Does nothing if closed, inherited through fork(), or if
  // another thread is already here.
  void term();

  // For the end of the interpreter: abandon(), see above.
  void abandon(int grace_ms) noexcept;

  const std::shared_ptr<context_handle>& handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<context_handle> handle_;
};

}  // namespace slk::python
