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
  std::string key{};  // if it is an option of an address, its name

  // "-l '99999': CLAUSE" ("-l 'KEY=99999': CLAUSE"), to be thrown.
  Refusal refusal(const std::string& clause) const;
};

class Arguments {
 public:
  Arguments(std::vector<Given> given, bool understood) : given_(std::move(given)), understood_(understood) {}

  // Whether every word was; what seems to be missing may be among the others.
  bool understood() const { return understood_; }

  const std::vector<Given>& in_order() const { return given_; }
  const Given* find(Opt id) const;  // the first, or nullptr
  bool has(Opt id) const { return find(id) != nullptr; }
  std::vector<Given> all(Opt id) const;

 private:
  std::vector<Given> given_;
  bool understood_;
};

// Calls read(given) for every time `id` is given; what is refused is noted in `faults`.
template <class Read>
void read_option(const Arguments& arguments, Opt id, Faults& faults, const Read& read) {
  for (const Given& given : arguments.all(id)) faults.attempt([&] { read(given); });
}

// Where a command stands: typed by itself, or as a line of tun-run, which has no process options.
enum class Setting : std::uint8_t { alone, under_tun_run };

// Leaves out, and notes in `faults`, what is not an option of `program`, given twice, or lacks its value.
Arguments parse_arguments(Program program, Setting setting, const Words& words, Faults& faults);

}  // namespace tunnel::config
