// SPDX-License-Identifier: Apache-2.0
// Listening sockets handed to this process by whoever started it: by number (fd:N), or with systemd's socket activation
// (systemd:NAME; sd_listen_fds(3)).
#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/limits.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

class InheritedSockets {
 public:
  // The sockets `address` means, several if systemd gave several one name: non-blocking, close-on-exec, with our
  // options instead of those they came with. To be called before this process makes a listening socket of its own,
  // which fd:N could hit. The error is a sentence with cause and remedy.
  Result<std::vector<Fd>> take(const plan::Inherited& address, const Limits& limits);

 private:
  struct Named {
    std::string name;
    int fd = -1;
  };
  void read_environment();
  Result<std::vector<int>> numbers_of(const plan::Inherited& address);

  bool environment_read_ = false;
  bool activated_ = false;  // LISTEN_PID names us
  std::vector<Named> named_;
  std::set<int> taken_;
};

}  // namespace tunnel::runtime
