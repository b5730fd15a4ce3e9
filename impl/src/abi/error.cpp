#include <serverlink/serverlink.h>

#include <cstring>

#include "wire/curve_box.hpp"

extern "C" {

void slk_version(int* major, int* minor, int* patch) {
  if (major != nullptr) {
    *major = SLK_VERSION_MAJOR;
  }
  if (minor != nullptr) {
    *minor = SLK_VERSION_MINOR;
  }
  if (patch != nullptr) {
    *patch = SLK_VERSION_PATCH;
  }
}

int slk_errno(void) {
  return errno;
}

const char* slk_strerror(int errnum) {
  switch (errnum) {
    case EFSM:
      return "Operation cannot be accomplished in current state";
    case ENOCOMPATPROTO:
      return "The protocol is not compatible with the socket type";
    case ETERM:
      return "Context was terminated";
    case EMTHREAD:
      return "No I/O thread available";
    default:
      return std::strerror(errnum);
  }
}

int slk_has(const char* capability) {
  return capability != nullptr &&
                 (std::strcmp(capability, "ipc") == 0 || std::strcmp(capability, "inproc") == 0 ||
                  std::strcmp(capability, "tcp") == 0 ||
                  (std::strcmp(capability, "curve") == 0 && slk::is_curve_available()))
             ? 1
             : 0;
}

}  // extern "C"
