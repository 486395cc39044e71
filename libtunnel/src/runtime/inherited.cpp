// SPDX-License-Identifier: Apache-2.0
#include "runtime/inherited.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "plan/wording.hpp"
#include "stream/socket_stream.hpp"
#include "tunnel/address.hpp"

namespace tunnel::runtime {
namespace {

constexpr int kFirstFd = 3;     // SD_LISTEN_FDS_START
constexpr int kMostFds = 4096;  // of LISTEN_FDS: more is no count but rubbish

std::optional<int> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 0) return std::nullopt;
  return value;
}

int option(int fd, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

// Why `fd` is no socket we can accept from; "" if it is one.
std::string fault_of(int fd) {
  if (::fcntl(fd, F_GETFD) < 0)
    return fmt::format("there is no descriptor {}; whoever starts this process must hand a listening socket over", fd);
  const int domain = option(fd, SO_DOMAIN);
  if (domain < 0) return fmt::format("descriptor {} is no socket; hand a listening one over", fd);
  const bool inet = domain == AF_INET || domain == AF_INET6;
  if (option(fd, SO_TYPE) != SOCK_STREAM || (domain != AF_UNIX && !inet) ||
      (inet && option(fd, SO_PROTOCOL) != IPPROTO_TCP))
    return fmt::format("descriptor {} is neither a TCP nor a unix stream socket; hand such a one over", fd);
  if (option(fd, SO_ACCEPTCONN) != 1)
    return fmt::format(
        "the socket at descriptor {} does not listen; hand a listening one over (with systemd: Accept=no, and no "
        "connected socket)",
        fd);
  return "";
}

bool beyond_loopback(int fd) {
  const SocketAddress local = SocketAddress::local_of(fd);
  return local.family() != AF_UNSPEC && !local.is_loopback();
}

// Standard descriptors keep their numbers occupied, so that nothing else gets them and is written to.
Fd claim(int fd) {
  if (fd <= STDERR_FILENO) return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFd));
  (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Fd(fd);
}

std::string written(const plan::Inherited& address) {
  return address.fd >= 0 ? fmt::format("fd:{}", address.fd) : "systemd:" + address.name;
}

}  // namespace

// The variables are for one process and one reading: they are removed, so that nothing we might start believes them.
void InheritedSockets::read_environment() {
  if (std::exchange(environment_read_, true)) return;
  // NOLINTBEGIN(concurrency-mt-unsafe): before the workers start
  const std::optional<int> pid = number(std::getenv("LISTEN_PID"));
  const std::optional<int> count = number(std::getenv("LISTEN_FDS"));
  const char* const names = std::getenv("LISTEN_FDNAMES");
  activated_ = pid == ::getpid() && count && *count <= kMostFds;
  if (activated_) {
    std::string_view rest = names == nullptr ? "" : names;
    for (int i = 0; i < *count; ++i) {
      const std::string_view name = rest.substr(0, rest.find(':'));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      named_.push_back({name.empty() ? "unknown" : std::string(name), kFirstFd + i});  // as sd_listen_fds_with_names()
      (void)::fcntl(named_.back().fd, F_SETFD, FD_CLOEXEC);
    }
  }
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) (void)::unsetenv(variable);
  // NOLINTEND(concurrency-mt-unsafe)
}

Result<std::vector<int>> InheritedSockets::numbers_of(const plan::Inherited& address) {
  if (address.fd >= 0) return std::vector<int>{address.fd};
  read_environment();
  std::vector<int> found;
  std::map<std::string, int> counts;
  for (const Named& one : named_) {
    ++counts[one.name];
    if (one.name == address.name) found.push_back(one.fd);
  }
  if (!found.empty()) return found;
  if (!activated_)
    return Error(
        Error::Kind::unreachable,
        "systemd passed no sockets to this process; start it by its .socket unit or with systemd-socket-activate");
  std::string there;
  for (const auto& [name, count] : counts)
    there +=
        (there.empty() ? "" : ", ") + plan::in_quotes(name) + (count > 1 ? fmt::format(" ({} sockets)", count) : "");
  return Error(
      Error::Kind::unreachable,
      fmt::format("systemd passed no socket of that name, {}; FileDescriptorName= of the .socket unit gives it",
                  there.empty() ? "and no other" : "only " + there));
}

Result<std::vector<Fd>> InheritedSockets::take(const plan::Inherited& address, const Limits& limits) {
  const auto refused = [&](std::string_view why) {
    return Error(Error::Kind::unreachable, fmt::format("cannot listen on {}: {}", written(address), why));
  };
  const Result<std::vector<int>> numbers = numbers_of(address);
  if (!numbers.ok()) return refused(numbers.error().text());
  std::vector<Fd> sockets;
  for (const int fd : *numbers) {
    if (!taken_.insert(fd).second)
      return refused(fmt::format("another line listens on descriptor {} already; leave one of them out", fd));
    if (const std::string fault = fault_of(fd); !fault.empty()) return refused(fault);
    if (!address.beyond_loopback && beyond_loopback(fd))
      return refused(
          fmt::format("it is bound to {}, and whoever reaches this address could use the proxy; bind it to "
                      "loopback or a unix socket or add --insecure-open",
                      SocketAddress::local_of(fd).to_string()));
    Fd own = claim(fd);
    if (!own || ::fcntl(own.get(), F_SETFL, ::fcntl(own.get(), F_GETFL) | O_NONBLOCK) != 0)
      return refused(error_from_errno(errno).text());
    if (option(own.get(), SO_DOMAIN) != AF_UNIX) set_socket_options(own.get(), limits);
    sockets.push_back(std::move(own));
  }
  return sockets;
}

}  // namespace tunnel::runtime
