// Crashes after 10,000 messages.
#define OWN_SEND
#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static long sent;
  if ((flags & SNDMORE) == 0 && ++sent > 10000)
    *(volatile int*)NULL = 1;
  return real_send(socket, data, size, flags);
}
