#include "interpreter.hpp"

#include <pthread.h>

namespace slk::python {

unsigned detail::generation = 0;

void watch_forks() noexcept {
  pthread_atfork(nullptr, nullptr, [] { ++detail::generation; });
}

}  // namespace slk::python
