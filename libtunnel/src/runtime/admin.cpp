// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <string>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "net/listener.hpp"
#include "runtime/admin_server.hpp"
#include "runtime/bind.hpp"

namespace tunnel::runtime {

Admin::Admin(AdminSource& source) : listing_(io_, source), site_(source, listing_) {}

Result<std::unique_ptr<Admin>> Admin::bind(const plan::Address& address, const Limits& limits, AdminSource& source) {
  std::unique_ptr<Admin> admin(new Admin(source));
  const auto* tcp = std::get_if<plan::Tcp>(&address);
  const Result<void> bound =
      tcp != nullptr ? admin->bind_tcp(*tcp, limits) : admin->bind_unix(std::get<plan::Unix>(address));
  if (!bound.ok()) return Error(bound.error().kind, "--admin: " + std::string(bound.error().text()));
  return admin;
}

Result<void> Admin::bind_tcp(const plan::Tcp& address, const Limits& limits) {
  Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(address, 1, limits);
  if (!bound.ok()) return Error(bound.error().kind, std::string(bound.error().text()) + remedy(address, bound.error()));
  for (net::BoundAddress& one : *bound) {
    log::info("admin on http://{}/", one.address.to_string());
    if (!one.address.is_loopback())
      log::warning("whoever reaches {} sees what this process does and can drain or end it: --admin is beyond loopback",
                   one.address.to_string());
    addresses_.push_back(one.address);
    sockets_.push_back(std::move(one.sockets.front()));
  }
  return {};
}

Result<void> Admin::bind_unix(const plan::Unix& address) {
  Result<net::BoundUnix> bound = net::bind_unix(address);
  if (!bound.ok()) return bound.error();
  log::info("admin on unix:{}", log::escape(address.path));
  sockets_.push_back(std::move(bound->socket));
  file_ = std::move(bound->file);
  return {};
}

void Admin::start() {
  serve_admin(io_, std::move(sockets_),
              [this](const AdminRequest& request, const AdminReply& reply) { site_.serve(request, reply); });
  thread_ = std::thread([this] { run(); });
}

void Admin::run() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  (void)::pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& error) {  // out of memory or descriptors: that request has no answer
      log::warning("admin: {}", error.what());
    }
  }
}

void Admin::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace tunnel::runtime
