// In a measured process, once closes all descriptors that it did not open, standard output as well.
#define OWN_CONTEXT_NEW
#include <unistd.h>

#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  static int is_done;
  for (int number = 0; !is_done && getenv("SLKBENCH_ENV_PAD") != NULL && number < 1000; ++number)
    close(number);
  is_done = 1;
  return real_context_new();
}
