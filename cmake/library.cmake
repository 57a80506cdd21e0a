# libgossipvs for other programs, shared and static: the agent and the layers below it in one, of the
# objects that our own programs are linked with. What is exported is what tools/agent/gossipvs.h marks
# GVS_PUBLIC: everything else is compiled hidden.

set(parts gvs_core gvs_net gvs_udp gvs_ipvs gvs_agent)
list(TRANSFORM parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
set(needs UV MSGPACK NL SODIUM LMDB CONFUSE JANSSON)
if(GVS_CONFINES)
    list(APPEND needs SECCOMP)
endif()
if(MICROHTTPD_FOUND)
    list(APPEND needs MICROHTTPD)
endif()

add_library(gossipvs_shared SHARED ${objects})
add_library(gossipvs_static STATIC ${objects})
list(TRANSFORM needs PREPEND PkgConfig:: OUTPUT_VARIABLE libraries)
target_link_libraries(gossipvs_shared PRIVATE ${libraries} Threads::Threads)
target_link_libraries(gossipvs_static PRIVATE ${libraries} Threads::Threads)
set_target_properties(gossipvs_shared gossipvs_static PROPERTIES
    OUTPUT_NAME gossipvs
    LINKER_LANGUAGE C
)
set_target_properties(gossipvs_shared PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
)
# A program that loads its plugins by dlopen may be the one that embeds an agent.
get_target_property(options gossipvs_shared LINK_OPTIONS)
list(FILTER options EXCLUDE REGEX nodlopen)
set_target_properties(gossipvs_shared PROPERTIES LINK_OPTIONS "${options}")

include(GNUInstallDirs)
install(TARGETS gossipvs_shared
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS gossipvs_static
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES tools/agent/gossipvs.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES docs/example.c
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/libgossipvs-dev COMPONENT development)

# What a static link needs, by the names that pkg-config knows it by. libmicrohttpd by its own alone:
# its pkg-config file wants gnutls and whatever that is made of, some of which a Debian with
# libmicrohttpd-dev has not, and a shared libmicrohttpd needs none of it named.
set(private -pthread)
foreach(need ${needs})
    if(need STREQUAL NL)
        list(APPEND modules ${NL_MODULES})
    elseif(need STREQUAL MICROHTTPD)
        string(APPEND private " -lmicrohttpd")
    elseif(NOT need STREQUAL UV)
        list(APPEND modules ${${need}_MODULE_NAME})
    endif()
endforeach()
list(JOIN modules " " modules)
install(CODE "set(source \"${PROJECT_SOURCE_DIR}\")
set(binary \"${CMAKE_BINARY_DIR}\")
set(includedir \"${CMAKE_INSTALL_INCLUDEDIR}\")
set(libdir \"${CMAKE_INSTALL_LIBDIR}\")
set(version \"${PROJECT_VERSION}\")
set(requires \"${modules}\")
set(private \"${private}\")" COMPONENT development)
install(SCRIPT cmake/install_pc.cmake COMPONENT development)
