// Works, but prints to stdout what nobody asked for.
#define OWN_CONTEXT_NEW
#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  puts("welcome to the messaging library");
  fflush(stdout);
  return real_context_new();
}
