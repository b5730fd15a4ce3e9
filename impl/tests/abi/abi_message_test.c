/* slk_msg_*: ownership of bodies small and large, and the errors of a message that is none. */
#include <serverlink/serverlink.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

static int frees = 0;

static void count_free(void* data, void* hint) {
  EXPECT(hint == &frees);
  ++frees;
  free(data);
}

static char* filled(size_t size) {
  char* data = malloc(size == 0 ? 1 : size);
  memset(data, 'd', size);
  return data;
}

static void test_init(void) {
  slk_msg_t msg;
  EXPECT(slk_msg_init(&msg) == 0);
  EXPECT(slk_msg_size(&msg) == 0);
  EXPECT(slk_msg_data(&msg) != NULL);
  EXPECT(slk_msg_more(&msg) == 0);
  EXPECT(slk_msg_get(&msg, SLK_MORE) == 0);
  EXPECT(slk_msg_get(&msg, SLK_SHARED) == 0);
  EXPECT_ERROR(slk_msg_get(&msg, 12345) == -1, EINVAL);
  EXPECT_ERROR(slk_msg_set(&msg, SLK_MORE, 1) == -1, EINVAL);
  EXPECT_ERROR(slk_msg_gets(&msg, "Socket-Type") == NULL, EINVAL);
  EXPECT(slk_msg_close(&msg) == 0);
  EXPECT_ERROR(slk_msg_close(&msg) == -1, EFAULT);

  const size_t sizes[] = {0, 1, 29, 30, 31, 32, 33, 34, 48, 64, 255, 256, 8192, 1000000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    const size_t size = sizes[i];
    char* data = filled(size);
    EXPECT(slk_msg_init_size(&msg, size) == 0);
    EXPECT(slk_msg_size(&msg) == size);
    memset(slk_msg_data(&msg), 'x', size);
    EXPECT(slk_msg_close(&msg) == 0);
    EXPECT(slk_msg_init_buffer(&msg, data, size) == 0);
    EXPECT(slk_msg_size(&msg) == size);
    EXPECT(slk_msg_data(&msg) != (void*)data);
    EXPECT(memcmp(slk_msg_data(&msg), data, size) == 0);
    EXPECT(slk_msg_close(&msg) == 0);

    frees = 0;
    EXPECT(slk_msg_init_data(&msg, data, size, count_free, &frees) == 0);
    EXPECT(slk_msg_size(&msg) == size);
    EXPECT(size == 0 || slk_msg_data(&msg) == (void*)data);
    EXPECT(frees == 0 || size == 0);
    EXPECT(slk_msg_close(&msg) == 0);
    EXPECT(frees == 1);
  }
  EXPECT(slk_msg_init_buffer(&msg, NULL, 0) == 0);
  EXPECT(slk_msg_close(&msg) == 0);
  EXPECT_ERROR(slk_msg_init_size(&msg, (size_t)-1) == -1, ENOMEM);

  static char lasting[100] = "not freed";
  EXPECT(slk_msg_init_data(&msg, lasting, sizeof lasting, NULL, NULL) == 0);
  EXPECT(slk_msg_data(&msg) == (void*)lasting);
  EXPECT(slk_msg_close(&msg) == 0);
}

static void test_copy_and_move(void) {
  const size_t sizes[] = {0, 5, 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    const size_t size = sizes[i];
    slk_msg_t first, second;
    frees = 0;
    EXPECT(slk_msg_init_data(&first, filled(size), size, count_free, &frees) == 0);
    EXPECT(slk_msg_init_size(&second, 77) == 0);
    EXPECT(slk_msg_copy(&second, &first) == 0);
    EXPECT(slk_msg_size(&second) == size && slk_msg_size(&first) == size);
    EXPECT(memcmp(slk_msg_data(&first), slk_msg_data(&second), size) == 0);
    EXPECT(size < 1000 || slk_msg_get(&second, SLK_SHARED) == 1);
    EXPECT(slk_msg_close(&first) == 0);
    EXPECT(size < 1000 || frees == 0);
    EXPECT(slk_msg_init_size(&first, 88) == 0);
    EXPECT(slk_msg_move(&first, &second) == 0);
    EXPECT(slk_msg_size(&first) == size && slk_msg_size(&second) == 0);
    EXPECT(slk_msg_move(&first, &first) == 0);
    EXPECT(slk_msg_size(&first) == size);
    EXPECT(slk_msg_close(&second) == 0);
    EXPECT(slk_msg_close(&first) == 0);
    EXPECT(frees == 1);

    EXPECT(slk_msg_init(&second) == 0);
    EXPECT_ERROR(slk_msg_copy(&second, &first) == -1, EFAULT);
    EXPECT_ERROR(slk_msg_move(&second, &first) == -1, EFAULT);
    EXPECT(slk_msg_close(&second) == 0);
  }
}

static void test_transfer(void) {
  const int patient = 10000;
  void* ctx = slk_ctx_new();
  void* pull = slk_socket(ctx, SLK_PULL);
  void* push = slk_socket(ctx, SLK_PUSH);
  EXPECT(slk_setsockopt(pull, SLK_RCVTIMEO, &patient, sizeof patient) == 0);
  EXPECT(slk_setsockopt(push, SLK_SNDTIMEO, &patient, sizeof patient) == 0);
  EXPECT(slk_bind(pull, "inproc://messages") == 0);
  slk_msg_t msg;

  frees = 0;
  EXPECT(slk_msg_init_data(&msg, filled(500), 500, count_free, &frees) == 0);
  EXPECT_ERROR(slk_msg_send(&msg, push, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT(slk_msg_size(&msg) == 500 && frees == 0); /* still ours */
  EXPECT(slk_connect(push, "inproc://messages") == 0);
  EXPECT(slk_msg_send(&msg, push, SLK_SNDMORE) == 500);
  EXPECT(slk_msg_size(&msg) == 0);
  EXPECT(slk_msg_close(&msg) == 0);
  EXPECT(slk_msg_init_buffer(&msg, "end", 3) == 0);
  EXPECT(slk_msg_send(&msg, push, 0) == 3);
  EXPECT(slk_msg_close(&msg) == 0);

  EXPECT(slk_msg_init_buffer(&msg, "former content", 14) == 0);
  EXPECT(slk_msg_recv(&msg, pull, 0) == 500);
  EXPECT(slk_msg_size(&msg) == 500 && ((char*)slk_msg_data(&msg))[499] == 'd');
  EXPECT(slk_msg_more(&msg) == 1);
  EXPECT(slk_msg_get(&msg, SLK_MORE) == 1);
  EXPECT(slk_msg_recv(&msg, pull, 0) == 3);
  EXPECT(memcmp(slk_msg_data(&msg), "end", 3) == 0);
  EXPECT(slk_msg_more(&msg) == 0);
  EXPECT_ERROR(slk_msg_recv(&msg, pull, SLK_DONTWAIT) == -1, EAGAIN);
  EXPECT(slk_msg_size(&msg) == 3); /* unchanged */
  EXPECT(slk_msg_close(&msg) == 0);
  EXPECT_ERROR(slk_msg_send(&msg, push, 0) == -1, EFAULT);
  EXPECT_ERROR(slk_msg_recv(&msg, pull, 0) == -1, EFAULT);

  EXPECT(slk_close(push) == 0);
  EXPECT(slk_close(pull) == 0);
  EXPECT(slk_ctx_term(ctx) == 0);
  EXPECT(frees == 1);
}

void test_messages(void) {
  test_init();
  test_copy_and_move();
  test_transfer();
}
