/* The network namespaces that this agent programs, each with a kernel of its own (ipvs/kernel.h).
 *
 *     /run/netns    scan           helper               open, fill
 *        NAME  -----------> there --------> sockets ---------------> open
 *                             ^                                       |
 *                             +--- gone, or another one by that name -+
 *
 * "host", where the agent was opened, is there from the start or the agent does not start. All
 * others come and go; a scan finds out, woken by inotify and every two seconds. One is asked for at
 * a time, and what stands in its way is its own affair: it is told in `status` and tried again,
 * after a second at first and a minute at last.
 *
 * Each has a ledger, of what is ours in that very namespace. In the store the host's records stand
 * as they are; those of the others begin with 'N', the length of the name, and the name. A ledger
 * goes with its namespace: a name that comes back stands for another one (I1 below).
 *
 *   I1  A ledger is used for the namespace that it was kept in and for no other, told by its place.
 *   I2  A kernel takes part when all that is wanted has been told it: until then it is not stepped,
 *       and it is not trusted to remove anything.
 *   I3  What happens to one namespace changes nothing for another.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/agent/agent.h"

#define DIRECTORY "/run/netns"
#define SCAN_MS 2000
#define YOUNG_MS 1000 /* `ip netns add` makes the file first and mounts on it then */
#define YOUNG_SCAN_MS 20
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 60000

/* --- which there are --- */

struct gvs_netns *
gvs_netns_next(const struct gvs_agent *a, const struct gvs_netns *after)
{
    size_t i = after ? after->at + 1 : 0;

    while (i < a->netns_count && !a->netns[i]->kernel)
        i++;
    return i < a->netns_count ? a->netns[i] : NULL;
}

struct gvs_netns *
gvs_netns_host(const struct gvs_agent *a)
{
    return a->netns_count > 0 && a->netns[0]->host ? a->netns[0] : NULL;
}

bool
gvs_netns_alone(const struct gvs_agent *a)
{
    return a->cfg.netns_host && a->cfg.netns_count == 0;
}

bool
gvs_netns_has(const struct gvs_netns *ns, const struct gvs_addr *addr)
{
    for (size_t i = 0; i < ns->own_count; i++)
        if (gvs_addr_cmp(&ns->own[i], addr) == 0)
            return true;
    return false;
}

static struct gvs_netns *
find(const struct gvs_agent *a, const char *name)
{
    for (size_t i = 0; i < a->netns_count; i++)
        if (!a->netns[i]->host && strcmp(a->netns[i]->name, name) == 0)
            return a->netns[i];
    return NULL;
}

