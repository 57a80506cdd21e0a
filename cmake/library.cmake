# libgossipvs for other programs, shared and static: the agent and the layers below it in one, of the
# objects that our own programs are linked with. What is exported is what tools/agent/gossipvs.h marks
# GVS_PUBLIC: everything else is compiled hidden.

set(parts gvs_core gvs_net gvs_udp gvs_ipvs libgossipvs)
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
