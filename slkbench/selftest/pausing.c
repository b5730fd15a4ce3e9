// A libzmq for which time stops: after every 40 ms all its threads wait for a share of these 40 ms.
// Whatever they do, and whoever waits for whom, then takes longer by this share: nothing overlaps a
// pause, because all stop at the same moments of a clock that all processes have in common.
//
// A thread stops at the first look at the clock within a pause: the application's threads look in
// calls to send and to receive, libzmq's own ones before they send or receive bytes and after they
// wait.  So what is done within a pause is a few microseconds' work for each thread.
//
// One message at a time, there and back, has no pauses: each round trip is made longer by this
// share, where it ends.  Neither is meant for messages that leave by a schedule.
//
// The environment says how long a pause is, as a fraction of the 40 ms.  Where it does not, a copy
// of this file may say so itself: see slkbench_kept.  With 0 it is the same code, without pauses.
#define _GNU_SOURCE
#define OWN_CONTEXT_NEW
#define OWN_SEND
#define OWN_RECV
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../tests/doubles/forward.h"

// Long against what a thread does before it looks, and against a slice of the scheduler: with 3 ms,
// four threads on two CPUs lost about half as much again as they stop for, and with 10 ms a fifth
// less, since who had to wait for a wake-up anyway waits in the pause.  Short against a sample.
static const int64_t run_ns = 40 * 1000 * 1000;
static int64_t pause_ns;

// Written over in a copy of the file: the fraction, and behind a space the path of libzmq.
__attribute__((used)) volatile char slkbench_kept[4096] = "slkbench kept: ";

__attribute__((constructor)) static void read_fraction(void) {
  enum { PREFIX = 15 };
  char kept[sizeof slkbench_kept];
  for (size_t place = 0; place < sizeof kept; ++place)
    kept[place] = slkbench_kept[place];
  const char* text = getenv("SLKBENCH_PAUSE");
  double fraction = 0;
  int path_at = 0;
  if (sscanf(kept + PREFIX, "%lf %n", &fraction, &path_at) == 1 && path_at > 0)
    setenv("SLKBENCH_REAL_LIBZMQ", kept + PREFIX + path_at, 0);
  else if (text != NULL)
    sscanf(text, "%lf", &fraction);
  pause_ns = (int64_t)(fraction * (double)run_ns + 0.5);
}

static inline int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Whether this process sends one message at a time, there and back: see stretch_trip.
static bool has_trips;

// Of this thread: until when it need not wait; the time at its last look; how many calls go by from
// one look to the next, and how many still do.
static __thread int64_t free_until_ns, looked_ns;
static __thread unsigned calls_to_a_look = 1, calls_left;

static void wait_until(int64_t resume_ns) {
  while (looked_ns < resume_ns)
    looked_ns = now_ns();
}

// Waits where a pause is under way. Spins, for whoever sleeps is late by as much as a wake-up
// takes.
static void look(void) {
  looked_ns = now_ns();
  if (looked_ns < free_until_ns || __atomic_load_n(&has_trips, __ATOMIC_RELAXED))
    return;
  const int64_t into_ns = looked_ns % (run_ns + pause_ns);
  free_until_ns = looked_ns - into_ns + run_ns;
  if (into_ns < run_ns)
    return;
  const int64_t resume_ns = free_until_ns + pause_ns;
  wait_until(resume_ns);
  free_until_ns = resume_ns + run_ns;
}

// Looks about every two microseconds: the clock costs as much as a fifth of a small message.
static inline void glance(void) {
  enum { OFTEN_NS = 1000, SELDOM_NS = 4000, MOST_CALLS = 32 };
  if (calls_left > 1) {
    --calls_left;
    return;
  }
  const int64_t before_ns = looked_ns;
  look();
  const int64_t gap_ns = looked_ns - before_ns;
  if (gap_ns < OFTEN_NS && calls_to_a_look < MOST_CALLS)
    calls_to_a_look *= 2;
  else if (gap_ns > SELDOM_NS && calls_to_a_look > 1)
    calls_to_a_look /= 2;
  calls_left = calls_to_a_look;
}

// Of this thread: what it did last, and first, with messages; how often it changed from one to the
// other; and when its last round trip was over.
enum deed { NOTHING, SENT, RECEIVED };
static __thread enum deed last_deed, first_deed;
static __thread unsigned changes;
static __thread int64_t trip_began_ns;

// Whether the thread now receives what it sent for, or the other way round.
static inline bool changes_to(enum deed deed) {
  enum { CHANGES_OF_TRIPS = 16 };  // a handshake has few, and what follows in a stream none
  if (last_deed == deed)
    return false;
  if (last_deed == NOTHING)
    first_deed = deed;
  last_deed = deed;
  if (++changes == CHANGES_OF_TRIPS)
    __atomic_store_n(&has_trips, true, __ATOMIC_RELAXED);
  return true;
}

