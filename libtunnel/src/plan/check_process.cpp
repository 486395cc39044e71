// SPDX-License-Identifier: Apache-2.0
#include "plan/check_process.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "plan/host_port.hpp"
#include "plan/limit_table.hpp"
#include "plan/socket_place.hpp"
#include "plan/time.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

constexpr unsigned kMostWorkers = 1024;
constexpr std::uint64_t kLeastMemory = 1048576;

class ProcessChecker {
 public:
  ProcessChecker(const Plan& plan, std::vector<Problem>& problems) : plan_(plan), problems_(problems) {}

  void check_process() {
    const Process& process = plan_.process;
    if (process.workers > kMostWorkers)
      say({}, "there are at most 1024 workers, not " + std::to_string(process.workers));
    if (process.memory_bytes > 0 && process.memory_bytes < kLeastMemory)
      say({}, "the memory limit goes from 1 MiB, not " + std::to_string(process.memory_bytes) + " bytes");
    if (const std::string fault = time_fault(process.drain, true); !fault.empty()) say({}, "the drain time " + fault);
    std::set<std::string> seen;
    for (const Limit& limit : process.limits) {
      if (const std::string fault = limit_fault(limit.key, limit.value); !fault.empty()) say({}, fault);
      if (!seen.insert(limit.key).second) say({}, "the limit " + in_quotes(limit.key) + " is given twice");
    }
  }

  void check_admin() {
    if (!plan_.process.admin) return;
    const Address& admin = *plan_.process.admin;
    const auto* tcp = std::get_if<Tcp>(&admin);
    if (tcp == nullptr && !std::holds_alternative<Unix>(admin))
      return say({}, "the admin server listens on TCP or on a unix socket");
    if (const std::string fault = listen_fault(admin); !fault.empty()) say({}, "the admin server: " + fault);
    if (const auto* local = std::get_if<Unix>(&admin); local != nullptr && local->path.starts_with('@'))
      say({}, "the admin server: an abstract socket is open to every user of this machine; write a path");
    for (const Listener& listener : plan_.listeners) {
      const auto same = [&](const Address& address) {
        return tcp != nullptr ? shares_port(*tcp, address) : sole_socket(address) == sole_socket(admin);
      };
      if (std::none_of(listener.addresses.begin(), listener.addresses.end(), same)) continue;
      say(listener.place, (tcp != nullptr ? "port " + std::to_string(tcp->port) : sole_socket(admin)) +
                              " is listened on twice, by " + listener.name +
                              " and by the admin server; choose another " + (tcp != nullptr ? "port" : "path"));
    }
  }

 private:
  void say(const Place& place, std::string text) { problems_.push_back({place, std::move(text)}); }

  static bool shares_port(const Tcp& tcp, const Address& address) {
    const auto* other = std::get_if<Tcp>(&address);
    return other != nullptr && tcp.port != 0 && other->port == tcp.port && overlap(other->host, tcp.host);
  }

  const Plan& plan_;
  std::vector<Problem>& problems_;
};

}  // namespace

void check_process(const Plan& plan, std::vector<Problem>& problems) {
  ProcessChecker checker(plan, problems);
  checker.check_process();
  checker.check_admin();
}

}  // namespace tunnel::plan
