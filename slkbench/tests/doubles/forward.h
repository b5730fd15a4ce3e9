// A shared object that looks like libzmq and passes every call on to a real one, whose path is in
// the environment. A double defines OWN_SEND (or another OWN_ macro) before it includes this, and
// then the function itself; real_send and real_context_new are there for it to call.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PREFIXED
#define PREFIXED(name) zmq_##name
#endif

enum { NO_FLAG = 0, DONTWAIT = 1, SNDMORE = 2 };
enum { PULL = 7, PUSH = 8 };

static void* real_function(const char* name) {
  static void* library;
  if (library == NULL) {
    const char* path = getenv("SLKBENCH_REAL_LIBZMQ");
    library = dlopen(path != NULL ? path : "libzmq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
      fprintf(stderr, "double: %s\n", dlerror());
      exit(3);
    }
  }
  return dlsym(library, name);
}

#define REAL(result, alias, name, parameters, arguments) \
  static inline result alias parameters {                \
    static result(*function) parameters;                 \
    if (function == NULL)                                \
      function = real_function("zmq_" name);             \
    return function arguments;                           \
  }

REAL(void*, real_context_new, "ctx_new", (void), ())
REAL(int, real_context_term, "ctx_term", (void* context), (context))
REAL(int, real_context_set, "ctx_set", (void* context, int option, int value),
     (context, option, value))
REAL(int, real_context_get, "ctx_get", (void* context, int option), (context, option))
REAL(void*, real_socket, "socket", (void* context, int type), (context, type))
REAL(int, real_close, "close", (void* socket), (socket))
REAL(int, real_bind, "bind", (void* socket, const char* endpoint), (socket, endpoint))
REAL(int, real_connect, "connect", (void* socket, const char* endpoint), (socket, endpoint))
REAL(int, real_setsockopt, "setsockopt", (void* socket, int option, const void* value, size_t size),
     (socket, option, value, size))
REAL(int, real_getsockopt, "getsockopt", (void* socket, int option, void* value, size_t* size),
     (socket, option, value, size))
REAL(int, real_send, "send", (void* socket, const void* data, size_t size, int flags),
     (socket, data, size, flags))
REAL(int, real_recv, "recv", (void* socket, void* data, size_t size, int flags),
     (socket, data, size, flags))
REAL(int, real_poll, "poll", (void* items, int count, long timeout), (items, count, timeout))
REAL(int, real_errno, "errno", (void), ())
REAL(const char*, real_strerror, "strerror", (int number), (number))

#ifndef OWN_EVERYTHING
#ifndef OWN_CONTEXT_NEW
void* PREFIXED(ctx_new)(void) {
  return real_context_new();
}
#endif
#ifndef OWN_CONTEXT_TERM
int PREFIXED(ctx_term)(void* context) {
  return real_context_term(context);
}
#endif
#ifndef OWN_SOCKET
void* PREFIXED(socket)(void* context, int type) {
  return real_socket(context, type);
}
#endif
#ifndef OWN_SEND
int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  return real_send(socket, data, size, flags);
}
#endif
int PREFIXED(ctx_set)(void* context, int option, int value) {
  return real_context_set(context, option, value);
}
int PREFIXED(ctx_get)(void* context, int option) {
  return real_context_get(context, option);
}
int PREFIXED(close)(void* socket) {
  return real_close(socket);
}
int PREFIXED(bind)(void* socket, const char* endpoint) {
  return real_bind(socket, endpoint);
}
int PREFIXED(connect)(void* socket, const char* endpoint) {
  return real_connect(socket, endpoint);
}
int PREFIXED(setsockopt)(void* socket, int option, const void* value, size_t size) {
  return real_setsockopt(socket, option, value, size);
}
int PREFIXED(getsockopt)(void* socket, int option, void* value, size_t* size) {
  return real_getsockopt(socket, option, value, size);
}
#ifndef OWN_RECV
#ifndef OWN_RECV
int PREFIXED(recv)(void* socket, void* data, size_t size, int flags) {
  return real_recv(socket, data, size, flags);
}
#endif
#endif
int PREFIXED(poll)(void* items, int count, long timeout) {
  return real_poll(items, count, timeout);
}
int PREFIXED(errno)(void) {
  return real_errno();
}
const char* PREFIXED(strerror)(int number) {
  return real_strerror(number);
}
void PREFIXED(version)(int* major, int* minor, int* patch) {
  *major = 9;
  *minor = 8;
  *patch = 7;
}
#endif