// A pause hits few of many round trips, and leaves their median as it is.  So every one is made
// longer by its share, where it ends; nothing else is under way then.
static void stretch_trip(void) {
  looked_ns = now_ns();
  if (trip_began_ns > 0)
    wait_until(looked_ns + (looked_ns - trip_began_ns) * pause_ns / run_ns);
  trip_began_ns = looked_ns;
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  changes_to(SENT);
  glance();
  return real_send(socket, data, size, flags);
}

int PREFIXED(recv)(void* socket, void* data, size_t size, int flags) {
  const int result = real_recv(socket, data, size, flags);
  if (result >= 0 && changes_to(RECEIVED) && first_deed == SENT &&
      __atomic_load_n(&has_trips, __ATOMIC_RELAXED))
    stretch_trip();
  else
    glance();
  return result;
}

// What libzmq's own threads call in place of the C library's functions.
static ssize_t stopped_send(int fd, const void* data, size_t size, int flags) {
  look();
  return send(fd, data, size, flags);
}

static ssize_t stopped_recv(int fd, void* data, size_t size, int flags) {
  look();
  return recv(fd, data, size, flags);
}

static int stopped_epoll_wait(int fd, struct epoll_event* events, int count, int timeout) {
  const int result = epoll_wait(fd, events, count, timeout);
  const int error = errno;
  look();
  errno = error;
  return result;
}

#if defined __x86_64__
enum { IMPORTED_FUNCTION = R_X86_64_JUMP_SLOT, IMPORTED_ADDRESS = R_X86_64_GLOB_DAT };
#elif defined __aarch64__
enum { IMPORTED_FUNCTION = R_AARCH64_JUMP_SLOT, IMPORTED_ADDRESS = R_AARCH64_GLOB_DAT };
#else
#error "the place where a library keeps the functions that it imports is not known here"
#endif

static void* stopped_function(const char* name) {
  if (strcmp(name, "send") == 0)
    return (void*)stopped_send;
  if (strcmp(name, "recv") == 0)
    return (void*)stopped_recv;
  return strcmp(name, "epoll_wait") == 0 ? (void*)stopped_epoll_wait : NULL;
}

static bool write_slot(void** slot, void* function) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  void* begin = (void*)((uintptr_t)slot & ~(page - 1));
  // Read-only where the library was linked with full RELRO.
  if (mprotect(begin, page, PROT_READ | PROT_WRITE) != 0)
    return false;
  __atomic_store_n(slot, function, __ATOMIC_RELEASE);
  return true;
}

// How many of its imports have been replaced. In glibc a loaded library's `d_ptr` is an address.
static int stop_imports(const struct link_map* library) {
  const ElfW(Sym)* symbols = NULL;
  const char* names = NULL;
  const ElfW(Rela) * tables[2] = {NULL, NULL};
  size_t bytes[2] = {0, 0};
  int stopped = 0;
  for (const ElfW(Dyn)* entry = library->l_ld; entry->d_tag != DT_NULL; ++entry) {
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols = (const ElfW(Sym)*)entry->d_un.d_ptr;
        break;
      case DT_STRTAB:
        names = (const char*)entry->d_un.d_ptr;
        break;
      case DT_JMPREL:
        tables[0] = (const ElfW(Rela)*)entry->d_un.d_ptr;
        break;
      case DT_PLTRELSZ:
        bytes[0] = entry->d_un.d_val;
        break;
      case DT_RELA:
        tables[1] = (const ElfW(Rela)*)entry->d_un.d_ptr;
        break;
      case DT_RELASZ:
        bytes[1] = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  for (int table = 0; table < 2; ++table) {
    for (size_t at = 0; at < bytes[table] / sizeof(ElfW(Rela)); ++at) {
      const ElfW(Rela)* import = &tables[table][at];
      const unsigned long kind = ELF64_R_TYPE(import->r_info);
      if (kind != IMPORTED_FUNCTION && kind != IMPORTED_ADDRESS)
        continue;
      void* function = stopped_function(names + symbols[ELF64_R_SYM(import->r_info)].st_name);
      if (function != NULL && write_slot((void**)(library->l_addr + import->r_offset), function))
        ++stopped;
    }
  }
  return stopped;
}

// Before libzmq has threads.  This library is never unloaded, as libzmq calls it from now on.
void* PREFIXED(ctx_new)(void) {
  enum { IMPORTS = 3 };
  void* function = real_function("zmq_ctx_new");
  Dl_info where;
  struct link_map* library = NULL;
  if (dladdr1(function, &where, (void**)&library, RTLD_DL_LINKMAP) == 0 || library == NULL ||
      stop_imports(library) < IMPORTS) {
    fprintf(stderr, "libzmq does not import what its threads would have to be stopped in\n");
    exit(3);
  }
  return real_context_new();
}
