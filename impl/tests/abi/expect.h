/* Checks for C: each failure is printed with its line, the test goes on, main() counts. */
#ifndef SERVERLINK_TESTS_ABI_EXPECT_H
#define SERVERLINK_TESTS_ABI_EXPECT_H

#include <errno.h>
#include <stdio.h>

extern int expect_failures;

#define EXPECT(condition)                                                                         \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      fprintf(stderr, "%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      ++expect_failures;                                                                          \
    }                                                                                             \
  } while (0)

/* The call must fail with that error, in errno and in slk_errno(). */
#define EXPECT_ERROR(failed, error)                                                               \
  do {                                                                                            \
    errno = 0;                                                                                    \
    const int expect_failed = (failed);                                                           \
    const int expect_errno = errno;                                                               \
    if (!expect_failed || expect_errno != (error) || slk_errno() != (error)) {                    \
      fprintf(stderr, "%s:%d: %s: %s, errno %d, slk_errno %d, expected %s\n", __FILE__, __LINE__, \
              #failed, expect_failed ? "fails" : "succeeds", expect_errno, slk_errno(), #error);  \
      ++expect_failures;                                                                          \
    }                                                                                             \
  } while (0)

void test_messages(void);

#endif /* SERVERLINK_TESTS_ABI_EXPECT_H */
