// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "config/address.hpp"
#include "config/file.hpp"
#include "config/line.hpp"
#include "config/value.hpp"
#include "envoy/load.hpp"
#include "plan/check.hpp"
#include "plan/host_port.hpp"
#include "plan/references.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::uint64_t kMostWorkers = 1024;
constexpr std::size_t kLeastMemory = std::size_t{1} << 20;
constexpr std::size_t kMostMemory = std::size_t{1} << 40;

int verbosity_of(const Arguments& arguments) {
  const std::vector<Given> louder = arguments.all(Opt::verbose);
  const Given* quiet = arguments.find(Opt::quiet);
  if (quiet != nullptr && !louder.empty())
    throw Refusal(quiet->place, "-q and -v exclude each other; give one of them");
  if (louder.size() > 2) throw Refusal(louder.back().place, "-v is given three times; twice is all there is to see");
  return quiet != nullptr ? -1 : static_cast<int>(louder.size());
}

void add_limit(const Given& given, std::vector<plan::Limit>& limits) {
  const plan::Limit limit = parse_limit(given);
  const bool again =
      std::any_of(limits.begin(), limits.end(), [&](const plan::Limit& other) { return other.key == limit.key; });
  if (again) throw given.refusal("the limit " + limit.key + " is given twice; give it once");
  limits.push_back(limit);
}

