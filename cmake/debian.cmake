# SPDX-License-Identifier: Apache-2.0
# Run by cpack on the staged files of each package, before they are packed: Debian wants its documents under the package's own
# name, what is long compressed, and a copyright and a changelog.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(date_argument -d @$ENV{SOURCE_DATE_EPOCH})
endif()
execute_process(COMMAND date -u -R ${date_argument} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} COMPONENT)
  set(package ${CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME})
  set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr)
  set(doc ${usr}/share/doc/${package})
  if(EXISTS ${usr}/share/doc/tunnel)
    file(RENAME ${usr}/share/doc/tunnel ${doc})
  endif()
  file(REMOVE ${doc}/LICENSE)
  file(MAKE_DIRECTORY ${doc})
  file(WRITE ${doc}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tunnel

Files: *
Copyright: 2026 the tunnel authors
License: Apache-2.0
 On Debian systems the full text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
")
  file(WRITE ${doc}/changelog.Debian
"tunnel (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Built with cpack; what changed is in CHANGELOG.md.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  if(EXISTS ${doc}/CHANGELOG.md)
    file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
  endif()
  file(GLOB pages ${usr}/share/man/man*/*.[1-9])
  file(GLOB changelogs ${doc}/changelog*)
  execute_process(COMMAND gzip -9n ${pages} ${changelogs} COMMAND_ERROR_IS_FATAL ANY)
  # Whatever the umask was: a package must not make /usr private.
  execute_process(COMMAND chmod -R u=rwX,go=rX ${usr} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
