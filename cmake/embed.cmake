# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=FILE.cpp -DINPUTS=FILE;... -P embed.cmake: writes the files of the live page as a source that defines
# tunnel::runtime::page_files(). Each becomes a raw string in pieces, as compilers limit the length of one.
set(piece 12000)
set(entries "")
set(literals "")
foreach(input IN LISTS INPUTS)
  get_filename_component(name "${input}" NAME)
  file(READ "${input}" text)
  string(FIND "${text}" ")page\"" clash)
  if(NOT clash EQUAL -1)
    message(FATAL_ERROR "${input} contains the end of a raw string, )page\", and cannot be embedded")
  endif()
  string(LENGTH "${text}" length)
  set(literal "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} ${piece} part)
    string(APPEND literal "    R\"page(${part})page\"\n")
    math(EXPR at "${at} + ${piece}")
  endwhile()
  string(APPEND entries "    PageFile{\"${name}\",\n${literal}    },\n")
endforeach()
file(WRITE "${OUTPUT}.new" "// Made by cmake/embed.cmake from runtime/page/.
#include <array>

#include \"runtime/page.hpp\"

namespace tunnel::runtime {

std::span<const PageFile> page_files() {
  static constexpr auto kFiles = std::to_array<PageFile>({
${entries}  });
  return kFiles;
}

}  // namespace tunnel::runtime
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
