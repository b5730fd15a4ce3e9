#include "base/affinity.hpp"

#include <sched.h>

namespace slk {

bool several_cpus() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) > 1;
}

int current_cpu() noexcept {
  return ::sched_getcpu();
}

}  // namespace slk