static bool
is_pattern(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

/* Does the configuration mean it? */
static bool
is_meant(const struct gvs_agent *a, const char *name)
{
    for (size_t i = 0; i < a->cfg.netns_count; i++)
        if (fnmatch(a->cfg.netns[i], name, 0) == 0)
            return gvs_helper_name_valid(name) && strcmp(name, "host") != 0;
    return false;
}

/* One came or went. */
static void
share_time(const struct gvs_agent *a)
{
    size_t open = 0;

    for (size_t i = 0; i < a->netns_count; i++)
        open += a->netns[i]->kernel != NULL;
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        gvs_kernel_share(ns->kernel, open);
}

static void
free_one(struct gvs_netns *ns)
{
    if (ns->kernel)
        gvs_kernel_close(ns->kernel);
    free(ns->ledger); /* it was initialised at the start of its block */
    free(ns);
}

static void
number_from(struct gvs_agent *a, size_t i)
{
    for (; i < a->netns_count; i++)
        a->netns[i]->at = i;
}

/* NULL: no memory, or too many. */
static struct gvs_netns *
add(struct gvs_agent *a, const char *name, bool host)
{
    size_t records = 2 * gvs_limits_held(&a->cfg.limits), i = a->netns_count;
    struct gvs_netns *ns = i < GVS_AGENT_NETNS_MAX ? calloc(1, sizeof *ns) : NULL;
    void *mem = ns ? calloc(1, gvs_ledger_footprint(records)) : NULL;

    if (!mem) {
        free(ns);
        return NULL;
    }
    ns->ledger = gvs_ledger_init(mem, records);
    ns->host = host;
    snprintf(ns->name, sizeof ns->name, "%s", name);
    for (; i > 0 && !a->netns[i - 1]->host && strcmp(a->netns[i - 1]->name, name) > 0; i--)
        a->netns[i] = a->netns[i - 1];
    a->netns[i] = ns;
    a->netns_count++;
    number_from(a, i);
    return ns;
}

/* --- its ledger in the store --- */

void
gvs_netns_put(struct gvs_agent *a, const struct gvs_netns *ns, const void *rec, size_t len,
              const void *val /* NULL: it goes */, size_t val_len)
{
    uint8_t key[2 + GVS_HELPER_NAME_MAX + GVS_LEDGER_REC_MAX];
    size_t name = strlen(ns->name), at = 0;

    GVS_ASSERT(len <= GVS_LEDGER_REC_MAX);
    if (!ns->host) {
        key[0] = 'N';
        key[1] = (uint8_t)name;
        memcpy(key + 2, ns->name, name);
        at = 2 + name;
    }
    memcpy(key + at, rec, len);
    gvs_store_put(a->store, GVS_BUCKET_LEDGER, key, at + len, val, val ? val_len : 0);
}

/* Void: nothing in it is ours any more. */
static void
strike_ledger(struct gvs_agent *a, struct gvs_netns *ns)
{
    struct gvs_ledger_rec rec;

    gvs_ledger_clear(ns->ledger);
    while (gvs_ledger_next(ns->ledger, &rec))
        gvs_netns_put(a, ns, rec.b, rec.len, NULL, 0);
    if (ns->place[0])
        gvs_netns_put(a, ns, "place", 5, NULL, 0);
    ns->place[0] = 0;
}

/* I1. */
static void
settle_ledger(struct gvs_agent *a, struct gvs_netns *ns, const char *here)
{
    if (strcmp(ns->place, here) == 0)
        return;
    strike_ledger(a, ns);
    snprintf(ns->place, sizeof ns->place, "%s", here);
    gvs_netns_put(a, ns, "place", 5, here, strlen(here));
}

static void
load_into(struct gvs_netns *ns, const uint8_t *rec, size_t len, const uint8_t *val, size_t val_len)
{
    if (len == 5 && memcmp(rec, "place", 5) == 0)
        snprintf(ns->place, sizeof ns->place, "%.*s", (int)val_len, (const char *)val);
    else
        gvs_ledger_load(ns->ledger, rec, len, val, val_len); /* what does not parse is not ours */
}

/* Of the host's, or of a namespace that the configuration means; other records are struck. */
static bool
load_record(void *ctx, const uint8_t *key, size_t len, const uint8_t *val, size_t val_len)
{
    struct gvs_agent *a = ctx;
    struct gvs_netns *ns = gvs_netns_host(a);
    char name[GVS_HELPER_NAME_MAX + 1] = "";
    size_t at = 0;

    if (key[0] == 'N' && len > 2 && key[1] < sizeof name && len > 2u + key[1]) {
        at = 2u + key[1];
        memcpy(name, key + 2, key[1]);
        ns = NULL;
        if (is_meant(a, name)) {
            ns = find(a, name);
            ns = ns ? ns : add(a, name, false);
        }
    }
    if (ns)
        load_into(ns, key + at, len - at, val, val_len);
    else if (at > 0)
        gvs_store_put(a->store, GVS_BUCKET_LEDGER, key, len, NULL, 0);
    return true;
}

/* --- opening and closing one --- */

static void
forget_way(struct gvs_netns *ns)
{
    ns->why[0] = 0;
    ns->backoff_ms = 0;
    ns->retry = (struct gvs_mono){0};
}

/* What stands in its way; told once, for as long as it is the same. */
__attribute__((format(printf, 3, 4))) static void
stands_in_way(struct gvs_agent *a, struct gvs_netns *ns, const char *fmt, ...)
{
    char why[sizeof ns->why];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (strcmp(why, ns->why) != 0)
        gvs_agent_log(a, GVS_LOG_WARN, "namespace %s: %s", ns->name, why);
    snprintf(ns->why, sizeof ns->why, "%s", why);
    ns->backoff_ms = ns->backoff_ms ? ns->backoff_ms * 2 : RETRY_MS_MIN;
    if (ns->backoff_ms > RETRY_MS_MAX)
        ns->backoff_ms = RETRY_MS_MAX;
    ns->retry = gvs_mono_add_ms(gvs_udp_now(), ns->backoff_ms);
}

/* Its kernel stays as it is. I3: whoever else there is sees nothing of it. */
static void
close_one(struct gvs_agent *a, struct gvs_netns *ns, const char *why)
{
    if (ns->kernel) {
        gvs_kernel_close(ns->kernel);
        ns->kernel = NULL;
        share_time(a);
        gvs_agent_log(a, GVS_LOG_INFO, "namespace %s: %s", ns->name, why);
    }
    strike_ledger(a, ns);
    forget_way(ns);
}

static int
open_kernel(struct gvs_agent *a, struct gvs_netns *ns, const struct gvs_kernel_sockets *sockets)
{
    struct gvs_kernel_config kc = {
        .observe = a->cfg.observe,
        .interface = a->cfg.interface,
        .audit_ms = a->cfg.audit_seconds * 1000,
        .items_max = gvs_limits_held(&a->cfg.limits),
        .sockets = sockets,
        .stay = gvs_agent_stay,
        .at_once = gvs_agent_goes_at_once,
        .ctx = a,
    };
    int rc;

    /* No other namespace has this node's address. */
    if (ns->host && a->cfg.advertise.addr.family == GVS_FAMILY_V4)
        kc.source4 = a->cfg.advertise.addr;
    else if (ns->host)
        kc.source6 = a->cfg.advertise.addr;
    rc = gvs_kernel_open(&ns->kernel, &kc, ns->ledger, gvs_udp_now());
    if (rc == GVS_OK && gvs_kernel_locked_out(ns->kernel))
        gvs_agent_log(a, GVS_LOG_WARN,
                      "%s%sanother agent programs this network namespace: only observing",
                      ns->host ? "" : ns->name, ns->host ? "" : ": ");
    ns->due = (struct gvs_mono){0};
    ns->trust = GVS_TRUST_NONE;
    ns->ledger_upto = 0;
    ns->own_count = 0;
    return rc;
}

static int
open_host(struct gvs_agent *a, struct gvs_netns *host, struct gvs_fault *fault)
{
    char here[sizeof host->place];
    int rc;

    if (gvs_ledger_place(here) < 0)
        return gvs_fault_set(fault, GVS_EXIT_NO, "cannot tell boot and namespace: %s",
                             strerror(errno));
    settle_ledger(a, host, here);
    rc = open_kernel(a, host, NULL);
    switch (rc) {
    case GVS_OK:
        return GVS_OK;
    case GVS_E_UNSUPPORTED:
        gvs_fault_set(fault, GVS_EXIT_KERNEL, "this kernel has no IPVS (module ip_vs)");
        gvs_fault_hint(fault, "modprobe ip_vs; mode = observe takes part without programming");
        return -1;
    case GVS_E_REFUSED:
        gvs_fault_set(fault, GVS_EXIT_NOT_PERMITTED, "kernel refused IPVS: CAP_NET_ADMIN missing");
        gvs_fault_hint(fault, "AmbientCapabilities=CAP_NET_ADMIN, or run as root");
        return -1;
    case GVS_E_CONFLICT:
        return gvs_fault_set(fault, GVS_EXIT_CONFLICT, "interface '%s' exists and is no dummy",
                             a->cfg.interface);
    default:
        return gvs_fault_set(fault, GVS_EXIT_NO, "cannot open netlink%s%s: %s",
                             a->cfg.interface[0] ? ", or the dummy interface " : "",
                             a->cfg.interface, gvs_kernel_trouble(rc));
    }
}

/* `ip netns add` makes a namespace in which lo is down, and IPVS takes no destination there: so one
 * without any address gets a second to have one. */
static void
look_dressed(struct gvs_agent *a, struct gvs_netns *ns, struct gvs_mono now)
{
    (void)gvs_kernel_read_addresses(ns->kernel); /* or by the first audit */
    gvs_netns_take_own(ns);
    ns->bare = ns->own_count == 0 && !gvs_mono_due(gvs_mono_add_ms(ns->since, YOUNG_MS), now);
    a->netns_young |= ns->bare;
}

/* From now on it hears what changes, and what there is as soon as it is filled. */
static void
open_named(struct gvs_agent *a, struct gvs_netns *ns, const struct gvs_helper_answer *answer,
           struct gvs_kernel_sockets *sockets)
{
    char here[sizeof ns->place];
    int rc;

    if (gvs_ledger_place_of(here, answer->dev, answer->ino, answer->cookie) < 0) {
        stands_in_way(a, ns, "the id of this boot cannot be read: %s", strerror(errno));
        gvs_kernel_sockets_close(sockets);
        return;
    }
    settle_ledger(a, ns, here);
    rc = open_kernel(a, ns, sockets);
    if (rc == GVS_OK) {
        ns->dev = answer->dev;
        ns->ino = answer->ino;
        forget_way(ns);
        share_time(a);
        gvs_netns_refill(ns);
        look_dressed(a, ns, gvs_udp_now());
        if (ns->bare)
            a->netns_scan = (struct gvs_mono){0};
        gvs_agent_log(a, GVS_LOG_INFO, "namespace %s: open", ns->name);
        return;
    }
    if (rc == GVS_E_CONFLICT)
        stands_in_way(a, ns, "the interface for the VIPs exists and is no dummy");
    else
        stands_in_way(a, ns, "IPVS or the interface for the VIPs cannot be opened: %s",
                      gvs_kernel_trouble(rc));
}

void
gvs_netns_refill(struct gvs_netns *ns)
{
    ns->filling = true;
    ns->filled = (struct gvs_svcid){0};
    ns->filled_any = false;
}

bool
gvs_netns_take_own(struct gvs_netns *ns)
{
    const struct gvs_addr *own;
    size_t count = gvs_kernel_own_addresses(ns->kernel, &own);

    if (count > GVS_AGENT_OWN_MAX)
        count = GVS_AGENT_OWN_MAX;
    if (count == ns->own_count && (count == 0 || memcmp(ns->own, own, count * sizeof *own) == 0))
        return false;
    if (count)
        memcpy(ns->own, own, count * sizeof *own);
    ns->own_count = count;
    return true;
}

void
gvs_netns_refresh_conns(struct gvs_agent *a, const struct gvs_svcid *svc)
{
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        gvs_kernel_refresh_conns(ns->kernel, svc);
}

bool
gvs_netns_conns(const struct gvs_agent *a, const struct gvs_item *item, uint64_t *active,
                uint64_t *inactive)
{
    uint32_t one_active, one_inactive;
    bool any = false;

    *active = *inactive = 0;
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns)) {
        if (!gvs_kernel_conns(ns->kernel, item, &one_active, &one_inactive))
            continue;
        any = true;
        *active += one_active;
        *inactive += one_inactive;
    }
    return any;
}

