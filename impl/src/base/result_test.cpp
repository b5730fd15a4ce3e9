#include "base/result.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>

namespace slk {
namespace {

result<std::unique_ptr<int>> make(bool good) {
  if (!good) {
    return failure{ENOMEM};
  }
  return std::make_unique<int>(7);
}

status check(bool good) {
  return good ? status() : status(failure{EAGAIN});
}

TEST_CASE("a result holds a value or an error number") {
  auto good = make(true);
  REQUIRE(good);
  CHECK(good.error() == 0);
  CHECK(*good.value() == 7);
  const std::unique_ptr<int> taken = good.take();
  CHECK(*taken == 7);

  const auto bad = make(false);
  CHECK_FALSE(bad);
  CHECK(bad.error() == ENOMEM);
  CHECK(result<int>::failure(EINVAL).error() == EINVAL);
}

TEST_CASE("a result of int tells a value from an error") {
  const result<int> value(EINVAL);
  REQUIRE(value);
  CHECK(value.value() == EINVAL);
}

TEST_CASE("a status is fine or an error number") {
  CHECK(check(true));
  CHECK(check(true).ok());
  CHECK(check(true).error() == 0);
  CHECK_FALSE(check(false));
  CHECK(check(false).error() == EAGAIN);
}

}  // namespace
}  // namespace slk
