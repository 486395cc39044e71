// SPDX-License-Identifier: Apache-2.0
// Words of one command, told apart by the option table: options with their values and places, in the order given.
#pragma once
#include <string>
#include <vector>

#include "config/option_table.hpp"
#include "config/refusal.hpp"
#include "config/words.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::config {

// One option as given, or (option == nullptr) a word that belongs to none: a FILE of tun-run.
struct Given {
  const Option* option = nullptr;
  std::string value;  // empty for a switch
  plan::Place place;

  // "-l '99999': CLAUSE", to be thrown.
  Refusal refusal(const std::string& clause) const;
};

class Arguments {
 public:
  explicit Arguments(std::vector<Given> given) : given_(std::move(given)) {}

  const std::vector<Given>& in_order() const { return given_; }
  const Given* find(Opt id) const;  // the first, or nullptr
  bool has(Opt id) const { return find(id) != nullptr; }
  std::vector<Given> all(Opt id) const;

 private:
  std::vector<Given> given_;
};

// Where a command stands: typed by itself, or as a line of tun-run, which has no process options.
enum class Setting : std::uint8_t { alone, under_tun_run };

// Throws Refusal for what is not an option of `program`, given twice, or lacks its value.
Arguments parse_arguments(Program program, Setting setting, const Words& words);

}  // namespace tunnel::config
