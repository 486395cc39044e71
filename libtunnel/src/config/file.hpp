// SPDX-License-Identifier: Apache-2.0
// A whole file in memory, as configuration needs it. Blocking; for start-up only.
#pragma once
#include <string>

namespace tunnel::config {

struct FileText {
  std::string bytes;
  std::string fault;  // why it could not be read, with the remedy; empty if it was
};

// At most 16 MiB.
FileText read_file(const std::string& path);

}  // namespace tunnel::config
