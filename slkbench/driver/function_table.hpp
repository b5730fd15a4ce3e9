// A library under measurement, as the driver sees it: functions found by name in a shared object.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "abi.hpp"
#include "failure.hpp"

namespace slkbench {

// The library stays loaded until the process ends: its threads may outlive the last call.
class function_table {
 public:
  // Loads `path`. Without `wanted` the ABI is told by the symbols that are there.
  static failure load(const std::string& path, std::optional<abi_kind> wanted,
                      std::shared_ptr<const function_table>& out);

  function_table(const function_table&) = delete;
  function_table& operator=(const function_table&) = delete;

  [[nodiscard]] const abi_traits& abi() const noexcept { return *abi_; }
  [[nodiscard]] std::string version() const;

  // The last error of the calling thread, in errno.h's numbers, and in words.
  [[nodiscard]] int last_error() const noexcept;
  [[nodiscard]] std::string last_error_text() const;

  // 0 or -1, like the functions of the library.
  int set_context_option(void* context, int option, int value) const noexcept;
  [[nodiscard]] std::optional<int> get_context_option(void* context, int option) const noexcept;
  [[nodiscard]] std::optional<int> get_int_option(void* socket, int option) const noexcept;
  [[nodiscard]] std::string get_text_option(void* socket, int option) const;
  void end_context(void* context) const noexcept;

  void* (*context_new)() = nullptr;
  void* (*socket_new)(void* context, int type) = nullptr;
  int (*close)(void* socket) = nullptr;
  int (*bind)(void* socket, const char* endpoint) = nullptr;
  int (*connect)(void* socket, const char* endpoint) = nullptr;
  int (*setsockopt)(void* socket, int option, const void* value, std::size_t size) = nullptr;
  int (*getsockopt)(void* socket, int option, void* value, std::size_t* size) = nullptr;
  int (*send)(void* socket, const void* data, std::size_t size, int flags) = nullptr;
  int (*recv)(void* socket, void* data, std::size_t size, int flags) = nullptr;
  // Null where the library has none: only some workloads need it.
  int (*poll)(poll_item* items, int count, long timeout_ms) = nullptr;

 private:
  function_table() = default;
  failure resolve_all(const std::string& path);

  const abi_traits* abi_ = nullptr;
  void* handle_ = nullptr;
  int (*errno_)() = nullptr;
  const char* (*strerror_)(int number) = nullptr;
  void (*version_)(int* major, int* minor, int* patch) = nullptr;
  void (*context_end_)(void* context) = nullptr;
  void* context_set_ = nullptr;
  void* context_get_ = nullptr;
};

}  // namespace slkbench
