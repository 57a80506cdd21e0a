# What the compiler is asked for beyond C11. Flags are probed: compilers differ, and a flag that one
# of them lacks must not cost the others. Those of one call are probed together, and one by one only
# where that fails.

include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

function(gvs_compile)
    # Else clang takes a flag of another machine's with a warning, and fails later by -Werror.
    set(CMAKE_REQUIRED_FLAGS -Werror)
    string(MAKE_C_IDENTIFIER "GVS_C${ARGN}" known)
    check_c_compiler_flag("${ARGN}" ${known})
    if(${known})
        add_compile_options(${ARGN})
    elseif(ARGC GREATER 1)
        foreach(flag IN LISTS ARGN)
            gvs_compile("${flag}")
        endforeach()
    endif()
endfunction()

function(gvs_link)
    string(MAKE_C_IDENTIFIER "GVS_LD${ARGN}" known)
    check_linker_flag(C "${ARGN}" ${known})
    if(${known})
        add_link_options(${ARGN})
    elseif(ARGC GREATER 1)
        foreach(flag IN LISTS ARGN)
            gvs_link("${flag}")
        endforeach()
    endif()
endfunction()

add_compile_definitions(_GNU_SOURCE GVS_VERSION="${PROJECT_VERSION}")
include_directories("${PROJECT_SOURCE_DIR}")

# Warnings.
gvs_compile(
    -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wshadow
    -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wnull-dereference
    -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types
    -Werror=int-conversion
)
gvs_compile(-Wtrampolines -Wbidi-chars=any -Wduplicated-cond -Wlogical-op) # gcc's own
if(GVS_WERROR)
    gvs_compile(-Werror)
endif()

# Defences that every build has.
check_pie_supported(LANGUAGES C)
gvs_compile(-fno-common -fno-strict-aliasing -fstack-protector-strong -fstack-clash-protection)
gvs_compile(-fcf-protection=full) # x86
gvs_compile(-mbranch-protection=standard) # arm64
gvs_compile(-fstrict-flex-arrays=3) # since gcc 13, clang 16
gvs_link(
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,-z,separate-code
    -Wl,--as-needed -Wl,--no-copy-dt-needed-entries
)

if(GVS_SANITIZE)
    # Not with the defences below: with defined overflow there is none to report, a zeroed
    # variable is never uninitialised, and fortified functions hide from ASan's own.
    add_compile_options(-fsanitize=${GVS_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${GVS_SANITIZE})
elseif(GVS_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
else()
    gvs_compile(
        -fno-delete-null-pointer-checks -fno-strict-overflow -ftrivial-auto-var-init=zero
    )
    gvs_compile(-fzero-init-padding-bits=all) # since gcc 15
    # Fortified functions need an optimizer to tell them the sizes.
    add_compile_options(
        "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>"
        "$<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>"
    )
endif()
