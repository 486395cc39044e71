// SPDX-License-Identifier: Apache-2.0
// The end of a connection that is older than --max-lifetime lets it be: it is drained, as all are when the process
// ends, and reset if the drain time was not enough.
#pragma once
#include <memory>
#include <string>

#include "proxy/connection_list.hpp"

namespace tunnel::proxy {

class Handler;

class Lifetime {
 public:
  // For a connection that began at `begin`; nullptr where its listener sets no end. What is referred to outlives it.
  static std::unique_ptr<Lifetime> of(const Handler& handler, Connection& connection, const std::string& peer,
                                      TimePoint begin);
  Lifetime(const Handler& handler, Connection& connection, const std::string& peer, TimePoint end);

 private:
  void over() noexcept;

  const Handler& handler_;
  Connection& connection_;
  const std::string& peer_;
  Timer timer_;
  bool drained_ = false;
};

}  // namespace tunnel::proxy
