// SPDX-License-Identifier: Apache-2.0
#include "plan/check_tunnels.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "plan/check_state.hpp"
#include "plan/connection_format.hpp"
#include "plan/header_field.hpp"
#include "plan/host_port.hpp"
#include "plan/metadata.hpp"
#include "plan/references.hpp"
#include "plan/source.hpp"
#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

// What a listener needs of those who connect to it.
enum class Need : std::uint8_t { endpoint, original };

class TunnelChecker {
 public:
  TunnelChecker(const Plan& plan, std::vector<Problem>& problems)
      : plan_(plan), problems_(problems), asked_of_clients_(asked_of_clients(plan)) {
    for (const Cluster& cluster : plan.clusters) clusters_.try_emplace(cluster.name, &cluster);
  }

  void run() {
    for (const Cluster& cluster : plan_.clusters) {
      check_ids(cluster);
      check_metadata(cluster);
    }
    for (const Listener& listener : plan_.listeners) {
      if (const auto* relay = std::get_if<TcpProxy>(&listener.handler); relay != nullptr && relay->tunnel)
        check_tunnel(listener, *relay->tunnel);
      for (const std::string& name : clusters_of(listener)) check_use(listener, name);
    }
  }

 private:
  void say(const Place& place, std::string text) { problems_.push_back({place, std::move(text)}); }

  void check_ids(const Cluster& cluster) {
    const Source source = source_of(cluster);
    for (const Endpoint& endpoint : cluster.endpoints) {
      const auto* internal = std::get_if<Internal>(&endpoint.address);
      if (internal == nullptr) continue;
      const std::string name = "internal:" + internal->listener + "/" + internal->endpoint_id;
      std::string fault = source_fault(internal->endpoint_id);
      if (fault.empty()) fault = endpoint_id_fault(internal->endpoint_id);
      if (!fault.empty()) say(cluster.place, std::string(name).append(": ").append(fault));
      const Source own = source_of(internal->endpoint_id);
      if (own != Source::written && own != source)
        say(cluster.place, name + ": the endpoints of one line take their ids from one source; use one of them");
    }
    if (source != Source::written && cluster.pool.prewarm > 0)
      say(cluster.place,
          "cluster " + cluster.name + ": nobody knows beforehand which ids will come; leave out prewarm");
    const auto asked = asked_of_clients_.find(cluster.name);
    if (asked == asked_of_clients_.end() || cluster.pool.prewarm == 0) return;
    const bool client = asked->second.address != ClientPart::Address::nothing;
    say(cluster.place, "cluster " + cluster.name + ": a tunnel behind it names its client" +
                           (client ? "" : "'s server") +
                           ", and nobody knows beforehand who will come; leave out prewarm");
  }

  void check_metadata(const Cluster& cluster) {
    const std::string who = "cluster " + cluster.name + ": ";
    const auto is_internal = [](const Endpoint& endpoint) {
      return std::holds_alternative<Internal>(endpoint.address);
    };
    const bool inside = std::any_of(cluster.endpoints.begin(), cluster.endpoints.end(), is_internal);
    bool any = !cluster.metadata.empty() || !cluster.passthrough.empty();
    check_values(cluster, cluster.metadata);
    for (const Endpoint& endpoint : cluster.endpoints) {
      check_values(cluster, endpoint.metadata);
      any = any || !endpoint.metadata.empty();
    }
    if (any && !inside) say(cluster.place, who + "only a connection to an internal listener can bring metadata along");
  }

