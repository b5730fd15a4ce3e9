// For doubles that do something to every 1000th message. A message is one frame, or the routing
// id and one frame; both are seen together.
#pragma once

#define OWN_SEND
#include "forward.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size);

// Sends a message as it should be; with an id of no bytes, one frame.
static int send_message(void* socket, const void* id, size_t id_size, const void* data,
                        size_t size) {
  if (id_size > 0 && real_send(socket, id, id_size, SNDMORE) < 0)
    return -1;
  return real_send(socket, data, size, NO_FLAG);
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  static long sent;
  static unsigned char id[256];
  static size_t id_size;
  static int is_mistreated;
  if ((flags & SNDMORE) != 0) {
    is_mistreated = sent % 1000 == 999;
    if (!is_mistreated)
      return real_send(socket, data, size, flags);
    memcpy(id, data, size);
    id_size = size;
    return (int)size;
  }
  const int is_alone = id_size == 0;
  const int now = is_alone ? sent % 1000 == 999 : is_mistreated;
  const int result =
      now ? mistreat(socket, id, id_size, data, size) : real_send(socket, data, size, flags);
  if (result >= 0) {
    // The handshake does not count, so that the thousandth message is number 999.
    if (size != 5 || memcmp(data, "READY", 5) != 0)
      ++sent;
    id_size = 0;
    is_mistreated = 0;
  }
  return result;
}
