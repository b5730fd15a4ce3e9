/* SPDX-License-Identifier: Apache-2.0
 *
 * ServerLink: message sockets over tcp, ipc and inproc, speaking ZMTP 3.1.
 *
 * Conventions, valid for every function unless its own comment says otherwise:
 *
 *  1. Handles. Contexts and sockets are opaque `void *`. A socket belongs to the context that made
 *     it; close every socket before terminating its context. A handle is dead after slk_ctx_term()
 *     or slk_close() succeeded. A closed socket's handle is recognised (ENOTSOCK) until its context
 *     is terminated or slk_socket() hands out the same value again.
 *  2. Ownership. Strings and buffers given to the library are copied before the call returns and
 *     stay the caller's; the two exceptions, slk_send_const() and slk_msg_init_data(), say so.
 *     Strings given to the caller (slk_strerror(), slk_msg_gets()) stay the library's.
 *  3. Messages. A slk_msg_t is caller-provided storage. It must be initialised by one of the
 *     slk_msg_init*() functions, and closed by slk_msg_close(), exactly once each; it must not be
 *     copied or moved with memcpy() or `=`. A message that slk_msg_send() accepted is empty and
 *     initialised; after a failed slk_msg_send() it is unchanged and still the caller's.
 *  4. Lengths are bytes, times are milliseconds. Data may contain any byte. A null pointer is
 *     allowed as data when its length is 0. String options count their terminating NUL when read.
 *  5. Results. `int` functions return 0 or a non-negative count on success and -1 on failure;
 *     pointer functions return NULL on failure. What went wrong is in errno, and slk_errno()
 *     returns the same value. Success does not reset errno.
 *  6. Errors are POSIX numbers from <errno.h>, plus the four SLK_ERRNO_BASE numbers below. Wherever
 *     a context is taken, NULL gives EFAULT. Wherever a socket is taken, NULL or a closed one gives
 *     ENOTSOCK, and a socket whose context is being terminated gives ETERM (except slk_close()).
 *     These are not repeated below.
 *  7. Failure leaves no trace: a call that failed has sent, received and changed nothing.
 *  8. Messages of several parts are atomic: the peer gets all parts or none, and gets them as one
 *     message. A message begun with SLK_SNDMORE and never finished vanishes with its socket.
 *  9. Blocking calls (send, recv, poll, ctx_term) return EINTR when a signal handler ran; nothing
 *     is lost and the call can be repeated.
 * 10. Threads. A context may be used from any number of threads at the same time. A socket, and a
 *     message, may be used by one thread at a time; to hand one to another thread, synchronise (a
 *     mutex, a join). A debug build of the library aborts when two threads use a socket at once.
 * The exception is slk_close(): it may come while another thread is inside a call on the socket,
 *     which then finishes or, if it has to wait, ends with ENOTSOCK; the end of that call is the
 *     end of the socket. Handles do not survive fork() in
 *     the child: there, only close(2) on descriptors and _exit(2) or exec(2) are meaningful, and
 *     calls on inherited sockets give ENOTSOCK, on inherited contexts EFAULT.
 * 11. No C++ exception leaves the library, and nothing that a peer sends can abort the process.
 * 12. Loss. On a connection that lives nothing is lost, repeated or reordered. When one dies, what
 *     its receiver's kernel had acknowledged but not handed over, what the sender's kernel still
 *     held, and a message cut in the middle are lost, none of them in part; what had not gone to the
 *     kernel waits for the next connection of a connecting socket, and goes with an accepted one.
 *     A peer that vanishes without a word is noticed by HEARTBEAT_IVL or TCP_KEEPALIVE; without
 *     them when TCP gives up what was sent (after some 15 minutes), and never if nothing was. A
 *     network that is away for a shorter time costs nothing. MAXMSGSIZE limits a part; a message of
 *     parts without end grows until the memory does.
 * 13. Environment. SLK_TIMED_WAITS=0, read when the first context is made, takes out what is
 * decided by the time that something took: waiting calls don't spin, bursts are told by counting
 * alone, and the end of a burst may wait for 20 ms. It is meant for tools that count instructions
 * or slow time down, such as valgrind.
 */
#ifndef SERVERLINK_SERVERLINK_H
#define SERVERLINK_SERVERLINK_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SLK_EXPORT __attribute__((visibility("default")))
#else
#define SLK_EXPORT
#endif

