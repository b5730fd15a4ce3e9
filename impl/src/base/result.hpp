#pragma once
// Errors as values: result<T> holds a T or an errno, status holds an errno or nothing.
// Error numbers are POSIX's (or zmq.h's for ETERM and its kin) and never 0.

#include <cassert>
#include <optional>
#include <type_traits>
#include <utility>

namespace slk {

// Converts to a failed status and to a failed result of any type: `return failure{EINVAL};`
struct failure {
  int error_number;
};

class [[nodiscard]] status {
 public:
  status() noexcept = default;
  status(failure f) noexcept : error_(f.error_number) {}

  bool ok() const noexcept { return error_ == 0; }
  explicit operator bool() const noexcept { return ok(); }
  // 0 when ok().
  int error() const noexcept { return error_; }

 private:
  int error_ = 0;
};

template <class T>
class [[nodiscard]] result {
 public:
  result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
  result(slk::failure f) noexcept : error_(f.error_number) { assert(error_ != 0); }
  static result failure(int error_number) noexcept { return result(slk::failure{error_number}); }

  explicit operator bool() const noexcept { return value_.has_value(); }
  // 0 when there is a value.
  int error() const noexcept { return error_; }

  // REQUIRES: a value is held.
  T& value() noexcept {
    assert(value_.has_value());
    return *value_;
  }
  const T& value() const noexcept {
    assert(value_.has_value());
    return *value_;
  }
  T&& take() noexcept {
    assert(value_.has_value());
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  int error_ = 0;
};

}  // namespace slk
