# Run by cpack on what it is about to pack: as Debian wants manual pages and the documentation.

set(root "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr")
set(source "${CMAKE_CURRENT_LIST_DIR}/../..")
set(doc "${root}/share/doc/gossipvs")

file(MAKE_DIRECTORY "${doc}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/copyright" "${doc}/copyright" COPYONLY)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${doc}/changelog.Debian"
"${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

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
    if(NOT file MATCHES "/s?bin/")
        file(CHMOD "${file}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    endif()
endforeach()
