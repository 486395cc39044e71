// SPDX-License-Identifier: Apache-2.0
#include "envoy/node.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>

#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::size_t kMostValues = 200000;
constexpr std::size_t kMostProblems = 100;
constexpr std::uint64_t kMostSeconds = 315576000000;  // 10,000 years, as in google.protobuf.Duration

// "max_connections" as "maxConnections": JSON's name for it.
std::string camel(std::string_view name) {
  std::string text;
  bool raise = false;
  for (const char c : name) {
    if (c == '_') {
      raise = true;
      continue;
    }
    text += raise && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    raise = false;
  }
  return text;
}

template <class Number>
bool parse_decimal(std::string_view text, Number& number) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  return !text.empty() && error == std::errc() && stop == end;
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

}  // namespace

// Document

plan::Place Document::place(const YAML::Mark& mark) const {
  if (mark.is_null()) return {file_, 1, 1, plan::Notation::envoy};
  return {file_, mark.line + 1, mark.column + 1, plan::Notation::envoy};
}

bool Document::is_full() const { return faults_ >= kMostProblems; }

void Document::refuse(const plan::Place& place, std::string text) {
  const auto before = [](const plan::Problem& a, const plan::Problem& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  };
  if (++faults_ > kMostProblems) {
    if (faults_ == kMostProblems + 1 || before({place, ""}, {first_unlisted_, ""})) first_unlisted_ = place;
    return;
  }
  plan::Problem problem{place, std::move(text)};
  const auto at = std::upper_bound(problems_.begin(), problems_.end(), problem, before);
  problems_.insert(at, std::move(problem));
}

bool Document::may_go_on(const plan::Place& place) {
  if (++values_ == kMostValues)
    refuse(place, "more than " + std::to_string(kMostValues) + " values stand here, aliases counted; write less");
  return values_ < kMostValues;
}

std::vector<plan::Problem> Document::take() {
  if (faults_ > kMostProblems)
    problems_.push_back({first_unlisted_, "and " + std::to_string(faults_ - kMostProblems) + " more like these"});
  return std::move(problems_);
}

// Value

void Value::refuse(const std::string& clause) const {
  document_->refuse(place(), path_.empty() ? clause : path_ + ": " + clause);
}

std::optional<std::string> Value::text() const {
  if (!node_.IsScalar()) {
    refuse("a text is expected here");
    return std::nullopt;
  }
  // Many would read on only to there.
  if (node_.Scalar().find('\0') != std::string::npos) {
    refuse("a zero byte cannot be part of a text");
    return std::nullopt;
  }
  return node_.Scalar();
}

std::optional<bool> Value::boolean() const {
  bool value = false;
  if (node_.IsScalar() && node_.Tag() != "!" && YAML::convert<bool>::decode(node_, value)) return value;
  refuse("write true or false");
  return std::nullopt;
}

std::optional<std::uint64_t> Value::number(std::uint64_t min, std::uint64_t max) const {
  std::uint64_t value = 0;
  if (node_.IsScalar() && parse_decimal(node_.Scalar(), value) && value >= min && value <= max) return value;
  refuse("a number from " + std::to_string(min) + " to " + std::to_string(max) + " is expected here" +
         (node_.IsScalar() ? ", not " + plan::in_quotes(node_.Scalar()) : ""));
  return std::nullopt;
}

std::optional<plan::Milliseconds> Value::duration() const {
  const auto wrong = [&](const std::string& clause) {
    refuse(clause);
    return std::nullopt;
  };
  if (!node_.IsScalar()) return wrong("a time is expected here; write 5s or 0.25s");
  std::string_view text = node_.Scalar();
  const std::string shown = plan::in_quotes(text);
  if (!text.ends_with('s')) return wrong(shown + " is no time; write seconds and an s, such as 5s or 0.25s");
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  std::uint64_t seconds = 0;
  const bool whole = parse_decimal(text.substr(0, point), seconds) && seconds <= kMostSeconds;
  if (!whole || (point != std::string_view::npos && (fraction.empty() || fraction.size() > 9)))
    return wrong(shown + " is no time; write seconds and an s, such as 5s or 0.25s");
  fraction.resize(9, '0');
  std::uint64_t nanoseconds = 0;
  if (!parse_decimal(fraction, nanoseconds))
    return wrong(shown + " is no time; write seconds and an s, such as 5s or 0.25s");
  if (nanoseconds % 1000000 != 0) return wrong(shown + " is finer than a millisecond, which no timer here is");
  return plan::Milliseconds(seconds * 1000 + nanoseconds / 1000000);
}

