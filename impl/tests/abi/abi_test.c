/* Every function of serverlink.h from C99: that it links, does its work once, and answers each of
 * its errors as documented. How sockets behave is the contract suite's subject. */
#include <serverlink/serverlink.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

int expect_failures = 0;

enum { wait_ms = 10000 };

static void* make_socket(void* ctx, int type) {
  const int none = 0;
  const int patient = wait_ms;
  void* s = slk_socket(ctx, type);
  EXPECT(s != NULL);
  EXPECT(slk_setsockopt(s, SLK_LINGER, &none, sizeof none) == 0);
  EXPECT(slk_setsockopt(s, SLK_SNDTIMEO, &patient, sizeof patient) == 0);
  EXPECT(slk_setsockopt(s, SLK_RCVTIMEO, &patient, sizeof patient) == 0);
  return s;
}

static int get_int(void* s, int option) {
  int value = -12345;
  size_t length = sizeof value;
  EXPECT(slk_getsockopt(s, option, &value, &length) == 0);
  EXPECT(length == sizeof value);
  return value;
}

static void test_numbers(void) {
  /* Spelled out once more: programs have these compiled in. */
  EXPECT(SLK_PAIR == 0 && SLK_DEALER == 5 && SLK_ROUTER == 6 && SLK_PULL == 7 && SLK_PUSH == 8);
  EXPECT(SLK_IO_THREADS == 1 && SLK_MAX_SOCKETS == 2 && SLK_SOCKET_LIMIT == 3);
  EXPECT(SLK_MAX_MSGSZ == 5 && SLK_MSG_T_SIZE == 6 && SLK_BLOCKY == 70);
  EXPECT(SLK_ROUTING_ID == 5 && SLK_SNDBUF == 11 && SLK_RCVBUF == 12 && SLK_RCVMORE == 13);
  EXPECT(SLK_FD == 14 && SLK_EVENTS == 15 && SLK_TYPE == 16 && SLK_LINGER == 17);
  EXPECT(SLK_RECONNECT_IVL == 18 && SLK_BACKLOG == 19 && SLK_RECONNECT_IVL_MAX == 21);
  EXPECT(SLK_MAXMSGSIZE == 22 && SLK_SNDHWM == 23 && SLK_RCVHWM == 24);
  EXPECT(SLK_RCVTIMEO == 27 && SLK_SNDTIMEO == 28 && SLK_LAST_ENDPOINT == 32);
  EXPECT(SLK_ROUTER_MANDATORY == 33 && SLK_TCP_KEEPALIVE == 34 && SLK_TCP_KEEPALIVE_CNT == 35);
  EXPECT(SLK_TCP_KEEPALIVE_IDLE == 36 && SLK_TCP_KEEPALIVE_INTVL == 37 && SLK_IMMEDIATE == 39);
  EXPECT(SLK_IPV6 == 42 && SLK_PROBE_ROUTER == 51 && SLK_ROUTER_HANDOVER == 56);
  EXPECT(SLK_CONNECT_ROUTING_ID == 61 && SLK_HANDSHAKE_IVL == 66);
  EXPECT(SLK_DONTWAIT == 1 && SLK_SNDMORE == 2 && SLK_MORE == 1 && SLK_SHARED == 3);
  EXPECT(SLK_POLLIN == 1 && SLK_POLLOUT == 2 && SLK_POLLERR == 4 && SLK_POLLPRI == 8);
  EXPECT(EFSM == 156384763 && ENOCOMPATPROTO == 156384764);
  EXPECT(ETERM == 156384765 && EMTHREAD == 156384766);
  EXPECT(sizeof(slk_msg_t) == 64);
  EXPECT(offsetof(slk_pollitem_t, fd) == sizeof(void*));
  EXPECT(sizeof(slk_pollitem_t) == 2 * sizeof(void*));
}

