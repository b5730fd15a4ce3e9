// Delivers everything, and never comes back from closing the context.
#define OWN_CONTEXT_TERM
#include <unistd.h>

#include "forward.h"

int PREFIXED(ctx_term)(void* context) {
  (void)context;
  for (;;)
    pause();
}
