#include "socket_facts.hpp"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>

namespace slkbench {
namespace {

struct kernel_option {
  const char* name;
  int level;
  int number;
};

constexpr kernel_option options_of_all[] = {
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
};
constexpr kernel_option options_of_tcp[] = {
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
};

std::vector<int> descriptors() {
  std::vector<int> found;
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr)
    return found;
  while (const dirent* const entry = readdir(folder)) {
    if (entry->d_name[0] != '.')
      found.push_back(std::atoi(entry->d_name));
  }
  closedir(folder);
  std::sort(found.begin(), found.end());
  return found;
}

int option_of(int fd, int level, int number, int otherwise) {
  int value = otherwise;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, number, &value, &size) == 0 ? value : otherwise;
}

// Not those of a socketpair, by which the harness keeps step.
bool has_name(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
      size > sizeof address.ss_family)
    return true;
  size = sizeof address;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         size > sizeof address.ss_family;
}

}  // namespace

std::vector<std::map<std::string, int>> read_socket_facts() {
  std::vector<std::map<std::string, int>> all;
  for (const int fd : descriptors()) {
    const int domain = option_of(fd, SOL_SOCKET, SO_DOMAIN, -1);
    const bool is_stream = option_of(fd, SOL_SOCKET, SO_TYPE, -1) == SOCK_STREAM;
    const bool is_tcp = domain == AF_INET || domain == AF_INET6;
    if (!is_stream || option_of(fd, SOL_SOCKET, SO_ACCEPTCONN, 1) != 0 ||
        (!is_tcp && (domain != AF_UNIX || !has_name(fd))))
      continue;
    std::map<std::string, int> facts;
    for (const kernel_option& option : options_of_all)
      facts[option.name] = option_of(fd, option.level, option.number, -1);
    if (is_tcp) {
      for (const kernel_option& option : options_of_tcp)
        facts[option.name] = option_of(fd, option.level, option.number, -1);
    }
    all.push_back(std::move(facts));
  }
  return all;
}

}  // namespace slkbench
