// Has no PUSH and PULL sockets.
#define OWN_SOCKET
#include "forward.h"

void* PREFIXED(socket)(void* context, int type) {
  if (type == PUSH || type == PULL) {
    errno = EINVAL;
    return NULL;
  }
  return real_socket(context, type);
}
