// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "config/file.hpp"
#include "config/line.hpp"
#include "config/value.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::uint64_t kMostWorkers = 1024;

int verbosity_of(const Arguments& arguments) {
  const std::vector<Given> louder = arguments.all(Opt::verbose);
  const Given* quiet = arguments.find(Opt::quiet);
  if (quiet != nullptr && !louder.empty())
    throw Refusal(quiet->place, "-q and -v exclude each other; give one of them");
  if (louder.size() > 2) throw Refusal(louder.back().place, "-v is given three times; twice is all there is to see");
  return quiet != nullptr ? -1 : static_cast<int>(louder.size());
}

plan::Process process_of(const Arguments& arguments) {
  plan::Process process;
  if (const Given* given = arguments.find(Opt::workers)) {
    process.workers = static_cast<unsigned>(parse_number(*given, 1, kMostWorkers));
  }
  if (const Given* given = arguments.find(Opt::drain))
    process.drain = parse_duration(*given, plan::Milliseconds::zero());
  if (const Given* given = arguments.find(Opt::log_format)) process.log_format = parse_log_format(*given);
  process.verbosity = verbosity_of(arguments);
  process.force_pairs = arguments.has(Opt::force_pairs);
  for (const Given& given : arguments.all(Opt::limit)) {
    const plan::Limit limit = parse_limit(given);
    const bool again = std::any_of(process.limits.begin(), process.limits.end(),
                                   [&](const plan::Limit& other) { return other.key == limit.key; });
    if (again) throw given.refusal("the limit " + limit.key + " is given twice; give it once");
    process.limits.push_back(limit);
  }
  return process;
}

// A line run alone is its process, so its --max-conns is the process's too, unless that has a limit of its own.
void share_max_connections(plan::Plan& plan) {
  const bool given = std::any_of(plan.process.limits.begin(), plan.process.limits.end(),
                                 [](const plan::Limit& limit) { return limit.key == "conns"; });
  const unsigned most = plan.listeners.front().max_connections;
  if (!given && most != 0) plan.process.limits.push_back({"conns", most});
}

class Loader {
 public:
  explicit Loader(const Environment& environment) : environment_(environment) {}

  Loaded alone(Program program, const Arguments& arguments) {
    attempt(kUsage, [&] {
      loaded_.plan.process = process_of(arguments);
      add_line(program, arguments, {"command line", 0, 1}, loaded_.plan);
      share_max_connections(loaded_.plan);
    });
    return judged();
  }

  Loaded together(const Arguments& arguments) {
    attempt(kUsage, [&] { loaded_.plan.process = process_of(arguments); });
    int commands = 0;
    bool any = false;
    for (const Given& given : arguments.in_order()) {
      if (given.option == nullptr) {
        attempt(kBadConfig, [&] { add_file(given); });
        any = true;
      } else if (given.option->id == Opt::execute) {
        const std::string name = "-e#" + std::to_string(++commands);
        attempt(kUsage, [&] { add_script(given.value, name, kUsage); });
        any = true;
      }
    }
    if (!any) attempt(kUsage, [] { throw Refusal({}, "nothing to run; name a FILE or give -e 'COMMAND'"); });
    return judged();
  }

 private:
  template <class Step>
  void attempt(int status, const Step& step) {
    try {
      step();
    } catch (const Refusal& refusal) {
      loaded_.problems.push_back(refusal.problem());
      if (loaded_.status == 0) loaded_.status = refusal.status_or(status);
    }
  }

  void add_file(const Given& given) {
    if (given.value == "-") {
      throw Refusal(given.place, "lines from standard input are not supported by this version; name a FILE", kUsage);
    }
    const FileText file = read_file(given.value);
    if (!file.fault.empty()) throw Refusal(given.place, file.fault, kNoInput);
    add_script(file.bytes, given.value, kBadConfig);
  }

  // Every line is tried, so that all faults of a file are seen at once.
  void add_script(const std::string& text, const std::string& name, int status) {
    const std::vector<Words> lines = script_lines(text, name, environment_);
    if (lines.empty())
      throw Refusal({name, 1, 1}, "no command is written here; add a line such as tcp-chain -l 9999 -t HOST:PORT");
    for (const Words& line : lines) {
      attempt(status, [&] { add_words(line); });
    }
  }

  void add_words(const Words& line) {
    const Word& first = line.front();
    const Program program = program_called(first);
    const Words rest(line.begin() + 1, line.end());
    add_line(program, parse_arguments(program, Setting::under_tun_run, rest), first.place, loaded_.plan);
  }

  static Program program_called(const Word& word) {
    std::vector<std::string> known;
    for (const Program program : {Program::tun_encap, Program::tun_decap, Program::tcp_chain}) {
      if (word.text == name_of(program)) return program;
      known.emplace_back(name_of(program));
    }
    if (word.text == name_of(Program::tun_run)) {
      throw Refusal(word.place, "tun-run cannot stand inside tun-run; write its lines here");
    }
    const std::string hint = plan::did_you_mean(word.text, known);
    throw Refusal(word.place,
                  "a line begins with tun-encap, tun-decap or tcp-chain, not " + plan::in_quotes(word.text) + hint);
  }

  Loaded judged() {
    if (loaded_.problems.empty()) {
      loaded_.problems = plan::check(loaded_.plan);
      if (!loaded_.problems.empty()) loaded_.status = kBadConfig;
    }
    return std::move(loaded_);
  }

  const Environment& environment_;
  Loaded loaded_;
};

}  // namespace

Loaded load(Program program, const Arguments& arguments, const Environment& environment) {
  Loader loader(environment);
  return program == Program::tun_run ? loader.together(arguments) : loader.alone(program, arguments);
}

}  // namespace tunnel::config
