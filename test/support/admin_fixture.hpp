// SPDX-License-Identifier: Apache-2.0
// A process for the admin server to look at: two workers' figures, written by the test, and listings given when the
// test says so.
#pragma once
#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/plan_stats.hpp"
#include "runtime/admin_site.hpp"
#include "support/world.hpp"

namespace tunnel::test {

// "front" (tcp_proxy on 9000) to cluster "c0", which is internal:hop1; "hop1" to "c1", 10.0.0.9:80 or 10.0.0.10:80;
// "web" (http_proxy on 9001): answers /hello, terminates CONNECT at "asked", forwards the rest to "c0".
inline plan::Plan admin_plan() {
  plan::Plan plan = chain(1);
  plan.clusters.back().endpoints.push_back({plan::Tcp{"10.0.0.10", 80}});
  plan::HttpProxy web;
  web.routes.push_back({plan::Match{true, "/"}, plan::Terminate{"asked"}, {}});
  web.routes.push_back({plan::Match{false, "/hello"}, plan::Respond{200, "hi\n"}, {}});
  web.routes.push_back({plan::Match{false, "/"}, plan::Forward{"c0"}, {}});
  plan.listeners.push_back(tcp_listener("web", 9001, std::move(web)));
  plan.clusters.push_back(to_requested("asked", {{true, "*.example.com", 443, 443}}));
  return plan;
}

class FakeSource final : public runtime::AdminSource {
 public:
  using Told = std::function<void(proxy::Listing)>;

  const plan::Plan& plan() const override { return plan_; }
  runtime::Figures figures() const override {
    runtime::Figures figures;
    figures.counters = {counters.data(), &counters[1]};
    figures.stats = {stats.data(), &stats[1]};
    figures.access_log_lost = 3;
    figures.started = std::chrono::system_clock::time_point(std::chrono::seconds(1000));
    return figures;
  }
  bool draining() const override { return is_draining; }
  void list(std::size_t most, const Told& told) override {
    ++listings;
    if (silent_workers < 2) told(listing_of(most));
    if (silent_workers < 1) told(listing_of(most));
    if (silent_workers > 0) kept.push_back(told);
  }
  bool may_drain() const override { return drainable; }
  void drain() override { ++drains; }
  std::vector<SocketAddress> addresses(const std::string& listener) const override {
    if (listener == "hop1") return {};
    return {*SocketAddress::from_literal("127.0.0.1", listener == "web" ? 9001 : 9000)};
  }
  bool listening() const override { return is_listening; }
  void stop_listening(std::optional<std::chrono::milliseconds> after, bool ask) override {
    stops.emplace_back(after, ask);
  }
  void quit() override { ++quits; }

  proxy::Listing listing_of(std::size_t most) {
    proxy::Listing listing(TimePoint(std::chrono::seconds(10)), most);
    for (const AccessRecord& record : records) listing.add(record, nullptr);
    return listing;
  }

  std::array<Counters, 2> counters;
  std::array<proxy::PlanStats, 2> stats{proxy::PlanStats(admin_plan()), proxy::PlanStats(admin_plan())};
  std::vector<AccessRecord> records;  // under way on each worker
  bool is_draining = false;
  bool drainable = true;
  int silent_workers = 0;
  std::vector<Told> kept;  // of the silent ones
  int listings = 0;
  int drains = 0;
  bool is_listening = true;
  std::vector<std::pair<std::optional<std::chrono::milliseconds>, bool>> stops;
  int quits = 0;

 private:
  plan::Plan plan_ = admin_plan();
};

// The site over it, asked without a socket.
struct AdminFixture {
  boost::asio::io_context io;
  FakeSource source;
  runtime::AdminListing listing{io, source};
  runtime::AdminSite site{source, listing};

  static runtime::AdminRequest request(std::string method, const std::string& path) {
    runtime::AdminRequest request;
    request.method = std::move(method);
    const std::size_t mark = path.find('?');
    if (mark != std::string::npos) request.query = path.substr(mark + 1);
    request.path = path.substr(0, mark);
    request.host = "127.0.0.1:9901";
    request.reached = SocketAddress::from_literal("127.0.0.1", 9901);
    return request;
  }
  // What came, if anything has by now.
  std::shared_ptr<std::optional<runtime::AdminResponse>> start(const runtime::AdminRequest& request) {
    auto answer = std::make_shared<std::optional<runtime::AdminResponse>>();
    site.serve(request, [answer](runtime::AdminResponse response) { *answer = std::move(response); });
    io.restart();
    io.poll();
    return answer;
  }
  runtime::AdminResponse ask(const runtime::AdminRequest& request) { return start(request)->value(); }
  runtime::AdminResponse get(const std::string& path) { return ask(request("GET", path)); }
};

inline std::string field(const runtime::AdminResponse& response, std::string_view name) {
  std::string values;
  for (const auto& [key, value] : response.fields)
    if (key == name) values += (values.empty() ? "" : "|") + value;
  return values;
}

}  // namespace tunnel::test
