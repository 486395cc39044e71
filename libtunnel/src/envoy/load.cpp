// SPDX-License-Identifier: Apache-2.0
#include "envoy/load.hpp"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include <cstddef>
#include <sstream>
#include <utility>

#include "envoy/address.hpp"
#include "envoy/cluster.hpp"
#include "envoy/extension.hpp"
#include "envoy/listener.hpp"
#include "envoy/node.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::size_t kMostBytes = 1048576;
constexpr std::size_t kKibibyte = 1024;
constexpr std::uint64_t kDefaultBufferKb = 1024;
constexpr std::uint64_t kMostBufferKb = 8192;

class BootstrapReader {
 public:
  BootstrapReader(Fields& fields, Loaded& loaded) : fields_(fields), loaded_(loaded) {}

  void read() {
    fields_.refuse({"node",
                    "node_context_params",
                    "dynamic_resources",
                    "cluster_manager",
                    "hds_config",
                    "flags_path",
                    "stats_sinks",
                    "stats_config",
                    "stats_flush_interval",
                    "stats_flush_on_admin",
                    "watchdog",
                    "watchdogs",
                    "tracing",
                    "layered_runtime",
                    "overload_manager",
                    "enable_dispatcher_stats",
                    "header_prefix",
                    "stats_server_version_override",
                    "use_tcp_for_dns_lookups",
                    "dns_resolution_config",
                    "typed_dns_resolver_config",
                    "fatal_actions",
                    "config_sources",
                    "default_config_source",
                    "default_socket_interface",
                    "inline_headers",
                    "perf_tracing_file_path",
                    "certificate_provider_instances",
                    "default_regex_engine",
                    "xds_delegate_extension",
                    "xds_config_tracker_extension",
                    "listener_manager",
                    "application_log_config",
                    "grpc_async_client_manager_config",
                    "memory_allocator_manager"});
    if (const auto admin = fields_.find("admin")) read_admin(*admin);
    if (const auto extensions = fields_.find("bootstrap_extensions")) read_extensions(*extensions);
    const auto resources = fields_.need("static_resources");
    if (!resources) return;
    read_message(*resources, [&](Fields& fields) {
      fields.refuse({"secrets"});
      if (const auto listeners = fields.find("listeners"))
        for (const Value& value : listeners->items()) add_listener(read_listener(value, buffer_));
      if (const auto clusters = fields.find("clusters"))
        for (const Value& value : clusters->items()) add_cluster(read_cluster(value));
    });
  }

 private:
  void read_admin(const Value& value) {
    read_message(value, [&](Fields& fields) {
      fields.refuse({"access_log", "profile_path", "socket_options", "ignore_global_conn_limit", "allow_paths"});
      if (const auto log = fields.find("access_log_path")) {
        const auto path = log->text();
        if (path && *path != "/dev/null")
          log->refuse("the admin server here writes no access log; write /dev/null, or leave it out");
      }
      const auto address = fields.need("address");
      if (!address) return;
      loaded_.admin = read_listen_address(*address);
      loaded_.admin_place = address->place();
    });
  }

  void read_extensions(const Value& value) {
    for (const Value& extension : value.items()) {
      read_extension(extension, {{"envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
                                  [&](Fields& fields) { read_internal(fields); }}});
    }
  }

  void read_internal(Fields& fields) {
    buffer_ = kDefaultBufferKb * kKibibyte;
    if (const auto size = fields.find("buffer_size_kb"))
      buffer_ = size->number(1, kMostBufferKb).value_or(kDefaultBufferKb) * kKibibyte;
  }

  // What has no name can be neither reached nor told apart; that it has none is told already.
  void add_listener(plan::Listener listener) {
    if (listener.name.empty())
      loaded_.names_known = false;
    else
      loaded_.listeners.push_back(std::move(listener));
  }

  void add_cluster(plan::Cluster cluster) {
    if (!cluster.name.empty()) loaded_.clusters.push_back(std::move(cluster));
  }

  Fields& fields_;
  Loaded& loaded_;
  InternalBuffer buffer_;
};

// Where the last document began, and nothing else.
class Beginnings final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { last_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}
  const YAML::Mark& last() const { return last_; }

 private:
  YAML::Mark last_;
};

// Where something stands behind the first document. YAML::LoadAll would read on, and where the parser cannot get past a
// token, for ever.
std::optional<YAML::Mark> second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Beginnings beginnings;
  if (!parser.HandleNextDocument(beginnings) || !parser.HandleNextDocument(beginnings)) return std::nullopt;
  return beginnings.last();
}

// Says what is wrong if there is no node.
std::optional<YAML::Node> parsed(const std::string& text, Document& document) {
  const auto refuse = [&](const YAML::Mark& mark, const std::string& clause) {
    document.refuse(document.place(mark), clause);
    return std::nullopt;
  };
  if (text.size() > kMostBytes)
    return refuse(YAML::Mark::null_mark(), "the file is larger than 1 MiB; give a smaller one");
  try {
    YAML::Node root = YAML::Load(text);
    if (const auto mark = second_document(text))
      return refuse(*mark, "what stands from here on is no part of the document before; leave it out");
    if (root.IsNull())
      return refuse(YAML::Mark::null_mark(), "nothing stands here; an Envoy configuration has static_resources");
    return root;
  } catch (const YAML::DeepRecursion& error) {
    return refuse(error.mark,
                  "lists and fields stand too deep in each other from here on; no field of Envoy's is so deep");
  } catch (const YAML::Exception& error) {
    return refuse(error.mark, "this is no YAML: " + error.msg);
  }
}

}  // namespace

Loaded load(const std::string& text, const std::string& name, const Defaults& defaults) {
  Loaded loaded;
  Document document(name, defaults);
  if (const auto root = parsed(text, document)) {
    read_message(Value(document, *root, ""), [&](Fields& fields) { BootstrapReader(fields, loaded).read(); });
  } else {
    loaded.names_known = false;
  }
  loaded.problems = document.take();
  return loaded;
}

}  // namespace tunnel::envoy
