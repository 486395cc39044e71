// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "plan/header_field.hpp"
#include "plan/source.hpp"
#include "support/plan_pieces.hpp"

namespace tunnel::plan {
namespace {

// A relay from port 9999 to internal:encap with an id, which asks the proxy for a tunnel to that.
Plan by_endpoint() {
  Plan plan;
  plan.listeners = {listener("in", Tcp{"", 9999}, TcpProxy{"in.to", {}}, 1),
                    inside("encap", TcpProxy{"encap.proxy", Tunnel{"@endpoint"}}, 2)};
  plan.clusters = {cluster("in.to", Internal{"encap", "db.internal:5432"}, 1),
                   cluster("encap.proxy", Tcp{"127.0.0.1", 3128}, 2)};
  return plan;
}

// What tun-encap makes of --target @authority.
Plan by_authority() {
  Plan plan = by_endpoint();
  HttpProxy entry;
  entry.routes.push_back({{true, "/"}, Terminate{"in.to"}, at(1)});
  entry.routes.push_back({{}, Forward{"in.to"}, at(1)});
  plan.listeners[0].handler = entry;
  plan.clusters[0].endpoints = {{Internal{"encap", "@authority"}}};
  return plan;
}

Tunnel& tunnel_of(Plan& plan) { return *std::get<TcpProxy>(plan.listeners[1].handler).tunnel; }

TEST(CheckTunnels, GoodOnes) {
  EXPECT_EQ(all(check(by_endpoint())), "");
  EXPECT_EQ(all(check(by_authority())), "");
  Plan by_original = by_endpoint();
  by_original.listeners[0].handler = TcpProxy{"encap.proxy", Tunnel{"@orig-dst"}};
  EXPECT_EQ(all(check(by_original)), "");
  Plan original_as_id = by_endpoint();
  original_as_id.clusters[0].endpoints = {{Internal{"encap", "@orig-dst"}}};
  EXPECT_EQ(all(check(original_as_id)), "");
  Plan post = by_endpoint();
  tunnel_of(post) = Tunnel{"@endpoint", true, "/a/b?c=d", {{"x-a", ""}, {"x-a", "b\tc"}}};
  EXPECT_EQ(all(check(post)), "");
}

struct Case {
  const char* what;
  std::function<void(Plan&)> change;
  std::string problem;  // with its place
};

TEST(CheckTunnels, SaysWhatIsWrongAndWhere) {
  const std::vector<Case> cases = {
      {"a dialler without an id", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", ""}}}; },
       "t.tun:1:1: internal:encap takes its target from the id it is dialled with, and there is none here; write "
       "internal:encap/HOST:PORT"},
      {"a dialler whose id is no target", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "db"}}}; },
       "t.tun:1:1: internal:encap takes its target from the id it is dialled with, and 'db' is none: the port is "
       "missing; write HOST:PORT"},
      {"@endpoint on TCP", [](Plan& p) { p.listeners[1].addresses = {Tcp{"", 9998}}; },
       "t.tun:2:1: @endpoint is the id of internal:NAME/ID, and encap listens on something that has none; listen on "
       "internal:NAME"},
      {"@orig-dst inside", [](Plan& p) { tunnel_of(p).target = "@orig-dst"; },
       "t.tun:1:1: cluster in.to: internal listener encap takes its target from the metadata "
       "envoy.filters.listener.original_dst.local, and there is none here; write "
       "internal:encap,meta.envoy.filters.listener.original_dst.local=IP:PORT"},
      {"@orig-dst inside, for a name",
       [](Plan& p) {
         tunnel_of(p).target = "@orig-dst";
         p.clusters[0].metadata = {{"envoy.filters.listener.original_dst", "local", "db.example:1"}};
         p.clusters[0].passthrough = {{"envoy.filters.listener.original_dst", Passthrough::From::cluster}};
       },
       "takes its target from the metadata envoy.filters.listener.original_dst.local, and 'db.example:1' is no IP:PORT "
       "to go to; write"},
      {"@orig-dst on a unix socket",
       [](Plan& p) {
         tunnel_of(p).target = "@orig-dst";
         p.listeners[1].addresses = {Unix{"/x"}};
       },
       "t.tun:2:1: @orig-dst is where a TCP connection was redirected from, and encap listens on something else; "
       "listen on [HOST:]PORT, or on internal:NAME for what metadata says"},
      {"metadata for a socket", [](Plan& p) { p.clusters[0].endpoints = {{Tcp{"a", 1}, {{"s", "k", "v"}}}}; },
       "t.tun:1:1: cluster in.to: only a connection to an internal listener can bring metadata along"},
      {"a passthrough for a socket",
       [](Plan& p) {
         p.clusters[0].endpoints = {{Tcp{"a", 1}}};
         p.clusters[0].passthrough = {{"s", Passthrough::From::host}};
       },
       "t.tun:1:1: cluster in.to: only a connection to an internal listener can bring metadata along"},
      {"metadata twice", [](Plan& p) { p.clusters[0].metadata = {{"s", "k", "v"}, {"s", "k", "w"}}; },
       "t.tun:1:1: cluster in.to: metadata 's.k' is given twice; give it once"},
      {"metadata that injects", [](Plan& p) { p.clusters[0].metadata = {{"s", "k", "v\r\nx: y"}}; },
       "t.tun:1:1: cluster in.to: a value of metadata has a control character in it"},
      {"metadata of nothing", [](Plan& p) { p.clusters[0].metadata = {{"s", "", "v"}}; },
       "t.tun:1:1: cluster in.to: metadata has a space and a key, and neither is empty"},
      {"a target of metadata on TCP",
       [](Plan& p) {
         tunnel_of(p).target = "%DYNAMIC_METADATA(s:k)%";
         p.listeners[1].addresses = {Tcp{"", 9998}};
       },
       "t.tun:2:1: listener encap: target: metadata comes with connections to an internal listener only, and this one "
       "listens on something else"},
      {"a header of metadata on TCP",
       [](Plan& p) {
         tunnel_of(p) = {"a:1", false, "/", {{"x-a", "%DYNAMIC_METADATA(s:k)%", false, true}}};
         p.listeners[1].addresses = {Tcp{"", 9998}};
       },
       "t.tun:2:1: listener encap: header 'x-a': metadata comes with connections to an internal listener only"},
      {"a target with an id on TCP",
       [](Plan& p) {
         tunnel_of(p).target = "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%:1";
         p.listeners[1].addresses = {Tcp{"", 9998}};
       },
       "t.tun:2:1: listener encap: target: an endpoint id comes with connections to an internal listener only"},
      {"a target that leads back", [](Plan& p) { tunnel_of(p).target = "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%:1"; },
       "t.tun:2:1: listener encap: target '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%:1': the address a connection was "
       "accepted on would lead a tunnel back here"},
      {"a pool for clients that have not come",
       [](Plan& p) {
         tunnel_of(p).headers = {{"x-a", "%DOWNSTREAM_REMOTE_ADDRESS%", false, true}};
         p.clusters[0].pool.prewarm = 1;
         p.listeners[0].handler = with_route({{}, Forward{"in.to"}, {}});
       },
       "t.tun:1:1: cluster in.to: a tunnel behind it names its client, and nobody knows beforehand who will come; "
       "leave "
       "out prewarm"},
      {"a pool for names that have not come",
       [](Plan& p) {
         tunnel_of(p).headers = {{"x-a", "%REQUESTED_SERVER_NAME%", false, true}};
         std::get<TcpProxy>(p.listeners[1].handler).tls_inspector = true;
         p.clusters[0].pool.prewarm = 1;
         p.listeners[0].handler = with_route({{}, Forward{"in.to"}, {}});
       },
       "t.tun:1:1: cluster in.to: a tunnel behind it names its client's server, and nobody knows beforehand who will "
       "come; leave out prewarm"},
      {"@authority of opaque bytes", [](Plan& p) { tunnel_of(p).target = "@authority"; },
       "t.tun:2:1: listener encap: @authority is taken from requests, and here bytes are opaque; parse HTTP before it"},
      {"@authority as the id of opaque bytes",
       [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "@authority"}}}; },
       "t.tun:1:1: @authority is taken from requests, and listener in does not parse any; write the id, or parse HTTP "
       "before it"},
      {"@endpoint as an id where there is none",
       [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "@endpoint"}}}; },
       "t.tun:1:1: @endpoint is the id of internal:NAME/ID, and in listens on something that has none"},
      {"@sni", [](Plan& p) { tunnel_of(p).target = "@sni"; },
       "t.tun:2:1: listener encap: target '@sni': the host a TLS client asks for is %REQUESTED_SERVER_NAME%; "
       "write it with a port"},
      {"a slip of the finger", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "@authorty"}}}; },
       "t.tun:1:1: internal:encap/@authorty: what is taken from the connection is called @authority, @endpoint or "
       "@orig-dst, did you mean @authority?"},
      {"an id with a blank", [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "a b"}}}; },
       "t.tun:1:1: internal:encap/a b: an endpoint id is visible ASCII without spaces"},
      {"ids from two sources",
       [](Plan& p) { p.clusters[0].endpoints = {{Internal{"encap", "@orig-dst"}}, {Internal{"encap", "@authority"}}}; },
       "t.tun:1:1: internal:encap/@authority: the endpoints of one line take their ids from one source; use one of "
       "them"},
      {"prewarming for nobody",
       [](Plan& p) {
         p.clusters[0].endpoints = {{Internal{"encap", "@orig-dst"}}};
         p.clusters[0].pool.prewarm = 1;
       },
       "t.tun:1:1: cluster in.to: nobody knows beforehand which ids will come; leave out prewarm"},
      {"a path without POST", [](Plan& p) { tunnel_of(p).post_path = "/x"; },
       "t.tun:2:1: listener encap: a path is for tunnels by POST; add --post"},
      {"a path that is none", [](Plan& p) { tunnel_of(p) = Tunnel{"@endpoint", true, "x y", {}}; },
       "t.tun:2:1: listener encap: the path of a POST is visible ASCII and begins with '/'"},
      {"a field that injects", [](Plan& p) { tunnel_of(p).headers = {{"x-a", "b\r\nx-c: d"}}; },
       "t.tun:2:1: listener encap: header 'x-a': the value has a control character in it"},
      {"a field the request depends on", [](Plan& p) { tunnel_of(p).headers = {{"host", "x"}}; },
       "t.tun:2:1: listener encap: header 'host': host depends on the connection or the body and cannot be set"},
      {"too many fields", [](Plan& p) { tunnel_of(p).headers.assign(3, {"x-a", std::string(3000, 'v')}); },
       "t.tun:2:1: listener encap: the header fields of a tunnel take at most 8192 bytes together, not 9105"},
  };
  for (const Case& each : cases) {
    Plan plan = by_endpoint();
    each.change(plan);
    const std::string text = all(check(plan));
    EXPECT_NE(text.find(each.problem), std::string::npos) << each.what << ":\n" << text;
  }
}

