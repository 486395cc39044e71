# SPDX-License-Identifier: Apache-2.0
# Debian packages: cmake --preset package && cmake --build --preset package && (cd build/package && cpack). tunnel-tools has
# the programs, libtunnel-dev the static library. Equal inputs and an equal SOURCE_DATE_EPOCH give equal packages.
set(TUNNEL_MAINTAINER "The tunnel maintainers <maintainers@users.noreply.github.com>" CACHE STRING
  "Who answers for the Debian packages: Name <address>")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tunnel)
set(CPACK_PACKAGE_CONTACT ${TUNNEL_MAINTAINER})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL tools dev)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_TOOLS_DESCRIPTION "tun-encap wraps HTTP or any TCP in a CONNECT to a proxy, tun-decap terminates
CONNECT, tcp-chain relays TCP, and tun-run links several such lines inside one
process through internal listeners, without a socket in between.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME tunnel-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_DEV_DESCRIPTION "The static library with its headers: listeners, CONNECT tunnels and internal
hops inside a C++20 program, with handlers and clients of its own. Version 0:
no stability of the interface is promised.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtunnel-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libboost-program-options1.81-dev, libboost-url1.81-dev, libboost-json1.81-dev, libnghttp2-dev (>= 1.52), libyaml-cpp-dev (>= 0.7), libre2-dev, libssl-dev (>= 3.0), libspdlog-dev, libfmt-dev")

include(CPack)
