// SPDX-License-Identifier: Apache-2.0
// The admin server of a process: its sockets, its thread, and what it serves (admin_site). A slow client of it delays
// other clients of it by nothing and workers by nothing.
#pragma once
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/limits.hpp"
#include "net/unix_socket.hpp"
#include "runtime/admin_listing.hpp"
#include "runtime/admin_site.hpp"
#include "runtime/admin_source.hpp"
#include "tunnel/address.hpp"
#include "tunnel/error.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

class Admin {
 public:
  // Binds `address` and says so in the log; the error is a sentence with cause and remedy. Nobody is answered before
  // start(). `source` and its workers are asked until stop().
  static Result<std::unique_ptr<Admin>> bind(const plan::Address& address, const Limits& limits, AdminSource& source);
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  // To be destroyed after the workers, who may still answer what they were asked.
  ~Admin() { stop(); }

  // Where it can be reached over IP: nobody may tunnel into it.
  const std::vector<SocketAddress>& addresses() const { return addresses_; }
  void start();
  // Returns when its thread has ended; what was not answered by then is not.
  void stop();

 private:
  explicit Admin(AdminSource& source);
  Result<void> bind_tcp(const plan::Tcp& address, const Limits& limits);
  Result<void> bind_unix(const plan::Unix& address);
  void run() noexcept;

  boost::asio::io_context io_{1};
  AdminListing listing_;
  AdminSite site_;
  std::vector<SocketAddress> addresses_;
  std::vector<Fd> sockets_;  // until start()
  net::SocketFile file_;     // removed before io_ closes its socket
  std::thread thread_;
};

}  // namespace tunnel::runtime
