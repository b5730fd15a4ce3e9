// Opens a file in every send and never closes one; fails when there are no more descriptors.
#define OWN_SEND
#include <fcntl.h>

#include "forward.h"

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static int is_out;
  if (is_out || open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) {
    is_out = 1;
    errno = EMFILE;
    return -1;
  }
  return real_send(socket, data, size, flags);
}