/* --- the helper --- */

/* How it ended is known a moment later than that its socket is closed. */
static void
reap_helper(struct gvs_agent *a)
{
    char how[32];

    if (a->helper.fd >= 0 || a->helper.pid == 0)
        return;
    gvs_child_stop(&a->helper, how);
    if (!how[0]) {
        a->netns_young = true;
        return;
    }
    snprintf(a->helper_fault, sizeof a->helper_fault, "%s", how);
    gvs_agent_log(a, GVS_LOG_ERR, "the helper that opens namespaces: %s", how);
}

static void
helper_lost(struct gvs_agent *a, const char *why)
{
    uv_poll_stop(&a->helper_poll);
    close(a->helper.fd);
    a->helper.fd = -1;
    a->asked[0] = 0;
    snprintf(a->helper_fault, sizeof a->helper_fault, "%s", why);
    gvs_agent_log(a, GVS_LOG_ERR,
                  "the helper that opens namespaces has gone (%s): those that are open go on, and "
                  "no other is opened before a restart",
                  why);
    a->netns_scan = (struct gvs_mono){0};
}

static void
explain(struct gvs_agent *a, struct gvs_netns *ns, const struct gvs_helper_answer *answer)
{
    const char *error = strerror(answer->error);

    if (answer->where == GVS_HELPER_ENTERING && answer->error == EPERM)
        stands_in_way(a, ns, "it cannot be entered: the agent was started without CAP_SYS_ADMIN");
    else if (answer->where == GVS_HELPER_ENTERING)
        stands_in_way(a, ns, "it cannot be entered: %s", error);
    else if (answer->where == GVS_HELPER_TAKING)
        stands_in_way(a, ns, "this process has too many files open (LimitNOFILE)");
    else if (answer->where == GVS_HELPER_MAKING)
        stands_in_way(a, ns, "no socket can be made in it: %s", error);
    else
        stands_in_way(a, ns, "it cannot be opened: %s", error);
}