TEST(CheckTunnels, EveryDiallerIsLookedAtOnce) {
  Plan plan = by_endpoint();
  plan.clusters[0].endpoints = {{Internal{"encap", ""}}};
  plan.listeners.push_back(listener("more", Tcp{"", 9997}, TcpProxy{"more.to", {}}, 3));
  plan.clusters.push_back(cluster("more.to", Internal{"encap", "x"}, 3));
  EXPECT_EQ(check(plan).size(), 2U) << all(check(plan));
}

TEST(FieldName, Faults) {
  for (const char* good : {"x-a", "user-agent", "proxy-authorization", "!#$%&'*+-.^_`|~09az", "date"})
    EXPECT_EQ(field_name_fault(good), "") << good;
  for (const char* bad : {"", ":path", "X-A", "a b", "a:b", "h\xc3\xa9", "a\n", "host", "content-length",
                          "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer",
                          "upgrade", "expect", "http2-settings", "proxy-authenticate"})
    EXPECT_NE(field_name_fault(bad), "") << bad;
}

TEST(FieldValue, Faults) {
  for (const char* good : {"", "a", "a b", "a\tb", "caf\xc3\xa9"}) EXPECT_EQ(field_value_fault(good), "") << good;
  for (const std::string& bad : {std::string(" a"), std::string("a "), std::string("\ta"), std::string("a\rb"),
                                 std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f")})
    EXPECT_NE(field_value_fault(bad), "") << bad;
}

}  // namespace
}  // namespace tunnel::plan
