#include "library_context.hpp"

#include <string>

namespace slkbench {

namespace {

// Every library allows 1023 unless it is told otherwise, some of them for its own use.
constexpr std::size_t usual_sockets = 1000;
constexpr std::size_t spare_sockets = 64;

}  // namespace

failure library_context::make(std::shared_ptr<const function_table> table, int io_threads,
                              std::size_t sockets, std::shared_ptr<library_context>& out) {
  void* context = table->context_new();
  if (context == nullptr)
    return failed("ctx_new: " + table->last_error_text());
  out.reset(new library_context(std::move(table), context));
  const function_table& functions = out->table();
  if (functions.set_context_option(context, context_option::io_threads, io_threads) != 0)
    return failed("ctx_set(IO_THREADS, " + std::to_string(io_threads) +
                  "): " + functions.last_error_text());
  const auto limit = static_cast<int>(sockets + spare_sockets);
  if (sockets > usual_sockets &&
      functions.set_context_option(context, context_option::max_sockets, limit) != 0)
    return failed("ctx_set(MAX_SOCKETS, " + std::to_string(limit) +
                  "): " + functions.last_error_text());
  return {};
}

library_context::~library_context() {
  table_->end_context(context_);
}

}  // namespace slkbench