static void test_version_and_errors(void) {
  int major = -1, minor = -1, patch = -1;
  slk_version(&major, &minor, &patch);
  EXPECT(major == SLK_VERSION_MAJOR && minor == SLK_VERSION_MINOR && patch == SLK_VERSION_PATCH);
  slk_version(NULL, NULL, NULL);
  EXPECT(SLK_VERSION == 100);
  EXPECT(strcmp(slk_strerror(EINVAL), strerror(EINVAL)) == 0);
  EXPECT(slk_strerror(ETERM) != NULL && strlen(slk_strerror(ETERM)) > 0);
  EXPECT(strcmp(slk_strerror(ETERM), slk_strerror(EFSM)) != 0);
  EXPECT(slk_strerror(-1) != NULL && slk_strerror(123456) != NULL);
  EXPECT(slk_has("tcp") == 1 && slk_has("ipc") == 1 && slk_has("inproc") == 1);
  EXPECT(slk_has("no such thing") == 0 && slk_has("") == 0 && slk_has(NULL) == 0);
}

static void test_context(void) {
  void* ctx = slk_ctx_new();
  EXPECT(ctx != NULL);
  EXPECT(slk_ctx_get(ctx, SLK_IO_THREADS) == SLK_IO_THREADS_DFLT);
  EXPECT(slk_ctx_get(ctx, SLK_MAX_SOCKETS) == SLK_MAX_SOCKETS_DFLT);
  EXPECT(slk_ctx_get(ctx, SLK_SOCKET_LIMIT) >= SLK_MAX_SOCKETS_DFLT);
  EXPECT(slk_ctx_get(ctx, SLK_MSG_T_SIZE) == (int)sizeof(slk_msg_t));
  EXPECT(slk_ctx_get(ctx, SLK_IPV6) == 0);
  EXPECT(slk_ctx_get(ctx, SLK_BLOCKY) == 1);
  EXPECT(slk_ctx_get(ctx, SLK_MAX_MSGSZ) > 0);
  EXPECT(slk_ctx_set(ctx, SLK_IO_THREADS, 2) == 0 && slk_ctx_get(ctx, SLK_IO_THREADS) == 2);
  EXPECT(slk_ctx_set(ctx, SLK_MAX_SOCKETS, 5) == 0 && slk_ctx_get(ctx, SLK_MAX_SOCKETS) == 5);
  EXPECT(slk_ctx_set(ctx, SLK_BLOCKY, 0) == 0 && slk_ctx_get(ctx, SLK_BLOCKY) == 0);
  EXPECT(slk_ctx_set(ctx, SLK_MAX_MSGSZ, 999) == 0 && slk_ctx_get(ctx, SLK_MAX_MSGSZ) == 999);
  EXPECT_ERROR(slk_ctx_set(ctx, SLK_IO_THREADS, -1) == -1, EINVAL);
  EXPECT_ERROR(slk_ctx_set(ctx, SLK_MAX_SOCKETS, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_ctx_set(ctx, SLK_SOCKET_LIMIT, 1) == -1, EINVAL);
  EXPECT_ERROR(slk_ctx_set(ctx, 12345, 1) == -1, EINVAL);
  EXPECT_ERROR(slk_ctx_get(ctx, 12345) == -1, EINVAL);
  EXPECT_ERROR(slk_ctx_set(NULL, SLK_IO_THREADS, 1) == -1, EFAULT);
  EXPECT_ERROR(slk_ctx_get(NULL, SLK_IO_THREADS) == -1, EFAULT);
  EXPECT_ERROR(slk_ctx_shutdown(NULL) == -1, EFAULT);
  EXPECT_ERROR(slk_ctx_term(NULL) == -1, EFAULT);
  EXPECT_ERROR(slk_socket(NULL, SLK_PULL) == NULL, EFAULT);
  EXPECT_ERROR(slk_socket(ctx, 4711) == NULL, EINVAL);
  EXPECT_ERROR(slk_socket(ctx, -1) == NULL, EINVAL);
  slk_ctx_destroy(NULL);

  void* s = slk_socket(ctx, SLK_PUSH);
  EXPECT(get_int(s, SLK_LINGER) == 0); /* BLOCKY 0 */
  EXPECT(slk_close(s) == 0);
  EXPECT(slk_ctx_shutdown(ctx) == 0);
  EXPECT_ERROR(slk_socket(ctx, SLK_PULL) == NULL, ETERM);
  EXPECT(slk_ctx_term(ctx) == 0);

  ctx = slk_ctx_new();
  slk_ctx_destroy(ctx);
}

static void expect_int_option(void* s, int option, int initial, int valid, int invalid) {
  int value = get_int(s, option);
  if (value != initial) {
    fprintf(stderr, "option %d: default %d, expected %d\n", option, value, initial);
    ++expect_failures;
  }
  EXPECT(slk_setsockopt(s, option, &valid, sizeof valid) == 0);
  EXPECT(get_int(s, option) == valid);
  EXPECT_ERROR(slk_setsockopt(s, option, &invalid, sizeof invalid) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, option, &valid, sizeof valid - 1) == -1, EINVAL);
  EXPECT(get_int(s, option) == valid);
}

