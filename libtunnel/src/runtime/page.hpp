// SPDX-License-Identifier: Apache-2.0
// The files of the live page, as the build found them in runtime/page/.
#pragma once
#include <span>
#include <string_view>

namespace tunnel::runtime {

struct PageFile {
  std::string_view name;  // "page.css"
  std::string_view bytes;
};

std::span<const PageFile> page_files();

}  // namespace tunnel::runtime
