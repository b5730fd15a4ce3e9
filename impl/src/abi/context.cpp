#include <serverlink/serverlink.h>

#include <memory>

#include "abi/error.hpp"
#include "abi/handle.hpp"
#include "socket/context.hpp"

namespace {

using slk::abi::fail;
using slk::abi::guard;
using pool = slk::abi::handle_pool<slk::context>;
using context_handle = slk::abi::handle<slk::context>;

}  // namespace

extern "C" {

void* slk_ctx_new(void) {
  void* fresh = nullptr;
  guard([&fresh] {
    auto home = std::make_unique<slk::context>();
    fresh = pool::acquire(home.get());
    home.release();  // the handle's, until slk_ctx_term()
    return 0;
  });
  return fresh;
}

int slk_ctx_term(void* context) {
  slk::context* home = pool::find(context);
  if (home == nullptr) {
    return fail(EFAULT);
  }
  return guard([&]() -> int {
    if (const int error = home->terminate(); error != 0) {
      return -error;
    }
    delete pool::release(static_cast<context_handle*>(context));
    return 0;
  });
}

void slk_ctx_destroy(void* context) {
  while (slk_ctx_term(context) != 0 && errno == EINTR) {
  }
}

int slk_ctx_shutdown(void* context) {
  slk::context* home = pool::find(context);
  return home == nullptr ? fail(EFAULT) : guard([&] {
    home->shut_down();
    return 0;
  });
}

int slk_ctx_set(void* context, int option, int value) {
  slk::context* home = pool::find(context);
  return home == nullptr ? fail(EFAULT) : guard([&] { return -home->set_option(option, value); });
}

int slk_ctx_get(void* context, int option) {
  slk::context* home = pool::find(context);
  if (home == nullptr) {
    return fail(EFAULT);
  }
  const int value = home->get_option(option);
  return value < 0 ? fail(EINVAL) : value;
}

}  // extern "C"
