#include "transport/address.hpp"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/ascii.hpp"

namespace slk {
namespace {

constexpr std::size_t ipc_path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

struct host_and_port {
  std::string_view host;
  std::uint16_t port = 0;
  bool wildcard_host = false;
  bool wildcard_port = false;
};

bool possible_in_host(char c) noexcept {
  const char l = ascii_lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
         c == ':' || c == '%';
}

bool parse_host(std::string_view text, bool wildcards, bool ipv6, host_and_port& out) noexcept {
  if (text == "*") {
    out.wildcard_host = true;
    return wildcards;
  }
  if (text.starts_with('[') && text.ends_with(']') && text.size() > 2) {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == text.npos) {
      return false;
    }
  }
  out.host = text;
  return !text.empty() && std::all_of(text.begin(), text.end(), possible_in_host) &&
         (ipv6 || text.find(':') == text.npos);
}

bool parse_port(std::string_view text, bool wildcards, host_and_port& out) noexcept {
  if (text == "*") {
    out.wildcard_port = true;
    return wildcards;
  }
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out.port);
  if (error != std::errc() || rest != end) {
    return false;
  }
  out.wildcard_port = out.port == 0;
  return wildcards || out.port != 0;
}

bool parse_host_and_port(std::string_view text, bool wildcards, bool ipv6,
                         host_and_port& out) noexcept {
  const std::size_t colon = text.rfind(':');
  return colon != text.npos && parse_host(text.substr(0, colon), wildcards, ipv6, out) &&
         parse_port(text.substr(colon + 1), wildcards, out);
}

status parse_tcp(std::string_view rest, bool for_bind, bool ipv6, address& out) {
  const std::size_t semicolon = for_bind ? rest.npos : rest.find(';');
  if (semicolon != rest.npos) {
    host_and_port source;
    if (!parse_host_and_port(rest.substr(0, semicolon), true, ipv6, source)) {
      return failure{EINVAL};
    }
    out.source_host = source.wildcard_host ? "*" : source.host;
    out.source_port = source.port;
    rest.remove_prefix(semicolon + 1);
  }
  host_and_port target;
  if (!parse_host_and_port(rest, for_bind, ipv6, target)) {
    return failure{EINVAL};
  }
  out.host = target.host;
  out.port = target.port;
  out.wildcard_host = target.wildcard_host;
  out.wildcard_port = target.wildcard_port;
  return {};
}

status parse_ipc(std::string_view path, bool for_bind, address& out) {
  if (path == "@" || (path == "*" && !for_bind)) {
    return failure{EINVAL};
  }
  if (path.size() > ipc_path_bytes_max) {
    return failure{ENAMETOOLONG};
  }
  out.path = path;
  return {};
}

status parse_rest(std::string_view rest, bool for_bind, bool ipv6, address& out) {
  switch (out.scheme) {
    case scheme::tcp:
      return parse_tcp(rest, for_bind, ipv6, out);
    case scheme::ipc:
      return parse_ipc(rest, for_bind, out);
    case scheme::inproc:
      out.path = rest;
      return {};
  }
  return failure{EPROTONOSUPPORT};
}

}  // namespace

result<address> parse_address(std::string_view endpoint, bool for_bind, bool ipv6) {
  constexpr std::string_view separator = "://";
  const std::size_t at = endpoint.find(separator);
  if (at == endpoint.npos || at == 0 || endpoint.find('\0') != endpoint.npos) {
    return failure{EINVAL};
  }
  const std::string_view scheme_name = endpoint.substr(0, at);
  const std::string_view rest = endpoint.substr(at + separator.size());
  address parsed;
  if (scheme_name == "tcp") {
    parsed.scheme = scheme::tcp;
  } else if (scheme_name == "ipc") {
    parsed.scheme = scheme::ipc;
  } else if (scheme_name == "inproc") {
    parsed.scheme = scheme::inproc;
  } else {
    return failure{EPROTONOSUPPORT};
  }
  if (rest.empty()) {
    return failure{EINVAL};
  }
  const status outcome = parse_rest(rest, for_bind, ipv6, parsed);
  if (!outcome) {
    return failure{outcome.error()};
  }
  parsed.text = endpoint;
  return parsed;
}

}  // namespace slk
