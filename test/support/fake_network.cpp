// SPDX-License-Identifier: Apache-2.0
#include "support/fake_network.hpp"

#include <algorithm>
#include <utility>

#include "stream/user_space_pair.hpp"

namespace tunnel::test {

Task<void> FakeNetwork::wait(Duration delay, bool for_ever, Cancel& cancel) {
  Notify over(loop_);
  const auto set = [](void* notify) noexcept { static_cast<Notify*>(notify)->set(); };
  const Cancel::Hook hook(cancel, set, &over);
  Timer timer(loop_, set, &over);
  if (!for_ever) timer.arm_after(delay);
  co_await over.wait();
}

Task<Result<std::vector<SocketAddress>>> FakeNetwork::resolve(std::string host, std::uint16_t port, Cancel& cancel) {
  std::vector<SocketAddress> addresses;
  if (const auto literal = SocketAddress::from_literal(host, port)) {
    addresses.push_back(*literal);
    co_return addresses;
  }
  resolved_.push_back(host);
  if (std::find(silent_names_.begin(), silent_names_.end(), host) != silent_names_.end()) {
    co_await wait(Duration(), true, cancel);
    if (cancel.reason().kind != Error::Kind::timeout) co_return cancel.reason();
    co_return Error(Error::Kind::timeout, "resolving took too long").with(504, "dns_timeout");
  }
  if (const auto broken = broken_names_.find(host); broken != broken_names_.end()) co_return broken->second;
  const auto found = names_.find(host);
  if (found == names_.end())
    co_return Error(Error::Kind::dns, "cannot resolve " + host).with(502, "dns_error;rcode=\"NXDOMAIN\"");
  for (const std::string& ip : found->second) addresses.push_back(*SocketAddress::from_literal(ip, port));
  co_return addresses;
}

Task<Result<StreamPtr>> FakeNetwork::reach(std::string address, Cancel& cancel) {
  const auto found = places_.find(address);
  if (found == places_.end()) co_return Error(Error::Kind::refused, "connect to " + address + ": refused");
  Place& place = found->second;
  ++place.attempts;
  if (place.silent || place.delay > Duration()) co_await wait(place.delay, place.silent, cancel);
  if (cancel.cancelled()) {
    ++place.abandoned;
    co_return cancel.reason();
  }
  if (place.refusal) co_return place.refusal;
  auto [near, far] = make_user_space_pair(context_, pair_bytes_);
  if (place.serve)
    place.serve(std::move(far));
  else
    place.peers.push_back(std::make_unique<Peer>(loop_, std::move(far), place.reading));
  StreamPtr stream = std::move(near);
  if (fail_ != nullptr) stream = std::make_unique<FailingStream>(std::move(stream), *fail_);
  co_return stream;
}

Task<Result<net::Connected>> FakeNetwork::connect(std::vector<SocketAddress> addresses, Cancel& cancel) {
  ++connects_;
  Error last(Error::Kind::unreachable, "no address to connect to");
  for (const SocketAddress& address : addresses) {
    if (cancel.cancelled()) co_return cancel.reason();
    Task<Result<StreamPtr>> reaching = reach(address.to_string(), cancel);
    Result<StreamPtr> stream = co_await reaching;
    if (stream.ok()) co_return net::Connected{std::move(*stream), address};
    if (cancel.cancelled()) co_return cancel.reason();
    last = stream.error();
  }
  co_return last;
}

Task<Result<StreamPtr>> FakeNetwork::connect_unix(std::string path, Cancel& cancel) {
  ++connects_;
  Task<Result<StreamPtr>> reaching = reach("unix:" + path, cancel);
  co_return co_await reaching;
}

void FakeNetwork::drop_peers() {
  for (auto& [address, place] : places_) place.peers.clear();
}

}  // namespace tunnel::test
