// SPDX-License-Identifier: Apache-2.0
// What may follow an address: ",KEY=VALUE" or ",KEY" each, socat's style; ",," is a literal comma of body or value.
//
//   AddressOptions options(given, "/run/app.sock,mode=660");
//   options.body();                        "/run/app.sock"
//   options.value("mode");                 a Given whose value is "660", for the parsers of value.hpp
//   options.finish();                      refuses what nobody asked for
//
// Whoever reads an address asks for every option it knows, given or not, and calls finish() last: from what was asked
// for comes the nearest name a refusal tells.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/arguments.hpp"

namespace tunnel::config {

class AddressOptions {
 public:
  // `text` is the address without its scheme, as it stands in `given`. Throws a Refusal for an option without a name
  // and for one given twice.
  AddressOptions(const Given& given, std::string_view text);

  const std::string& body() const { return body_; }
  // What `key` was given as ("-x 'ping=15s'" in messages), or nullptr if it was not; refused without a value. Lives as
  // long as this.
  const Given* value(std::string_view key);
  // What every key that begins with `prefix`, behind which stand a space and a key, was given as, in order; each needs
  // a value.
  std::vector<const Given*> values(std::string_view prefix);
  // Whether `key` stands there; refused with a value.
  bool flag(std::string_view key);
  // Whether `key` stands there, for one that is to be refused in words of its own.
  bool has(std::string_view key) const;
  void finish() const;

 private:
  struct Item {
    std::string key;
    bool has_value = false;
    Given given;  // of the value
  };
  Item* ask(std::string_view key);

  Given whole_;
  std::string body_;
  std::vector<Item> items_;
  std::vector<std::string> asked_;
};

}  // namespace tunnel::config
