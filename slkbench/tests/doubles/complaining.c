// Floods stderr, with bytes that would clear a terminal, and then crashes.
#define OWN_SEND
#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static int sent;
  for (int line = 0; line < 100; ++line)
    fputs("\033[2J\033]0;owned\007 all is lost \xff\xfe\n", stderr);
  if (++sent > 2000)
    abort();
  return real_send(socket, data, size, flags);
}
