# `cmake --build build --target package`: gossipvs_VERSION_ARCH.deb in the build directory. Needs
# dpkg-dev, and gzip. What it does when it is installed, upgraded and removed stands in packaging/deb;
# test/packaging tries it.

# Whoever builds it answers for it, and says who he is as Debian's tools want it.
cmake_host_system_information(RESULT host QUERY FQDN)
set(maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
if("$ENV{DEBEMAIL}" STREQUAL "")
    set(maintainer "root <root@${host}>")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gossipvs)
set(CPACK_PACKAGE_VENDOR "the gossipvs developers")
set(CPACK_PACKAGE_CONTACT "${maintainer}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "masterless IPVS cluster: gossip between balancers")
set(CPACK_PACKAGE_DESCRIPTION
"Every balancer of a cluster runs one agent. The agents agree on a table of
virtual services peer to peer, and each programs its own kernel's IPVS from
its own copy. No leader, no quorum, no store beside it. A service that did
not change is never touched: not by a change beside it, nor by a restart.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/packaging/deb/stage.cmake")

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# procps has the unit's /bin/kill.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "init-system-helpers (>= 1.54~), procps, systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "ipvsadm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script postinst prerm postrm)
    list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/packaging/deb/${script}")
endforeach()
include(CPack)
