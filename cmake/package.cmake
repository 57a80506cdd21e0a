# `cmake --build build --target package`: three Debian packages in the build directory. Needs dpkg-dev,
# and gzip. What the first does when it is installed, upgraded and removed stands in packaging/deb;
# test/packaging tries them.
#
#     gossipvs         the programs. They are linked with what the library is made of, and not with
#                      it: who runs an agent needs one package
#     libgossipvs0     the library for other programs, by its soname, as Debian wants: the next one can
#                      be installed beside it
#     libgossipvs-dev  what it takes to build one: header, static library, pkg-config file, example

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
set(CPACK_COMPONENT_UNSPECIFIED_DESCRIPTION
"masterless IPVS cluster: gossip between balancers
Every balancer of a cluster runs one agent. The agents agree on a table of
virtual services peer to peer, and each programs its own kernel's IPVS from
its own copy. No leader, no quorum, no store beside it. A service that did
not change is never touched: not by a change beside it, nor by a restart.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION
"masterless IPVS cluster: an agent in another program
Agents of gossipvs agree on a table of virtual services peer to peer, and
each programs its own kernel's IPVS from its own copy. This is the agent as
a library, for a program with a libuv loop.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
"masterless IPVS cluster: to build a program with an agent in it
Agents of gossipvs agree on a table of virtual services peer to peer, and
each programs its own kernel's IPVS from its own copy. These are the header,
which is the manual, the static library, and an example.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/packaging/deb/stage.cmake")

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME gossipvs)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SECTION net)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SHLIBDEPS ON)
# procps has the unit's /bin/kill.
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_DEPENDS
    "init-system-helpers (>= 1.54~), procps, systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_SUGGESTS "ipvsadm")
foreach(script postinst prerm postrm)
    list(APPEND CPACK_DEBIAN_UNSPECIFIED_PACKAGE_CONTROL_EXTRA
        "${PROJECT_SOURCE_DIR}/packaging/deb/${script}")
endforeach()

# Its dependencies are looked for by packaging/deb/stage.cmake: where CPack does it, it also has
# scripts call ldconfig, for which Debian has a trigger.
set(so ${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libgossipvs${so})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
file(WRITE "${CMAKE_BINARY_DIR}/packaging/shlibs"
    "libgossipvs ${so} libgossipvs${so} (>= ${PROJECT_VERSION})\n")
file(WRITE "${CMAKE_BINARY_DIR}/packaging/triggers" "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA
    "${CMAKE_BINARY_DIR}/packaging/shlibs" "${CMAKE_BINARY_DIR}/packaging/triggers")

# What the static library and the pkg-config file ask for.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgossipvs-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libgossipvs${so} (= ${PROJECT_VERSION}-1), libuv1-dev, libmsgpack-dev, libnl-3-dev, \
libnl-genl-3-dev, libnl-route-3-dev, libsodium-dev, liblmdb-dev, libconfuse-dev, libjansson-dev")
if(GVS_CONFINES)
    string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libseccomp-dev")
endif()
if(MICROHTTPD_FOUND)
    string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libmicrohttpd-dev")
endif()
include(CPack)
