// Works, and leaves a process behind that has left the session, ignores what it can and holds on to
// the descriptors. The file named in the environment gets its id.
#define OWN_CONTEXT_NEW
#include <signal.h>
#include <unistd.h>

#include "forward.h"

void* PREFIXED(ctx_new)(void) {
  const char* path = getenv("SLKBENCH_DOUBLE_NOTES");
  if (path != NULL && fork() == 0) {
    setsid();
    if (fork() != 0)
      _exit(0);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    FILE* notes = fopen(path, "ae");
    if (notes == NULL)
      _exit(1);
    fprintf(notes, "%d\n", getpid());
    fclose(notes);
    for (;;)
      pause();
  }
  return real_context_new();
}
