/* Who has a UDP port? /proc/net/udp knows the socket's inode, and the process is the one that has a
 * descriptor of it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/agent/agent.h"

#define FIELD_LOCAL 1 /* of a line of /proc/net/udp: address:port, in hexadecimal */
#define FIELD_INODE 9

/* The inode that a line tells of the port; 0: it is of another. */
static unsigned long
line_inode(char *line, unsigned port)
{
    char *rest = NULL, *field = strtok_r(line, " ", &rest);

    for (int i = 0; field; i++, field = strtok_r(NULL, " ", &rest)) {
        const char *colon = strchr(field, ':');

        if (i == FIELD_LOCAL && (!colon || strtoul(colon + 1, NULL, 16) != port))
            return 0;
        if (i == FIELD_INODE)
            return strtoul(field, NULL, 10);
    }
    return 0;
}

/* The inode of a socket bound to the port in this namespace; 0: none. */
static unsigned long
socket_inode(const char *path, unsigned port)
{
    FILE *f = fopen(path, "re");
    unsigned long inode = 0;
    char line[512];

    while (f && !inode && fgets(line, sizeof line, f))
        inode = line_inode(line, port);
    if (f)
        fclose(f);
    return inode;
}

static bool
has_descriptor(const char *pid, const char *link)
{
    char path[300], target[64];
    struct dirent *e;
    bool found = false;
    DIR *fds;

    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    fds = opendir(path);
    while (fds && !found && (e = readdir(fds)) != NULL) {
        ssize_t len = readlinkat(dirfd(fds), e->d_name, target, sizeof target - 1);

        if (len < 0)
            continue;
        target[len] = 0;
        found = strcmp(target, link) == 0;
    }
    if (fds)
        closedir(fds);
    return found;
}

static void
name_process(char *text, size_t cap, const char *pid)
{
    char path[300], name[32] = "?";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = 0;
    if (f)
        fclose(f);
    snprintf(text, cap, "pid %.10s (%s)", pid, name);
}

void
gvs_port_owner(char *text, size_t cap, uint16_t port)
{
    unsigned long inode = socket_inode("/proc/net/udp", port);
    DIR *proc = opendir("/proc");
    struct dirent *e;
    char link[64];

    snprintf(text, cap, "another process");
    if (!inode)
        inode = socket_inode("/proc/net/udp6", port);
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    while (proc && inode && (e = readdir(proc)) != NULL)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && has_descriptor(e->d_name, link)) {
            name_process(text, cap, e->d_name);
            break;
        }
    if (proc)
        closedir(proc);
}
