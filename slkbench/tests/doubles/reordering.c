// Holds every 1000th message back until the next thousand has passed.
#include "every_thousandth.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size) {
  static unsigned char* held;
  if (held != NULL && send_message(socket, id, id_size, held, size) < 0)
    return -1;
  free(held);
  held = malloc(size);
  memcpy(held, data, size);
  return (int)size;
}
