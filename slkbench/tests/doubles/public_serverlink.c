// The public ServerLink's shapes: context options by pointer, ctx_destroy instead of ctx_term,
// error numbers of its own, PAIR and ROUTER sockets but neither DEALER nor PUSH nor PULL.
#define OWN_EVERYTHING
#include "forward.h"

enum { SLK_EINVAL = 1, SLK_EAGAIN = 3, SLK_ETERM = 6, SLK_EHOSTUNREACH = 10 };
enum { DEALER = 5, LAST_ENDPOINT = 32 };

static _Thread_local int last_error;

static int own_number(int number) {
  switch (number) {
    case EINVAL:
      return SLK_EINVAL;
    case EAGAIN:
      return SLK_EAGAIN;
    case EHOSTUNREACH:
      return SLK_EHOSTUNREACH;
    case 156384765:
      return SLK_ETERM;
    default:
      return number;
  }
}

static int noted(int result) {
  if (result < 0)
    errno = last_error = own_number(real_errno());
  return result;
}

static int refused(void) {
  errno = last_error = SLK_EINVAL;
  return -1;
}

int slk_errno(void) {
  return last_error;
}
const char* slk_strerror(int number) {
  return number == SLK_EAGAIN ? "try again" : "error";
}
void slk_version(int* major, int* minor, int* patch) {
  *major = 0;
  *minor = 1;
  *patch = 0;
}

void* slk_ctx_new(void) {
  return real_context_new();
}
void slk_ctx_destroy(void* context) {
  real_context_term(context);
}
int slk_ctx_set(void* context, int option, const void* value, size_t size) {
  int number;
  if (size != sizeof number)
    return refused();
  memcpy(&number, value, size);
  return noted(real_context_set(context, option, number));
}
int slk_ctx_get(void* context, int option, void* value, size_t* size) {
  const int number = real_context_get(context, option);
  if (*size < sizeof number)
    return refused();
  memcpy(value, &number, sizeof number);
  *size = sizeof number;
  return 0;
}

void* slk_socket(void* context, int type) {
  if (type == PUSH || type == PULL || type == DEALER) {
    refused();
    return NULL;
  }
  return real_socket(context, type);
}
int slk_close(void* socket) {
  return noted(real_close(socket));
}
int slk_bind(void* socket, const char* endpoint) {
  return noted(real_bind(socket, endpoint));
}
int slk_connect(void* socket, const char* endpoint) {
  return noted(real_connect(socket, endpoint));
}
int slk_setsockopt(void* socket, int option, const void* value, size_t size) {
  return value == NULL ? refused() : noted(real_setsockopt(socket, option, value, size));
}
int slk_getsockopt(void* socket, int option, void* value, size_t* size) {
  const int result = noted(real_getsockopt(socket, option, value, size));
  if (result == 0 && option == LAST_ENDPOINT && strncmp(value, "ipc://", 6) == 0)
    memmove(value, (char*)value + 6, *size -= 6);
  return result;
}
int slk_send(void* socket, const void* data, size_t size, int flags) {
  return noted(real_send(socket, data, size, flags));
}
int slk_recv(void* socket, void* data, size_t size, int flags) {
  return noted(real_recv(socket, data, size, flags));
}

// Messages are objects on the heap there; that they exist tells the ABI.
void* slk_msg_new(void) {
  return NULL;
}
void slk_msg_destroy(void* message) {
  (void)message;
}
