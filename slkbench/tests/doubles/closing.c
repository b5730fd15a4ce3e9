// In a measured process, closes all descriptors that it did not open, standard output among them.
#define OWN_CONTEXT_NEW
#include <unistd.h>

#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  for (int number = 0; getenv("SLKBENCH_ENV_PAD") != NULL && number < 1000; ++number)
    close(number);
  return real_context_new();
}
