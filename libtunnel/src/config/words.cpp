// SPDX-License-Identifier: Apache-2.0
#include "config/words.hpp"

#include <cstddef>
#include <cstdlib>
#include <utility>

#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return starts_name(c) || (c >= '0' && c <= '9'); }

class Lexer {
 public:
  Lexer(std::string_view text, const std::string& name, const Environment& environment)
      : text_(text), name_(name), environment_(environment) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    if (ahead("\r\n")) ++at_;
  }

  std::vector<Words> lines(Faults& faults) {
    while (!done()) {
      if (!faults.attempt([&] { read_line(); })) skip_line();
    }
    return std::move(lines_);
  }

 private:
  bool done() const { return at_ == text_.size(); }
  char peek() const { return text_[at_]; }
  bool ahead(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  plan::Place here() const { return {name_, line_number_, column_}; }

  // A carriage return before a line's end is part of that end.
  void advance() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_number_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) {
      ++column_;  // columns count characters, so the tail of a UTF-8 sequence is none
    }
    if (ahead("\r\n")) ++at_;
  }

  // With the newline that ends it.
  void read_line() {
    line_.clear();
    while (!done() && peek() != '\n') {
      if (is_blank(peek())) {
        advance();
      } else if (peek() == '#') {
        while (!done() && peek() != '\n') advance();
      } else if (!skip_continuation()) {
        line_.push_back(word());
      }
    }
    if (!done()) advance();
    if (!line_.empty()) lines_.push_back(std::move(line_));
  }

  void skip_line() {
    while (!done() && peek() != '\n') {
      if (!skip_continuation()) advance();
    }
    if (!done()) advance();
  }

  bool skip_continuation() {
    if (!ahead("\\\n") && !ahead("\\\r\n")) return false;
    advance();
    advance();
    return true;
  }

  Word word() {
    Word word{"", here()};
    while (!done() && peek() != '\n' && !is_blank(peek())) {
      const char c = peek();
      if (skip_continuation()) continue;
      if (c == '\'') {
        single_quoted(word.text);
      } else if (c == '"') {
        double_quoted(word.text);
      } else if (c == '\\') {
        const plan::Place place = here();
        advance();
        if (done()) throw Refusal(place, "the \\ at the end continues nothing; remove it");
        take(word.text);
      } else if (c == '$') {
        variable(word.text);
      } else {
        refuse_shell(c);
        take(word.text);
      }
    }
    return word;
  }

  void take(std::string& into) {
    if (peek() == '\0') throw Refusal(here(), "a NUL byte cannot be part of a command; remove it");
    into += peek();
    advance();
  }

  void single_quoted(std::string& into) {
    const plan::Place opening = here();
    advance();
    while (!done() && peek() != '\'') take(into);
    close(opening);
  }

  void double_quoted(std::string& into) {
    const plan::Place opening = here();
    advance();
    while (!done() && peek() != '"') {
      if (skip_continuation()) continue;
      if (peek() == '\\') {
        advance();
        if (done()) break;
        if (std::string_view("$`\"\\").find(peek()) == std::string_view::npos) into += '\\';
        take(into);
      } else if (peek() == '$') {
        variable(into);
      } else if (peek() == '`') {
        refuse_shell('`');
      } else {
        take(into);
      }
    }
    close(opening);
  }

  void close(const plan::Place& opening) {
    if (done()) throw Refusal(opening, "the quote opened here is never closed; add the closing one");
    advance();
  }

  void variable(std::string& into) {
    const plan::Place place = here();
    const std::size_t closing = text_.find('}', at_);
    std::string variable_name;
    if (ahead("${") && closing != std::string_view::npos) variable_name = text_.substr(at_ + 2, closing - at_ - 2);
    bool good = !variable_name.empty() && starts_name(variable_name.front());
    for (const char c : variable_name) good = good && in_name(c);
    if (!good) throw Refusal(place, "only ${NAME} is replaced here; write \\$ for a dollar sign itself");
    const std::optional<std::string> value = environment_(variable_name);
    if (!value) throw Refusal(place, "the variable " + variable_name + " is not set; set it or write its value here");
    into += *value;
    while (at_ <= closing) advance();
  }

  void refuse_shell(char c) const {
    if (is_control(c)) throw Refusal(here(), "a control character stands here; quote or remove it");
    if (std::string_view("|&;<>()`").find(c) == std::string_view::npos) return;
    throw Refusal(here(), plan::in_quotes(std::string_view(&c, 1)) +
                              " means something to a shell, and this is not one; quote it or put one command a line");
  }

  std::string_view text_;
  const std::string& name_;
  const Environment& environment_;
  std::size_t at_ = 0;
  int line_number_ = 1;
  int column_ = 1;
  Words line_;
  std::vector<Words> lines_;
};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Words command_line_words(const std::vector<std::string>& arguments) {
  Words words;
  words.reserve(arguments.size());
  int number = 0;
  for (const std::string& argument : arguments) words.push_back({argument, {"command line", 0, ++number}});
  return words;
}

std::vector<Words> script_lines(std::string_view text, const std::string& name, const Environment& environment,
                                Faults& faults) {
  return Lexer(text, name, environment).lines(faults);
}

}  // namespace tunnel::config