static void test_socket_options(void* ctx) {
  void* s = slk_socket(ctx, SLK_ROUTER);
  int value = 1;
  int64_t wide = 0;
  size_t length = sizeof wide;
  char text[256];

  expect_int_option(s, SLK_SNDBUF, -1, 65536, -2);
  expect_int_option(s, SLK_RCVBUF, -1, 65536, -2);
  expect_int_option(s, SLK_LINGER, -1, 5, -2);
  expect_int_option(s, SLK_RECONNECT_IVL, 100, 7, -2);
  expect_int_option(s, SLK_RECONNECT_IVL_MAX, 0, 7, -1);
  expect_int_option(s, SLK_BACKLOG, 100, 7, -1);
  expect_int_option(s, SLK_SNDHWM, 1000, 0, -1);
  expect_int_option(s, SLK_RCVHWM, 1000, 7, -1);
  expect_int_option(s, SLK_RCVTIMEO, -1, 0, -2);
  expect_int_option(s, SLK_SNDTIMEO, -1, 7, -2);
  expect_int_option(s, SLK_TCP_KEEPALIVE, -1, 1, 2);
  expect_int_option(s, SLK_TCP_KEEPALIVE_CNT, -1, 7, -2);
  expect_int_option(s, SLK_TCP_KEEPALIVE_IDLE, -1, 7, -2);
  expect_int_option(s, SLK_TCP_KEEPALIVE_INTVL, -1, 7, -2);
  expect_int_option(s, SLK_IMMEDIATE, 0, 1, 2);
  expect_int_option(s, SLK_IPV6, 0, 1, 2);
  expect_int_option(s, SLK_HANDSHAKE_IVL, 30000, 0, -1);

  EXPECT(slk_getsockopt(s, SLK_MAXMSGSIZE, &wide, &length) == 0);
  EXPECT(length == sizeof wide && wide == -1);
  wide = 1000000;
  EXPECT(slk_setsockopt(s, SLK_MAXMSGSIZE, &wide, sizeof wide) == 0);
  EXPECT_ERROR(slk_setsockopt(s, SLK_MAXMSGSIZE, &value, sizeof value) == -1, EINVAL);

  EXPECT(get_int(s, SLK_TYPE) == SLK_ROUTER);
  EXPECT(get_int(s, SLK_RCVMORE) == 0);
  EXPECT(get_int(s, SLK_EVENTS) == SLK_POLLOUT);
  EXPECT(get_int(s, SLK_FD) >= 0);
  const int read_only[] = {SLK_TYPE, SLK_RCVMORE, SLK_EVENTS, SLK_FD, SLK_LAST_ENDPOINT};
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; ++i) {
    EXPECT_ERROR(slk_setsockopt(s, read_only[i], &value, sizeof value) == -1, EINVAL);
  }

  length = sizeof text;
  EXPECT(slk_getsockopt(s, SLK_ROUTING_ID, text, &length) == 0 && length == 0);
  EXPECT(slk_setsockopt(s, SLK_ROUTING_ID, "a\0b", 3) == 0);
  length = sizeof text;
  EXPECT(slk_getsockopt(s, SLK_ROUTING_ID, text, &length) == 0);
  EXPECT(length == 3 && memcmp(text, "a\0b", 3) == 0);
  length = 2;
  EXPECT_ERROR(slk_getsockopt(s, SLK_ROUTING_ID, text, &length) == -1, EINVAL);
  memset(text, 'x', sizeof text);
  EXPECT_ERROR(slk_setsockopt(s, SLK_ROUTING_ID, text, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_ROUTING_ID, text, 256) == -1, EINVAL);
  EXPECT(slk_setsockopt(s, SLK_ROUTING_ID, text, 255) == 0);
  EXPECT(slk_setsockopt(s, SLK_CONNECT_ROUTING_ID, "peer", 4) == 0);
  EXPECT_ERROR(slk_setsockopt(s, SLK_CONNECT_ROUTING_ID, text, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_CONNECT_ROUTING_ID, text, 256) == -1, EINVAL);

  length = 3;
  EXPECT_ERROR(slk_getsockopt(s, SLK_SNDHWM, &value, &length) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, 54321, &value, sizeof value) == -1, EINVAL);
  length = sizeof value;
  EXPECT_ERROR(slk_getsockopt(s, 54321, &value, &length) == -1, EINVAL);
  EXPECT_ERROR(slk_getsockopt(s, SLK_SNDHWM, NULL, &length) == -1, EINVAL);
  EXPECT_ERROR(slk_getsockopt(s, SLK_SNDHWM, &value, NULL) == -1, EINVAL);

  EXPECT(slk_setsockopt(s, SLK_ROUTER_MANDATORY, &value, sizeof value) == 0);
  EXPECT(slk_setsockopt(s, SLK_ROUTER_HANDOVER, &value, sizeof value) == 0);
  EXPECT(slk_setsockopt(s, SLK_PROBE_ROUTER, &value, sizeof value) == 0);
  EXPECT(slk_close(s) == 0);

  s = slk_socket(ctx, SLK_PULL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_ROUTER_MANDATORY, &value, sizeof value) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_ROUTER_HANDOVER, &value, sizeof value) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_PROBE_ROUTER, &value, sizeof value) == -1, EINVAL);
  EXPECT_ERROR(slk_setsockopt(s, SLK_CONNECT_ROUTING_ID, "x", 1) == -1, EINVAL);
  EXPECT(slk_close(s) == 0);
}

