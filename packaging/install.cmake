# SPDX-License-Identifier: Apache-2.0
# Runs at install time. Under /usr and /usr/local the configuration is in /etc, where the program looks for it; any other prefix is
# somebody's own folder and nothing is written outside it.
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?/?$")
    set(etc /etc)
else()
    set(etc ${CMAKE_INSTALL_PREFIX}/etc)
endif()
set(SBINDIR ${CMAKE_INSTALL_PREFIX}/${SBINDIR_NAME})
configure_file(${SOURCE}/packaging/weft.service.in ${WORK}/weft.service @ONLY)
file(INSTALL ${WORK}/weft.service DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)

if(EXISTS "$ENV{DESTDIR}${etc}/weft/weft.yaml")
    message(STATUS "Kept: $ENV{DESTDIR}${etc}/weft/weft.yaml")
else()
    file(INSTALL ${SOURCE}/deploy/weft.yaml DESTINATION ${etc}/weft)
endif()
