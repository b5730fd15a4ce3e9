// Changes a byte of every 1000th message.
#include "every_thousandth.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size) {
  unsigned char* changed = malloc(size + 1);
  memcpy(changed, data, size);
  changed[size - 1] ^= 0x10;
  const int result = send_message(socket, id, id_size, changed, size);
  free(changed);
  return result;
}