/* ----------------------------------------------------------------------------- version, errors */

#define SLK_VERSION_MAJOR 0
#define SLK_VERSION_MINOR 1
#define SLK_VERSION_PATCH 0
#define SLK_MAKE_VERSION(major, minor, patch) ((major) * 10000 + (minor) * 100 + (patch))
#define SLK_VERSION SLK_MAKE_VERSION(SLK_VERSION_MAJOR, SLK_VERSION_MINOR, SLK_VERSION_PATCH)

/* Errors that POSIX has no number for; far from every system's own. */
#define SLK_ERRNO_BASE 156384712
#ifndef EFSM
#define EFSM (SLK_ERRNO_BASE + 51) /* not possible in the socket's present state */
#endif
#ifndef ENOCOMPATPROTO
#define ENOCOMPATPROTO (SLK_ERRNO_BASE + 52) /* transport does not fit the socket type */
#endif
#ifndef ETERM
#define ETERM (SLK_ERRNO_BASE + 53) /* the context is being terminated */
#endif
#ifndef EMTHREAD
#define EMTHREAD (SLK_ERRNO_BASE + 54) /* no I/O thread to do it */
#endif

/* Stores the version of the library that is loaded (the macros name the header's). Null pointers
 * are skipped. Cannot fail. */
SLK_EXPORT void slk_version(int* major, int* minor, int* patch);

/* The calling thread's errno, for callers whose C run-time is not the library's. */
SLK_EXPORT int slk_errno(void);

/* A static text for an error number, for any number; never NULL. */
SLK_EXPORT const char* slk_strerror(int errnum);

/* 1 if the library has the capability, else 0 (NULL: 0). Known names: "tcp", "ipc", "inproc", and
 * "curve" where it was built with libsodium. */
SLK_EXPORT int slk_has(const char* capability);

/* ------------------------------------------------------------------------------------- context */

/* Context options (int). */
#define SLK_IO_THREADS 1   /* >= 0, default 1; counts until the first socket is made */
#define SLK_MAX_SOCKETS 2  /* >= 1, default 1023; counts until the first socket is made */
#define SLK_SOCKET_LIMIT 3 /* read only: the largest MAX_SOCKETS that is accepted */
#define SLK_MAX_MSGSZ 5    /* >= 0, default INT_MAX: default MAXMSGSIZE of new sockets if less */
#define SLK_MSG_T_SIZE 6   /* read only: sizeof(slk_msg_t) inside the library */
#define SLK_IPV6 42        /* 0 or 1, default 0: default of the socket option of that name */
#define SLK_BLOCKY 70 /* 0 or 1, default 1: new sockets linger for ever (1) or not at all (0) */

#define SLK_IO_THREADS_DFLT 1
#define SLK_MAX_SOCKETS_DFLT 1023

/* Makes a context. It starts its threads with its first socket. Errors: ENOMEM, EMFILE. */
SLK_EXPORT void* slk_ctx_new(void);

/* Ends a context: every blocked and every later call on its sockets fails with ETERM; waits until
 * all of them were closed by their owners and their messages were handed to the kernel or their
 * LINGER ran out; then frees everything. Call it once; after EINTR call it again.
 * Errors: EINTR. */
SLK_EXPORT int slk_ctx_term(void* context);

/* slk_ctx_term(), repeated while it answers EINTR. NULL does nothing. */
SLK_EXPORT void slk_ctx_destroy(void* context);

/* The first half of slk_ctx_term(): calls on the context's sockets fail with ETERM from now on.
 * Does not wait and frees nothing; slk_ctx_term() is still due. May be repeated. */
SLK_EXPORT int slk_ctx_shutdown(void* context);

/* Sets a context option. Errors: EINVAL (unknown or read-only option, value out of range). */
SLK_EXPORT int slk_ctx_set(void* context, int option, int value);

/* The value of a context option. Errors: EINVAL (unknown option). */
SLK_EXPORT int slk_ctx_get(void* context, int option);

/* ------------------------------------------------------------------------------------- sockets */

/* Socket types. */
#define SLK_PAIR 0   /* one peer, both directions */
#define SLK_DEALER 5 /* out: in turn to every peer; in: in turn from every peer */
#define SLK_ROUTER 6 /* every message begins with a part that names the peer */
#define SLK_PULL 7   /* in only, in turn from every peer */
#define SLK_PUSH 8   /* out only, in turn to every peer */