/* Every function that takes a socket, on one that is none. */
static void expect_no_socket(void* s) {
  char buffer[8];
  int value = 0;
  size_t length = sizeof value;
  slk_msg_t msg;
  slk_pollitem_t item = {s, 0, SLK_POLLIN, 0};
  EXPECT_ERROR(slk_bind(s, "inproc://x") == -1, ENOTSOCK);
  EXPECT_ERROR(slk_connect(s, "inproc://x") == -1, ENOTSOCK);
  EXPECT_ERROR(slk_unbind(s, "inproc://x") == -1, ENOTSOCK);
  EXPECT_ERROR(slk_disconnect(s, "inproc://x") == -1, ENOTSOCK);
  EXPECT_ERROR(slk_setsockopt(s, SLK_LINGER, &value, sizeof value) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_getsockopt(s, SLK_LINGER, &value, &length) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_send(s, "x", 1, 0) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_send_const(s, "x", 1, 0) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_send_to(s, "id", 2, "x", 1, 0) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_is_connected(s, "id", 2) == 0, ENOTSOCK);
  EXPECT_ERROR(slk_recv(s, buffer, sizeof buffer, 0) == -1, ENOTSOCK);
  EXPECT(slk_msg_init(&msg) == 0);
  EXPECT_ERROR(slk_msg_send(&msg, s, 0) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_msg_recv(&msg, s, 0) == -1, ENOTSOCK);
  EXPECT(slk_msg_close(&msg) == 0);
  if (s != NULL) { /* NULL means a descriptor there */
    EXPECT_ERROR(slk_poll(&item, 1, 0) == -1, ENOTSOCK);
  }
  EXPECT_ERROR(slk_close(s) == -1, ENOTSOCK);
}

