// SPDX-License-Identifier: Apache-2.0
// What tunnels a proxy is asked for behind internal hops, and whether pooled connections to them are shared.
#pragma once
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/http_peer.hpp"
#include "support/world.hpp"

namespace tunnel::test {

inline plan::Cluster& cluster_of(plan::Plan& plan, const std::string& name) {
  for (plan::Cluster& cluster : plan.clusters)
    if (cluster.name == name) return cluster;
  throw std::out_of_range(name);
}

inline plan::Tunnel& tunnel_of(plan::Plan& plan) {
  for (plan::Listener& listener : plan.listeners)
    if (auto* to = std::get_if<plan::TcpProxy>(&listener.handler); to != nullptr && to->tunnel) return *to->tunnel;
  throw std::out_of_range("no tunnel");
}

inline std::string request_text(const http::RequestHead& head) {
  std::string text = head.method + " " + head.authority;
  for (const http::Field& field : head.fields)
    if (field.name.starts_with("x-")) text += " " + field.name + "=" + field.value;
  return text;
}

// The requests of two clients of "http", `times` each in turn; what tunnels they came through at the proxy.
inline std::vector<std::string> tunnels_of_two_clients(const plan::Plan& plan, bool force_pairs, int times) {
  plan::Plan run = plan;
  run.process.force_pairs = force_pairs;
  EXPECT_TRUE(plan::check(run).empty());
  World world(run);
  std::vector<std::string> tunnels;
  world.network.at("10.0.0.2:3128");
  HttpServer proxy(world, "10.0.0.2:3128", plan::Http::h1, [&](http::ServerExchange& exchange) -> Task<void> {
    tunnels.push_back(request_text(exchange.request()));
    Result<void> opened = co_await exchange.respond(http::ResponseHead{200, {}}, http::Body::tunnel());
    EXPECT_TRUE(opened.ok());
    // Answers every request in the tunnel at once.
    Buffer buffer;
    for (;;) {
      const Io io = exchange.try_read(buffer, 65536);
      if (io.state == Io::State::would_block) {
        co_await Readable(exchange);
        continue;
      }
      if (io.state != Io::State::done) break;
      buffer.clear();
      Buffer answer;
      answer.append(std::string_view("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
      Result<void> written = co_await exchange.write(answer);
      if (!written.ok()) break;
    }
  });
  {
    HttpClient first(world, plan::Http::h1, world.dial("http"));
    HttpClient second(world, plan::Http::h1, world.dial("http"));
    for (int i = 0; i < times; ++i) {
      for (HttpClient* client : {&first, &second}) {
        auto answer = client->ask(get("host.example"));
        world.loop.run();
        EXPECT_TRUE(answer.done() && answer.value().body == "ok");
      }
    }
  }
  world.end();
  world.network.drop_peers();
  return tunnels;
}

}  // namespace tunnel::test
