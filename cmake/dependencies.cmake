# SPDX-License-Identifier: Apache-2.0
find_package(Threads REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS program_options url json)
find_package(OpenSSL 3.0 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)
pkg_check_modules(YAMLCPP REQUIRED IMPORTED_TARGET yaml-cpp>=0.7)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
if(TUNNEL_TESTS)
  find_package(GTest REQUIRED)
endif()

add_library(tunnel_options INTERFACE)
target_compile_definitions(tunnel_options INTERFACE BOOST_ASIO_NO_DEPRECATED TUNNEL_VERSION="${PROJECT_VERSION}")
target_link_libraries(tunnel_options INTERFACE Boost::headers fmt::fmt Threads::Threads)
# What whoever links libtunnel.a links with it; cmake/tunnel-config.cmake.in finds the same, and tunnel.pc.in names it.
set(TUNNEL_LINKED spdlog::spdlog fmt::fmt Boost::program_options Boost::url Boost::json OpenSSL::SSL OpenSSL::Crypto PkgConfig::NGHTTP2
  PkgConfig::YAMLCPP PkgConfig::RE2 Threads::Threads)
