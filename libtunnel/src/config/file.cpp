// SPDX-License-Identifier: Apache-2.0
#include "config/file.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <system_error>

#include "plan/wording.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kMostBytes = 16 * 1048576;

std::string unreadable(const std::string& path, int error) {
  return "cannot read the file " + plan::in_quotes(path) + " (" + std::generic_category().message(error) +
         "); check its name and permissions";
}

}  // namespace

FileText read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file) return {"", unreadable(path, errno)};
  FileText text;
  std::array<char, 65536> chunk{};
  while (std::feof(file.get()) == 0 && std::ferror(file.get()) == 0) {
    const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get());
    text.bytes.append(chunk.data(), count);
    if (text.bytes.size() > kMostBytes) {
      return {"", "the file " + plan::in_quotes(path) + " is larger than 16 MiB; give a smaller one"};
    }
  }
  if (std::ferror(file.get()) != 0) return {"", unreadable(path, errno)};
  return text;
}

}  // namespace tunnel::config
