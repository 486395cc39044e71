// SPDX-License-Identifier: Apache-2.0
#include "config/completion.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "config/help.hpp"
#include "plan/limit_table.hpp"

namespace tunnel::config {
namespace {

constexpr std::string_view kBashHead = R"(# bash completion of PROGRAM; made from its option table
FUNCTION() {
  local line=${COMP_LINE:0:COMP_POINT} words=() cur='' prev='' option typed before strip
  local candidates='' files='' reply one
  read -ra words <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    cur=${words[${#words[@]} - 1]}
    unset "words[${#words[@]} - 1]"
  fi
  [ ${#words[@]} -gt 0 ] && prev=${words[${#words[@]} - 1]}
  option=$prev typed=$cur
  [[ $cur == --*=* ]] && option=${cur%%=*} typed=${cur#*=}
  before=${cur%"$typed"}
  case $option in
)";

// Readline replaces only what stands behind the last of COMP_WORDBREAKS.
constexpr std::string_view kBashTail = R"(  esac
  strip=${cur%"${cur##*["$COMP_WORDBREAKS"]}"}
  COMPREPLY=()
  if [[ $typed == *unix:* && $candidates == *unix:* ]]; then
    before+=${typed%%unix:*}unix: typed=${typed#*unix:} candidates='' files=1
  fi
  while IFS= read -r reply; do
    one=$before$reply
    [ -n "$reply" ] && COMPREPLY+=("${one#"$strip"}")
  done < <(
    [ -z "$candidates" ] || compgen -W "$candidates" -- "$typed"
    [ -z "$files" ] || compgen -f -- "$typed"
  )
  [ -z "$files" ] || compopt -o filenames 2>/dev/null
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=+] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F FUNCTION PROGRAM
)";

constexpr std::string_view kZshHead = R"(#compdef PROGRAM
# zsh completion of PROGRAM; made from its option table

FUNCTION_values() {
  if [[ ${words[CURRENT]} == *unix:* ]] && compset -P '*unix:'; then
    _files
  else
    compadd -S '' -- ${(M)@:#*[:=+]}
    compadd -- ${@:#*[:=+]}
  fi
}

_arguments -s -S : \
)";

// What stands behind "unix:" is a path.
constexpr std::string_view kFishHead = R"(# fish completion of PROGRAM; made from its option table
function FUNCTION_paths
    set -l at (string match -r -- '^(?:--[^=]*=)?(.*unix:)(.*)$' (commandline -ct))
    or return
    for path in $at[3]*
        test -d $path; and set path $path/
        echo $at[2]$path
    end
end
)";

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(what)) {
      out += with;
      at += what.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string filled(std::string_view form, Program program) {
  const std::string function = "_" + replaced(name_of(program), "-", "_");
  return replaced(replaced(form, "FUNCTION", function), "PROGRAM", name_of(program));
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

// In single quotes, for any of the shells (fish wants its backslashes doubled, and no text here has one).
std::string quoted(std::string_view text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> pieces;
  while (true) {
    const std::size_t end = std::min(text.find(at), text.size());
    pieces.emplace_back(text.substr(0, end));
    if (end == text.size()) return pieces;
    text.remove_prefix(end + 1);
  }
}

bool is_scheme_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// "internal:" of "internal:NAME[/ID]", "h1+" of "h1+unix:PATH", "tcp:" of "[tcp:][HOST:]PORT", "-" itself; "" for
// others.
std::string scheme_of(std::string_view token) {
  if (token == "-") return "-";
  if (token.starts_with('[')) token.remove_prefix(1);
  const auto end = std::find_if_not(token.begin(), token.end(), is_scheme_character);
  const auto length = static_cast<std::size_t>(end - token.begin());
  if (length == 0 || end == token.end() || (*end != ':' && *end != '+')) return "";
  return std::string(token.substr(0, length + 1));
}

// The first column of every line, up to where its explanation begins.
std::vector<std::string> schemes(std::string_view label) {
  std::vector<std::string> found;
  for (const std::string& form : address_forms(label)) {
    std::string scheme = scheme_of(form);
    if (!scheme.empty() && std::find(found.begin(), found.end(), scheme) == found.end())
      found.push_back(std::move(scheme));
  }
  return found;
}

// "unix:" where the help of an option speaks of "unix:PATH".
std::vector<std::string> schemes_in_help(std::string_view help) {
  std::vector<std::string> found;
  for (const std::string& token : split(help, ' ')) {
    const std::size_t colon = token.find(':');
    if (colon == std::string::npos || colon + 1 == token.size() || token[colon + 1] < 'A' || token[colon + 1] > 'Z')
      continue;
    std::string scheme = scheme_of(token);
    if (!scheme.empty()) found.push_back(std::move(scheme));
  }
  return found;
}

// What a proxy may be reached over: "h1+" and every address one can both listen on and dial.
std::vector<std::string> proxy_words() {
  std::vector<std::string> words;
  const std::vector<std::string> listens = schemes("LISTEN");
  for (const std::string& scheme : schemes("PROXY")) {
    if (!scheme.ends_with('+')) {
      words.push_back(scheme);
      continue;
    }
    for (const std::string& dial : schemes("DIAL"))
      if (dial != "tcp:" && std::find(listens.begin(), listens.end(), dial) != listens.end())
        words.push_back(scheme + dial);
  }
  return words;
}

template <class Call>
void for_options_of(Program program, Call call) {
  for (const Option& option : option_table())
    if (option.belongs_to(program)) call(option);
}

std::string bash(Program program) {
  std::string out = filled(kBashHead, program);
  std::vector<std::string> names;
  for_options_of(program, [&](const Option& option) {
    names.push_back("--" + std::string(option.name));
    if (option.argument.empty() || option.value_optional()) return;  // the next word is none of its
    const std::string letter = option.letter != 0 ? std::string("-") + option.letter + "|" : "";
    const Values values = values_of(option);
    out += "    " + letter + "--" + std::string(option.name) + ")";
    if (!values.words.empty()) out += " candidates=" + quoted(joined(values.words));
    if (values.files) out += " files=1";
    out += " ;;\n";
  });
  const bool takes_files = program == Program::tun_run;
  out += "    *)\n      option='' typed=$cur before=''\n";
  out += "      if [[ $cur == -*" + std::string(takes_files ? "" : " || -z $cur") +
         " ]]; then candidates=" + quoted(joined(names)) + (takes_files ? "; else files=1" : "") + "; fi\n      ;;\n";
  return out + filled(kBashTail, program);
}

// One option of _arguments: a description's brackets and a message's colons stand behind a backslash.
std::string zsh_option(const Option& option) {
  const std::string name = "--" + std::string(option.name);
  const bool has_value = !option.argument.empty();
  std::string out = "  ";
  if (option.repeatable)
    out += "'*'";
  else if (option.letter != 0)
    out += quoted(std::string("(-") + option.letter + " " + name + ")");
  if (option.letter != 0)
    out += std::string("{-") + option.letter + (has_value ? "+," : ",") + name + (has_value ? "=}" : "}");
  else
    out += name + (option.value_optional() ? "=-" : has_value ? "=" : "");
  std::string text = "[" + replaced(replaced(option.help, "[", "\\["), "]", "\\]") + "]";
  if (has_value) {
    const Values values = values_of(option);
    text += option.value_optional() ? "::" : ":";
    text += replaced(option.argument, ":", "\\:") + ":";
    if (values.files)
      text += "_files";
    else if (values.words.empty())
      text += " ";
    else
      text += "FUNCTION_values " + replaced(joined(values.words), ":", "\\:");
  }
  return out + quoted(text);
}

std::string zsh(Program program) {
  std::string out(kZshHead);
  bool first = true;
  for_options_of(program, [&](const Option& option) {
    out += (first ? "" : " \\\n") + zsh_option(option);
    first = false;
  });
  if (program == Program::tun_run) out += " \\\n  '*:FILE:_files'";
  return filled(out + "\n", program);
}

bool takes_unix_path(const Values& values) {
  return std::any_of(values.words.begin(), values.words.end(),
                     [](const std::string& word) { return word.ends_with("unix:"); });
}

std::string fish(Program program) {
  const std::string command = "complete -c " + std::string(name_of(program));
  std::string out = filled(kFishHead, program);
  if (program != Program::tun_run) out += command + " -f\n";
  for_options_of(program, [&](const Option& option) {
    out +=
        command + (option.letter != 0 ? std::string(" -s ") + option.letter : "") + " -l " + std::string(option.name);
    if (!option.argument.empty() && !option.value_optional()) {
      const Values values = values_of(option);
      out += values.files ? " -r -F" : " -x";
      const std::string paths = takes_unix_path(values) ? filled(" (FUNCTION_paths)", program) : "";
      if (!values.words.empty()) out += " -a " + quoted(joined(values.words) + paths);
    }
    out += " -d " + quoted(option.help) + "\n";
  });
  return out;
}

}  // namespace

Values values_of(const Option& option) {
  std::string_view label = option.argument;
  if (option.value_optional()) label = label.substr(1, label.size() - 2);
  if (label.find('|') != std::string_view::npos) return {split(label, '|'), false};
  if (label == "FILE") return {{}, true};
  if (label == "KEY=N") {
    std::vector<std::string> keys;
    for (const std::string& key : plan::limit_keys()) keys.push_back(key + "=");
    return {std::move(keys), false};
  }
  if (label == "PROXY") return {proxy_words(), false};
  std::vector<std::string> words = schemes(label);
  return {words.empty() ? schemes_in_help(option.help) : std::move(words), false};
}

std::string completion(Program program, Shell shell) {
  if (shell == Shell::bash) return bash(program);
  return shell == Shell::zsh ? zsh(program) : fish(program);
}

std::string completion_file_name(Program program, Shell shell) {
  std::string name(name_of(program));
  if (shell == Shell::bash) return name;
  return shell == Shell::zsh ? "_" + name : name + ".fish";
}

}  // namespace tunnel::config
