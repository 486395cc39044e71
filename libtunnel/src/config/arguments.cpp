// SPDX-License-Identifier: Apache-2.0
#include "config/arguments.hpp"

#include <boost/make_shared.hpp>
#include <boost/program_options.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

namespace po = boost::program_options;

po::options_description description_of(Program program) {
  po::options_description description;
  for (const Option& row : option_table()) {
    if (!row.belongs_to(program)) continue;
    std::string names(row.name);
    if (row.letter != 0) names += std::string(",") + row.letter;
    const po::value_semantic* semantic = nullptr;
    if (row.argument.empty()) {
      semantic = po::bool_switch();
    } else {
      semantic = po::value<std::string>();
    }
    description.add(boost::make_shared<po::option_description>(names.c_str(), semantic));
  }
  return description;
}

// Does `word` give `row`, as --name, --name=value, -n or -nvalue?
bool gives(const std::string& word, const Option& row) {
  const std::string full = "--" + std::string(row.name);
  if (word == full || word.starts_with(full + "=")) return true;
  return row.letter != 0 && word.size() > 1 && word[0] == '-' && word[1] == row.letter;
}

[[noreturn]] void refuse_foreign(Program program, const Option& row, const Word& typed) {
  std::string owners;
  for (const Program other : {Program::tun_encap, Program::tun_decap, Program::tcp_chain, Program::tun_run}) {
    if (!row.belongs_to(other)) continue;
    if (!owners.empty()) owners += ", ";
    owners += name_of(other);
  }
  const std::string shown = typed.text.starts_with("--") ? typed.text : label(row);
  const std::string remedy = program == Program::tun_run ? "; put it on a line" : "; leave it out";
  throw Refusal(typed.place,
                shown + " is an option of " + owners + ", not of " + std::string(name_of(program)) + remedy);
}

[[noreturn]] void refuse_unknown(Program program, const Word& word) {
  const std::string_view text = word.text;
  const std::string_view typed = text.substr(0, text.find('='));
  std::vector<std::string> known;
  for (const Option& row : option_table()) {
    if (row.belongs_to(program)) {
      known.push_back("--" + std::string(row.name));
      continue;
    }
    if (gives(word.text, row)) refuse_foreign(program, row, {std::string(typed), word.place});
  }
  throw Refusal(word.place, "there is no option " + plan::in_quotes(typed) + plan::did_you_mean(typed, known));
}

[[noreturn]] void refuse_missing_value(const Option& row, const plan::Place& place) {
  throw Refusal(place, label(row) + " needs a value; write " + label(row) + " " + std::string(row.argument));
}

bool is_option_of(Program program, const std::string& word) {
  const auto table = option_table();
  return std::any_of(table.begin(), table.end(),
                     [&](const Option& row) { return row.belongs_to(program) && gives(word, row); });
}

// program_options names the option, not the word; the words tell where it stands.
[[noreturn]] void refuse_syntax(Program program, const Words& words, const po::invalid_command_line_syntax& error) {
  const bool missing = error.kind() == po::invalid_syntax::missing_parameter;
  const Word* culprit = nullptr;
  const Option* owner = nullptr;
  for (const Word& word : words) {
    for (const Option& row : option_table()) {
      const bool named = error.get_option_name() == "--" + std::string(row.name) ||
                         (row.letter != 0 && error.get_option_name() == std::string("-") + row.letter);
      if (!named || !row.belongs_to(program) || !gives(word.text, row)) continue;
      if (culprit != nullptr && !missing) continue;
      culprit = &word;
      owner = &row;
    }
  }
  if (culprit == nullptr) throw Refusal(words.empty() ? plan::Place{} : words.front().place, error.what());
  if (owner->argument.empty()) {
    throw Refusal(culprit->place, "--" + std::string(owner->name) + " takes no value; write it by itself");
  }
  refuse_missing_value(*owner, culprit->place);
}

const Option* row_called(const std::string& name) {
  for (const Option& row : option_table()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

po::parsed_options tokenise(Program program, const Words& words, const po::options_description& description) {
  namespace style = po::command_line_style;
  std::vector<std::string> texts;
  texts.reserve(words.size());
  for (const Word& word : words) texts.push_back(word.text);
  try {
    // No abbreviations: a new option must never change what a script means.
    return po::command_line_parser(texts)
        .options(description)
        .style(style::unix_style & ~style::allow_guessing)
        .allow_unregistered()
        .run();
  } catch (const po::invalid_command_line_syntax& error) {
    refuse_syntax(program, words, error);
  }
}

// Of what cli.md lets one give several times, this version takes one.
std::string remedy_for_twice(Opt id) {
  if (id == Opt::proxy) return "several proxies in a row are not supported by this version";
  if (id == Opt::to) return "several destinations are not supported by this version";
  return "give it once";
}

void check_scope(Program program, Setting setting, const Given& given) {
  if (given.option == nullptr) {
    if (program == Program::tun_run) return;
    throw Refusal(given.place, plan::in_quotes(given.value) + " belongs to no option");
  }
  if (setting == Setting::under_tun_run && given.option->scope == Scope::process) {
    throw Refusal(given.place, label(*given.option) + " is an option of the whole process; give it to tun-run");
  }
}

}  // namespace

Refusal Given::refusal(const std::string& clause) const {
  const std::string who = option == nullptr ? "" : label(*option) + " ";
  return {place, who + plan::in_quotes(value) + ": " + clause};
}

const Given* Arguments::find(Opt id) const {
  for (const Given& given : given_) {
    if (given.option != nullptr && given.option->id == id) return &given;
  }
  return nullptr;
}

std::vector<Given> Arguments::all(Opt id) const {
  std::vector<Given> found;
  for (const Given& given : given_) {
    if (given.option != nullptr && given.option->id == id) found.push_back(given);
  }
  return found;
}

Arguments parse_arguments(Program program, Setting setting, const Words& words) {
  const po::options_description description = description_of(program);
  const po::parsed_options parsed = tokenise(program, words, description);
  std::vector<Given> all;
  std::set<Opt> seen;
  std::size_t at = 0;  // the word an option begins with; options arrive in order and say how many words they took
  for (const auto& token : parsed.options) {
    while (at < words.size() && !token.original_tokens.empty() && words[at].text != token.original_tokens.front()) ++at;
    const Word& word = words.at(at);
    if (token.unregistered) refuse_unknown(program, word);
    Given given{nullptr, token.value.empty() ? "" : token.value.front(), word.place};
    if (token.position_key < 0) given.option = row_called(token.string_key);
    at += token.original_tokens.size();
    check_scope(program, setting, given);
    if (given.option != nullptr) {
      if (given.option->argument.empty()) given.value.clear();
      const bool again = !seen.insert(given.option->id).second;
      if (again && !given.option->repeatable) {
        throw Refusal(given.place, label(*given.option) + " is given twice; " + remedy_for_twice(given.option->id));
      }
      // A value in a word of its own is what a message is about.
      if (token.original_tokens.size() > 1) {
        if (is_option_of(program, given.value)) refuse_missing_value(*given.option, given.place);
        given.place = words.at(at - 1).place;
      }
    }
    all.push_back(std::move(given));
  }
  return Arguments(std::move(all));
}

}  // namespace tunnel::config
