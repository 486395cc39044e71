// SPDX-License-Identifier: Apache-2.0
#include "runtime/stats.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tunnel::runtime {
namespace {

template <class Kind>
boost::json::object sum(const std::vector<const Counters*>& workers, std::size_t count,
                        const std::map<std::string_view, std::uint64_t>& extra) {
  boost::json::object object;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t total = 0;
    for (const Counters* counters : workers) total += counters->value(static_cast<Kind>(i));
    object[name_of(static_cast<Kind>(i))] = total;
  }
  for (const auto& [name, value] : extra) object[name] = value;
  return object;
}

}  // namespace

std::string stats_json(const std::vector<const Counters*>& workers,
                       const std::map<std::string_view, std::uint64_t>& extra_counters,
                       const std::map<std::string_view, std::uint64_t>& extra_gauges) {
  boost::json::object object;
  object["counters"] = sum<Counter>(workers, kCounterCount, extra_counters);
  object["gauges"] = sum<Gauge>(workers, kGaugeCount, extra_gauges);
  return boost::json::serialize(object);
}

}  // namespace tunnel::runtime
