// SPDX-License-Identifier: Apache-2.0
#include "net/internal_registry.hpp"

#include <set>
#include <utility>

#include "stream/filter_state.hpp"

namespace tunnel::net {

// Kept alive by the connects that wait on it after the listener was taken away.
struct InternalRegistry::Entry {
  InternalListener* listener;
  std::set<Cancel*> pending;
};

// One connect on its way; removal of the listener cancels it.
struct InternalRegistry::Pending {
  Pending(std::shared_ptr<Entry> of, Cancel& with) : entry(std::move(of)), cancel(with) {
    entry->pending.insert(&cancel);
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() { entry->pending.erase(&cancel); }
  std::shared_ptr<Entry> entry;
  Cancel& cancel;
};

InternalRegistry::~InternalRegistry() = default;

bool InternalRegistry::add(const std::string& name, InternalListener& listener) {
  return entries_.try_emplace(name, std::make_shared<Entry>(Entry{&listener, {}})).second;
}

void InternalRegistry::remove(std::string_view name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  const std::shared_ptr<Entry> entry = found->second;
  entries_.erase(found);
  const Error reason(Error::Kind::unknown_destination, "internal:" + std::string(name) + " was taken away");
  for (Cancel* cancel : std::set<Cancel*>(entry->pending)) cancel->cancel(reason);
}

Task<Result<InternalListener::Opened>> InternalRegistry::connect(const plan::Internal& address, ConnectRequest& request,
                                                                 BroughtAlong along) {
  const auto found = entries_.find(address.listener);
  if (found == entries_.end())
    co_return Error(Error::Kind::unknown_destination, "no listener is called internal:" + address.listener);
  if (request.info.hops >= context_.limits.internal_hops) {
    context_.counters.add(Counter::hop_limit);
    co_return Error(Error::Kind::loop, "too many internal hops, the last to internal:" + address.listener);
  }
  context_.counters.add(Counter::internal_connects);
  const std::shared_ptr<Entry> entry = found->second;
  Cancel cancel(request.cancel);
  const Pending pending(entry, cancel);
  ConnectRequest onward{request.info, cancel};
  onward.info.hops += 1;
  onward.info.endpoint_id = address.endpoint_id;
  onward.info.metadata = std::move(along.metadata);
  onward.info.state = along.state ? shared_onward(request.info.state) : nullptr;
  onward.info.original = {};
  onward.info.local_name =
      "internal:" + address.listener + (address.endpoint_id.empty() ? "" : "/" + address.endpoint_id);
  Task<Result<InternalListener::Opened>> opening = entry->listener->open(onward);
  Result<InternalListener::Opened> opened = co_await opening;
  if (opened.ok() && cancel.cancelled()) co_return cancel.reason();
  co_return opened;
}

}  // namespace tunnel::net
