// SPDX-License-Identifier: Apache-2.0
// Reading a YAML (or JSON) document as protocol buffer messages, the way Envoy does: every field that stands in the
// file is asked for by somebody or refused. A Value knows its path and its place; a Fields is a message whose fields
// are being asked for, and the names asked for are all that it has. What is wrong is noted and reading goes on, so that
// everything is told at once. Throws nothing but std::bad_alloc.
#pragma once
#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "envoy/defaults.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::envoy {

// One file while it is read: what is wrong with it.
class Document {
 public:
  explicit Document(std::string file, const Defaults& defaults = {}) : file_(std::move(file)), defaults_(defaults) {}

  plan::Place place(const YAML::Mark& mark) const;
  void refuse(const plan::Place& place, std::string text);
  // An alias may stand for much, and one in another for more: so many values are looked at, and no more.
  bool may_go_on(const plan::Place& place);
  const Defaults& defaults() const { return defaults_; }
  std::size_t faults() const { return faults_; }
  // What else is refused is only counted: nobody reads so much.
  bool is_full() const;
  // In the order of the file.
  std::vector<plan::Problem> take();

 private:
  std::string file_;
  Defaults defaults_;
  std::vector<plan::Problem> problems_;
  plan::Place first_unlisted_;
  std::size_t faults_ = 0;
  std::size_t values_ = 0;
};

class Value {
 public:
  Value(Document& document, const YAML::Node& node, std::string path)
      : document_(&document), node_(node), path_(std::move(path)) {}

  Document& document() const { return *document_; }
  const YAML::Node& node() const { return node_; }
  const std::string& path() const { return path_; }
  plan::Place place() const { return document_->place(node_.Mark()); }
  // "PATH: CLAUSE" at this place.
  void refuse(const std::string& clause) const;

  // Each refuses what is written otherwise, and is then empty.
  std::optional<std::string> text() const;
  std::optional<bool> boolean() const;
  std::optional<std::uint64_t> number(std::uint64_t min, std::uint64_t max) const;
  std::optional<plan::Milliseconds> duration() const;  // "0.25s", to the millisecond
  std::vector<Value> items() const;

  // One of some words; `unsupported` are those Envoy knows, too.
  template <class T>
  std::optional<T> choice(std::initializer_list<std::pair<std::string_view, T>> words,
                          std::initializer_list<std::string_view> unsupported = {}) const {
    const std::optional<std::string> word = text();
    if (!word) return std::nullopt;
    std::vector<std::string> known;
    for (const auto& [name, value] : words) {
      if (*word == name) return value;
      known.emplace_back(name);
    }
    refuse_word(*word, known, unsupported);
    return std::nullopt;
  }

 private:
  void refuse_word(const std::string& word, const std::vector<std::string>& known,
                   std::initializer_list<std::string_view> unsupported) const;

  Document* document_;
  YAML::Node node_;
  std::string path_;
};

class Fields {
 public:
  // Refuses what is no message; it then has no fields.
  explicit Fields(const Value& value);

  const Value& value() const { return value_; }
  // A field, under its own name or in lowerCamelCase; null is as good as absent.
  std::optional<Value> find(std::string_view name);
  // The same; that it is absent is refused.
  std::optional<Value> need(std::string_view name);
  // A field of Envoy's that this version does not have: refused as that if it is there.
  void refuse(std::initializer_list<std::string_view> names);
  // A field that only names something, in Envoy too: a text, and nothing depends on it.
  void label(std::string_view name);
  // All of a map whose names are free, in the order of the file; null is no value.
  std::vector<std::pair<std::string, Value>> all();
  // Refuses what nobody has asked for.
  void close();

 private:
  struct Entry {
    std::string name;
    plan::Place place;
    YAML::Node value;
    bool read = false;
  };
  Entry* entry(std::string_view name);
  std::string path_of(std::string_view name) const;

  Value value_;
  std::vector<Entry> entries_;
  std::vector<std::string> known_;
  bool is_message_ = false;
};

// Reads `value` as a message: read(fields), then nothing may be left.
template <class Read>
void read_message(const Value& value, const Read& read) {
  Fields fields(value);
  read(fields);
  fields.close();
}

// A message without any field that would be understood.
void read_empty(const Value& value);

// A list of messages.
template <class Read>
void read_messages(const Value& value, const Read& read) {
  for (const Value& item : value.items()) read_message(item, read);
}

}  // namespace tunnel::envoy
