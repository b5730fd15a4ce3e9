// A libzmq that does a share of its work twice: so many messages of a hundred travel a second time,
// and whoever uses the library sees each once. What a message takes then grows by this share,
// whatever it is spent on and whoever waits for whom: the time, the CPU time, the instructions.
//
// In a stream the sender's side repeats messages, and the receiver's takes what has the number of
// the message before it, and keeps it to itself. One message at a time, there and back, cannot be
// repeated in part: so each such round trip is made of 20, with a share of 0 as well, to which the
// share of 20 more is added. They begin behind some that are none of these, in which both sides see
// what is done with them.
//
// It is for one sender and one receiver, each a thread, whose messages begin with a number of 8
// bytes and are one frame, or the routing id and one frame. What is shorter is never repeated.
//
// The environment says how large the share is. Where it does not, a copy of this file may say so
// itself: see slkbench_kept.
#define OWN_SOCKET
#define OWN_SEND
#define OWN_RECV
#include <stdbool.h>
#include <stdint.h>

#include "../tests/doubles/forward.h"

enum {
  ROUTER = 6,
  ID_BYTES_MAX = 256,
  NUMBER_BYTES = 8,
  TRIPS = 20,
  SENDER_SHIFT = 48,      // of a number: above it is which of several senders has sent it
  CHANGES_OF_TRIPS = 16,  // a handshake has few, and what follows in a stream none
  // One side is ahead of the other by two at most.
  CHANGES_TO_ANSWER = 24,
  CHANGES_TO_REPEAT = 32,
};

static double share;

// Written over in a copy of the file: the share, and behind a space the path of libzmq.
__attribute__((used)) volatile char slkbench_kept[4096] = "slkbench kept: ";

__attribute__((constructor)) static void read_share(void) {
  enum { PREFIX = 15 };
  char kept[sizeof slkbench_kept];
  for (size_t place = 0; place < sizeof kept; ++place)
    kept[place] = slkbench_kept[place];
  const char* text = getenv("SLKBENCH_REPEAT");
  int path_at = 0;
  if (sscanf(kept + PREFIX, "%lf %n", &share, &path_at) == 1 && path_at > 0)
    setenv("SLKBENCH_REAL_LIBZMQ", kept + PREFIX + path_at, 0);
  else if (text != NULL)
    sscanf(text, "%lf", &share);
}

enum deed { NOTHING, SENT, RECEIVED };

// Written by the thread that makes the sockets, before others use them.
static bool is_router;

// What a side knows.
static __thread struct {
  enum deed first_deed, last_deed;
  unsigned changes;  // from one deed to the other
  double owed;       // of a message, or of a round trip
  void* out;
  unsigned char id[ID_BYTES_MAX];  // that the last message was sent to
  size_t id_bytes;
  bool has_id;  // received, the frame behind it has not been
  uint64_t last_number;
  bool has_number;
  // Of one that sends first and receives an answer: what came back last, and from where.
  void* in;
  void* body;
  size_t body_bytes, body_room;
} side;

static inline void note(enum deed deed) {
  if (side.last_deed == deed)
    return;
  if (side.last_deed == NOTHING)
    side.first_deed = deed;
  side.last_deed = deed;
  ++side.changes;
}

// How often something is done again, of which `each` more are owed now.
static inline unsigned due(double each) {
  side.owed += each;
  const unsigned times = (unsigned)side.owed;
  side.owed -= times;
  return times;
}

// A failure shows in what follows.
static int send_again(const void* data, size_t size) {
  if (is_router && real_send(side.out, side.id, side.id_bytes, SNDMORE) < 0)
    return -1;
  return real_send(side.out, data, size, NO_FLAG);
}

static int receive_frame(void* socket, void* data, size_t size, int flags) {
  unsigned char id[ID_BYTES_MAX];
  if (is_router && real_recv(socket, id, sizeof id, flags) < 0)
    return -1;
  return real_recv(socket, data, size, is_router ? NO_FLAG : flags);
}

// Those that the next one is made of beside itself: with what came back last. The other side
// answers them while it waits for the next one, and would not do so behind the last one of all.
static void make_trips(void) {
  for (unsigned left = TRIPS - 1 + due(TRIPS * share); left > 0; --left) {
    if (send_again(side.body, side.body_bytes) < 0 ||
        receive_frame(side.in, side.body, side.body_bytes, NO_FLAG) < 0)
      return;
  }
}

static void keep_answer(void* socket, const void* data, size_t size) {
  if (size > side.body_room) {
    free(side.body);
    side.body_room = (side.body = malloc(size)) != NULL ? size : 0;
  }
  side.in = socket;
  side.body_bytes = side.body_room > 0 ? size : 0;
  memcpy(side.body, data, side.body_bytes);
}

void* PREFIXED(socket)(void* context, int type) {
  is_router = type == ROUTER;
  return real_socket(context, type);
}

int PREFIXED(send)(void* socket, const void* data, size_t size, int flags) {
  if (side.body_bytes > 0) {
    make_trips();
    side.body_bytes = 0;
  }
  const int result = real_send(socket, data, size, flags);
  if (result < 0)
    return result;
  side.out = socket;
  if ((flags & SNDMORE) != 0) {
    if (size <= ID_BYTES_MAX)
      memcpy(side.id, data, side.id_bytes = size);
    return result;
  }
  note(SENT);
  if (size < NUMBER_BYTES || side.changes >= CHANGES_OF_TRIPS)
    return result;
  for (unsigned left = due(share); left > 0; --left) {
    if (send_again(data, size) < 0)
      break;
  }
  return result;
}

static inline bool is_again(const void* data, int size) {
  uint64_t number = 0;
  if (size < NUMBER_BYTES)
    return false;
  memcpy(&number, data, sizeof number);
  if (number >> SENDER_SHIFT != 0) {
    fprintf(stderr, "a libzmq that repeats messages is for one sender and one receiver\n");
    exit(3);
  }
  const bool is_same = side.has_number && number == side.last_number;
  side.last_number = number;
  side.has_number = true;
  return is_same;
}

int PREFIXED(recv)(void* socket, void* data, size_t size, int flags) {
  int result = real_recv(socket, data, size, flags);
  if (is_router && !side.has_id) {
    side.has_id = result >= 0;
    return result;
  }
  side.has_id = false;
  while (is_again(data, result)) {
    if (side.first_deed == RECEIVED && side.changes >= CHANGES_TO_ANSWER)
      send_again(data, (size_t)result);
    result = receive_frame(socket, data, size, flags);
  }
  if (result < 0)
    return result;
  note(RECEIVED);
  if (side.first_deed == SENT && side.changes >= CHANGES_TO_REPEAT && result >= NUMBER_BYTES)
    keep_answer(socket, data, (size_t)result);
  return result;
}
