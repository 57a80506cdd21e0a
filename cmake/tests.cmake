# The tests that ctest runs. Those that need a kernel with IPVS are test/kernel/t_*, which
# tools/check runs.

# What several of them have, compiled once.
add_library(cluster OBJECT test/lib/cluster.c)
add_library(fake OBJECT test/ipvs/fake.c)

# All unit tests, and what they run, but for the simulator.
add_custom_target(tests DEPENDS gossipvsd gossipvs)

# gvs_test(core/diff test/core/test_diff.c [MORE.c...] LIBS gvs_core): one program, one test of
# that name. It runs at the top of the source tree, so that it finds its data; what it writes
# belongs elsewhere, since several builds are tested at once.
function(gvs_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS")
    string(REPLACE "/" "_" target "test_${name}")
    add_executable(${target} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} PRIVATE ${arg_LIBS} PkgConfig::CMOCKA)
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test"
    )
    add_test(NAME ${name} COMMAND ${target} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES
        LABELS unit
        ENVIRONMENT "GVS_BIN=${CMAKE_BINARY_DIR}"
    )
    add_dependencies(tests ${target})
endfunction()

foreach(module
    addr arena diff entry falls id index key merge plan set sketch stamp table table_large tree trial value
    vector view
)
    gvs_test(core/${module} test/core/test_${module}.c LIBS gvs_core)
endforeach()

foreach(module cookie crossing crypto cursor flood hostile keylog keyring keys member node_in noise
        noise_flynn overwrite pace relay relay_all replica ring secret session sync sync_cells
        window wire)
    gvs_test(net/${module} test/net/test_${module}.c
        LIBS gvs_net PkgConfig::MSGPACK PkgConfig::SODIUM)
endforeach()
foreach(module age apart clocks faults node rotate)
    gvs_test(net/${module} test/net/test_${module}.c LIBS gvs_net cluster)
endforeach()
gvs_test(net/udp test/net/test_udp.c LIBS gvs_udp PkgConfig::UV)

foreach(module doctor ledger nl nl_answers)
    gvs_test(ipvs/${module} test/ipvs/test_${module}.c LIBS gvs_ipvs PkgConfig::NL)
endforeach()

# Against a kernel in memory, which the linker finds before netlink.
foreach(part "" _brake _drain _faults _random _state)
    gvs_test(ipvs/kernel${part} test/ipvs/test_kernel${part}.c LIBS fake gvs_ipvs)
endforeach()

# What tools/bench runs, and the tests of agents.
add_executable(bench_diff test/core/bench_diff.c)
target_link_libraries(bench_diff PRIVATE gvs_core)
add_executable(bench_table test/core/bench_table.c)
target_link_libraries(bench_table PRIVATE gvs_core)
add_executable(bench_detector test/net/bench_detector.c)
target_link_libraries(bench_detector PRIVATE gvs_net cluster)
add_executable(bench_nl test/kernel/bench_nl.c)
target_link_libraries(bench_nl PRIVATE gvs_ipvs)
add_executable(bench_gossip test/net/bench_gossip.c test/lib/loopback.c)
target_link_libraries(bench_gossip PRIVATE gvs_net)
add_executable(flood test/net/flood.c)
add_executable(traffic test/kernel/traffic.c)
add_executable(tracer test/kernel/tracer.c)
set_target_properties(bench_detector bench_diff bench_gossip bench_nl bench_table flood tracer
    traffic
    PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test"
)

# That it still runs, and that what it counts can be: not how fast it is.
add_test(NAME net/bench_gossip COMMAND bench_gossip latency -n 3 -c 20 -s 1)
set_tests_properties(net/bench_gossip PROPERTIES LABELS unit)
add_dependencies(tests bench_gossip flood)

# What the scripts test/kernel/t_* run inside the virtual machine.
foreach(part nl link kernel model)
    add_executable(${part}_live test/kernel/${part}_live.c)
    target_link_libraries(${part}_live PRIVATE gvs_ipvs)
    set_target_properties(${part}_live PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test"
    )
endforeach()

# All but the unit tests and what they alone use.
add_custom_target(programs DEPENDS gossipvsd gossipvs sim flood gossipvs_shared gossipvs_static
    kernel_live link_live model_live nl_live tracer traffic completion)
if(TARGET man)
    add_dependencies(programs man)
endif()

foreach(module agent agent_disk agent_peers checker claims config fault health_rule helper hide
        names runner store store_file)
    gvs_test(tools/${module} test/tools/test_${module}.c LIBS gvs_agent)
endforeach()

# As others have it: the shared library, and what its header exports.
gvs_test(tools/library test/tools/test_library.c
    LIBS gossipvs_shared PkgConfig::UV PkgConfig::JANSSON)

if(MICROHTTPD_FOUND)
    target_compile_definitions(test_tools_config PRIVATE GVS_MICROHTTPD)
endif()

# Against a kernel in memory, too.
gvs_test(tools/agent_claims test/tools/test_agent_claims.c LIBS fake gvs_agent)
gvs_test(tools/braked test/tools/test_braked.c LIBS fake gvs_agent)
gvs_test(tools/withdraw test/tools/test_withdraw.c LIBS fake gvs_agent)

