/* tools/cli/doctor_look.c: /proc, /sys and the addresses of interfaces, read once. */
#include "tools/cli/doctor_look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PROC_SYS "/proc/sys/"

/* --- sysctls --- */

void
gvs_doctor_read(char *text, size_t cap, const char *path)
{
    char whole[sizeof PROC_SYS + 128];
    FILE *f;

    text[0] = 0;
    snprintf(whole, sizeof whole, PROC_SYS "%s", path);
    f = fopen(whole, "re");
    if (!f)
        return;
    if (!fgets(text, (int)cap, f))
        text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    fclose(f);
}

static int32_t
read_number(const char *path)
{
    char text[24], *end;
    long v;

    gvs_doctor_read(text, sizeof text, path);
    v = strtol(text, &end, 10);
    return end == text || v < 0 || v > INT32_MAX ? -1 : (int32_t)v;
}

int
gvs_doctor_write(const struct gvs_doctor_write *w)
{
    char whole[sizeof PROC_SYS + sizeof w->path];
    size_t len = strlen(w->value);
    int fd, error;
    bool done;

    snprintf(whole, sizeof whole, PROC_SYS "%s", w->path);
    fd = open(whole, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return GVS_E_SYS;
    done = write(fd, w->value, len) == (ssize_t)len;
    error = errno;
    close(fd);
    errno = error;
    return done ? GVS_OK : GVS_E_SYS;
}

/* Decimal numbers with one byte between each two: how many there are, `max` at most. */
static size_t
read_numbers(const char *text, unsigned long *out, size_t max)
{
    size_t n = 0;
    char *end;

    while (n < max && *text >= '0' && *text <= '9') {
        out[n++] = strtoul(text, &end, 10);
        text = *end ? end + 1 : end;
    }
    return n;
}

static void
look_at_ports(struct gvs_doctor_seen *s)
{
    char text[4096]; /* of the list in the kernel there may be more */
    unsigned long range[2];

    gvs_doctor_read(text, sizeof text, "net/ipv4/ip_local_port_range");
    if (read_numbers(text, range, 2) == 2) {
        s->port_first = (uint16_t)range[0];
        s->port_last = (uint16_t)range[1];
    }
    gvs_doctor_read(text, sizeof text, "net/ipv4/ip_local_reserved_ports");
    s->reserved_more = strlen(text) >= sizeof s->reserved;
    snprintf(s->reserved, sizeof s->reserved, "%.*s", (int)sizeof s->reserved - 1, text);
}

/* --- modules --- */

/* Does a line of a list of the modules of this kernel name it? -1: there is no such list. */
static int
is_listed(const char *release, const char *list, const char *file)
{
    char path[PATH_MAX], *line = NULL;
    bool found = false;
    size_t cap = 0;
    FILE *f;

    snprintf(path, sizeof path, "/lib/modules/%s/%s", release, list);
    f = fopen(path, "re");
    if (!f)
        return -1;
    while (!found && getline(&line, &cap, f) > 0) {
        line[strcspn(line, ":\n")] = 0; /* what it needs comes behind the colon */
        found = strstr(line, file) != NULL;
    }
    free(line);
    fclose(f);
    return found;
}

static enum gvs_doctor_module
look_for_scheduler(const char *release, const char *name)
{
    char path[64], file[64];
    int built_in, there;

    snprintf(path, sizeof path, "/sys/module/ip_vs_%s", name);
    if (access(path, F_OK) == 0)
        return GVS_DOCTOR_MODULE_LOADED;
    snprintf(file, sizeof file, "/ip_vs_%s.ko", name);
    built_in = is_listed(release, "modules.builtin", file);
    there = is_listed(release, "modules.dep", file);
    if (built_in > 0)
        return GVS_DOCTOR_MODULE_LOADED;
    if (there > 0)
        return GVS_DOCTOR_MODULE_THERE;
    return built_in < 0 || there < 0 ? GVS_DOCTOR_MODULE_UNKNOWN : GVS_DOCTOR_MODULE_MISSING;
}

/* A rule holds the module of its match and of its target: of "xt_ipvs 16384 1 - Live 0x0" one does.
 * `module` ends with a blank. */
static bool
has_rules(const char *module)
{
    FILE *f = fopen("/proc/modules", "re");
    unsigned long numbers[2], used = 0;
    char line[256];

    while (f && used == 0 && fgets(line, sizeof line, f)) {
        if (strncmp(line, module, strlen(module)) == 0 &&
            read_numbers(line + strlen(module), numbers, 2) == 2)
            used = numbers[1];
    }
    if (f)
        fclose(f);
    return used > 0;
}

static void
look_at_kernel(struct gvs_doctor_seen *s, const struct gvs_doctor_use *use)
{
    unsigned long version[2];
    struct utsname u;

    if (uname(&u) == 0 && read_numbers(u.release, version, 2) == 2) {
        snprintf(s->release, sizeof s->release, "%s", u.release);
        s->kernel = GVS_DOCTOR_KERNEL((uint32_t)version[0], (uint32_t)version[1]);
    }
    s->ip_vs = access("/proc/net/ip_vs", F_OK) == 0;
    s->rules = has_rules("xt_ipvs ");
    s->masquerade = has_rules("xt_MASQUERADE ") || has_rules("nft_masq ");
    for (size_t i = 0; i < use->scheduler_count; i++)
        s->schedulers[i] = look_for_scheduler(s->release, use->schedulers[i]);
}

/* --- interfaces --- */

/* getifaddrs gives labels, such as eth0:1, for names. */
static bool
is_on(const struct ifaddrs *i, const char *link)
{
    size_t len = strcspn(i->ifa_name, ":");

    return strlen(link) == len && memcmp(i->ifa_name, link, len) == 0;
}

static uint32_t
v4(const struct sockaddr *a)
{
    return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr);
}