static void test_endpoints(void* ctx) {
  char endpoint[256];
  size_t length = sizeof endpoint;
  void* pull = make_socket(ctx, SLK_PULL);
  void* push = make_socket(ctx, SLK_PUSH);
  EXPECT(slk_bind(pull, "tcp://127.0.0.1:*") == 0);
  EXPECT(slk_getsockopt(pull, SLK_LAST_ENDPOINT, endpoint, &length) == 0);
  EXPECT(length == strlen(endpoint) + 1);
  EXPECT(strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0 && strchr(endpoint, '*') == NULL);
  EXPECT_ERROR(slk_bind(push, endpoint) == -1, EADDRINUSE);
  EXPECT_ERROR(slk_bind(pull, NULL) == -1, EINVAL);
  EXPECT_ERROR(slk_connect(pull, NULL) == -1, EINVAL);
  EXPECT_ERROR(slk_bind(pull, "nonsense") == -1, EINVAL);
  EXPECT_ERROR(slk_connect(pull, "nonsense") == -1, EINVAL);
  EXPECT_ERROR(slk_bind(pull, "nonsense://x") == -1, EPROTONOSUPPORT);
  EXPECT_ERROR(slk_connect(pull, "nonsense://x") == -1, EPROTONOSUPPORT);
  EXPECT_ERROR(slk_connect(pull, "tcp://127.0.0.1:*") == -1, EINVAL);
  EXPECT_ERROR(slk_unbind(pull, "tcp://127.0.0.1:1") == -1, ENOENT);
  EXPECT_ERROR(slk_disconnect(pull, "tcp://127.0.0.1:1") == -1, ENOENT);
  EXPECT_ERROR(slk_bind(pull, "ipc:///no/such/directory/socket") == -1, ENOENT);
  EXPECT(slk_connect(push, endpoint) == 0);
  EXPECT(slk_disconnect(push, endpoint) == 0);
  EXPECT_ERROR(slk_disconnect(push, endpoint) == -1, ENOENT);
  EXPECT(slk_unbind(pull, endpoint) == 0);
  EXPECT_ERROR(slk_unbind(pull, endpoint) == -1, ENOENT);
  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
}

struct given {
  char text[16];
  size_t size;
  int more;
};

static void* give(size_t size, int more, void* hint) {
  struct given* into = hint;
  into->size = size;
  into->more = more;
  return size <= sizeof into->text ? into->text : NULL;
}