  void check_values(const Cluster& cluster, const std::vector<Metadata>& values) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const Metadata& value : values) {
      std::string fault = metadata_fault(value);
      if (fault.empty() && !seen.emplace(value.space, value.key).second)
        fault = "metadata " + in_quotes(value.space + "." + value.key) + " is given twice; give it once";
      if (!fault.empty()) say(cluster.place, std::string("cluster ").append(cluster.name).append(": ").append(fault));
    }
  }

  void check_tunnel(const Listener& listener, const Tunnel& tunnel) {
    const std::string who = "listener " + listener.name + ": ";
    std::string fault = target_source_fault(tunnel.target);
    const Source source = fault.empty() ? target_source_of(tunnel.target) : Source::written;
    switch (source) {
      case Source::written:
        if (fault.empty()) fault = target_fault(tunnel.target);
        if (!fault.empty()) say(listener.place, who + "target " + in_quotes(tunnel.target) + ": " + fault);
        break;
      case Source::format:
        check_format(plan_, listener, "target", tunnel.target, problems_);
        break;
      case Source::authority:
        say(listener.place, who + "@authority is taken from requests, and here bytes are opaque; parse HTTP before it");
        break;
      case Source::endpoint:
        check_need(listener, Need::endpoint);
        break;
      case Source::original:
        check_need(listener, Need::original);
        break;
    }
    if (!tunnel.post && tunnel.post_path != "/") say(listener.place, who + "a path is for tunnels by POST; add --post");
    if (tunnel.post && (!tunnel.post_path.starts_with('/') || !is_path(tunnel.post_path)))
      say(listener.place, who + "the path of a POST is visible ASCII and begins with '/'");
    check_headers(listener, tunnel.headers);
  }

  static bool is_path(const std::string& path) {
    return std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  }

  void check_headers(const Listener& listener, const std::vector<Header>& headers) {
    std::size_t bytes = 0;
    for (const Header& header : headers) {
      std::string fault = field_name_fault(header.name);
      if (fault.empty()) fault = field_value_fault(header.value);
      if (fault.empty() && header.format) fault = connection_format_fault(header.value);
      if (!fault.empty())
        say(listener.place, "listener " + listener.name + ": header " + in_quotes(header.name) + ": " + fault);
      else if (header.format)
        check_format(plan_, listener, "header " + in_quotes(header.name), header.value, problems_);
      bytes += header.name.size() + header.value.size() + kFieldOverheadBytes;
    }
    if (bytes > kMostHeaderBytes)
      say(listener.place, "listener " + listener.name + ": the header fields of a tunnel take at most " +
                              std::to_string(kMostHeaderBytes) + " bytes together, not " + std::to_string(bytes));
  }

  // `listener` leads to the cluster called `name`: what this takes from the connection must be there.
  void check_use(const Listener& listener, const std::string& name) {
    const auto found = clusters_.find(name);
    if (found == clusters_.end()) return;
    const Cluster& cluster = *found->second;
    switch (source_of(cluster)) {
      case Source::written:
      case Source::format:  // of tunnels only
        break;
      case Source::authority:
        if (!std::holds_alternative<HttpProxy>(listener.handler))
          say(cluster.place, "@authority is taken from requests, and listener " + listener.name +
                                 " does not parse any; write the id, or parse HTTP before it");
        break;
      case Source::endpoint:
        check_need(listener, Need::endpoint);
        break;
      case Source::original:
        check_need(listener, Need::original);
        break;
    }
  }

  void check_need(const Listener& listener, Need need) {
    for (const Address& address : listener.addresses) {
      const bool internal = std::holds_alternative<Internal>(address);
      if (need == Need::endpoint && !internal) {
        say(listener.place, "@endpoint is the id of internal:NAME/ID, and " + listener.name +
                                " listens on something that has none; listen on internal:NAME");
      }
      if (need == Need::original && !internal && !std::holds_alternative<Tcp>(address) &&
          !std::holds_alternative<Inherited>(address))
        say(listener.place, "@orig-dst is where a TCP connection was redirected from, and " + listener.name +
                                " listens on something else; listen on [HOST:]PORT, or on internal:NAME for what "
                                "metadata says");
      if (need == Need::endpoint && internal) check_dialers(std::get<Internal>(address).listener);
      if (need == Need::original && internal) check_originals(std::get<Internal>(address).listener);
    }
  }

  // Whoever dials `name` must give an id that can be a target.
  void check_dialers(const std::string& name) {
    if (!checked_.insert(name).second) return;
    for (const Cluster& cluster : plan_.clusters) {
      for (const Endpoint& endpoint : cluster.endpoints) {
        const auto* internal = std::get_if<Internal>(&endpoint.address);
        if (internal == nullptr || internal->listener != name) continue;
        const std::string& id = internal->endpoint_id;
        if (source_of(id) != Source::written) continue;
        const std::string target = "internal:" + name + " takes its target from the id it is dialled with";
        if (id.empty())
          say(cluster.place, std::string(target)
                                 .append(", and there is none here; write internal:")
                                 .append(name)
                                 .append("/HOST:PORT"));
        else if (const std::string fault = target_fault(id); !fault.empty())
          say(cluster.place,
              std::string(target).append(", and ").append(in_quotes(id)).append(" is none: ").append(fault));
      }
    }
  }

  // Whoever dials `name` must bring along where the connection was going.
  void check_originals(const std::string& name) {
    if (!told_where_.insert(name).second) return;
    for (const Cluster& cluster : plan_.clusters) {
      for (const Endpoint& endpoint : cluster.endpoints) {
        const auto* internal = std::get_if<Internal>(&endpoint.address);
        if (internal == nullptr || internal->listener != name) continue;
        if (cluster.passes_state) continue;  // which may say it, too
        const Metadata* value = passed_value(cluster, endpoint, kOriginalSpace, kOriginalKey);
        const std::string fault = value == nullptr ? "there is none here" : original_fault(*value);
        if (fault.empty()) continue;
        say(cluster.place, std::string("cluster ")
                               .append(cluster.name)
                               .append(": internal listener ")
                               .append(name)
                               .append(" takes its target from the metadata ")
                               .append(kOriginalSpace)
                               .append(".")
                               .append(kOriginalKey)
                               .append(", and ")
                               .append(fault)
                               .append(original_remedy(cluster, name)));
      }
    }
  }

  static std::string original_remedy(const Cluster& cluster, const std::string& name) {
    if (cluster.place.notation == Notation::envoy) return "; write it and its passthrough_metadata";
    return std::string("; write internal:")
        .append(name)
        .append(",meta.")
        .append(kOriginalSpace)
        .append(".")
        .append(kOriginalKey)
        .append("=IP:PORT");
  }

  static constexpr std::size_t kFieldOverheadBytes = 32;  // as HTTP/2 counts a field
  const Plan& plan_;
  std::vector<Problem>& problems_;
  std::map<std::string_view, ClientPart> asked_of_clients_;
  std::map<std::string, const Cluster*> clusters_;
  std::set<std::string> checked_;
  std::set<std::string> told_where_;  // checked, too
};

}  // namespace

void check_tunnels(const Plan& plan, std::vector<Problem>& problems) { TunnelChecker(plan, problems).run(); }

}  // namespace tunnel::plan
