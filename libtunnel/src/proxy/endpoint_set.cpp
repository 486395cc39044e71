// SPDX-License-Identifier: Apache-2.0
#include "proxy/endpoint_set.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.hpp"
#include "plan/host_port.hpp"
#include "plan/source.hpp"

namespace tunnel::proxy {
namespace {

// Failures that are not the endpoint's: the client's, our own resources, our limits and rules, the way of the request.
bool is_of_endpoint(const Error& error) {
  if (error.side == Error::Side::downstream) return false;
  switch (error.kind) {
    case Error::Kind::internal:
    case Error::Kind::limit:
    case Error::Kind::denied:
    case Error::Kind::loop:
    case Error::Kind::shutdown:
    case Error::Kind::cancelled:
      return false;
    default:
      return true;
  }
}

bool is_whole(const plan::Address& address) {
  const auto* internal = std::get_if<plan::Internal>(&address);
  return internal == nullptr || plan::source_of(internal->endpoint_id) == plan::Source::written;
}

}  // namespace

EndpointSet::EndpointSet(const Context& context, const plan::Cluster& plan, EndpointBoard& board, ClusterStats& stats,
                         std::size_t first)
    : context_(context),
      cluster_(plan.name),
      lb_(plan.lb),
      board_(board),
      stats_(stats),
      next_(plan.endpoints.empty() ? 0 : first % plan.endpoints.size()) {
  for (const plan::Endpoint& endpoint : plan.endpoints) {
    auto made = std::make_shared<Endpoint>();
    made->name = plan::to_string(endpoint.address);
    made->whole = is_whole(endpoint.address);
    endpoints_.push_back(std::move(made));
  }
}

std::optional<EndpointSet::Pick> EndpointSet::pick(std::vector<bool>& tried) {
  const std::optional<std::size_t> usable_one = best_usable(tried);
  const std::optional<std::size_t> index = usable_one ? usable_one : due_soonest(tried);
  if (!index) return std::nullopt;
  tried[*index] = true;
  if (usable_one) next_ = (*index + 1) % endpoints_.size();
  Endpoint& endpoint = *endpoints_[*index];
  const bool on_trial = usable_one && endpoint.aside > Duration();
  if (on_trial) endpoint.on_trial = true;
  context_.counters.add(Counter::endpoint_tries);
  stats_.endpoints[*index].tries.add(1);
  return Pick{*index, context_.loop.now(), on_trial, endpoints_[*index]};
}

bool EndpointSet::usable(const Endpoint& endpoint) const {
  return endpoint.aside == Duration() || (context_.loop.now() >= endpoint.due && !endpoint.on_trial);
}

std::optional<std::size_t> EndpointSet::best_usable(const std::vector<bool>& tried) const {
  const std::size_t start = lb_ == plan::Lb::first ? 0 : next_;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < size(); ++i) {
    const std::size_t index = (start + i) % size();
    if (tried[index] || !usable(*endpoints_[index])) continue;
    if (lb_ != plan::Lb::least) return index;
    if (!best || open(index) < open(*best)) best = index;
  }
  return best;
}

std::optional<std::size_t> EndpointSet::due_soonest(const std::vector<bool>& tried) const {
  std::optional<std::size_t> soonest;
  for (std::size_t index = 0; index < size(); ++index)
    if (!tried[index] && (!soonest || endpoints_[index]->due < endpoints_[*soonest]->due)) soonest = index;
  return soonest;
}

std::size_t EndpointSet::open(std::size_t index) const {
  return static_cast<std::size_t>(endpoints_[index].use_count()) - 1;
}

void EndpointSet::succeeded(const Pick& pick) {
  Endpoint& endpoint = *endpoints_[pick.index];
  endpoint.succeeded = context_.loop.now();
  if (endpoint.aside == Duration()) return;
  endpoint.aside = Duration();
  stats_.endpoints[pick.index].aside.set(0);
  endpoint.on_trial = false;
  if (board_.up(cluster_ + ' ' + endpoint.name)) log::info("{}: backend {} back again", cluster_, endpoint.name);
}

void EndpointSet::failed(const Pick& pick, const Error& why) {
  Endpoint& endpoint = *endpoints_[pick.index];
  if (pick.on_trial) endpoint.on_trial = false;
  if (!is_of_endpoint(why) || (!endpoint.whole && why.kind != Error::Kind::unknown_destination)) return;
  stats_.endpoints[pick.index].failures.add(1);
  // Many connects may fail for one cause: those begun before it was set aside, or since somebody got through, are old
  // news.
  const bool news = endpoint.aside == Duration() ? pick.begun >= endpoint.succeeded : pick.on_trial;
  if (news) put_aside(pick.index, why);
}

void EndpointSet::given_up(const Pick& pick) {
  if (pick.on_trial) endpoints_[pick.index]->on_trial = false;
}

void EndpointSet::put_aside(std::size_t index, const Error& why) {
  Endpoint& endpoint = *endpoints_[index];
  stats_.endpoints[index].aside.set(1);
  const Duration first = context_.limits.aside;
  const Duration most = std::max<Duration>(context_.limits.aside_most, first);
  endpoint.aside = endpoint.aside == Duration() ? first : std::min(endpoint.aside * 2, most);
  endpoint.due = context_.loop.now() + endpoint.aside;
  context_.counters.add(Counter::endpoint_ejections);
  const std::string reason = log::escape(why.text().empty() ? to_string(why.kind) : why.text());
  if (board_.down(cluster_ + ' ' + endpoint.name))
    log::warning("{}: backend {} set aside: {}", cluster_, endpoint.name, reason);
  else
    log::debug("{}: backend {} set aside again: {}", cluster_, endpoint.name, reason);
}

}  // namespace tunnel::proxy
