// SPDX-License-Identifier: Apache-2.0
#include "runtime/bind.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "net/listener.hpp"
#include "runtime/inherited.hpp"

namespace tunnel::runtime {
namespace {

class Binder {
 public:
  Binder(const plan::Plan& plan, std::size_t workers, const Limits& limits)
      : plan_(plan), workers_(workers), limits_(limits) {}

  Result<Bound> run() {
    // What was inherited first: a descriptor named by number must not be one of our own.
    for (const bool inherited : {true, false}) {
      if (Result<void> done = bind_all(inherited); !done.ok()) return done.error();
    }
    return std::move(bound_);
  }

 private:
  Result<void> bind_all(bool inherited) {
    for (std::size_t i = 0; i < plan_.listeners.size(); ++i) {
      for (const plan::Address& address : plan_.listeners[i].addresses) {
        if (std::holds_alternative<plan::Inherited>(address) != inherited) continue;
        const Result<void> done = std::visit([&](const auto& one) { return bind(i, one); }, address);
        if (!done.ok()) return Error(done.error().kind, name(i) + ": " + std::string(done.error().text()));
      }
    }
    return {};
  }

  const std::string& name(std::size_t listener) const { return plan_.listeners[listener].name; }

  Result<void> bind(std::size_t listener, const plan::Internal& address) {
    log::info("{} listening on internal:{}", name(listener), address.listener);
    return {};
  }

  Result<void> bind(std::size_t listener, const plan::Tcp& address) {
    Result<std::vector<net::BoundAddress>> bound = net::bind_addresses(address, workers_, limits_);
    if (!bound.ok())
      return Error(bound.error().kind, std::string(bound.error().text()) + remedy(address, bound.error()));
    for (net::BoundAddress& one : *bound) {
      log::info("{} listening on {}", name(listener), one.address.to_string());
      bound_.addresses.push_back(one.address);
      bound_.sockets.push_back({listener, std::move(one.sockets), false});
    }
    return {};
  }

  Result<void> bind(std::size_t listener, const plan::Unix& address) {
    Result<net::BoundUnix> bound = net::bind_unix(address);
    if (!bound.ok()) return bound.error();
    log::info("{} listening on unix:{}", name(listener), log::escape(address.path));
    bound_.files.push_back(std::move(bound->file));
    add_single(listener, std::move(bound->socket), false);
    return {};
  }

  Result<void> bind(std::size_t listener, const plan::Inherited& address) {
    Result<std::vector<Fd>> sockets = inherited_.take(address, limits_);
    if (!sockets.ok()) return sockets.error();
    for (Fd& socket : *sockets) {
      const SocketAddress local = SocketAddress::local_of(socket.get());
      const bool inet = local.family() != AF_UNSPEC;
      if (inet) bound_.addresses.push_back(local);
      log::info("{} listening on {}, inherited", name(listener),
                inet ? local.to_string() : log::escape(net::unix_name_of(socket.get())));
      add_single(listener, std::move(socket), true);
    }
    return {};
  }

  void add_single(std::size_t listener, Fd socket, bool inherited) {
    bound_.sockets.push_back({listener, {}, inherited});
    bound_.sockets.back().sockets.push_back(std::move(socket));
  }

  Result<void> bind(std::size_t listener, const plan::Stdio& /*address*/) {
    Result<net::Stdio> ends = net::take_stdio();
    if (!ends.ok()) return ends.error();
    log::info("{} serves standard input and output", name(listener));
    bound_.stdio = ListeningStdio{listener, std::move(*ends)};
    return {};
  }

  const plan::Plan& plan_;
  std::size_t workers_;
  const Limits& limits_;
  InheritedSockets inherited_;
  Bound bound_;
};

}  // namespace

std::string remedy(const plan::Tcp& address, const Error& error) {
  const std::string_view text = error.text();
  if (text.ends_with("Address already in use"))
    return fmt::format("; stop what listens there (ss -ltnp 'sport = :{}') or choose another port", address.port);
  if (text.ends_with("Permission denied"))
    return "; a port below 1024 needs root or CAP_NET_BIND_SERVICE: choose a higher one";
  return text.ends_with("Cannot assign requested address") ? "; no interface of this machine has it" : "";
}

Result<Bound> bind_listeners(const plan::Plan& plan, std::size_t workers, const Limits& limits) {
  return Binder(plan, workers, limits).run();
}

}  // namespace tunnel::runtime
