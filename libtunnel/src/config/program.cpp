// SPDX-License-Identifier: Apache-2.0
#include "config/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <exception>
#include <iostream>

#include "config/arguments.hpp"
#include "config/help.hpp"
#include "config/load.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

// "tun-run: edge.tun:3:14: text"; who typed the fault is told where to read on.
void tell(Program program, const plan::Problem& problem, int status, std::ostream& err) {
  const std::string where = plan::to_string(problem.place);
  err << name_of(program) << ": " << where << (where.empty() ? "" : ": ") << problem.text;
  if (status == kUsage && where.empty()) err << " (try " << name_of(program) << " --help)";
  err << '\n';
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

int finished(Program program, const Surroundings& around) {
  around.out.flush();
  if (around.out.good()) return kOk;
  around.err << name_of(program) << ": cannot write to standard output\n";
  return kFailed;
}

// A closed standard descriptor would be given to the next socket or file, and log lines would go there.
void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", O_RDWR | O_NOCTTY);
}

int obey(Program program, const Arguments& arguments, const Surroundings& around) {
  if (arguments.has(Opt::help)) {
    around.out << help_text(program);
    return finished(program, around);
  }
  if (arguments.has(Opt::version)) {
    around.out << name_of(program) << ' ' << around.version() << '\n';
    return finished(program, around);
  }
  const Loaded loaded = load(program, arguments, around.environment);
  for (const plan::Problem& problem : loaded.problems) tell(program, problem, loaded.status, around.err);
  if (!loaded.problems.empty()) return loaded.status;
  if (!arguments.has(Opt::check)) return around.run(loaded.plan);
  around.out << "good: " << counted(loaded.plan.listeners.size(), "listener") << ", "
             << counted(loaded.plan.clusters.size(), "cluster") << '\n';
  return finished(program, around);
}

}  // namespace

int run_program(Program program, const std::vector<std::string>& arguments, const Surroundings& around) {
  try {
    return obey(program, parse_arguments(program, Setting::alone, command_line_words(arguments)), around);
  } catch (const Refusal& refusal) {
    tell(program, refusal.problem(), refusal.status_or(kUsage), around.err);
    return refusal.status_or(kUsage);
  }
}

int main_of(Program program, int argc, char** argv, int (*run)(const plan::Plan&), std::string (*version)()) {
  open_standard_descriptors();
  try {
    const std::vector<std::string> arguments(argc > 0 ? argv + 1 : argv, argv + argc);
    return run_program(program, arguments, {std::cout, std::cerr, process_environment(), run, version});
  } catch (const std::exception& error) {
    std::cerr << name_of(program) << ": " << error.what() << '\n';
    return kFailed;
  }
}

}  // namespace tunnel::config
