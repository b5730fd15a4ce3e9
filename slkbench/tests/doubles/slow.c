// Spends 50 us of CPU time in every send.
#define OWN_SEND
#include <time.h>

#include "forward.h"

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  const long end = now_ns() + 50000;
  while (now_ns() < end) {
  }
  return real_send(socket, data, size, flags);
}