static bool
is_v4(const struct ifaddrs *i)
{
    return i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_netmask;
}

/* Does a VIP lie in the network of an address on this link? */
static bool
is_asked(const struct ifaddrs *all, const char *link, const char *interface)
{
    for (const struct ifaddrs *own = all; own; own = own->ifa_next) {
        uint32_t mask;

        if (!is_v4(own) || !is_on(own, link))
            continue;
        mask = v4(own->ifa_netmask);
        for (const struct ifaddrs *vip = all; vip; vip = vip->ifa_next)
            if (is_v4(vip) && is_on(vip, interface) &&
                ((v4(vip->ifa_addr) ^ v4(own->ifa_addr)) & mask) == 0)
                return true;
    }
    return false;
}

static bool
is_tunnel(uint16_t hardware)
{
    return hardware == ARPHRD_TUNNEL || hardware == ARPHRD_TUNNEL6 || hardware == ARPHRD_SIT ||
           hardware == ARPHRD_IPGRE || hardware == 823 /* ARPHRD_IP6GRE, linux/if_arp.h */;
}

static void
look_at_link(struct gvs_doctor_seen *s, const struct ifaddrs *all, const struct ifaddrs *i,
             const char *interface)
{
    uint16_t hardware = ((const struct sockaddr_ll *)(const void *)i->ifa_addr)->sll_hatype;
    struct gvs_doctor_link link = {.unpack = is_tunnel(hardware)};
    static const char *const names[] = {"arp_ignore", "arp_announce", "rp_filter"};
    int32_t *values[] = {&link.arp_ignore, &link.arp_announce, &link.rp_filter};
    char path[64];

    if (!(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK) || is_on(i, interface))
        return;
    snprintf(link.name, sizeof link.name, "%.15s", i->ifa_name);
    link.asked = !(i->ifa_flags & IFF_NOARP) && is_asked(all, link.name, interface);
    if ((!link.asked && !link.unpack) || s->link_count == GVS_DOCTOR_LINKS_MAX)
        return;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        snprintf(path, sizeof path, "net/ipv4/conf/%s/%s", link.name, names[n]);
        *values[n] = read_number(path);
    }
    s->links[s->link_count++] = link;
}

