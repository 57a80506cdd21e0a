# Run by cpack on what it is about to pack, a directory a package: as Debian wants manual pages, the
# documentation, and libraries of several machines beside each other.

set(source "${CMAKE_CURRENT_LIST_DIR}/../..")
set(packages gossipvs=Unspecified ${CPACK_DEBIAN_LIBRARY_PACKAGE_NAME}=library
    libgossipvs-dev=development)

# Where libraries are: lib of a prefix until here, since CMake puts them there but for /usr.
execute_process(COMMAND dpkg-architecture -qDEB_HOST_MULTIARCH OUTPUT_VARIABLE machine
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
foreach(part library development)
    set(lib "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${part}/usr/lib")
    file(MAKE_DIRECTORY "${lib}/${machine}")
    file(GLOB files "${lib}/libgossipvs*" "${lib}/pkgconfig")
    foreach(file ${files})
        get_filename_component(name "${file}" NAME)
        file(RENAME "${file}" "${lib}/${machine}/${name}")
    endforeach()
endforeach()
file(READ "${lib}/${machine}/pkgconfig/gossipvs.pc" pc)
string(REPLACE "{prefix}/lib\n" "{prefix}/lib/${machine}\n" pc "${pc}")
file(WRITE "${lib}/${machine}/pkgconfig/gossipvs.pc" "${pc}")
execute_process(COMMAND strip --strip-debug "${lib}/${machine}/libgossipvs.a"
    COMMAND_ERROR_IS_FATAL ANY)

# What the library needs, by the packages that have it here.
set(scratch "${CPACK_TEMPORARY_DIRECTORY}/shlibdeps")
file(WRITE "${scratch}/debian/control" "Source: gossipvs\n\nPackage: gossipvs\nArchitecture: any\n")
file(GLOB library "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/library/usr/lib/${machine}/*.so.*.*")
execute_process(COMMAND dpkg-shlibdeps -O "${library}" WORKING_DIRECTORY "${scratch}"
    OUTPUT_VARIABLE depends OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "shlibs:Depends=" "" CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "${depends}")

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(package ${packages})
    string(REGEX MATCH "(.*)=(.*)" package "${package}")
    set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${CMAKE_MATCH_2}/usr")
    set(doc "${root}/share/doc/${CMAKE_MATCH_1}")
    file(MAKE_DIRECTORY "${doc}")
    configure_file("${CMAKE_CURRENT_LIST_DIR}/copyright" "${doc}/copyright" COPYONLY)
    file(WRITE "${doc}/changelog.Debian"
"gossipvs (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * See changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${now}
")
    configure_file("${source}/CHANGELOG.md" "${doc}/changelog" COPYONLY)
    file(GLOB pages "${root}/share/man/man*/*.[1-8]")
    foreach(file ${pages} "${doc}/changelog" "${doc}/changelog.Debian")
        execute_process(COMMAND gzip -9nf "${file}" COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    file(GLOB_RECURSE files "${root}/*")
    foreach(file ${files})
        if(NOT file MATCHES "/s?bin/" AND NOT IS_SYMLINK "${file}")
            file(CHMOD "${file}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
        endif()
    endforeach()
endforeach()
