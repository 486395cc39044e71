// SPDX-License-Identifier: Apache-2.0
#include "proxy/embedded.hpp"

#include <utility>

namespace tunnel::proxy {
namespace {

constexpr std::string_view kScheme = "internal:";

}  // namespace

Task<void> Embedded::count(Task<void> task) {
  ++tasks_;
  co_await task;
  if (--tasks_ == 0) empty_.set();
}

Task<void> Embedded::hold(std::function<Task<void>(EngineWorker&)> task) {
  Task<void> running = task(*this);
  co_await running;
}

void Embedded::spawn(const std::function<Task<void>(EngineWorker&)>& task) {
  if (!closed_) spawn(hold(task));
}

void Embedded::serve(const CustomHandler& handler, StreamPtr stream, ConnectionInfo client) {
  spawn(handler(*this, std::move(stream), std::move(client)));
}

Task<Result<StreamPtr>> Embedded::do_connect(std::string address, ConnectionInfo client, Duration timeout) {
  if (!address.starts_with(kScheme) || address.size() == kScheme.size())
    co_return Error(Error::Kind::protocol, "'" + address + "' is no internal:NAME[/ENDPOINT_ID]");
  const std::string::size_type slash = address.find('/');
  plan::Internal internal;
  internal.listener = address.substr(kScheme.size(), slash == std::string::npos ? slash : slash - kScheme.size());
  if (slash != std::string::npos) internal.endpoint_id = address.substr(slash + 1);
  const Error late(Error::Kind::timeout, "connecting to " + address + " took too long");
  if (cancel_.cancelled()) co_return cancel_.reason();
  Cancel cancel(cancel_, timeout, late);
  ConnectRequest request{std::move(client), cancel};
  Task<Result<net::InternalListener::Opened>> opening = environment_.registry.connect(internal, request);
  Result<net::InternalListener::Opened> opened = co_await opening;
  if (!opened.ok()) co_return opened.error();
  co_return std::move(opened->stream);
}

}  // namespace tunnel::proxy
