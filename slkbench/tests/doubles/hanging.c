// Stops for ever in the 2000th send, whatever time-outs are set.
#define OWN_SEND
#include <unistd.h>

#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static long sent;
  if ((flags & SNDMORE) == 0 && ++sent > 2000) {
    for (;;)
      pause();
  }
  return real_send(socket, data, size, flags);
}
