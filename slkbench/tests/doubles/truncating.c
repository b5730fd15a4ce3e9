// Cuts the last byte off every 1000th message.
#include "every_thousandth.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size) {
  return send_message(socket, id, id_size, data, size - 1) < 0 ? -1 : (int)size;
}