/* Socket options; int unless said. Wrong size, range or number, and an option that the socket type
 * does not have: EINVAL. Marked `later`: a change counts for later binds and connects only.
 * FD becomes readable once for a change, not for as long as it lasts, and at times for nothing. Who
 * finds it readable reads EVENTS, which takes that back, and does so again after each send and
 * receive, which may have taken it. No other call does. */
#define SLK_ROUTING_ID 5     /* 1-255 bytes, default empty; how a ROUTER will name us; later */
#define SLK_SNDBUF 11        /* >= -1, SO_SNDBUF in bytes, -1 leaves it to the system; later */
#define SLK_RCVBUF 12        /* >= -1, SO_RCVBUF likewise; later */
#define SLK_RCVMORE 13       /* read only: 1 if more parts of the last received message follow */
#define SLK_FD 14            /* read only: becomes readable when EVENTS may have got one more */
#define SLK_EVENTS 15        /* read only: SLK_POLLIN, SLK_POLLOUT; a look at it re-arms FD */
#define SLK_TYPE 16          /* read only */
#define SLK_LINGER 17        /* >= -1, default -1: ms that unsent messages outlive the socket */
#define SLK_RECONNECT_IVL 18 /* >= -1, default 100: ms before a lost connection is tried again */
#define SLK_BACKLOG 19       /* >= 0, default 100: argument of listen(2); later */
#define SLK_RECONNECT_IVL_MAX 21 /* >= 0, default 0: > 0 doubles the wait up to that many ms */
#define SLK_MAXMSGSIZE 22    /* int64_t, >= -1, default -1 (none): a longer frame drops its peer */
#define SLK_SNDHWM 23        /* >= 0, default 1000: messages queued per peer, 0 = no limit */
#define SLK_RCVHWM 24        /* >= 0, default 1000: likewise on the receiving side */
#define SLK_RCVTIMEO 27      /* >= -1, default -1: ms until a receive gives up with EAGAIN */
#define SLK_SNDTIMEO 28      /* >= -1, default -1: ms until a send gives up with EAGAIN */
#define SLK_LAST_ENDPOINT 32 /* read only string: last endpoint bound (resolved) or connected */
#define SLK_ROUTER_MANDATORY 33    /* ROUTER, 0 or 1: unknown peer EHOSTUNREACH, full peer waits */
#define SLK_TCP_KEEPALIVE 34       /* -1 (system's default), 0 or 1; later, as are the next three */
#define SLK_TCP_KEEPALIVE_CNT 35   /* -1 or > 0 probes */
#define SLK_TCP_KEEPALIVE_IDLE 36  /* -1 or > 0 s */
#define SLK_TCP_KEEPALIVE_INTVL 37 /* -1 or > 0 s */
#define SLK_IMMEDIATE 39 /* 0 or 1: a connecting peer takes no messages before it answered */
/* SLK_IPV6 42: 0 or 1; later */
#define SLK_PROBE_ROUTER 51 /* ROUTER, DEALER, 0 or 1: an empty message to each new peer; later */
#define SLK_ROUTER_HANDOVER 56    /* ROUTER, 0 or 1: a newcomer takes over a name in use */
#define SLK_CONNECT_ROUTING_ID 61 /* ROUTER, write only, 1-255 bytes: names next connect's peer */
#define SLK_HANDSHAKE_IVL                                                 \
  66 /* >= 0, default 30000: ms a handshake may take, 0 = any time; later \
      */
/* Heartbeats tell a dead peer from a silent one. A peer of which nothing was heard is given up as
 * if its connection had broken: the connecting side tries again. PINGs of a peer are answered, and
 * the time to live in them is respected, whatever is set here. Over a stream that is full because
 * its reader does not read, neither PING nor PONG gets through: where readers may stall for long,
 * set HEARTBEAT_IVL on both sides, since a peer's own PINGs are signs of life, too. */
#define SLK_HEARTBEAT_IVL 75 /* >= 0, default 0: ms between PINGs to each peer, 0 = none; later */
#define SLK_HEARTBEAT_TTL                                             \
  76 /* 0-6553599 ms, default 0, in tenths of a second: after so long \
      * without traffic the peer shall give us up, 0 = never; later */
#define SLK_HEARTBEAT_TIMEOUT                                       \
  77 /* >= -1, default -1 (as IVL): ms without traffic after a PING \
      * until the peer is given up, 0 = never; later */

