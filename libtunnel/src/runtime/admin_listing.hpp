// SPDX-License-Identifier: Apache-2.0
// What is under way in all workers, collected for whoever looks. However many look and however often, the workers are
// asked a few times a second at most.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/admin_source.hpp"
#include "runtime/state_json.hpp"

namespace tunnel::runtime {

class AdminListing {
 public:
  using Told = std::function<void(const Tunnels&)>;

  // `io` outlives the workers, who answer through it.
  AdminListing(boost::asio::io_context& io, AdminSource& source);
  AdminListing(const AdminListing&) = delete;
  AdminListing& operator=(const AdminListing&) = delete;
  // On the thread of `io`; so is `told`, at once or later. A worker that does not answer in time is left out.
  void ask(std::size_t most, Told told);

 private:
  struct Gathering;
  void tell();

  boost::asio::io_context& io_;
  AdminSource& source_;
  boost::asio::steady_timer patience_;
  std::shared_ptr<Gathering> gathering_;  // while workers are asked
  std::vector<Told> waiting_;
  Tunnels last_;
  std::chrono::steady_clock::time_point last_at_{};
};

}  // namespace tunnel::runtime
