// What a blocking C call has to know about the process it runs in: the GIL, the end of the
// interpreter, fork.
#pragma once

#include <Python.h>
#include <unistd.h>

#include <cerrno>

namespace slk::python {

namespace detail {
// Written in the only thread of a fresh child, read afterwards: needs no atomic.
extern unsigned generation;
}  // namespace detail

// Counts the forks between the first import and this process. A handle made under another count
// belongs to a parent process, whose I/O threads do not exist here: it must not be touched.
inline unsigned fork_generation() noexcept {
  return detail::generation;
}

// Registers the counter with pthread_atfork. Called once, at import.
void watch_forks() noexcept;

inline bool interpreter_is_finalizing() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// Waits for the GIL for a moment by looking at it, so that the thread that gives it up need not
// wake this one by the kernel; to be followed by PyEval_RestoreThread(). Nothing where that is in
// vain.
void look_out_for_gil() noexcept;

// Runs `call` without the GIL; errno is that of `call`.
//
// A thread that would come back into a dying interpreter is parked instead: taking the GIL would
// end it by a forced unwind, which C++ frames that may not throw turn into an abort.
template <typename Call>
auto without_gil(Call call) noexcept {
  PyThreadState* state = PyEval_SaveThread();
  auto result = call();
  const int call_errno = errno;
  look_out_for_gil();
  while (interpreter_is_finalizing()) {
    pause();
  }
  PyEval_RestoreThread(state);
  errno = call_errno;
  return result;
}

// The reverse, for what such a call needs of the interpreter meanwhile.
template <typename Call>
auto with_gil(Call call) noexcept {
  while (interpreter_is_finalizing()) {
    pause();
  }
  const PyGILState_STATE state = PyGILState_Ensure();
  auto result = call();
  PyGILState_Release(state);
  return result;
}

}  // namespace slk::python