std::vector<Value> Value::items() const {
  std::vector<Value> items;
  if (!node_.IsSequence()) {
    refuse("a list is expected here");
    return items;
  }
  for (const YAML::Node& node : node_) {
    Value item(*document_, node, path_ + "[" + std::to_string(items.size()) + "]");
    if (!document_->may_go_on(item.place())) break;
    items.push_back(std::move(item));
  }
  return items;
}

void Value::refuse_word(const std::string& word, const std::vector<std::string>& known,
                        std::initializer_list<std::string_view> unsupported) const {
  if (std::find(unsupported.begin(), unsupported.end(), word) != unsupported.end())
    return refuse(word + " is not supported by this version; write " + listed(known));
  const std::string near = plan::did_you_mean(word, known);
  refuse(plan::in_quotes(word) + " is none of " + listed(known) + near);
}

// Fields

Fields::Fields(const Value& value) : value_(value), is_message_(value.node().IsMap()) {
  if (!is_message_) {
    value.refuse("fields are expected here; write {} for none");
    return;
  }
  Document& document = value.document();
  std::set<std::string> names;
  for (const auto& pair : value.node()) {
    const plan::Place place = document.place(pair.first.Mark());
    if (!document.may_go_on(place)) return;
    if (!pair.first.IsScalar()) {
      document.refuse(place, path_of("") + ": the name of a field is expected here");
      continue;
    }
    const std::string& name = pair.first.Scalar();
    if (names.insert(name).second) {
      entries_.push_back({name, place, pair.second});
    } else {
      document.refuse(place, path_of(name) + ": given twice");
    }
  }
}

std::string Fields::path_of(std::string_view name) const {
  if (name.empty()) return value_.path().empty() ? "here" : value_.path();
  const std::string shown = plan::in_quotes(name);
  const bool plain = shown.size() == name.size() + 2 && name.find_first_of(".\"[]: ") == std::string_view::npos;
  if (!plain) return value_.path() + "[" + shown + "]";
  return value_.path().empty() ? std::string(name) : value_.path() + "." + std::string(name);
}

Fields::Entry* Fields::entry(std::string_view name) {
  known_.emplace_back(name);
  const std::string in_json = camel(name);
  Entry* found = nullptr;
  for (Entry& entry : entries_) {
    if (entry.name != name && entry.name != in_json) continue;
    entry.read = true;
    if (found != nullptr) value_.document().refuse(entry.place, path_of(name) + ": given twice");
    found = &entry;
  }
  return found;
}

std::optional<Value> Fields::find(std::string_view name) {
  const Entry* found = entry(name);
  if (found == nullptr || found->value.IsNull()) return std::nullopt;
  return Value(value_.document(), found->value, path_of(name));
}

std::optional<Value> Fields::need(std::string_view name) {
  std::optional<Value> found = find(name);
  if (!found && is_message_) value_.refuse(std::string(name) + " is missing");
  return found;
}

void Fields::refuse(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const Entry* found = entry(name);
    known_.pop_back();  // a slip of the finger is not sent there
    if (found != nullptr) value_.document().refuse(found->place, path_of(name) + ": not supported by this version");
  }
}

void Fields::label(std::string_view name) {
  if (const auto text = find(name)) (void)text->text();
}

std::vector<std::pair<std::string, Value>> Fields::all() {
  std::vector<std::pair<std::string, Value>> values;
  for (Entry& entry : entries_) {
    entry.read = true;
    values.emplace_back(entry.name, Value(value_.document(), entry.value, path_of(entry.name)));
  }
  return values;
}

void Fields::close() {
  for (const Entry& entry : entries_) {
    if (entry.read) continue;
    Document& document = value_.document();
    const std::string near = document.is_full() ? "" : plan::did_you_mean(entry.name, known_);
    document.refuse(entry.place, path_of(entry.name) + ": unknown field" + near);
  }
}

void read_empty(const Value& value) {
  read_message(value, [](Fields& /*fields*/) {});
}

}  // namespace tunnel::envoy
