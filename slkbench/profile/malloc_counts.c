/* Counts what each thread allocates. Preloaded into a process that is measured; when the process
 * exits, a line for each thread goes to the file that SLKBENCH_ALLOCATIONS_FILE names:
 *   thread-id allocations frees bytes
 * Bytes are those that were asked for. realloc is an allocation, and a free if it was given a
 * block. A thread keeps its line after its end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 4096
#define EARLY_BYTES 65536

typedef struct {
  long thread_id;
  uint64_t allocations;
  uint64_t frees;
  uint64_t bytes;
} thread_counts;

/* Threads beyond the last share it: their counts are then not exact. */
static thread_counts counts[THREADS_MAX];
static atomic_size_t threads;
static __thread thread_counts* own __attribute__((tls_model("initial-exec")));

static void* (*real_malloc)(size_t);
static void* (*real_calloc)(size_t, size_t);
static void* (*real_realloc)(void*, size_t);
static void (*real_free)(void*);
static int (*real_posix_memalign)(void**, size_t, size_t);
static void* (*real_aligned_alloc)(size_t, size_t);

/* What is asked for while the real functions are looked up. Never given back. */
static _Alignas(max_align_t) char early[EARLY_BYTES];
static atomic_size_t early_used;

static int is_early(const void* block) {
  return (const char*)block >= early && (const char*)block < early + EARLY_BYTES;
}

static void* early_block(size_t size) {
  const size_t rounded =
      (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
  const size_t at = atomic_fetch_add(&early_used, rounded);
  return at + rounded <= EARLY_BYTES ? early + at : NULL;
}

static int is_ready(void) {
  static atomic_int state;
  if (atomic_load(&state) == 2)
    return 1;
  int fresh = 0;
  if (!atomic_compare_exchange_strong(&state, &fresh, 1))
    return atomic_load(&state) == 2;
  real_calloc = (void* (*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
  real_realloc = (void* (*)(void*, size_t))dlsym(RTLD_NEXT, "realloc");
  real_free = (void (*)(void*))dlsym(RTLD_NEXT, "free");
  real_posix_memalign = (int (*)(void**, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
  real_aligned_alloc = (void* (*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
  real_malloc = (void* (*)(size_t))dlsym(RTLD_NEXT, "malloc");
  atomic_store(&state, 2);
  return 1;
}

static thread_counts* counts_of_thread(void) {
  if (own == NULL) {
    const size_t number = atomic_fetch_add(&threads, 1);
    own = &counts[number < THREADS_MAX ? number : THREADS_MAX - 1];
    own->thread_id = syscall(SYS_gettid);
  }
  return own;
}

static void* counted(void* block, size_t size) {
  if (block != NULL) {
    thread_counts* const mine = counts_of_thread();
    ++mine->allocations;
    mine->bytes += size;
  }
  return block;
}

void* malloc(size_t size) {
  return is_ready() ? counted(real_malloc(size), size) : early_block(size);
}

void* calloc(size_t count, size_t size) {
  /* The early blocks are zero, as nobody has had them before. */
  return is_ready() ? counted(real_calloc(count, size), count * size) : early_block(count * size);
}

void* realloc(void* block, size_t size) {
  if (!is_ready() || is_early(block)) {
    void* const moved = malloc(size);
    if (moved != NULL && block != NULL) {
      const size_t left = (size_t)(early + EARLY_BYTES - (char*)block);
      memcpy(moved, block, size < left ? size : left);
    }
    return moved;
  }
  void* const moved = counted(real_realloc(block, size), size);
  if (moved != NULL && block != NULL)
    ++counts_of_thread()->frees;
  return moved;
}

void free(void* block) {
  if (block == NULL || is_early(block) || !is_ready())
    return;
  ++counts_of_thread()->frees;
  real_free(block);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  if (!is_ready())
    return ENOMEM;
  const int error = real_posix_memalign(block, alignment, size);
  if (error == 0)
    counted(*block, size);
  return error;
}

void* aligned_alloc(size_t alignment, size_t size) {
  return is_ready() ? counted(real_aligned_alloc(alignment, size), size) : NULL;
}

void* memalign(size_t alignment, size_t size) {
  return aligned_alloc(alignment, size);
}

__attribute__((destructor)) static void tell(void) {
  const char* const path = getenv("SLKBENCH_ALLOCATIONS_FILE");
  FILE* const file = path != NULL ? fopen(path, "we") : NULL;
  if (file == NULL)
    return;
  size_t known = atomic_load(&threads);
  if (known > THREADS_MAX)
    known = THREADS_MAX;
  for (size_t number = 0; number < known; ++number)
    fprintf(file, "%ld %llu %llu %llu\n", counts[number].thread_id,
            (unsigned long long)counts[number].allocations,
            (unsigned long long)counts[number].frees, (unsigned long long)counts[number].bytes);
  fclose(file);
}
