// Ends the process as if all were well, in the 2000th send.
#define OWN_SEND
#include <unistd.h>

#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static long sent;
  if ((flags & SNDMORE) == 0 && ++sent > 2000)
    _exit(0);
  return real_send(socket, data, size, flags);
}