static void
take_answer(struct gvs_agent *a, const struct gvs_helper_answer *answer,
            struct gvs_kernel_sockets *sockets)
{
    struct gvs_netns *ns = find(a, answer->name);

    if (!answer->name[0]) {
        if (answer->where != GVS_HELPER_DONE)
            gvs_agent_log(a, GVS_LOG_WARN, "the helper that opens namespaces is not confined: %s",
                          strerror(answer->error));
        return;
    }
    if (strcmp(answer->name, a->asked) == 0)
        a->asked[0] = 0;
    if (!ns || ns->kernel)
        gvs_kernel_sockets_close(sockets); /* it went meanwhile */
    else if (answer->where == GVS_HELPER_DONE)
        open_named(a, ns, answer, sockets);
    else
        explain(a, ns, answer);
}

static void
on_helper(uv_poll_t *p, int status, int events)
{
    struct gvs_agent *a = p->data;
    struct gvs_helper_answer answer;
    struct gvs_kernel_sockets sockets;
    int rc = status < 0 ? GVS_E_LOST : gvs_helper_answer(&a->helper, &answer, &sockets);

    (void)events;
    if (rc == GVS_OK)
        take_answer(a, &answer, &sockets);
    else if (rc == GVS_E_LOST)
        helper_lost(a, "its socket was closed");
    gvs_agent_pump(a);
}

