// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "envoy/export_parts.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::size_t kUsualBody = 4096;  // what Envoy takes in a direct_response without being asked for more

std::string_view word_of(plan::Http codec) {
  switch (codec) {
    case plan::Http::automatic:
      break;
    case plan::Http::h1:
      return "HTTP1";
    case plan::Http::h2:
      return "HTTP2";
  }
  return "AUTO";
}

bool is_plain_text(std::string_view body) {
  const auto odd = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
  };
  return is_utf8(body) && std::none_of(body.begin(), body.end(), odd);
}

// RFC 4648 section 4.
std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8U | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += at + i > bytes.size() ? '=' : kDigits[group >> (18U - 6U * static_cast<unsigned>(i)) & 63U];
  }
  return text;
}

class RouteWriter {
 public:
  explicit RouteWriter(Yaml& yaml) : yaml_(yaml) {}

  void write(const plan::Route& route) {
    std::visit([&](const auto& of_a_kind) { write(route.match, of_a_kind); }, route.action);
  }

 private:
  void write(const plan::Match& match, const plan::Respond& respond) {
    yaml_.item([&] {
      write_match(match);
      yaml_.map("direct_response", [&] {
        yaml_.number("status", static_cast<std::uint64_t>(respond.status));
        if (respond.body.empty()) return;
        yaml_.map("body", [&] {
          if (is_plain_text(respond.body))
            yaml_.text("inline_string", respond.body);
          else
            yaml_.text("inline_bytes", base64(respond.body));
        });
      });
    });
  }

  void write(const plan::Match& match, const plan::Forward& forward) {
    yaml_.item([&] {
      write_match(match);
      yaml_.map("route", [&] { write_way(forward); });
    });
  }

  void write(const plan::Match& match, const plan::Terminate& terminate) {
    yaml_.item([&] {
      write_match(match);
      write_end(terminate, terminate.post && !match.connect);
    });
    if (!terminate.post || !match.connect) return;
    plan::Match twin = match;
    twin.connect = false;
    twin.method = "POST";
    yaml_.item([&] {
      write_match(twin);
      write_end(terminate, true);
    });
  }

  void write_match(const plan::Match& match) {
    yaml_.map("match", [&] {
      if (match.connect)
        yaml_.empty("connect_matcher");
      else
        yaml_.text(match.whole ? "path" : "prefix", match.prefix);
      if (match.method.empty() && match.fields.empty()) return;
      yaml_.list("headers", [&] {
        if (!match.method.empty()) write_header(":method", match.method);
        for (const plan::FieldMatch& field : match.fields) write_header(field.name, field.value);
      });
    });
  }

  void write_header(std::string_view name, std::string_view value) {
    yaml_.item([&] {
      yaml_.text("name", name);
      yaml_.map("string_match", [&] { yaml_.text("exact", value); });
    });
  }

  // The timeout always: Envoy would give a response, and a tunnel whose client has ended its side, 15 s.
  template <class Action>
  void write_way(const Action& action) {
    yaml_.text("cluster", action.cluster);
    yaml_.time("timeout", action.timeout);
    if (action.idle_timeout) yaml_.time("idle_timeout", *action.idle_timeout);
  }

  void write_end(const plan::Terminate& terminate, bool post) {
    yaml_.map("route", [&] {
      write_way(terminate);
      yaml_.list("upgrade_configs", [&] {
        yaml_.item([&] {
          yaml_.word("upgrade_type", "CONNECT");
          if (post)
            yaml_.map("connect_config", [&] { yaml_.yes("allow_post"); });
          else
            yaml_.empty("connect_config");
        });
      });
    });
  }

  Yaml& yaml_;
};

std::size_t longest_body(const plan::HttpProxy& proxy) {
  std::size_t longest = 0;
  for (const plan::Route& route : proxy.routes)
    if (const auto* respond = std::get_if<plan::Respond>(&route.action))
      longest = std::max(longest, respond->body.size());
  return longest;
}

// Routes that have the same domains stand together.
void write_virtual_hosts(Yaml& yaml, const std::string& name, const std::vector<plan::Route>& routes) {
  int number = 0;
  for (auto next = routes.begin(); next != routes.end();) {
    const std::vector<std::string>& domains = next->match.domains;
    yaml.item([&] {
      yaml.text("name", number == 0 ? name : name + "-" + std::to_string(number + 1));
      ++number;
      yaml.list("domains", [&] {
        if (domains.empty()) yaml.text_item("*");
        for (const std::string& domain : domains) yaml.text_item(domain);
      });
      yaml.list("routes", [&] {
        for (; next != routes.end() && next->match.domains == domains; ++next) RouteWriter(yaml).write(*next);
      });
    });
  }
}

// The one text of a route that may be anything; what is not written is told.
void judge_fields(Writing& writing, const plan::Listener& listener, const plan::Match& match) {
  for (const plan::FieldMatch& field : match.fields)
    (void)writing.report.writable(field.value, listener.place,
                                  "listener " + listener.name + ", route, header " + field.name);
}

}  // namespace

void write_http_proxy(Writing& writing, const plan::Listener& listener, const plan::HttpProxy& proxy) {
  Yaml& yaml = writing.yaml;
  for (const plan::Route& route : proxy.routes) judge_fields(writing, listener, route.match);
  yaml.word("codec_type", word_of(proxy.codec));
  yaml.map("route_config", [&] {
    yaml.text("name", listener.name);
    if (const std::size_t longest = longest_body(proxy); longest > kUsualBody)
      yaml.number("max_direct_response_body_size_bytes", longest);
    yaml.list("virtual_hosts", [&] { write_virtual_hosts(yaml, listener.name, proxy.routes); });
  });
  yaml.list("http_filters", [&] {
    yaml.item([&] { yaml.typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"); });
  });
  const bool connects =
      std::any_of(proxy.routes.begin(), proxy.routes.end(), [](const auto& route) { return route.match.connect; });
  if (proxy.codec != plan::Http::h1 && (connects || proxy.streams > 0)) {
    yaml.map("http2_protocol_options", [&] {
      if (connects) yaml.yes("allow_connect");
      if (proxy.streams > 0) yaml.number("max_concurrent_streams", proxy.streams);
    });
  }
  if (connects) yaml.list("upgrade_configs", [&] { yaml.item([&] { yaml.word("upgrade_type", "CONNECT"); }); });
}

}  // namespace tunnel::envoy
