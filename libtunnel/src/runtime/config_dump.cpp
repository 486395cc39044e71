// SPDX-License-Identifier: Apache-2.0
#include "runtime/config_dump.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "envoy/export.hpp"

namespace tunnel::runtime {
namespace {

namespace json = boost::json;

// What was quoted is a text, whatever it looks like.
json::value scalar_of(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return json::string(text);
  if (text == "true" || text == "false") return text == "true";
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [read, fault] = std::from_chars(text.data(), end, number);
  if (fault == std::errc() && read == end) return number;
  return json::string(text);
}

json::value json_of(const YAML::Node& node) {
  if (node.IsMap()) {
    json::object object;
    for (const auto& one : node) object[one.first.Scalar()] = json_of(one.second);
    return object;
  }
  if (node.IsSequence()) {
    json::array array;
    for (const auto& one : node) array.emplace_back(json_of(one));
    return array;
  }
  if (node.IsScalar()) return scalar_of(node);
  return json::object();
}

// The parts of a plan that the exporter takes, one by one, and sentences about the others.
class Exportable {
 public:
  explicit Exportable(const plan::Plan& plan) : plan_(plan) {
    take_secrets();
    keep_process();
    keep(plan_.listeners, "listener ",
         [](plan::Plan& alone, const plan::Listener& listener) { alone.listeners.push_back(listener); });
    keep(plan_.clusters, "cluster ",
         [](plan::Plan& alone, const plan::Cluster& cluster) { alone.clusters.push_back(cluster); });
  }

  envoy::Exported run() {
    envoy::Exported exported = envoy::export_plan(plan_, true);
    for (std::string& loss : exported.losses) missing_.push_back(std::move(loss));
    for (const plan::Problem& problem : exported.problems) missing_.push_back(problem.text);
    return exported;
  }
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  void take_secrets() {
    for (plan::Listener& listener : plan_.listeners) {
      auto* const relay = std::get_if<plan::TcpProxy>(&listener.handler);
      if (relay == nullptr || !relay->tunnel) continue;
      std::erase_if(relay->tunnel->headers, [&](const plan::Header& header) {
        if (header.secret)
          missing_.push_back("listener " + listener.name + ": header " + header.name +
                             ", a secret, which is never shown");
        return header.secret;
      });
    }
  }

  void keep_process() {
    plan::Plan alone;
    alone.process = plan_.process;
    if (tell(envoy::export_plan(alone, true), "")) return;
    plan_.process = plan::Process();
  }

  template <class Parts, class Add>
  void keep(Parts& parts, std::string_view what, const Add& add) {
    Parts kept;
    for (auto& part : parts) {
      plan::Plan alone;
      add(alone, part);
      if (tell(envoy::export_plan(alone, true), std::string(what) + part.name + " is missing: "))
        kept.push_back(std::move(part));
    }
    parts = std::move(kept);
  }

  // Whether it could be written.
  bool tell(const envoy::Exported& exported, const std::string& who) {
    for (const plan::Problem& problem : exported.problems) missing_.push_back(who + problem.text);
    return exported.problems.empty();
  }

  plan::Plan plan_;
  std::vector<std::string> missing_;
};

json::object dump_of(std::string_view type) {
  json::object dump;
  dump["@type"] = fmt::format("type.googleapis.com/envoy.admin.v3.{}", type);
  return dump;
}

// Each of a list of the bootstrap, as a resource with its type and time.
json::array resources(const json::value* all, const char* key, std::string_view type, const std::string& updated) {
  json::array list;
  if (all == nullptr) return list;
  for (const json::value& one : all->as_array()) {
    json::object resource;
    resource["@type"] = fmt::format("type.googleapis.com/envoy.config.{}", type);
    for (const auto& field : one.as_object()) resource[field.key()] = field.value();
    json::object entry;
    entry[key] = std::move(resource);
    entry["last_updated"] = updated;
    list.emplace_back(std::move(entry));
  }
  return list;
}

json::array configs_of(const std::string& yaml, const std::string& updated) {
  json::value bootstrap = json_of(YAML::Load(yaml));
  const json::object& fields = bootstrap.as_object();
  const json::value* const resources_of = fields.if_contains("static_resources");
  const auto list = [&](const char* name) {
    return resources_of != nullptr && resources_of->is_object() ? resources_of->as_object().if_contains(name) : nullptr;
  };
  json::object clusters = dump_of("ClustersConfigDump");
  clusters["static_clusters"] = resources(list("clusters"), "cluster", "cluster.v3.Cluster", updated);
  json::object listeners = dump_of("ListenersConfigDump");
  listeners["static_listeners"] = resources(list("listeners"), "listener", "listener.v3.Listener", updated);
  json::object whole = dump_of("BootstrapConfigDump");
  whole["bootstrap"] = std::move(bootstrap);
  whole["last_updated"] = updated;
  json::array configs;
  configs.emplace_back(std::move(whole));
  configs.emplace_back(std::move(clusters));
  configs.emplace_back(std::move(listeners));
  return configs;
}

}  // namespace

std::string config_dump_json(const plan::Plan& plan, std::chrono::system_clock::time_point started) {
  Exportable exportable(plan);
  const envoy::Exported exported = exportable.run();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(started.time_since_epoch());
  const std::string updated =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(started)),
                  milliseconds.count() % 1000);
  json::object object;
  object["configs"] = exported.problems.empty() ? configs_of(exported.text, updated) : json::array();
  json::array missing;
  for (const std::string& sentence : exportable.missing()) missing.emplace_back(json::string(sentence));
  object["not_exported"] = std::move(missing);
  return json::serialize(object);
}

}  // namespace tunnel::runtime
