// Drops every 1000th message and says that it was sent.
#include "every_thousandth.h"

static int mistreat(void* socket, const void* id, size_t id_size, const void* data, size_t size) {
  (void)socket, (void)id, (void)id_size, (void)data;
  return (int)size;
}
