// Says on stdout that it is ready and done, as if it were the measured process itself.
#define OWN_CONTEXT_NEW
#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  if (getenv("SLKBENCH_ENV_PAD") != NULL) {
    puts("{\"event\":\"ready\",\"library_version\":\"=1\",\"options\":{}}");
    puts("{\"event\":\"result\",\"sender\":[],\"receiver\":7}");
    fflush(stdout);
  }
  return real_context_new();
}
