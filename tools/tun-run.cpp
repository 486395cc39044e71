// SPDX-License-Identifier: Apache-2.0
// tun-run: runs several lines in one process, joined by internal listeners.
#include "config/program.hpp"
#include "tunnel/run.hpp"

int main(int argc, char** argv) {
  return tunnel::config::main_of(tunnel::config::Program::tun_run, argc, argv, tunnel::run, tunnel::version);
}