/* Security, of tcp and ipc; later, all of it. Both ends of a connection must have the same
 * mechanism, or neither hears anything of the other. bind() and connect() give EINVAL while a key
 * that the mechanism needs is missing.
 *
 * PLAIN: the client sends a name and a password in the clear. The server asks its handler; without
 * one nobody gets in.
 *
 * CURVE: everything is encrypted, and the client knows that it talks to the holder of SERVERKEY's
 * secret half. Clients get in that CURVE_ALLOW names, or all if it names none; then the handler is
 * asked, if there is one. A frame is 33 bytes longer on the wire.
 *
 * The handler is a ROUTER bound to "inproc://zeromq.zap.01" in the server's context that answers as
 * ZeroMQ RFC 27 has it, in a REP's envelope. The User-Id that it names becomes a property of the
 * peer's messages. A socket with a ZAP_DOMAIN, also one of mechanism NULL, lets nobody in whom no
 * handler has admitted. */
#define SLK_MECHANISM 43       /* read only: SLK_NULL, SLK_PLAIN or SLK_CURVE */
#define SLK_PLAIN_SERVER 44    /* 0 or 1: chooses PLAIN, as its server; 0: NULL */
#define SLK_PLAIN_USERNAME 45  /* 0-255 bytes: chooses PLAIN, as its client; none: NULL */
#define SLK_PLAIN_PASSWORD 46  /* 0-255 bytes: likewise */
#define SLK_CURVE_SERVER 47    /* 0 or 1: chooses CURVE, as its server; 0: NULL */
#define SLK_CURVE_PUBLICKEY 48 /* key: chooses CURVE; a client's, a server needs none */
#define SLK_CURVE_SECRETKEY 49 /* key: chooses CURVE */
#define SLK_CURVE_SERVERKEY 50 /* key: chooses CURVE, as a client of this server */
#define SLK_ZAP_DOMAIN 55      /* 0-255 bytes, default empty; the handler is told */
#define SLK_CURVE_ALLOW 1001   /* key, write only, adds one; 0 bytes: none. Not in libzmq */
/* A key is set as 32 bytes or as 40 characters of Z85, with or without their NUL, and read as 32
 * bytes into a capacity of 32, or as 41 characters into 41 or more. Without CURVE: ENOTSUP. */

/* Mechanisms. */
#define SLK_NULL 0
#define SLK_PLAIN 1
#define SLK_CURVE 2

/* Properties of a message. */
#define SLK_MORE 1
#define SLK_SHARED 3

/* Flags of send and receive. */
#define SLK_DONTWAIT 1
#define SLK_SNDMORE 2

/* Makes a socket. Errors: EINVAL (unknown type), EMFILE (MAX_SOCKETS are open), ETERM. */
SLK_EXPORT void* slk_socket(void* context, int type);

/* Closes a socket and returns at once; unsent messages keep trying in the background for as long as
 * LINGER says. Messages not yet received are dropped. Works, and is due, after ETERM too. */
SLK_EXPORT int slk_close(void* socket);

/* Endpoints: "tcp://host:port" (host: IPv4, "[IPv6]", a name, an interface or "*"; port 0 or "*"
 * takes a free one, see LAST_ENDPOINT), "ipc://path", "ipc://@abstract", "ipc://" "*" (a fresh
 * path), "inproc://name" (known within the context). Several binds and connects may be mixed. */

/* Accepts peers at an endpoint. Errors: EINVAL (malformed), EPROTONOSUPPORT (unknown transport),
 * ENOCOMPATPROTO, EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOENT (directory of an ipc path, interface),
 * ENAMETOOLONG (ipc path), EMFILE, EMTHREAD. */
SLK_EXPORT int slk_bind(void* socket, const char* endpoint);

/* Keeps a connection to an endpoint, in the background: success says nothing about the peer. inproc
 * names may be bound later. Errors: EINVAL (malformed; wildcard port; a CONNECT_ROUTING_ID that is
 * in use), EPROTONOSUPPORT, ENOCOMPATPROTO, ENAMETOOLONG, EMTHREAD. */
SLK_EXPORT int slk_connect(void* socket, const char* endpoint);

/* Stops accepting at a bound endpoint, named as LAST_ENDPOINT told it, and (tcp, ipc) ends the
 * connections accepted there; what they delivered stays readable. Errors: EINVAL (malformed),
 * EPROTONOSUPPORT, ENOENT (not bound there). */
