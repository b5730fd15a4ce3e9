#include "message/message.hpp"

#include <serverlink/serverlink.h>

#include "abi/error.hpp"
#include "abi/socket_handle.hpp"

using slk::message;
using slk::abi::fail;
using slk::abi::guard;
using slk::abi::socket_call;

static_assert(sizeof(slk_msg_t) == sizeof(message));
static_assert(alignof(slk_msg_t) >= alignof(message));

namespace {

// The message in the caller's storage; nullptr: there is none.
message* live(slk_msg_t* storage) noexcept {
  message* at = message::at(storage);
  return at != nullptr && at->is_valid() ? at : nullptr;
}

const message* live(const slk_msg_t* storage) noexcept {
  const message* at = message::at(storage);
  return at != nullptr && at->is_valid() ? at : nullptr;
}

int outcome_of(const slk::status& outcome) noexcept {
  return outcome ? 0 : fail(outcome.error());
}

}  // namespace

extern "C" {

int slk_msg_init(slk_msg_t* msg) {
  message::at(msg)->init();
  return 0;
}

int slk_msg_init_size(slk_msg_t* msg, size_t size) {
  return outcome_of(message::at(msg)->init_size(size));
}

int slk_msg_init_buffer(slk_msg_t* msg, const void* data, size_t size) {
  return outcome_of(message::at(msg)->init_buffer(data, size));
}

int slk_msg_init_data(slk_msg_t* msg, void* data, size_t size, slk_free_fn* free_fn, void* hint) {
  return outcome_of(message::at(msg)->init_data(data, size, free_fn, hint));
}

void* slk_msg_data(slk_msg_t* msg) {
  return message::at(msg)->data();
}

size_t slk_msg_size(const slk_msg_t* msg) {
  return message::at(msg)->size();
}

int slk_msg_more(const slk_msg_t* msg) {
  return message::at(msg)->more() ? 1 : 0;
}

int slk_msg_copy(slk_msg_t* dest, slk_msg_t* source) {
  message* to = live(dest);
  const message* from = live(source);
  if (to == nullptr || from == nullptr) {
    return fail(EFAULT);
  }
  to->copy_from(*from);
  return 0;
}

int slk_msg_move(slk_msg_t* dest, slk_msg_t* source) {
  message* to = live(dest);
  message* from = live(source);
  if (to == nullptr || from == nullptr) {
    return fail(EFAULT);
  }
  to->move_from(*from);
  return 0;
}

int slk_msg_close(slk_msg_t* msg) {
  message* dead = live(msg);
  if (dead == nullptr) {
    return fail(EFAULT);
  }
  dead->close();
  return 0;
}

int slk_msg_send(slk_msg_t* msg, void* socket, int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  message* from = live(msg);
  return from == nullptr ? fail(EFAULT) : guard([&] { return target->send(*from, flags); });
}

int slk_msg_recv(slk_msg_t* msg, void* socket, int flags) {
  const socket_call target(socket);
  if (!target) {
    return fail(ENOTSOCK);
  }
  message* into = live(msg);
  return into == nullptr ? fail(EFAULT) : guard([&] { return target->receive(*into, flags); });
}

int slk_msg_get(const slk_msg_t* msg, int property) {
  const message* from = live(msg);
  if (from == nullptr) {
    return fail(EFAULT);
  }
  switch (property) {
    case SLK_MORE:
      return from->more() ? 1 : 0;
    case SLK_SHARED:
      return from->shares_body() ? 1 : 0;
    default:
      return fail(EINVAL);
  }
}

int slk_msg_set(slk_msg_t*, int, int) {
  return fail(EINVAL);
}

const char* slk_msg_gets(const slk_msg_t* msg, const char* property) {
  const message* from = live(msg);
  const char* value = from == nullptr || from->properties() == nullptr || property == nullptr
                          ? nullptr
                          : from->properties()->find(property);
  if (value == nullptr) {
    fail(EINVAL);
  }
  return value;
}

}  // extern "C"
