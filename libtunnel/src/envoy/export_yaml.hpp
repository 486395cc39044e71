// SPDX-License-Identifier: Apache-2.0
// Envoy's YAML, written from top to bottom. Every text from a plan is quoted.
#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tunnel/plan.hpp"

namespace tunnel::envoy {

class Yaml {
 public:
  Yaml() { out_ << YAML::BeginMap; }
  // Once, at the end.
  std::string take();

  // key: {...}, where `body` writes what is inside. The same for the others.
  template <class Body>
  void map(std::string_view key, const Body& body) {
    write_key(key);
    braced(body);
  }
  // key: [...] of item()s.
  template <class Body>
  void list(std::string_view key, const Body& body) {
    write_key(key);
    out_ << YAML::BeginSeq;
    body();
    out_ << YAML::EndSeq;
  }
  template <class Body>
  void item(const Body& body) {
    braced(body);
  }
  // name: ..., typed_config: {"@type": ..., ...} in the map that is open.
  template <class Body>
  void typed(std::string_view name, std::string_view type, const Body& body) {
    word("name", name);
    map("typed_config", [&] {
      write_type(type);
      body();
    });
  }
  void typed(std::string_view name, std::string_view type) {
    typed(name, type, [] {});
  }
  void write_type(std::string_view type);

  // A text of the plan, valid UTF-8.
  void text(std::string_view key, std::string_view value);
  void text_item(std::string_view value);
  // A word of Envoy's that needs no quotes.
  void word(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void yes(std::string_view key) { word(key, "true"); }
  void time(std::string_view key, plan::Milliseconds value);
  void empty(std::string_view key);

 private:
  void write_key(std::string_view key);
  template <class Body>
  void braced(const Body& body) {
    out_ << YAML::BeginMap;
    body();
    out_ << YAML::EndMap;
  }

  YAML::Emitter out_;
};

}  // namespace tunnel::envoy
