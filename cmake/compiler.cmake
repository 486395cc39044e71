# SPDX-License-Identifier: Apache-2.0
# The language, the compilers that are known to get coroutines right, warnings and sanitizers.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13 AND NOT TUNNEL_COMPILE_ONLY)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys some coroutine temporaries twice: use clang 16 or newer (Debian 12: apt install clang-19, then cmake --preset release) or g++ 13 or newer.")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
  message(FATAL_ERROR "clang ${CMAKE_CXX_COMPILER_VERSION} is too old: use clang 16 or newer (Debian 12: apt install clang-19, then cmake --preset release).")
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual -Wunused -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside the standard library's own headers.
  add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds -Wno-dangling-pointer)
endif()
if(TUNNEL_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# A program or library that holds libtunnel.a may be position-independent, and shows nothing of it.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(TUNNEL_SANITIZE)
  # Without vptr: that check opens a pipe, and reports a wrong type where a test has used up all descriptors.
  add_compile_options(-fsanitize=${TUNNEL_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TUNNEL_SANITIZE})
  add_compile_definitions(TUNNEL_SANITIZED)
else()
  # What Debian hardens with, and more. Measured on GETs and bulk through an HTTP/2 CONNECT, medians of 9 rounds, against
  # _FORTIFY_SOURCE=2 without assertions, stack-clash protection and PIC: 40.0 and 40.0 µs of CPU a request, 0.57 and 0.59
  # s/GiB: no cost that shows.
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection -Wformat -Werror=format-security
    -Wdate-time)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=3>)
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()

if(TUNNEL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(TUNNEL_CCACHE ccache)
if(TUNNEL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TUNNEL_CCACHE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(TUNNEL_LLD NAMES ld.lld-19 ld.lld)
  if(TUNNEL_LLD)
    add_link_options(--ld-path=${TUNNEL_LLD})
  endif()
endif()
if(TUNNEL_CLANG_TIDY)
  find_program(TUNNEL_TIDY NAMES clang-tidy-19 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${TUNNEL_TIDY} --quiet)
endif()
