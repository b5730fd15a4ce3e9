// Takes a second to make a context, and is itself afterwards.
#define OWN_CONTEXT_NEW
#include <unistd.h>

#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  sleep(1);
  return real_context_new();
}
