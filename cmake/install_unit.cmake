# Run at installation: the unit names the agent where it will be, whatever prefix was chosen then.

file(READ "${source}/packaging/gossipvsd.service" unit)
string(REPLACE "/usr/sbin/gossipvsd" "${CMAKE_INSTALL_PREFIX}/${sbin}/gossipvsd" unit "${unit}")
if(NOT notifies) # who never says that he is ready must not be waited for
    string(REGEX REPLACE "Type=notify\nWatchdogSec=[0-9]+" "Type=exec" unit "${unit}")
endif()
file(WRITE "${binary}/packaging/gossipvsd.service" "${unit}")
file(INSTALL "${binary}/packaging/gossipvsd.service"
    DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
