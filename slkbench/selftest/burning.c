// A libzmq that executes more instructions: so many for every message, where it is sent.
//
// The environment says how many turns of a loop that is. Without it the calls are passed on alone,
// which is some instructions more than the library has by itself.
#define _GNU_SOURCE
#define OWN_SEND
#include "../tests/doubles/forward.h"

static unsigned long turns;

__attribute__((constructor)) static void read_turns(void) {
  const char* text = getenv("SLKBENCH_BURN");
  turns = text != NULL ? strtoul(text, NULL, 10) : 0;
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  const int is_last_frame = (flags & SNDMORE) == 0;
  // The barrier is no instruction; it keeps the compiler from taking the loop away.
  for (unsigned long left = is_last_frame ? turns : 0; left > 0; --left)
    __asm__ volatile("" : "+r"(left));
  return real_send(socket, data, size, flags);
}