gvs_test(tools/confined test/tools/test_confine.c
    tools/process/confine.c tools/process/confine_calls.c LIBS)
if(SECCOMP_FOUND AND NOT GVS_SANITIZE MATCHES "address|leak|memory|thread")
    target_compile_definitions(test_tools_confined PRIVATE GVS_SECCOMP)
    target_link_libraries(test_tools_confined PRIVATE PkgConfig::SECCOMP)
endif()

add_test(NAME tools/cli COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_cli")
add_test(NAME tools/agents COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_agents")
add_test(NAME tools/apply COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_apply")
add_test(NAME tools/confine COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_confine")
add_test(NAME tools/control COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_control")
add_test(NAME tools/health COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_health")
add_test(NAME tools/hook COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_hook")
add_test(NAME tools/insiders COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_insiders")
add_test(NAME tools/metrics COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_metrics")
add_test(NAME tools/notify COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_notify")
add_test(NAME tools/rotation COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_rotation")
add_test(NAME tools/schemas COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_schemas")
add_test(NAME tools/threats COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_threats")
set_tests_properties(tools/cli tools/agents tools/apply tools/confine tools/control tools/health
    tools/hook tools/insiders tools/metrics tools/notify tools/rotation tools/schemas tools/threats
    PROPERTIES
    LABELS unit
    ENVIRONMENT "GVS_BIN=${CMAKE_BINARY_DIR}"
)

# It waits more than it computes: first, so that nothing waits for it.
set_tests_properties(tools/agents PROPERTIES COST 100)

# Foreign bytes: each target of test/fuzz runs its corpus here, in every build. With GVS_FUZZ, which
# wants clang, they are linked with libFuzzer, for tools/fuzz, and are no tests.
option(GVS_FUZZ "link test/fuzz with libFuzzer" OFF)
add_custom_target(fuzz)
add_library(replay OBJECT EXCLUDE_FROM_ALL test/fuzz/replay.c)
function(gvs_fuzz name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS")
    add_executable(fuzz_${name} test/fuzz/${name}.c ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(fuzz_${name} PRIVATE ${arg_LIBS})
    set_target_properties(fuzz_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/test"
    )
    add_dependencies(fuzz fuzz_${name})
    if(GVS_FUZZ)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_link_libraries(fuzz_${name} PRIVATE replay)
        add_test(NAME fuzz/${name} COMMAND fuzz_${name} test/fuzz/corpus/${name}
            WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
        set_tests_properties(fuzz/${name} PROPERTIES LABELS unit)
        add_dependencies(tests fuzz_${name})
    endif()
endfunction()

gvs_fuzz(entry LIBS gvs_core)
foreach(target body datagram handshake keyring member)
    gvs_fuzz(${target} LIBS gvs_net)
endforeach()
gvs_fuzz(cursor LIBS gvs_net PkgConfig::MSGPACK)
gvs_fuzz(netlink LIBS gvs_ipvs)
foreach(target config store text)
    gvs_fuzz(${target} LIBS gvs_agent)
endforeach()
# On a kernel in memory, which the linker finds before netlink.
gvs_fuzz(request LIBS fake gvs_agent)
gvs_fuzz(import tools/cli/import_ipvsadm.c tools/cli/import_keepalived.c LIBS gvs_agent)
gvs_fuzz(screen tools/cli/print.c tools/cli/screen.c tools/cli/screen_changes.c
    LIBS gvs_agent PkgConfig::SMARTCOLS m)

add_test(NAME tools/sim COMMAND "${PROJECT_SOURCE_DIR}/test/tools/test_sim")
set_tests_properties(tools/sim PROPERTIES LABELS unit ENVIRONMENT "GVS_BIN=${CMAKE_BINARY_DIR}")

# Planted errors, each of which the tests have to find. They build for themselves: once is enough;
# those of the agents take from here what they do not patch.
# Those of test/tools/mutants_sim, which the simulator has to find, are tried with it: tools/check.
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND NOT GVS_SANITIZE AND NOT GVS_COVERAGE)
    foreach(script core/mutants ipvs/mutants net/mutants net/mutants_unit tools/mutants
            tools/mutants_agents)
        add_test(NAME ${script} COMMAND "${PROJECT_SOURCE_DIR}/test/${script}")
        set_tests_properties(${script} PROPERTIES LABELS mutants)
    endforeach()
    set_tests_properties(tools/mutants_agents PROPERTIES ENVIRONMENT "GVS_BIN=${CMAKE_BINARY_DIR}")
endif()

# Only where the flags are all in force.
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo AND NOT GVS_SANITIZE AND NOT GVS_COVERAGE)
    add_test(NAME hardening COMMAND "${PROJECT_SOURCE_DIR}/test/hardening"
        $<TARGET_FILE:gossipvsd> $<TARGET_FILE:gossipvs>)
    add_test(NAME library COMMAND "${PROJECT_SOURCE_DIR}/test/library" "${CMAKE_BINARY_DIR}")
    set_tests_properties(hardening library PROPERTIES LABELS build)
endif()