SLK_EXPORT int slk_unbind(void* socket, const char* endpoint);

/* Ends every connection to an endpoint: queued messages still go out (LINGER), unread ones are
 * dropped. Errors: EINVAL (malformed), EPROTONOSUPPORT, ENOENT (not connected there). */
SLK_EXPORT int slk_disconnect(void* socket, const char* endpoint);

/* Sets an option. Errors: EINVAL, ENOTSUP (CURVE, which this build has not). */
SLK_EXPORT int slk_setsockopt(void* socket, int option, const void* value, size_t length);

/* Reads an option into value; *length is its capacity before and the bytes stored after the call.
 * Errors: EINVAL (also: write-only option, capacity too small, null pointer). */
SLK_EXPORT int slk_getsockopt(void* socket, int option, void* value, size_t* length);

/* 1 if a ROUTER could address the peer of that name now; else 0, and errno tells why: EHOSTUNREACH
 * (no such peer), ENOTSUP (not a ROUTER), EFAULT (null name). */
SLK_EXPORT int slk_is_connected(void* socket, const void* id, size_t id_length);

/* -------------------------------------------------------------------------------------- monitor */

/* What a monitor tells (tcp and ipc; inproc has no such events), with its value. Each CONNECTED and
 * ACCEPTED is followed by one DISCONNECTED in the end. */
#define SLK_EVENT_CONNECTED 0x0001       /* descriptor */
#define SLK_EVENT_CONNECT_DELAYED 0x0002 /* EINPROGRESS: the attempt is under way */
#define SLK_EVENT_CONNECT_RETRIED 0x0004 /* ms until the next attempt */
#define SLK_EVENT_LISTENING 0x0008       /* descriptor */
#define SLK_EVENT_BIND_FAILED 0x0010     /* errno */
#define SLK_EVENT_ACCEPTED 0x0020        /* descriptor */
#define SLK_EVENT_ACCEPT_FAILED 0x0040   /* errno; EMFILE, ...: it is tried again */
#define SLK_EVENT_CLOSED 0x0080          /* former descriptor: of a listener, a failed attempt */
#define SLK_EVENT_CLOSE_FAILED 0x0100    /* never sent */
#define SLK_EVENT_DISCONNECTED 0x0200    /* former descriptor */
#define SLK_EVENT_MONITOR_STOPPED 0x0400 /* 0; the last one */
#define SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL 0x0800 /* errno */
#define SLK_EVENT_HANDSHAKE_SUCCEEDED 0x1000        /* 0 */
#define SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL 0x2000  /* SLK_PROTOCOL_ERROR_... */
#define SLK_EVENT_HANDSHAKE_FAILED_AUTH 0x4000      /* 300, 400, 500: of the peer, the handler */
#define SLK_EVENT_ALL 0xFFFF

#define SLK_PROTOCOL_ERROR_ZMTP_UNSPECIFIED 0x10000000
#define SLK_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND 0x10000001
#define SLK_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED 0x10000011
#define SLK_PROTOCOL_ERROR_ZMTP_INVALID_METADATA 0x10000018 /* also an unfit socket type */
#define SLK_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC 0x11000001
#define SLK_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH 0x11000002
#define SLK_PROTOCOL_ERROR_ZAP_UNSPECIFIED 0x20000000 /* the handler's answer is none */

/* Tells the chosen events (SLK_EVENT_..., or-ed) of a socket at an inproc endpoint, to which one
 * PAIR socket of the same context may connect; NULL as endpoint stops it. Each event is a message
 * of two parts: the event (uint16_t) and its value (uint32_t) in the machine's order, 6 bytes; and
 * the endpoint, as bound or connected. Events are dropped while no PAIR is connected and while
 * 1000 + its RCVHWM of them are unread; the socket never waits for the reader. A monitor that there
 * was is stopped first. It goes on after slk_close() until the last connection is gone. It counts
 * as a socket of the context. Errors: EINVAL (malformed endpoint), EPROTONOSUPPORT (not inproc),
 * EADDRINUSE, EMFILE, ENOMEM. */
SLK_EXPORT int slk_socket_monitor(void* socket, const char* endpoint, int events);

/* ---------------------------------------------------------------------------- send and receive */

