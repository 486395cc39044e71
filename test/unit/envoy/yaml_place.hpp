// SPDX-License-Identifier: Apache-2.0
// Reads what was written for Envoy, by paths such as "static_resources.clusters.0.name".
#pragma once
#include <yaml-cpp/yaml.h>

#include <cctype>
#include <cstddef>
#include <sstream>
#include <string>

namespace tunnel::envoy {

// A step is an index where it is a number, else a key, of which "~" stands for the dots in it. What is not there is an
// undefined node.
inline YAML::Node at(YAML::Node node, const std::string& path) {
  std::istringstream steps(path);
  for (std::string step; std::getline(steps, step, '.');) {
    for (char& c : step)
      if (c == '~') c = '.';
    if (!node.IsDefined() || node.IsScalar() || node.IsNull()) return YAML::Node(YAML::NodeType::Undefined);
    const bool index = node.IsSequence() && std::isdigit(static_cast<unsigned char>(step.front())) != 0;
    node.reset(index ? node[static_cast<std::size_t>(std::stoul(step))] : node[step]);
  }
  return node;
}

// As YAML in one line, without quotes.
inline std::string in_one_line(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  std::string text;
  for (const auto& entry : node) {
    text += text.empty() ? "" : ", ";
    text += node.IsMap() ? entry.first.Scalar() + ": " + in_one_line(entry.second) : in_one_line(entry);
  }
  return node.IsMap() ? "{" + text + "}" : "[" + text + "]";
}

// What stands there; "(none)" if nothing does.
inline std::string text_at(const YAML::Node& root, const std::string& path) {
  const YAML::Node node = at(root, path);
  return node.IsDefined() ? in_one_line(node) : "(none)";
}

inline std::string type_of(const std::string& message) { return "type.googleapis.com/" + message; }

}  // namespace tunnel::envoy
