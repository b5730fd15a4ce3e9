// A libzmq that does more work for every message than it has to: so many turns of a loop, which
// take the same time and the same instructions wherever they run. With 0 turns it is the same code.
// The environment says how many, as "FOR_EACH_SEND FOR_EACH_RECEIVE"; fractions add up.  Where it
// does not, a copy of this file may say so itself: see slkbench_kept.
#define OWN_SEND
#define OWN_RECV
#include <stdint.h>
#include <time.h>

#include "../tests/doubles/forward.h"

static double send_turns, receive_turns;
// Of this thread: the turns that are still owed.
static __thread double owed;

// Written over in a copy of the file: the turns, and behind a second space the path of libzmq.
__attribute__((used)) volatile char slkbench_kept[4096] = "slkbench kept: ";

__attribute__((constructor)) static void read_turns(void) {
  enum { PREFIX = 15 };
  char kept[sizeof slkbench_kept];
  for (size_t place = 0; place < sizeof kept; ++place)
    kept[place] = slkbench_kept[place];
  const char* text = getenv("SLKBENCH_SPIN_TURNS");
  int path_at = 0;
  if (sscanf(kept + PREFIX, "%lf %lf %n", &send_turns, &receive_turns, &path_at) == 2 &&
      path_at > 0)
    setenv("SLKBENCH_REAL_LIBZMQ", kept + PREFIX + path_at, 0);
  else if (text != NULL)
    sscanf(text, "%lf %lf", &send_turns, &receive_turns);
}

// Waits until everything before has happened: a processor would work ahead meanwhile, and the extra
// work would cost less than it takes.
static inline void settle(void) {
#if defined __x86_64__
  __asm__ volatile("lfence" ::: "memory");
#elif defined __aarch64__
  __asm__ volatile("isb" ::: "memory");
#endif
}

// Each turn needs the one before, so that no processor does two at a time.
__attribute__((noinline)) static void spin(uint64_t turns) {
  uint64_t number = turns;
  settle();
  while (turns-- > 0) {
    number = number * 6364136223846793005U + 1442695040888963407U;
    __asm__ volatile("" : "+r"(number));
  }
  settle();
}

enum { TURNS_AT_ONCE = 128 };

static inline void work(double turns) {
  owed += turns;
  if (owed < TURNS_AT_ONCE)
    return;
  const uint64_t whole = (uint64_t)owed;
  owed -= (double)whole;
  spin(whole);
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  // A message of two frames is one message.
  if ((flags & SNDMORE) == 0)
    work(send_turns);
  return real_send(socket, data, size, flags);
}

int PREFIXED(recv)(void* socket, void* data, size_t size, int flags) {
  const int result = real_recv(socket, data, size, flags);
  if (result >= 0)
    work(receive_turns);
  return result;
}

// What `calls` of work cost, in nanoseconds for each: for the one who calibrates.
double slkbench_work_ns(double turns, long calls) {
  struct timespec begin;
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (long call = 0; call < calls; ++call)
    work(turns);
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double elapsed_ns =
      (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
  return elapsed_ns / (double)calls;
}
