#include "interpreter.hpp"

#include <pthread.h>

namespace slk::python {

namespace {

// Written in the only thread of a fresh child, read afterwards: needs no atomic.
unsigned generation = 0;

}  // namespace

unsigned fork_generation() noexcept {
  return generation;
}

void watch_forks() noexcept {
  pthread_atfork(nullptr, nullptr, [] { ++generation; });
}

}  // namespace slk::python