/* Sends one part of `length` bytes; returns length. With SLK_SNDMORE more parts follow. On a ROUTER
 * the first part names the peer. Waits, at most SNDTIMEO, while no peer has room; with SLK_DONTWAIT
 * never. Errors: EAGAIN (no room or no peer), ENOTSUP (PULL), EHOSTUNREACH (ROUTER_MANDATORY: no
 * such peer; reported at the naming part), EFAULT (null data), EINTR, ENOMEM. */
SLK_EXPORT int slk_send(void* socket, const void* data, size_t length, int flags);

/* slk_send() of constant data: it must stay valid and unchanged for as long as the process lives,
 * so that the library need not copy it. */
SLK_EXPORT int slk_send_const(void* socket, const void* data, size_t length, int flags);

/* ROUTER: sends the naming part and the next part in one step, or neither; flags count for the
 * latter. Returns length. Errors: as slk_send(), and ENOTSUP (not a ROUTER), EFSM (in the middle of
 * a message), EINVAL (id_length not within 1-255). */
SLK_EXPORT int slk_send_to(void* socket, const void* id, size_t id_length, const void* data,
                           size_t length, int flags);

/* One part to send. */
typedef struct slk_part_t {
  const void* data;
  size_t size;
} slk_part_t;

/* slk_send() of `count` parts, one or more, of one message; returns count. Without room or peer
 * none is sent. Errors: as slk_send(), EINVAL (count is 0). ENOMEM may come behind parts that were
 * taken, as with slk_send(). */
SLK_EXPORT int slk_send_parts(void* socket, const slk_part_t* parts, size_t count, int flags);

/* Receives one part and stores up to `capacity` bytes of it; returns its full length, which is more
 * than capacity if it was cut. The option RCVMORE tells whether more parts follow. Waits, at most
 * RCVTIMEO, for a message; with SLK_DONTWAIT never. Errors: EAGAIN (no message), ENOTSUP (PUSH),
 * EFAULT (null buffer), EINTR, ENOMEM. */
SLK_EXPORT int slk_recv(void* socket, void* buffer, size_t capacity, int flags);

/* Gives memory for a part of `size` bytes, which is copied there before the call returns; NULL if
 * there is none. `more`: 1 if more parts follow. It must not call into the library. */
typedef void*(slk_alloc_fn)(size_t size, int more, void* hint);

/* slk_recv() into memory that `allocate(size, more, hint)` gives once the size is known: no part is
 * ever cut, and none copied twice. Errors: as slk_recv(); EFAULT (null function); ENOMEM (NULL was
 * given: the part is dropped). */
SLK_EXPORT int slk_recv_alloc(void* socket, slk_alloc_fn* allocate, void* hint, int flags);

/* Takes a part that was received: `size` bytes, there until it returns. `more`: 1 if more parts
 * follow. Returns 0 to stop. It must not call into the library. */
typedef int(slk_take_fn)(const void* data, size_t size, int more, void* hint);

/* Receives a part as slk_recv() does, and what is there behind it, and hands out each in order by
 * `take(data, size, more, hint)`, until that returns 0; returns how many. What stops a later part
 * stops the next call, too, and is told there. Errors: as slk_recv(); EFAULT (null function). */
SLK_EXPORT int slk_recv_each(void* socket, slk_take_fn* take, void* hint, int flags);

/* ------------------------------------------------------------------------------------ messages */

/* Storage of one part. Small bodies lie inside, large ones are shared by reference count. */
typedef struct slk_msg_t {
#if defined(__GNUC__) || defined(__clang__)
  __attribute__((aligned(sizeof(void*))))
#endif
  unsigned char _[64];
} slk_msg_t;

/* Frees data that slk_msg_init_data() took over; called once, from any thread, and must not call
 * into the library. */
typedef void(slk_free_fn)(void* data, void* hint);

/* Makes an empty message. Cannot fail. */
SLK_EXPORT int slk_msg_init(slk_msg_t* msg);

/* Makes a message of `size` bytes of undefined content. Errors: ENOMEM. */
SLK_EXPORT int slk_msg_init_size(slk_msg_t* msg, size_t size);

/* Makes a message holding a copy of data. Errors: ENOMEM. */
SLK_EXPORT int slk_msg_init_buffer(slk_msg_t* msg, const void* data, size_t size);

/* Makes a message around the caller's data, without a copy. Its last user calls free_fn(data,
 * hint); with a null free_fn data must outlive every use. On failure data stays the caller's.
 * Errors: ENOMEM. */
