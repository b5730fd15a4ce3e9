// Sends every 1000th message twice.
#include "every_thousandth.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size) {
  if (send_message(socket, id, id_size, data, size) < 0)
    return -1;
  return send_message(socket, id, id_size, data, size);
}
