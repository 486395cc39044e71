// SPDX-License-Identifier: Apache-2.0
// tun-encap: carries connections, or HTTP requests, inside a CONNECT through a proxy.
#include "config/program.hpp"
#include "tunnel/run.hpp"

int main(int argc, char** argv) {
  return tunnel::config::main_of(tunnel::config::Program::tun_encap, argc, argv, tunnel::run, tunnel::version);
}
