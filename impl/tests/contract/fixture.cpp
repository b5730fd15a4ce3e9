#include "fixture.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>

namespace contract {

namespace {

std::atomic<int> serial{0};

class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "slk-contract-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

constexpr auto deadline_ms = static_cast<int>(deadline.count());

}  // namespace

socket::socket(context& owner, int type) : raw_(slk_socket(owner.raw(), type)) {
  REQUIRE(raw_ != nullptr);
  set(SLK_LINGER, 0).set(SLK_SNDTIMEO, deadline_ms).set(SLK_RCVTIMEO, deadline_ms);
  set(SLK_RECONNECT_IVL, 10);
}

void socket::close() {
  if (raw_ != nullptr) {
    CHECK(slk_close(raw_) == 0);
    raw_ = nullptr;
  }
}

socket& socket::set(int option, int value) {
  CAPTURE(option);
  REQUIRE(slk_setsockopt(raw_, option, &value, sizeof value) == 0);
  return *this;
}

socket& socket::set(int option, std::string_view bytes) {
  CAPTURE(option);
  REQUIRE(slk_setsockopt(raw_, option, bytes.data(), bytes.size()) == 0);
  return *this;
}

int socket::get(int option) const {
  int value = 0;
  size_t length = sizeof value;
  CAPTURE(option);
  REQUIRE(slk_getsockopt(raw_, option, &value, &length) == 0);
  return value;
}

std::string socket::last_endpoint() const {
  std::array<char, 512> value{};
  size_t length = value.size();
  REQUIRE(slk_getsockopt(raw_, SLK_LAST_ENDPOINT, value.data(), &length) == 0);
  REQUIRE(length >= 1);
  REQUIRE(value[length - 1] == '\0');
  return {value.data(), length - 1};
}

std::string socket::bind(const std::string& endpoint) {
  CAPTURE(endpoint);
  const int result = slk_bind(raw_, endpoint.c_str());
  CAPTURE(errno);
  REQUIRE(result == 0);
  return last_endpoint();
}

void socket::connect(const std::string& endpoint) {
  CAPTURE(endpoint);
  REQUIRE(slk_connect(raw_, endpoint.c_str()) == 0);
}

int socket::send(std::string_view part, int flags) {
  return slk_send(raw_, part.data(), part.size(), flags);
}

std::optional<std::string> socket::recv(int flags) {
  slk_msg_t msg;
  REQUIRE(slk_msg_init(&msg) == 0);
  std::optional<std::string> part;
  if (slk_msg_recv(&msg, raw_, flags) >= 0) {
    part.emplace(static_cast<const char*>(slk_msg_data(&msg)), slk_msg_size(&msg));
  }
  const int error = errno;
  REQUIRE(slk_msg_close(&msg) == 0);
  errno = error;
  return part;
}

void socket::send_message(std::initializer_list<std::string_view> message) {
  for (const auto* part = message.begin(); part != message.end(); ++part) {
    const int flags = part + 1 == message.end() ? 0 : SLK_SNDMORE;
    REQUIRE(send(*part, flags) == static_cast<int>(part->size()));
  }
}

parts socket::recv_message() {
  parts message;
  do {
    auto part = recv();
    if (!part) {
      return {};
    }
    message.push_back(std::move(*part));
  } while (get(SLK_RCVMORE) != 0);
  return message;
}

bool socket::try_send(std::string_view part) {
  if (send(part, SLK_DONTWAIT) >= 0) {
    return true;
  }
  REQUIRE(errno == EAGAIN);
  return false;
}

std::optional<std::string> socket::try_recv() {
  auto part = recv(SLK_DONTWAIT);
  if (!part) {
    REQUIRE(errno == EAGAIN);
  }
  return part;
}

int socket::fill(std::string_view part, int limit) {
  int count = 0;
  while (count < limit && try_send(part)) {
    ++count;
  }
  return count;
}

int socket::fill_for_good(std::string_view part, int limit) {
  int count = 0;
  do {
    count += fill(part, limit - count);
  } while (count < limit && (wait(SLK_POLLOUT, 50ms) || can_send()));
  return count;
}

int socket::drain() {
  int count = 0;
  while (try_recv()) {
    ++count;
  }
  return count;
}

bool socket::wait(short events, std::chrono::milliseconds limit) const {
  slk_pollitem_t item{raw_, 0, events, 0};
  return slk_poll(&item, 1, static_cast<long>(limit.count())) == 1;
}

bool is_readable(int fd, std::chrono::milliseconds limit) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, static_cast<int>(limit.count())) == 1;
}

std::string fresh_path() {
  static const scratch_directory directory;
  return (directory.path() / std::to_string(++serial)).string();
}

std::string tcp::unbound() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

std::string inproc::unbound() {
  return "inproc://" + std::to_string(++serial);
}

}  // namespace contract