static bool
is_addr(const struct sockaddr *a, const struct gvs_addr *addr)
{
    if (a->sa_family == AF_INET && addr->family == GVS_FAMILY_V4)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr, addr->b, 4) == 0;
    if (a->sa_family == AF_INET6 && addr->family == GVS_FAMILY_V6)
        return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, addr->b, 16) == 0;
    return false;
}

static const uint8_t *
bytes_of(const struct sockaddr *a)
{
    return a->sa_family == AF_INET
               ? (const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
               : (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
}

/* Does it lie in the network of this address? */
static bool
is_in(const struct ifaddrs *i, const struct gvs_addr *addr)
{
    bool v6 = addr->family == GVS_FAMILY_V6;
    const uint8_t *own, *mask;

    if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET))
        return false;
    own = bytes_of(i->ifa_addr);
    mask = bytes_of(i->ifa_netmask);
    for (size_t n = 0; n < (v6 ? 16 : 4); n++)
        if ((own[n] ^ addr->b[n]) & mask[n])
            return false;
    return true;
}

static bool
is_remote(const struct ifaddrs *all, const struct gvs_addr *addr)
{
    for (; all; all = all->ifa_next)
        if (is_in(all, addr))
            return false;
    return true;
}

static void
look_at_links(struct gvs_doctor_seen *s, const struct gvs_doctor_use *use, const char *interface)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) < 0)
        return;
    for (size_t n = 0; n < use->server_count; n++)
        s->remote[n] = is_remote(all, &use->servers[n]);
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_PACKET)
            look_at_link(s, all, i, interface);
        for (size_t t = 0; t < use->tunnel_count; t++)
            s->unpacks |= is_addr(i->ifa_addr, &use->tunnels[t].addr);
    }
    freeifaddrs(all);
}

/* What a packet on the way there may have, as the routes say: to connect sends nothing. */
static uint32_t
path_mtu(const struct gvs_addr *addr)
{
    bool v6 = addr->family == GVS_FAMILY_V6;
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
    socklen_t len = sizeof mtu;

    memcpy(&to6.sin6_addr, addr->b, v6 ? 16 : 0);
    memcpy(&to4.sin_addr, addr->b, 4);
    if (fd < 0)
        return 0;
    if (connect(fd, v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4,
                v6 ? sizeof to6 : sizeof to4) < 0 ||
        getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &len) < 0)
        mtu = 0;
    close(fd);
    return (uint32_t)mtu;
}

void
gvs_doctor_look(struct gvs_doctor_seen *seen, const struct gvs_doctor_use *use,
                const char *interface)
{
    memset(seen, 0, sizeof *seen);
    look_at_kernel(seen, use);
    for (enum gvs_doctor_sysctl i = 0; i < GVS_DOCTOR_SYSCTL_COUNT; i++)
        seen->sysctl[i] = read_number(gvs_doctor_path(i));
    look_at_ports(seen);
    look_at_links(seen, use, interface);
    for (size_t i = 0; i < use->tunnel_count; i++)
        seen->mtu[i] = path_mtu(&use->tunnels[i].addr);
}

int
gvs_doctor_enter(const char *path, uint64_t dev, uint64_t ino)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = GVS_E_SYS, error;
    struct stat st;

    if (fd < 0)
        return GVS_E_SYS;
    if (fstat(fd, &st) == 0)
        rc = st.st_dev == dev && st.st_ino == ino ? GVS_OK : GVS_E_NOTFOUND;
    if (rc == GVS_OK && setns(fd, CLONE_NEWNET) < 0)
        rc = GVS_E_SYS;
    error = errno;
    close(fd);
    errno = error;
    return rc;
}
