// Endpoints as text: what is accepted keeps what its address says of itself.
//
// Input: whether it is to bind, whether IPv6 is on; then the text.
#include <sys/un.h>

#include <string>
#include <string_view>

#include "fuzz_input.hpp"
#include "transport/address.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input input({data, size});
  const std::uint8_t how = input.byte();
  const bool for_bind = (how & 1) != 0;
  const bool ipv6 = (how & 2) != 0;
  const fuzz::bytes rest = input.rest();
  const std::string text(rest.begin(), rest.end());
  const auto parsed = slk::parse_address(text, for_bind, ipv6);
  if (!parsed) {
    fuzz::require(parsed.error() != 0, "a refusal has a reason");
    return 0;
  }
  const slk::address& address = parsed.value();
  fuzz::require(address.text == text, "the text is kept");
  fuzz::require(text.find('\0') == text.npos, "no NUL reaches the system");
  switch (address.scheme) {
    case slk::scheme::tcp:
      fuzz::require(address.wildcard_host == address.host.empty(), "a host, or any");
      fuzz::require(address.wildcard_port == (address.port == 0), "a port, or any");
      fuzz::require(for_bind || (!address.wildcard_host && !address.wildcard_port),
                    "to connect is to somewhere");
      fuzz::require(ipv6 || address.host.find(':') == text.npos, "no IPv6 unasked");
      fuzz::require(address.host.find_first_of("/;[] ") == text.npos, "a host is a name");
      break;
    case slk::scheme::ipc:
      fuzz::require(!address.path.empty() && address.path.size() < sizeof(sockaddr_un::sun_path),
                    "a path fits");
      break;
    case slk::scheme::inproc:
      fuzz::require(!address.path.empty(), "a name");
      break;
  }
  return 0;
}
