# Run at installation, as install_unit.cmake is, and for the same reason.

set(prefix "${CMAKE_INSTALL_PREFIX}")
configure_file("${source}/packaging/gossipvs.pc.in" "${binary}/packaging/gossipvs.pc" @ONLY)
file(INSTALL "${binary}/packaging/gossipvs.pc"
    DESTINATION "${CMAKE_INSTALL_PREFIX}/${libdir}/pkgconfig")
