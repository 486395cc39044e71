# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, in two components: `tools` (the four programs with all that users of them need) and `dev`
# (the static library with its public headers). The version is that of project() everywhere.
include(CMakePackageConfigHelpers)

# Where a shell, and systemd, look depends on the prefix: Debian keeps /usr/share/zsh/site-functions for nobody.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND EXISTS /etc/debian_version)
  set(zsh_directory ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
else()
  set(zsh_directory ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
set(TUNNEL_ZSH_DIR ${zsh_directory} CACHE STRING "Where zsh completions go, relative to the prefix")
set(TUNNEL_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd units go, relative to the prefix")

# --- tools ---
install(TARGETS tun-encap tun-decap tcp-chain tun-run RUNTIME COMPONENT tools)

# The pages name the version in their last line.
file(GLOB pages CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/man ${PROJECT_SOURCE_DIR}/man/*.[1-9])
foreach(page IN LISTS pages)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/${page})
  file(READ ${PROJECT_SOURCE_DIR}/man/${page} text)
  string(REGEX REPLACE "\n\\.Os *\n" "\n.Os tunnel ${PROJECT_VERSION}\n" text "${text}")
  file(WRITE ${PROJECT_BINARY_DIR}/man/${page} "${text}")
  string(REGEX MATCH "[1-9]$" section ${page})
  install(FILES ${PROJECT_BINARY_DIR}/man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT tools)
endforeach()

if(TARGET shell-completions)
  foreach(program IN ITEMS tun-encap tun-decap tcp-chain tun-run)
    install(FILES ${PROJECT_BINARY_DIR}/completions/bash/${program}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
    install(FILES ${PROJECT_BINARY_DIR}/completions/zsh/_${program} DESTINATION ${TUNNEL_ZSH_DIR} COMPONENT tools)
    install(FILES ${PROJECT_BINARY_DIR}/completions/fish/${program}.fish
      DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tools)
  endforeach()
endif()

configure_file(${PROJECT_SOURCE_DIR}/packaging/tun-run@.service.in ${PROJECT_BINARY_DIR}/packaging/tun-run@.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/tun-run@.service DESTINATION ${TUNNEL_UNIT_DIR} COMPONENT tools)

install(FILES README.md CHANGELOG.md SECURITY.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tools)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tools USE_SOURCE_PERMISSIONS PATTERN embed EXCLUDE)

# --- dev ---
install(TARGETS tunnel EXPORT tunnel-targets ARCHIVE COMPONENT dev)
install(DIRECTORY libtunnel/include/tunnel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.hpp")
set(config_directory ${CMAKE_INSTALL_LIBDIR}/cmake/tunnel)
configure_package_config_file(cmake/tunnel-config.cmake.in ${PROJECT_BINARY_DIR}/packaging/tunnel-config.cmake
  INSTALL_DESTINATION ${config_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/packaging/tunnel-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/packaging/tunnel-config.cmake ${PROJECT_BINARY_DIR}/packaging/tunnel-config-version.cmake
  DESTINATION ${config_directory} COMPONENT dev)
install(EXPORT tunnel-targets NAMESPACE tunnel:: DESTINATION ${config_directory} COMPONENT dev)

file(RELATIVE_PATH TUNNEL_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" TUNNEL_PC_TO_PREFIX "${TUNNEL_PC_TO_PREFIX}")
configure_file(cmake/tunnel.pc.in ${PROJECT_BINARY_DIR}/packaging/tunnel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/tunnel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

if(PROJECT_IS_TOP_LEVEL)
  include(cmake/package.cmake)
endif()