plan::Process process_of(const Arguments& arguments, Faults& faults) {
  plan::Process process;
  const auto with = [&](Opt id, const auto& read) { read_option(arguments, id, faults, read); };
  with(Opt::workers,
       [&](const Given& given) { process.workers = static_cast<unsigned>(parse_number(given, 1, kMostWorkers)); });
  with(Opt::mem_limit,
       [&](const Given& given) { process.memory_bytes = parse_size(given, kLeastMemory, kMostMemory); });
  with(Opt::drain, [&](const Given& given) { process.drain = parse_duration(given, plan::Milliseconds::zero()); });
  with(Opt::admin, [&](const Given& given) { process.admin = parse_admin(given); });
  with(Opt::log_format, [&](const Given& given) { process.log_format = parse_log_format(given); });
  with(Opt::limit, [&](const Given& given) { add_limit(given, process.limits); });
  faults.attempt([&] { process.verbosity = verbosity_of(arguments); });
  process.stats = arguments.has(Opt::stats);
  process.force_pairs = arguments.has(Opt::force_pairs);
  process.envoy_compat = arguments.has(Opt::envoy_compat);
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

  Loaded alone(Program program, const Arguments& arguments, Faults& typed) {
    loaded_.plan.process = process_of(arguments, typed);
    add(program, arguments, {"command line", 0, 1}, typed);
    if (typed.empty()) share_max_connections(loaded_.plan);
    tell(typed);
    return judged();
  }

  Loaded together(const Arguments& arguments, Faults& typed) {
    loaded_.plan.process = process_of(arguments, typed);
    const auto is_source = [](const Given& given) {
      return !given.option || given.option->id == Opt::execute || given.option->id == Opt::envoy;
    };
    if (arguments.understood() && std::none_of(arguments.in_order().begin(), arguments.in_order().end(), is_source)) {
      typed.add({{}, "nothing to run; name a FILE, or give -e 'COMMAND' or --envoy FILE"});
    }
    refuse_compat_alone(arguments, typed);
    tell(typed);
    int commands = 0;
    for (const Given& given : arguments.in_order()) {
      if (given.option == nullptr) {
        add_file(given);
      } else if (given.option->id == Opt::execute) {
        add_script(given.value, "-e#" + std::to_string(++commands), kUsage);
      } else if (given.option->id == Opt::envoy) {
        add_envoy(given);
      }
    }
    refuse_open_proxies(arguments);
    return judged();
  }

 private:
  void tell(Faults& faults) { faults.tell(loaded_.problems, loaded_.status); }

  // Nothing is known about what `place` would have added.
  void give_up(const Refusal& refusal, int status) {
    Faults faults(status);
    faults.add(refusal);
    tell(faults);
    names_known_ = false;
  }

  void add_file(const Given& given) {
    if (given.value == "-") {
      return give_up({given.place, "lines from standard input are not supported by this version; name a FILE"}, kUsage);
    }
    const FileText file = read_file(given.value);
    if (!file.fault.empty()) return give_up({given.place, file.fault}, kNoInput);
    add_script(file.bytes, given.value, kBadConfig);
  }

  void add_envoy(const Given& given) {
    const FileText file = read_file(given.value);
    if (!file.fault.empty()) return give_up({given.place, file.fault}, kNoInput);
    const bool as_envoy = loaded_.plan.process.envoy_compat;
    envoy::Loaded read = envoy::load(file.bytes, given.value, as_envoy ? envoy::kEnvoysDefaults : envoy::Defaults{});
    if (!read.problems.empty() && loaded_.status == 0) loaded_.status = kBadConfig;
    for (plan::Problem& problem : read.problems) loaded_.problems.push_back(std::move(problem));
    names_known_ = names_known_ && read.names_known;
    if (read.admin && loaded_.plan.process.admin) {
      Faults faults(kBadConfig);
      faults.add({read.admin_place, "admin: there is an admin server already; leave one of them out"});
      tell(faults);
    }
    if (read.admin) loaded_.plan.process.admin = std::move(read.admin);
    for (plan::Listener& listener : read.listeners) loaded_.plan.listeners.push_back(std::move(listener));
    for (plan::Cluster& cluster : read.clusters) loaded_.plan.clusters.push_back(std::move(cluster));
  }

  // Nothing but an Envoy file promises what Envoy does.
  static void refuse_compat_alone(const Arguments& arguments, Faults& typed) {
    const Given* compat = arguments.find(Opt::envoy_compat);
    if (compat != nullptr && !arguments.has(Opt::envoy))
      typed.add({compat->place, "--envoy-compat is for Envoy's files; give --envoy FILE, too"});
  }

  // Where clients name targets, a port that anybody can reach is an open proxy. A line says so for itself.
  void refuse_open_proxies(const Arguments& arguments) {
    const Given* open = arguments.find(Opt::insecure_open);
    Faults faults(kBadConfig);
    bool from_envoy = false;
    for (const plan::Listener& listener : loaded_.plan.listeners) {
      if (listener.place.notation != plan::Notation::envoy) continue;
      from_envoy = true;
      const auto is_open = [](const plan::Address& address) {
        const auto* tcp = std::get_if<plan::Tcp>(&address);
        return tcp != nullptr && !plan::is_loopback(tcp->host);
      };
      if (open != nullptr || std::none_of(listener.addresses.begin(), listener.addresses.end(), is_open)) continue;
      if (!plan::lets_clients_name_targets(loaded_.plan, listener)) continue;
      faults.add(
          {listener.place, "whoever reaches listener " + plan::in_quotes(listener.name) +
                               " could use it as a proxy to anywhere (ORIGINAL_DST); let it listen on loopback or "
                               "give tun-run --insecure-open"});
    }
    if (open != nullptr && !from_envoy)
      faults.add({open->place, "--insecure-open is for --envoy files here; write it into the line that listens"});
    tell(faults);
  }

  // Every line is tried, so that all faults of a file are seen at once.
  void add_script(const std::string& text, const std::string& name, int status) {
    Faults faults(status);
    const std::vector<Words> lines = script_lines(text, name, environment_, faults);
    if (!faults.empty()) names_known_ = false;
    if (faults.empty() && lines.empty()) {
      faults.add({{name, 1, 1}, "no command is written here; add a line such as tcp-chain -l 9999 -t HOST:PORT"});
    }
    for (const Words& line : lines) add_words(line, faults);
    tell(faults);
  }

  void add_words(const Words& line, Faults& all) {
    const Word& first = line.front();
    const Words rest(line.begin() + 1, line.end());
    Faults faults(kBadConfig);
    std::optional<Program> program;
    faults.attempt([&] { program = program_called(first); });
    if (program) {
      add(*program, parse_arguments(*program, Setting::under_tun_run, rest, faults), first.place, faults);
    } else {
      names_known_ = false;
    }
    all.take(faults);
  }

  void add(Program program, const Arguments& arguments, const plan::Place& place, Faults& faults) {
    const std::size_t first = loaded_.plan.listeners.size();
    if (!add_line(program, arguments, place, loaded_.plan, faults)) names_known_ = false;
    if (faults.empty()) loaded_.lines.push_back({program, arguments, place, loaded_.plan.listeners.at(first).name});
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

  // What was understood is judged as a whole, too.
  Loaded judged() {
    using plan::Part;
    const Part part = loaded_.problems.empty() ? Part::whole : names_known_ ? Part::all_names : Part::some_names;
    std::vector<plan::Problem> problems = plan::check(loaded_.plan, part);
    if (loaded_.status == 0 && !problems.empty()) loaded_.status = kBadConfig;
    for (plan::Problem& problem : problems) loaded_.problems.push_back(std::move(problem));
    return std::move(loaded_);
  }

  const Environment& environment_;
  Loaded loaded_;
  bool names_known_ = true;  // of all internal listeners
};

}  // namespace

Loaded load(Program program, const Arguments& arguments, const Environment& environment, Faults& typed) {
  Loader loader(environment);
  return program == Program::tun_run ? loader.together(arguments, typed) : loader.alone(program, arguments, typed);
}

}  // namespace tunnel::config
