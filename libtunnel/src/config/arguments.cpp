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
    } else if (row.value_optional()) {
      semantic = po::value<std::string>()->implicit_value("");
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

Refusal foreign(Program program, const Option& row, const Word& typed) {
  std::string owners;
  for (const Program other : {Program::tun_encap, Program::tun_decap, Program::tcp_chain, Program::tun_run}) {
    if (!row.belongs_to(other)) continue;
    if (!owners.empty()) owners += ", ";
    owners += name_of(other);
  }
  const std::string shown = typed.text.starts_with("--") ? typed.text : label(row);
  std::string remedy = program == Program::tun_run ? "; put it on a line" : "; leave it out";
  // The same thing under another name.
  if (program == Program::tun_encap && row.id == Opt::to) remedy = "; where tunnels lead is --target here";
  if ((program == Program::tun_decap || program == Program::tcp_chain) && row.id == Opt::target)
    remedy = "; where connections lead is -t here";
  return {typed.place, shown + " is an option of " + owners + ", not of " + std::string(name_of(program)) + remedy};
}

// A word that is no option of `program`: why, and whether the next word is likely to be its value.
struct Stranger {
  Refusal refusal;
  bool takes_value;
};

Stranger stranger(Program program, const Word& word) {
  const std::string_view text = word.text;
  const std::string_view typed = text.substr(0, text.find('='));
  const bool alone = typed == text && (text.starts_with("--") || text.size() == 2);
  std::vector<std::string> known;
  for (const Option& row : option_table()) {
    if (row.belongs_to(program)) {
      known.push_back("--" + std::string(row.name));
    } else if (gives(word.text, row)) {
      return {foreign(program, row, {std::string(typed), word.place}), alone && !row.argument.empty()};
    }
  }
  bool takes_value = true;  // for all we know
  const std::string near = plan::nearest(typed, known);
  for (const Option& row : option_table()) {
    if (!near.empty() && near.substr(2) == row.name) takes_value = !row.argument.empty();
  }
  return {{word.place, "there is no option " + plan::in_quotes(typed) + plan::did_you_mean(typed, known)},
          alone && takes_value};
}

Refusal missing_value(const Option& row, const plan::Place& place) {
  if (row.value_optional()) {
    const std::string value(row.argument.substr(1, row.argument.size() - 2));
    return {place, label(row) + "= needs a value; write " + label(row) + "=" + value + " or " + label(row)};
  }
  return {place, label(row) + " needs a value; write " + label(row) + " " + std::string(row.argument)};
}

bool is_option_of(Program program, const std::string& word) {
  const auto table = option_table();
  return std::any_of(table.begin(), table.end(),
                     [&](const Option& row) { return row.belongs_to(program) && gives(word, row); });
}

struct Culprit {
  std::size_t at = 0;
  const Option* row = nullptr;  // nullptr: not found
};

// program_options names the option, not the word; the words tell where it stands.
Culprit culprit_of(Program program, const Words& words, const po::invalid_command_line_syntax& error) {
  const bool missing = error.kind() == po::invalid_syntax::missing_parameter;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const bool followed = at + 1 < words.size() && !is_option_of(program, words[at + 1].text);
    if (missing && followed) continue;
    for (const Option& row : option_table()) {
      const bool named = error.get_option_name() == "--" + std::string(row.name) ||
                         (row.letter != 0 && error.get_option_name() == std::string("-") + row.letter);
      if (named && row.belongs_to(program) && gives(words[at].text, row)) return {at, &row};
    }
  }
  return {};
}

const Option* row_called(const std::string& name) {
  for (const Option& row : option_table()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// A value that may be left out stands behind a '='. program_options takes the next word, too: here that is its own.
void free_words(std::vector<po::option>& options) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Option* row = options[i].position_key < 0 ? row_called(options[i].string_key) : nullptr;
    if (row == nullptr || !row->value_optional() || options[i].original_tokens.size() < 2) continue;
    po::option word;
    word.position_key = 0;
    word.value = {options[i].original_tokens.back()};
    word.original_tokens = word.value;
    options[i].value.clear();
    options[i].original_tokens.pop_back();
    options.insert(options.begin() + static_cast<std::ptrdiff_t>(i + 1), std::move(word));
  }
}

po::parsed_options split(const Words& words, const po::options_description& description) {
  namespace style = po::command_line_style;
  std::vector<std::string> texts;
  texts.reserve(words.size());
  for (const Word& word : words) texts.push_back(word.text);
  // No abbreviations: a new option must never change what a script means.
  po::parsed_options parsed = po::command_line_parser(texts)
                                  .options(description)
                                  .style(style::unix_style & ~style::allow_guessing)
                                  .allow_unregistered()
                                  .run();
  free_words(parsed.options);
  return parsed;
}

