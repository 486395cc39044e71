// SPDX-License-Identifier: Apache-2.0
#include "config/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <optional>

#include "config/arguments.hpp"
#include "config/help.hpp"
#include "config/load.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

// "tun-run: edge.tun:3:14: text"; who typed the fault is told where to read on.
int tell_all(Program program, const Loaded& loaded, std::ostream& err) {
  bool typed = false;
  for (const plan::Problem& problem : loaded.problems) {
    const std::string where = plan::to_string(problem.place);
    typed = typed || where.empty();
    err << name_of(program) << ": " << where << (where.empty() ? "" : ": ") << problem.text;
    const bool last = &problem == &loaded.problems.back();
    if (last && typed && loaded.status == kUsage) err << " (try " << name_of(program) << " --help)";
    err << '\n';
  }
  return loaded.status;
}

int finished(Program program, const Surroundings& around) {
  around.out.flush();
  if (around.out.good()) return kOk;
  around.err << name_of(program) << ": cannot write to standard output\n";
  return kFailed;
}

// A closed standard descriptor would be given to the next socket or file, and log lines would go there. What is written
// to a closed standard output still fails.
void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", (fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) | O_NOCTTY);
}

int obey(Program program, const Arguments& arguments, Faults& typed, const Surroundings& around) {
  if (typed.empty() && arguments.has(Opt::help)) {
    around.out << help_text(program);
    return finished(program, around);
  }
  if (typed.empty() && arguments.has(Opt::version)) {
    around.out << name_of(program) << ' ' << around.version() << '\n';
    return finished(program, around);
  }
  const std::optional<Opt> wish = wish_of(arguments, typed);
  Loaded loaded = load(program, arguments, around.environment, typed);
  if (!loaded.problems.empty()) return tell_all(program, loaded, around.err);
  if (!wish) return around.run(loaded.plan);
  std::string text;
  Faults faults(kUsage);
  faults.attempt([&] { text = show(*wish, arguments, loaded, around.paper); });
  faults.tell(loaded.problems, loaded.status);
  if (!loaded.problems.empty()) {
    if (loaded.status == 0) loaded.status = kBadConfig;
    return tell_all(program, loaded, around.err);
  }
  around.out << text;
  return finished(program, around);
}

}  // namespace

int run_program(Program program, const std::vector<std::string>& arguments, const Surroundings& around) {
  Faults typed(kUsage);
  const Arguments understood = parse_arguments(program, Setting::alone, command_line_words(arguments), typed);
  return obey(program, understood, typed, around);
}

int main_of(Program program, int argc, char** argv, int (*run)(const plan::Plan&), std::string (*version)()) {
  open_standard_descriptors();
  try {
    const std::vector<std::string> arguments(argc > 0 ? argv + 1 : argv, argv + argc);
    const Environment environment = process_environment();
    return run_program(program, arguments,
                       {std::cout, std::cerr, environment, run, version, standard_output(environment)});
  } catch (const std::exception& error) {
    std::cerr << name_of(program) << ": " << error.what() << '\n';
    return kFailed;
  }
}

}  // namespace tunnel::config
