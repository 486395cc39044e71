// SPDX-License-Identifier: Apache-2.0
#include "config/address_options.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

// The text up to the next single comma, with every ",," as one; `text` is left with what follows that comma.
std::string take_piece(std::string_view& text, bool& more) {
  std::string piece;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == ',') {
      if (!text.starts_with(',')) {
        more = true;
        return piece;
      }
      text.remove_prefix(1);
    }
    piece += c;
  }
  more = false;
  return piece;
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

AddressOptions::AddressOptions(const Given& given, std::string_view text) : whole_(given) {
  bool more = false;
  body_ = take_piece(text, more);
  while (more) {
    const std::string piece = take_piece(text, more);
    const std::size_t equals = piece.find('=');
    Item item{piece.substr(0, equals), equals != std::string::npos, given};
    if (item.key.empty()) throw given.refusal("after a ',' comes KEY=VALUE; a comma of the address itself is ',,'");
    const auto same = [&](const Item& other) { return other.key == item.key; };
    if (std::any_of(items_.begin(), items_.end(), same)) {
      throw given.refusal(plan::in_quotes(item.key) + " is given twice; give it once");
    }
    item.given.key = item.key;
    item.given.value = item.has_value ? piece.substr(equals + 1) : "";
    items_.push_back(std::move(item));
  }
}

AddressOptions::Item* AddressOptions::ask(std::string_view key) {
  asked_.emplace_back(key);
  const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.key == key; });
  return found == items_.end() ? nullptr : &*found;
}

const Given* AddressOptions::value(std::string_view key) {
  const Item* item = ask(key);
  if (item == nullptr) return nullptr;
  if (item->given.value.empty()) {
    throw whole_.refusal(plan::in_quotes(key) + " needs a value; write " + std::string(key) + "=VALUE");
  }
  return &item->given;
}

std::vector<const Given*> AddressOptions::values(std::string_view prefix) {
  std::vector<const Given*> found;
  asked_.push_back(std::string(prefix) + "SPACE.KEY");
  for (const Item& item : items_)
    if (item.key.starts_with(prefix)) found.push_back(value(item.key));
  return found;
}

bool AddressOptions::flag(std::string_view key) {
  const Item* item = ask(key);
  if (item != nullptr && item->has_value) {
    throw whole_.refusal(plan::in_quotes(key) + " takes no value; write it by itself");
  }
  return item != nullptr;
}

bool AddressOptions::has(std::string_view key) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return item.key == key; });
}

void AddressOptions::finish() const {
  for (const Item& item : items_) {
    if (std::find(asked_.begin(), asked_.end(), item.key) != asked_.end()) continue;
    const std::string near = plan::did_you_mean(item.key, asked_);
    std::string remedy = near;
    if (near.empty() && asked_.empty()) remedy = ", it takes none; a comma of the address itself is ',,'";
    if (near.empty() && !asked_.empty()) remedy = ", it takes " + listed(asked_);
    throw whole_.refusal("this address has no option " + plan::in_quotes(item.key) + remedy);
  }
}

}  // namespace tunnel::config