SLK_EXPORT int slk_msg_init_data(slk_msg_t* msg, void* data, size_t size, slk_free_fn* free_fn,
                                 void* hint);

/* The body; writable while the message is not SLK_SHARED; valid until the message is next passed to
 * a function other than data, size, more, get and gets. */
SLK_EXPORT void* slk_msg_data(slk_msg_t* msg);

/* Length of the body. */
SLK_EXPORT size_t slk_msg_size(const slk_msg_t* msg);

/* 1 if the message was received as a part and more parts follow, else 0. */
SLK_EXPORT int slk_msg_more(const slk_msg_t* msg);

/* Makes dest (initialised; its content is released) share source's content. Errors: EFAULT (either
 * is not a message). */
SLK_EXPORT int slk_msg_copy(slk_msg_t* dest, slk_msg_t* source);

/* Moves source's content to dest (initialised; its content is released); source is empty then.
 * Moving onto itself does nothing. Errors: EFAULT (either is not a message). */
SLK_EXPORT int slk_msg_move(slk_msg_t* dest, slk_msg_t* source);

/* Releases the content; the storage must be initialised again before its next use. Errors: EFAULT
 * (not a message, or closed already). */
SLK_EXPORT int slk_msg_close(slk_msg_t* msg);

/* slk_send() of a message, without a copy where that is cheaper; returns its size and leaves it
 * empty. On failure it is unchanged. Errors: as slk_send(); EFAULT (not a message). */
SLK_EXPORT int slk_msg_send(slk_msg_t* msg, void* socket, int flags);

/* slk_recv() into an initialised message, whose former content is released; returns the size. On
 * failure msg is unchanged. Errors: as slk_recv(); EFAULT (not a message). */
SLK_EXPORT int slk_msg_recv(slk_msg_t* msg, void* socket, int flags);

/* SLK_MORE: as slk_msg_more(). SLK_SHARED: 1 if another message may share the body, else 0.
 * Errors: EINVAL (other property). */
SLK_EXPORT int slk_msg_get(const slk_msg_t* msg, int property);

/* There is no property that can be set. Errors: EINVAL, always. */
SLK_EXPORT int slk_msg_set(slk_msg_t* msg, int property, int value);

/* A text about where a received message came from, valid as long as msg is: "Socket-Type",
 * "Routing-Id" (as the peer announced them), "Peer-Address", and what the handler said of it:
 * "User-Id" and more. NULL with EINVAL: not known for this message (inproc, or not received at all).
 */
SLK_EXPORT const char* slk_msg_gets(const slk_msg_t* msg, const char* property);

/* ------------------------------------------------------------------------------- keys for CURVE */

/* Makes a pair of keys, 40 characters of Z85 and a NUL each. Errors: ENOTSUP (no CURVE). */
SLK_EXPORT int slk_curve_keypair(char* public_key, char* secret_key);

/* The public key (41 characters) to a secret one. Errors: ENOTSUP; EINVAL (no key). */
SLK_EXPORT int slk_curve_public(char* public_key, const char* secret_key);

/* Writes size / 4 * 5 characters and a NUL; returns dest. Errors: EINVAL (no multiple of 4). */
SLK_EXPORT char* slk_z85_encode(char* dest, const uint8_t* data, size_t size);

/* Writes 4 bytes for each 5 characters; returns dest. Errors: EINVAL (not Z85), then dest holds
 * nothing of use. */
SLK_EXPORT uint8_t* slk_z85_decode(uint8_t* dest, const char* string);

/* ---------------------------------------------------------------------------------------- poll */

#define SLK_POLLIN 1
#define SLK_POLLOUT 2
#define SLK_POLLERR 4 /* descriptors only */
#define SLK_POLLPRI 8 /* descriptors only */

/* Either a socket, or (socket NULL) a file descriptor. */
typedef struct slk_pollitem_t {
  void* socket;
  int fd;
  short events;
  short revents;
} slk_pollitem_t;

/* Waits until an item has one of its events, at most timeout ms (-1: for ever, 0: only looks); sets
 * every revents and returns the number of items with events, 0 if the time is over. Without items
 * it is a pause. Errors: EINVAL (count < 0), EFAULT (null items), EINTR. */
SLK_EXPORT int slk_poll(slk_pollitem_t* items, int count, long timeout);

#ifdef __cplusplus
}
#endif

#endif /* SERVERLINK_SERVERLINK_H */
