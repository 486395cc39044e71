// SPDX-License-Identifier: Apache-2.0
#include "envoy/export_yaml.hpp"

#include <array>
#include <cstdio>

namespace tunnel::envoy {

std::string Yaml::take() {
  out_ << YAML::EndMap;
  return std::string(out_.c_str(), out_.size()) + "\n";
}

void Yaml::write_type(std::string_view type) {
  out_ << YAML::Key << YAML::DoubleQuoted << "@type" << YAML::Value << "type.googleapis.com/" + std::string(type);
}

void Yaml::text(std::string_view key, std::string_view value) {
  write_key(key);
  text_item(value);
}

void Yaml::text_item(std::string_view value) { out_ << YAML::DoubleQuoted << std::string(value); }

void Yaml::word(std::string_view key, std::string_view value) {
  write_key(key);
  out_ << std::string(value);
}

void Yaml::number(std::string_view key, std::uint64_t value) {
  write_key(key);
  out_ << value;
}

void Yaml::time(std::string_view key, plan::Milliseconds value) {
  std::array<char, 40> text{};
  const auto count = static_cast<long long>(value.count());
  if (count % 1000 == 0)
    (void)std::snprintf(text.data(), text.size(), "%llds", count / 1000);
  else
    (void)std::snprintf(text.data(), text.size(), "%lld.%03llds", count / 1000, count % 1000);
  word(key, text.data());
}

void Yaml::empty(std::string_view key) {
  write_key(key);
  out_ << YAML::Flow << YAML::BeginMap << YAML::EndMap;
}

void Yaml::write_key(std::string_view key) { out_ << YAML::Key << std::string(key) << YAML::Value; }

}  // namespace tunnel::envoy
