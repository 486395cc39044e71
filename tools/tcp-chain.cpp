// SPDX-License-Identifier: Apache-2.0
// tcp-chain: relays TCP connections.
#include "config/program.hpp"
#include "tunnel/run.hpp"

int main(int argc, char** argv) {
  return tunnel::config::main_of(tunnel::config::Program::tcp_chain, argc, argv, tunnel::run, tunnel::version);
}
