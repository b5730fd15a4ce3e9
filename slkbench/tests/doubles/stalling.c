// Stops once for 100 ms, in the 12,000th send.
#define OWN_SEND
#include <time.h>

#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static long sent;
  if ((flags & SNDMORE) == 0 && __atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED) == 12000) {
    const struct timespec stall = {0, 100000000};
    nanosleep(&stall, NULL);
  }
  return real_send(socket, data, size, flags);
}