static void
ask(struct gvs_agent *a, struct gvs_mono now)
{
    for (size_t i = 0; i < a->netns_count && !a->asked[0] && a->helper.fd >= 0; i++) {
        struct gvs_netns *ns = a->netns[i];

        if (ns->kernel || !ns->there || !gvs_mono_due(ns->retry, now))
            continue;
        if (gvs_helper_ask(&a->helper, ns->name) < 0) {
            helper_lost(a, "it takes no request");
            return;
        }
        snprintf(a->asked, sizeof a->asked, "%s", ns->name);
        a->asked_at = now;
    }
}

/* --- the scan --- */

/* What a name in the directory is; `dev` is the directory's. */
static void
meet(struct gvs_agent *a, int dir, dev_t dev, const char *name, struct gvs_mono now)
{
    struct gvs_netns *ns = find(a, name);
    struct stat st;
    bool mounted;

    if (!ns)
        ns = add(a, name, false);
    if (!ns) {
        a->netns_more++;
        return;
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* it went meanwhile */
    if (!ns->seen_ever)
        ns->since = now;
    mounted = S_ISREG(st.st_mode) && st.st_dev != dev;
    if (!ns->seen_ever || (mounted && !ns->there))
        forget_way(ns);
    ns->seen = ns->seen_ever = true;
    ns->there = mounted;
    if (ns->kernel && (st.st_dev != ns->dev || st.st_ino != ns->ino)) {
        close_one(a, ns, "another one has its name");
        ns->since = now;
    }
    if (ns->kernel && ns->bare)
        look_dressed(a, ns, now);
    if (ns->there)
        return;
    if (!gvs_mono_due(gvs_mono_add_ms(ns->since, YOUNG_MS), now))
        a->netns_young = true;
    else if (gvs_mono_due(ns->retry, now))
        stands_in_way(a, ns, "%s",
                      S_ISLNK(st.st_mode) ? "it is a link, and those are not followed"
                                          : "nothing is mounted there");
}

/* It was not seen. Who is named in the configuration is missed. */
static void
miss(struct gvs_agent *a, size_t i, struct gvs_mono now)
{
    struct gvs_netns *ns = a->netns[i];
    bool expected = false;

    if (ns->kernel || ns->place[0])
        close_one(a, ns, "gone");
    ns->there = ns->seen_ever = false;
    for (size_t j = 0; j < a->cfg.netns_count; j++)
        expected |= strcmp(a->cfg.netns[j], ns->name) == 0;
    if (expected) {
        if (gvs_mono_due(ns->retry, now))
            stands_in_way(a, ns, "there is none");
        return;
    }
    free_one(ns);
    a->netns_count--;
    memmove(&a->netns[i], &a->netns[i + 1], (a->netns_count - i) * sizeof *a->netns);
    number_from(a, i);
}

static void
meet_all(struct gvs_agent *a, DIR *d, dev_t dev, struct gvs_mono now)
{
    struct dirent *e;

    for (size_t i = 0; i < a->cfg.netns_count; i++)
        if (!is_pattern(a->cfg.netns[i]) && !find(a, a->cfg.netns[i]))
            (void)add(a, a->cfg.netns[i], false);
    while (d && (e = readdir(d)) != NULL)
        if (is_meant(a, e->d_name))
            meet(a, dirfd(d), dev, e->d_name, now);
    for (size_t i = a->netns_count; i-- > 0;)
        if (!a->netns[i]->host && !a->netns[i]->seen)
            miss(a, i, now);
}

/* Where the directory cannot be read nothing is concluded. */
static void
scan(struct gvs_agent *a, struct gvs_mono now)
{
    DIR *d = opendir(DIRECTORY);
    struct stat st = {0};

    a->netns_young = false;
    a->netns_more = 0;
    snprintf(a->netns_fault, sizeof a->netns_fault, "%s",
             d || errno == ENOENT ? "" : strerror(errno));
    if (a->netns_fault[0] || (d && fstat(dirfd(d), &st) < 0))
        goto out;
    for (size_t i = 0; i < a->netns_count; i++)
        a->netns[i]->seen = false;
    meet_all(a, d, st.st_dev, now);
out:
    if (d)
        closedir(d);
}

static void
on_directory(uv_fs_event_t *w, const char *name, int events, int status)
{
    struct gvs_agent *a = w->data;

    (void)name, (void)events, (void)status;
    a->netns_scan = (struct gvs_mono){0};
    gvs_agent_pump(a);
}

/* The directory comes with the first namespace of a machine, and a mount on it hides the one that
 * was watched: so whether it is still that one is asked at each scan. */
static void
watch(struct gvs_agent *a)
{
    struct stat st;
    bool there = stat(DIRECTORY, &st) == 0;

    if (a->netns_watching && there && st.st_dev == a->netns_dev && st.st_ino == a->netns_ino)
        return;
    if (a->netns_watching)
        uv_fs_event_stop(&a->netns_watch);
    a->netns_watching =
        there && uv_fs_event_start(&a->netns_watch, on_directory, DIRECTORY, 0) == 0;
    a->netns_dev = st.st_dev;
    a->netns_ino = st.st_ino;
}

struct gvs_mono
gvs_netns_run(struct gvs_agent *a, struct gvs_mono now)
{
    if (a->cfg.netns_count == 0)
        return GVS_MONO_NEVER;
    if (gvs_mono_due(a->netns_scan, now)) {
        watch(a); /* first: what comes after the scan is to be heard of */
        scan(a, now);
        reap_helper(a);
        a->netns_scan = gvs_mono_add_ms(now, a->netns_young ? YOUNG_SCAN_MS : SCAN_MS);
        a->netns_scanned = true;
    }
    ask(a, now);
    return a->netns_scan;
}

bool
gvs_netns_settled(const struct gvs_agent *a)
{
    for (size_t i = 0; i < a->netns_count; i++) {
        const struct gvs_netns *ns = a->netns[i];

        if (ns->kernel ? ns->filling : ns->there)
            return false;
    }
    return a->cfg.netns_count == 0 || a->netns_scanned;
}

/* --- what leaves --- */

static bool
append_leaving(const struct gvs_netns *ns, struct gvs_svcid **list, size_t *count, size_t *cap)
{
    struct gvs_svcid *more;
    struct gvs_item item;
    size_t at = 0;

    while (gvs_ledger_each_leaving(ns->ledger, &at, &item)) {
        if (item.kind != GVS_ITEM_SERVICE)
            continue;
        if (*count == *cap) {
            *cap = *cap ? 2 * *cap : 64;
            more = realloc(*list, *cap * sizeof **list);
            if (!more)
                return false;
            *list = more;
        }
        (*list)[(*count)++] = item.svc;
    }
    return true;
}

static int
cmp_svc(const void *a, const void *b)
{
    return gvs_svcid_cmp(a, b);
}

struct gvs_svcid *
gvs_netns_leaving(const struct gvs_agent *a, const struct gvs_netns *only, size_t *count)
{
    struct gvs_svcid *list = NULL;
    size_t cap = 0, kept = 0;

    *count = 0;
    for (struct gvs_netns *ns = gvs_netns_next(a, NULL); ns; ns = gvs_netns_next(a, ns))
        if ((!only || ns == only) && !append_leaving(ns, &list, count, &cap))
            break;
    if (*count > 0)
        qsort(list, *count, sizeof *list, cmp_svc);
    for (size_t i = 0; i < *count; i++)
        if (kept == 0 || gvs_svcid_cmp(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    *count = kept;
    return list;
}

/* --- opening and closing all --- */

/* Before any key is read. */
void
gvs_netns_fork(struct gvs_agent *a)
{
    if (a->cfg.netns_count == 0)
        return;
    if (gvs_helper_start(&a->helper) == GVS_OK)
        return;
    snprintf(a->helper_fault, sizeof a->helper_fault, "%s", strerror(errno));
    gvs_agent_log(a, GVS_LOG_ERR, "no helper that opens namespaces: %s", a->helper_fault);
}

int
gvs_netns_open(struct gvs_agent *a, struct gvs_fault *fault)
{
    struct gvs_netns *host = a->cfg.netns_host ? add(a, "host", true) : NULL;

    if (a->cfg.netns_host && !host)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory for the ledger");
    if (gvs_store_each(a->store, GVS_BUCKET_LEDGER, load_record, a) < 0)
        return gvs_fault_set(fault, GVS_EXIT_NO, "cannot read the ledger");
    return host ? open_host(a, host, fault) : GVS_OK;
}

void
gvs_netns_begin(struct gvs_agent *a)
{
    if (a->cfg.netns_count == 0)
        return;
    uv_fs_event_init(a->loop, &a->netns_watch);
    a->netns_watch.data = a;
    a->handles++;
    if (a->helper.fd < 0)
        return;
    uv_poll_init(a->loop, &a->helper_poll, a->helper.fd);
    a->helper_poll.data = a;
    a->handles++;
    uv_poll_start(&a->helper_poll, UV_READABLE, on_helper);
}

void
gvs_netns_free(struct gvs_agent *a)
{
    for (size_t i = 0; i < a->netns_count; i++)
        free_one(a->netns[i]);
    gvs_child_end(&a->helper);
}
