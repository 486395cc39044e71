// SPDX-License-Identifier: Apache-2.0
// tun-decap: accepts CONNECT and connects what it carries.
#include "config/program.hpp"
#include "tunnel/run.hpp"

int main(int argc, char** argv) {
  return tunnel::config::main_of(tunnel::config::Program::tun_decap, argc, argv, tunnel::run, tunnel::version);
}
