#include "function_table.hpp"

#include <dlfcn.h>

#include <array>
#include <cerrno>

namespace slkbench {
namespace {

using set_by_value = int (*)(void*, int, int);
using get_by_value = int (*)(void*, int);
using set_by_pointer = int (*)(void*, int, const void*, std::size_t);
using get_by_pointer = int (*)(void*, int, void*, std::size_t*);

bool exports(void* handle, const char* symbol) noexcept {
  return dlsym(handle, symbol) != nullptr;
}

std::optional<abi_kind> abi_by_symbols(void* handle) noexcept {
  if (exports(handle, "zmq_ctx_new"))
    return abi_kind::zmq;
  if (exports(handle, "slk_ctx_term"))
    return abi_kind::serverlink;
  if (exports(handle, "slk_ctx_new"))
    return abi_kind::public_serverlink;
  return std::nullopt;
}

}  // namespace

failure function_table::load(const std::string& path, std::optional<abi_kind> wanted,
                             std::shared_ptr<const function_table>& out) {
  // RTLD_LOCAL: two contenders in one process must never bind to each other's symbols.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    return failed("cannot load the library: " + std::string(dlerror()));
  const std::optional<abi_kind> kind = wanted ? wanted : abi_by_symbols(handle);
  if (!kind)
    return failed(path + " exports neither zmq_ctx_new nor slk_ctx_new");
  std::shared_ptr<function_table> table(new function_table());
  table->handle_ = handle;
  table->abi_ = &traits_of(*kind);
  if (failure problem = table->resolve_all(path))
    return problem;
  out = std::move(table);
  return {};
}

failure function_table::resolve_all(const std::string& path) {
  std::string missing;
  auto resolve = [&](auto& target, std::string_view name, bool is_needed = true) {
    const std::string symbol = std::string(abi_->prefix) + std::string(name);
    void* address = dlsym(handle_, symbol.c_str());
    if (address == nullptr && is_needed)
      missing += (missing.empty() ? "" : ", ") + symbol;
    target = reinterpret_cast<std::remove_reference_t<decltype(target)>>(address);
  };
  resolve(context_new, "ctx_new");
  resolve(socket_new, "socket");
  resolve(close, "close");
  resolve(bind, "bind");
  resolve(connect, "connect");
  resolve(setsockopt, "setsockopt");
  resolve(getsockopt, "getsockopt");
  resolve(send, "send");
  resolve(recv, "recv");
  resolve(poll, "poll", false);
  resolve(errno_, "errno");
  resolve(strerror_, "strerror");
  resolve(version_, "version");
  resolve(context_end_, abi_->context_end);
  resolve(context_set_, "ctx_set");
  resolve(context_get_, "ctx_get");
  if (!missing.empty())
    return failed(path + " lacks " + missing + " (ABI " + std::string(abi_->name) + ")");
  return {};
}

std::string function_table::version() const {
  int major = 0;
  int minor = 0;
  int patch = 0;
  version_(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

int function_table::last_error() const noexcept {
  return posix_error(*abi_, errno_());
}

std::string function_table::last_error_text() const {
  const int number = errno_();
  const char* words = strerror_(number);
  return (words != nullptr ? std::string(words) : "error") + " (" + std::to_string(number) + ")";
}

int function_table::set_context_option(void* context, int option, int value) const noexcept {
  if (abi_->context_options_by_pointer)
    return reinterpret_cast<set_by_pointer>(context_set_)(context, option, &value, sizeof value);
  return reinterpret_cast<set_by_value>(context_set_)(context, option, value);
}

std::optional<int> function_table::get_context_option(void* context, int option) const noexcept {
  if (abi_->context_options_by_pointer) {
    int value = 0;
    std::size_t size = sizeof value;
    if (reinterpret_cast<get_by_pointer>(context_get_)(context, option, &value, &size) != 0)
      return std::nullopt;
    return value;
  }
  const int value = reinterpret_cast<get_by_value>(context_get_)(context, option);
  return value < 0 ? std::nullopt : std::optional<int>(value);
}

std::optional<int> function_table::get_int_option(void* socket, int option) const noexcept {
  int value = 0;
  std::size_t size = sizeof value;
  if (getsockopt(socket, option, &value, &size) != 0 || size != sizeof value)
    return std::nullopt;
  return value;
}

std::string function_table::get_text_option(void* socket, int option) const {
  std::array<char, 512> text{};
  std::size_t size = text.size() - 1;
  if (getsockopt(socket, option, text.data(), &size) != 0)
    return {};
  return std::string(text.data());
}

void function_table::end_context(void* context) const noexcept {
  context_end_(context);
}

}  // namespace slkbench
