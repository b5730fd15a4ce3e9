#include "base/secret.hpp"

#include <string.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>

namespace slk {

void wipe(void* memory, std::size_t size_bytes) noexcept {
  if (size_bytes > 0) {
    ::explicit_bzero(memory, size_bytes);
  }
}

bool same_secret(const void* a, const void* b, std::size_t size_bytes) noexcept {
  // volatile: the compiler must not end the loop where it knows the outcome.
  const volatile auto* left = static_cast<const volatile std::uint8_t*>(a);
  const volatile auto* right = static_cast<const volatile std::uint8_t*>(b);
  unsigned differences = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) {
    differences |= static_cast<unsigned>(left[i] ^ right[i]);
  }
  return differences == 0;
}

void secret_text::assign(std::string_view text) noexcept {
  wipe(bytes_.data(), bytes_max);
  size_bytes_ = std::min(text.size(), bytes_max);
  std::copy_n(text.data(), size_bytes_, bytes_.data());
}

bool fill_random(void* memory, std::size_t size_bytes) noexcept {
  auto* at = static_cast<std::uint8_t*>(memory);
  while (size_bytes > 0) {
    const ssize_t got = ::getrandom(at, size_bytes, 0);
    if (got < 0 && errno != EINTR) {
      return false;
    }
    if (got > 0) {
      at += got;
      size_bytes -= static_cast<std::size_t>(got);
    }
  }
  return true;
}

}  // namespace slk
