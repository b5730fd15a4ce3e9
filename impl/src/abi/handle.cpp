#include "abi/handle.hpp"

#include <pthread.h>

namespace slk::abi {

pid_t remembered_process = 0;

namespace {

// Runs before main(), and in every child: fork(2) is the only way a process id changes.
struct process_watch {
  process_watch() {
    remembered_process = ::getpid();
    ::pthread_atfork(nullptr, nullptr, [] { remembered_process = ::getpid(); });
  }
} const watch;

}  // namespace

}  // namespace slk::abi
