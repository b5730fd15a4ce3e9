#include "control_line.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace slkbench {
namespace {

const char* words_of(signal what) noexcept {
  switch (what) {
    case signal::idle_wanted:
    case signal::idle_here:
      return "take in the idle peers";
    case signal::in_place:
      return "be in place";
    case signal::warmed_up:
      return "take the warm-up messages";
    case signal::all_here:
      return "account for all messages";
    case signal::given_up:
      break;
  }
  return "give up";
}

}  // namespace

failure control_line::make_pair(unique_fd& one, unique_fd& other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failed(std::string("socketpair: ") + std::strerror(errno));
  one = unique_fd(ends[0]);
  other = unique_fd(ends[1]);
  return {};
}

void control_line::tell(signal what) noexcept {
  const char byte = static_cast<char>(what);
  // A peer that is gone is noticed by whoever waits for it.
  (void)::send(fd_.get(), &byte, 1, MSG_NOSIGNAL);
}

failure control_line::await(signal wanted, int timeout_ms) {
  pollfd waiting{fd_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0)
    return failed("the other role did not " + std::string(words_of(wanted)) + " within " +
                  std::to_string(timeout_ms) + " ms");
  char byte = 0;
  if (ready < 0 || ::recv(fd_.get(), &byte, 1, 0) != 1)
    return failed("the other role is gone");
  if (byte == static_cast<char>(signal::given_up))
    return failed("the other role has failed");
  if (byte != static_cast<char>(wanted))
    return failed("the other role is out of step");
  return {};
}

}  // namespace slkbench
