#pragma once

#include <cerrno>
#include <new>
#include <system_error>

namespace slk::abi {

// Sets errno and answers -1.
inline int fail(int error_number) noexcept {
  errno = error_number;
  return -1;
}

// A call's result as C sees it: 0 or more as it is, -errno as -1 and errno.
inline int returned(long outcome) noexcept {
  if (outcome >= 0) [[likely]] {
    return static_cast<int>(outcome);
  }
  return fail(static_cast<int>(-outcome));
}

// The one place where exceptions end. They come from allocation and from descriptors running out;
// anything else is a bug, reported as EFAULT rather than by taking the host program down.
template <class Call>
int guard(Call call) noexcept {
  try {
    return returned(call());
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  } catch (const std::system_error& error) {
    return fail(error.code().value());
  } catch (...) {
    return fail(EFAULT);
  }
}

}  // namespace slk::abi
