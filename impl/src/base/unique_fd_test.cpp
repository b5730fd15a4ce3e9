#include "base/unique_fd.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace slk {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

int open_null() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST_CASE("a descriptor is closed with its owner, and only once") {
  const int fd = open_null();
  REQUIRE(fd >= 0);
  {
    unique_fd owner(fd);
    CHECK(owner);
    CHECK(owner.get() == fd);
    unique_fd next(std::move(owner));
    CHECK(next.get() == fd);
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("assignment and reset close what was held") {
  unique_fd a(open_null());
  unique_fd b(open_null());
  const int old = a.get();
  const int kept = b.get();
  a = std::move(b);
  CHECK_FALSE(is_open(old));
  CHECK(a.get() == kept);
  a.reset(kept);
  CHECK(is_open(kept));
  a.reset();
  CHECK_FALSE(is_open(kept));
  CHECK_FALSE(static_cast<bool>(a));
}

TEST_CASE("release hands over, closing leaves errno alone") {
  unique_fd owner(open_null());
  const int fd = owner.release();
  CHECK_FALSE(static_cast<bool>(owner));
  CHECK(is_open(fd));
  owner.reset(fd);
  errno = EPROTO;
  owner.reset();
  CHECK(errno == EPROTO);
  errno = 0;
}

}  // namespace
}  // namespace slk
