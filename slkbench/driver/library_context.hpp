// A library's context; where the transport is inproc, both roles share one.
#pragma once

#include <memory>

#include "failure.hpp"
#include "function_table.hpp"

namespace slkbench {

class library_context {
 public:
  // `sockets` is how many there will be; the library's limit is raised only if that may exceed it.
  static failure make(std::shared_ptr<const function_table> table, int io_threads,
                      std::size_t sockets, std::shared_ptr<library_context>& out);
  library_context(const library_context&) = delete;
  library_context& operator=(const library_context&) = delete;
  ~library_context();  // waits until all sockets are closed, as the library does

  [[nodiscard]] void* get() const noexcept { return context_; }
  [[nodiscard]] const function_table& table() const noexcept { return *table_; }

 private:
  library_context(std::shared_ptr<const function_table> table, void* context) noexcept
      : table_(std::move(table)), context_(context) {}

  std::shared_ptr<const function_table> table_;
  void* context_;
};

}  // namespace slkbench