static void test_receive_into_memory_on_demand(void* ctx) {
  struct given part = {"", 0, 0};
  void* pull = make_socket(ctx, SLK_PULL);
  void* push = make_socket(ctx, SLK_PUSH);
  EXPECT(slk_bind(pull, "inproc://demand") == 0);
  EXPECT(slk_connect(push, "inproc://demand") == 0);
  EXPECT_ERROR(slk_recv_alloc(pull, give, &part, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT_ERROR(slk_recv_alloc(pull, NULL, &part, 0) == -1, EFAULT);
  EXPECT(slk_send(push, "first", 6, SLK_SNDMORE) == 6);
  EXPECT(slk_send(push, NULL, 0, 0) == 0);
  EXPECT(slk_send(push, "too long for the memory", 24, 0) == 24);
  EXPECT(slk_send(push, "last", 5, 0) == 5);
  EXPECT(slk_recv_alloc(pull, give, &part, 0) == 6);
  EXPECT(strcmp(part.text, "first") == 0);
  EXPECT(part.more == 1);
  EXPECT(slk_recv_alloc(pull, give, &part, 0) == 0);
  EXPECT(part.more == 0);
  EXPECT_ERROR(slk_recv_alloc(pull, give, &part, 0) == -1, ENOMEM);
  EXPECT(slk_recv_alloc(pull, give, &part, 0) == 5);
  EXPECT(strcmp(part.text, "last") == 0);
  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
  EXPECT_ERROR(slk_recv_alloc(pull, give, &part, 0) == -1, ENOTSOCK);
}

struct taken {
  char text[64];
  int more;
  int left;
};

static int take(const void* data, size_t size, int more, void* hint) {
  struct taken* into = hint;
  strncat(into->text, data, size);
  strcat(into->text, more ? "+" : ".");
  into->more = more;
  return --into->left > 0;
}

static void test_many_parts_in_one_call(void* ctx) {
  const slk_part_t parts[] = {{"a", 1}, {NULL, 0}, {"ccc", 3}};
  const slk_part_t wrong[] = {{"a", 1}, {NULL, 1}};
  struct taken all = {"", 0, 4};
  void* pull = make_socket(ctx, SLK_PULL);
  void* push = make_socket(ctx, SLK_PUSH);
  EXPECT(slk_bind(pull, "inproc://parts") == 0);
  EXPECT_ERROR(slk_send_parts(push, parts, 3, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT(slk_connect(push, "inproc://parts") == 0);
  EXPECT_ERROR(slk_send_parts(push, parts, 0, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_send_parts(push, NULL, 1, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_send_parts(push, wrong, 2, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_send_parts(pull, parts, 3, 0) == -1, ENOTSUP);
  EXPECT_ERROR(slk_recv_each(pull, take, &all, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT_ERROR(slk_recv_each(pull, NULL, &all, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_recv_each(push, take, &all, 0) == -1, ENOTSUP);
  EXPECT(slk_send_parts(push, parts, 3, 0) == 3);
  EXPECT(slk_send_parts(push, parts, 2, SLK_SNDMORE) == 2);
  EXPECT(slk_send_parts(push, parts + 2, 1, 0) == 1);
  EXPECT(slk_recv_each(pull, take, &all, 0) == 4);
  EXPECT(strcmp(all.text, "a++ccc.a+") == 0);
  EXPECT(get_int(pull, SLK_RCVMORE) == 1);
  all.left = 10;
  EXPECT(slk_recv_each(pull, take, &all, 0) == 2);
  EXPECT(strcmp(all.text, "a++ccc.a++ccc.") == 0);
  EXPECT(get_int(pull, SLK_RCVMORE) == 0);
  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
  EXPECT_ERROR(slk_send_parts(push, parts, 3, 0) == -1, ENOTSOCK);
  EXPECT_ERROR(slk_recv_each(pull, take, &all, 0) == -1, ENOTSOCK);
}

static void test_send_and_receive(void* ctx) {
  static const char constant[] = "constant";
  char buffer[16] = "---------------";
  void* pull = make_socket(ctx, SLK_PULL);
  void* push = make_socket(ctx, SLK_PUSH);
  EXPECT(slk_bind(pull, "inproc://send") == 0);
  EXPECT_ERROR(slk_send(push, "x", 1, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT(slk_connect(push, "inproc://send") == 0);
  EXPECT_ERROR(slk_recv(pull, buffer, sizeof buffer, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT_ERROR(slk_send(pull, "x", 1, 0) == -1, ENOTSUP);
  EXPECT_ERROR(slk_recv(push, buffer, sizeof buffer, 0) == -1, ENOTSUP);
  EXPECT_ERROR(slk_send(push, NULL, 1, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_recv(pull, NULL, 1, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_send_to(push, "id", 2, "x", 1, 0) == -1, ENOTSUP);
  EXPECT_ERROR(slk_is_connected(push, "id", 2) == 0, ENOTSUP);

  EXPECT(slk_send(push, "hello", 5, SLK_SNDMORE) == 5);
  EXPECT(slk_send(push, NULL, 0, SLK_SNDMORE) == 0);
  EXPECT(slk_send_const(push, constant, sizeof constant, 0) == (int)sizeof constant);
  EXPECT(slk_recv(pull, buffer, 3, 0) == 5);
  EXPECT(memcmp(buffer, "hel-", 4) == 0);
  EXPECT(get_int(pull, SLK_RCVMORE) == 1);
  EXPECT(slk_recv(pull, NULL, 0, 0) == 0);
  EXPECT(get_int(pull, SLK_RCVMORE) == 1);
  EXPECT(slk_recv(pull, buffer, sizeof buffer, 0) == (int)sizeof constant);
  EXPECT(strcmp(buffer, constant) == 0);
  EXPECT(get_int(pull, SLK_RCVMORE) == 0);
  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
}

static void test_router(void* ctx) {
  const int on = 1;
  char buffer[16];
  void* router = make_socket(ctx, SLK_ROUTER);
  void* dealer = make_socket(ctx, SLK_DEALER);
  EXPECT(slk_setsockopt(router, SLK_ROUTER_MANDATORY, &on, sizeof on) == 0);
  EXPECT(slk_setsockopt(dealer, SLK_ROUTING_ID, "peer", 4) == 0);
  EXPECT(slk_bind(router, "inproc://router") == 0);
  EXPECT_ERROR(slk_send(router, "peer", 4, SLK_SNDMORE) == -1, EHOSTUNREACH);
  EXPECT_ERROR(slk_send_to(router, "peer", 4, "x", 1, 0) == -1, EHOSTUNREACH);
  EXPECT_ERROR(slk_send_to(router, "peer", 0, "x", 1, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_send_to(router, "peer", 256, "x", 1, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_send_to(router, NULL, 4, "x", 1, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_send_to(router, "peer", 4, NULL, 1, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_is_connected(router, "peer", 4) == 0, EHOSTUNREACH);
  EXPECT_ERROR(slk_is_connected(router, NULL, 4) == 0, EFAULT);
  EXPECT(slk_connect(dealer, "inproc://router") == 0);
  EXPECT(slk_send(dealer, "question", 8, 0) == 8);
  EXPECT(slk_recv(router, buffer, sizeof buffer, 0) == 4);
  EXPECT(memcmp(buffer, "peer", 4) == 0);
  EXPECT(slk_recv(router, buffer, sizeof buffer, 0) == 8);
  EXPECT(slk_is_connected(router, "peer", 4) == 1);
  EXPECT(slk_send_to(router, "peer", 4, "answer", 6, 0) == 6);
  EXPECT(slk_recv(dealer, buffer, sizeof buffer, 0) == 6);
  EXPECT(memcmp(buffer, "answer", 6) == 0);
  EXPECT(slk_send(router, "peer", 4, SLK_SNDMORE) == 4);
  EXPECT_ERROR(slk_send_to(router, "peer", 4, "x", 1, 0) == -1, EFSM);
  EXPECT(slk_send(router, "end", 3, 0) == 3);
  EXPECT(slk_recv(dealer, buffer, sizeof buffer, 0) == 3);
  EXPECT(slk_close(dealer) == 0);
  EXPECT(slk_close(router) == 0);
}

static void test_poll(void* ctx) {
  void* pull = make_socket(ctx, SLK_PULL);
  void* push = make_socket(ctx, SLK_PUSH);
  EXPECT(slk_bind(pull, "inproc://poll") == 0);
  EXPECT(slk_connect(push, "inproc://poll") == 0);
  slk_pollitem_t items[2] = {{pull, 0, SLK_POLLIN, -1}, {push, 0, SLK_POLLOUT, -1}};
  EXPECT(slk_poll(items, 2, 0) == 1);
  EXPECT(items[0].revents == 0 && items[1].revents == SLK_POLLOUT);
  EXPECT(slk_send(push, "x", 1, 0) == 1);
  EXPECT(slk_poll(items, 1, wait_ms) == 1);
  EXPECT(items[0].revents == SLK_POLLIN);
  EXPECT(slk_poll(items, 2, -1) == 2);
  EXPECT(slk_poll(NULL, 0, 0) == 0);
  EXPECT_ERROR(slk_poll(items, -1, 0) == -1, EINVAL);
  EXPECT_ERROR(slk_poll(NULL, 1, 0) == -1, EFAULT);
  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
}

int main(void) {
  test_numbers();
  test_version_and_errors();
  test_context();
  test_messages();

  void* ctx = slk_ctx_new();
  test_socket_options(ctx);
  test_endpoints(ctx);
  test_send_and_receive(ctx);
  test_many_parts_in_one_call(ctx);
  test_receive_into_memory_on_demand(ctx);
  test_router(ctx);
  test_poll(ctx);
  expect_no_socket(NULL);
  void* closed = make_socket(ctx, SLK_PAIR);
  EXPECT(slk_close(closed) == 0);
  expect_no_socket(closed);
  EXPECT(slk_ctx_term(ctx) == 0);

  if (expect_failures != 0) {
    fprintf(stderr, "%d failures\n", expect_failures);
  }
  return expect_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