// The word each of `options` begins with; they come in the order of the words and say how many they took.
std::vector<std::size_t> beginnings(const std::vector<po::option>& options, const Words& words) {
  std::vector<std::size_t> beginnings;
  beginnings.reserve(options.size());
  std::size_t at = 0;
  for (const po::option& token : options) {
    while (at < words.size() && !token.original_tokens.empty() && words[at].text != token.original_tokens.front()) ++at;
    beginnings.push_back(at);
    at += token.original_tokens.size();
  }
  return beginnings;
}

// An option that took another option for its value.
Culprit greedy(Program program, const Words& words, const po::parsed_options& parsed) {
  const std::vector<std::size_t> begins = beginnings(parsed.options, words);
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const po::option& token = parsed.options[i];
    if (token.position_key >= 0 || token.unregistered || token.original_tokens.size() < 2) continue;
    if (is_option_of(program, token.original_tokens[1])) return {begins[i], row_called(token.string_key)};
  }
  return {};
}

Refusal written_wrong(const Option& row, const plan::Place& place) {
  if (!row.argument.empty()) return missing_value(row, place);
  return {place, "--" + std::string(row.name) + " takes no value; write it by itself"};
}

// What is written wrong is noted in `faults` and taken out of `words`.
po::parsed_options tokenise(Program program, Words& words, const po::options_description& description, Faults& faults) {
  for (;;) {
    Culprit culprit;
    try {
      po::parsed_options parsed = split(words, description);
      culprit = greedy(program, words, parsed);
      if (culprit.row == nullptr) return parsed;
    } catch (const po::invalid_command_line_syntax& error) {
      culprit = culprit_of(program, words, error);
      if (culprit.row == nullptr) {
        faults.add({words.at(0).place, error.what()});
        words.clear();
        continue;
      }
    }
    faults.add(written_wrong(*culprit.row, words.at(culprit.at).place));
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(culprit.at));
  }
}

void check_scope(Program program, Setting setting, const Given& given) {
  if (given.option == nullptr) {
    if (program == Program::tun_run) return;
    const std::string remedy = given.value == "-" ? "; standard input and output are -l -" : "";
    throw Refusal(given.place, plan::in_quotes(given.value) + " belongs to no option" + remedy);
  }
  if (setting == Setting::under_tun_run && given.option->scope == Scope::process) {
    throw Refusal(given.place, label(*given.option) + " is an option of the whole process; give it to tun-run");
  }
}

void check_number(Given& given, std::set<Opt>& seen) {
  if (given.option->argument.empty()) given.value.clear();
  if (seen.insert(given.option->id).second || given.option->repeatable) return;
  throw Refusal(given.place, label(*given.option) + " is given twice; give it once");
}

}  // namespace

Refusal Given::refusal(const std::string& clause) const {
  const std::string who = option == nullptr ? "" : label(*option) + " ";
  return {place, who + plan::in_quotes(key.empty() ? value : key + "=" + value) + ": " + clause};
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

Arguments parse_arguments(Program program, Setting setting, const Words& typed, Faults& faults) {
  const std::size_t before = faults.count();
  Words words = typed;
  const po::options_description description = description_of(program);
  const po::parsed_options parsed = tokenise(program, words, description, faults);
  std::vector<Given> all;
  std::set<Opt> seen;
  const std::vector<std::size_t> begins = beginnings(parsed.options, words);
  bool value_of_stranger = false;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const po::option& token = parsed.options[i];
    const Word& word = words.at(begins[i]);
    const bool skip = std::exchange(value_of_stranger, false);
    if (token.unregistered) {
      const Stranger unknown = stranger(program, word);
      faults.add(unknown.refusal);
      value_of_stranger = unknown.takes_value;
      continue;
    }
    Given given{nullptr, token.value.empty() ? "" : token.value.front(), word.place};
    if (token.position_key < 0) given.option = row_called(token.string_key);
    if (given.option == nullptr && skip) continue;
    faults.attempt([&] {
      check_scope(program, setting, given);
      if (given.option != nullptr) check_number(given, seen);
      // A value in a word of its own is what a message is about.
      if (token.original_tokens.size() > 1) given.place = words.at(begins[i] + 1).place;
      all.push_back(std::move(given));
    });
  }
  return {std::move(all), faults.count() == before};
}

}  // namespace tunnel::config
