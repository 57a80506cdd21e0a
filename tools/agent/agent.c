#include "tools/agent/agent.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/crypto.h"
#include "net/secret.h"
#include "tools/store/key.h"

#define TICK_MS 1000
#define SELDOM_MS 60000
#define FLOOR_RESERVE_NS (UINT64_C(600) * 1000 * 1000 * 1000)

void
gvs_agent_log(struct gvs_agent *a, enum gvs_log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if (!a->log)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    a->log(a->log_ctx, level, line);
}

void
gvs_agent_log_seldom(struct gvs_agent *a, enum gvs_seldom what, const char *fmt, ...)
{
    struct gvs_mono now = gvs_udp_now();
    char text[800], more[64] = "";
    va_list ap;

    if (!gvs_mono_due(a->seldom[what].at, now)) {
        a->seldom[what].unlogged++;
        return;
    }
    if (a->seldom[what].unlogged)
        snprintf(more, sizeof more, " (and %llu more of the kind)",
                 (unsigned long long)a->seldom[what].unlogged);
    a->seldom[what].at = gvs_mono_add_ms(now, SELDOM_MS);
    a->seldom[what].unlogged = 0;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gvs_agent_log(a, GVS_LOG_WARN, "%s%s", text, more);
}

struct gvs_view_env
gvs_agent_env_in(const struct gvs_agent *a, const struct gvs_netns *ns)
{
    return (struct gvs_view_env){.allow = a->cfg.allow,
                                 .allow_count = a->cfg.allow_count,
                                 .own = ns ? ns->own : NULL,
                                 .own_count = ns ? ns->own_count : 0,
                                 .owners = a->hide.owners,
                                 .owner_count = a->hide.count,
                                 .members = a->member_addrs,
                                 .member_count = a->member_addr_count,
                                 .in_use = gvs_agent_uses,
                                 .in_use_ctx = a,
                                 .now_ms = a->now_ms};
}

struct gvs_view_env
gvs_agent_env(const struct gvs_agent *a)
{
    return gvs_agent_env_in(a, gvs_netns_host(a));
}

/* --- what the store remembers --- */

struct load {
    struct gvs_agent *a;
    size_t entries, refused;
};

static bool
load_entry(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *val, size_t val_len)
{
    struct load *l = ctx;
    struct gvs_entry e;

    (void)key, (void)key_len;
    if (gvs_entry_parse(&e, val, val_len) < 0 || gvs_node_load(l->a->node, &e) < 0)
        l->refused++;
    else
        l->entries++;
    return true;
}

static uint64_t
wall_ns(void)
{
    return gvs_udp_wall().ms * UINT64_C(1000000);
}

/* Handshakes are numbered by the wall clock, and never below a number that was used before a
 * restart. */
static void
raise_floor(struct gvs_agent *a)
{
    uint64_t used = a->node ? gvs_node_init_time(a->node) : 0;
    uint64_t now = wall_ns();
    uint64_t want = (used > now ? used : now) + FLOOR_RESERVE_NS;

    if (a->floor_ns >= want - FLOOR_RESERVE_NS / 2)
        return;
    a->floor_ns = want;
    gvs_store_put(a->store, GVS_BUCKET_META, "init_floor", 10, &a->floor_ns, sizeof a->floor_ns);
}

static int
open_key(struct gvs_agent *a, struct gvs_fault *fault)
{
    int rc;

    if (!a->priv)
        a->priv = gvs_secret_alloc(1, GVS_KEY_SECRET_LEN);
    if (!a->priv)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    rc = gvs_store_key_read(a->priv, a->cfg.state, fault);
    if (rc == GVS_E_NOTFOUND) {
        gvs_crypto_random(NULL, a->priv, GVS_KEY_SECRET_LEN);
        a->fresh = a->newborn = true;
        return GVS_OK;
    }
    return rc;
}

static void
close_key(struct gvs_agent *a)
{
    if (a->priv)
        gvs_crypto_wipe(a->priv, GVS_KEY_SECRET_LEN);
    gvs_secret_free(a->priv);
    a->priv = NULL;
}

static int
open_store(struct gvs_agent *a, struct gvs_fault *fault)
{
    bool set_aside = false;

    if (gvs_store_open(&a->store, a->loop, a->cfg.state, a->cfg.limits.entries, &set_aside, fault) <
        0)
        return -1;
    if (open_key(a, fault) < 0)
        return -1;
    if (set_aside)
        gvs_agent_log(
            a, GVS_LOG_WARN,
            "%s: the store was damaged (it is set aside there) or empty; joining anew with %s id",
            a->cfg.state, a->newborn ? "a new" : "the same");
    a->fresh |= set_aside;
    a->lost = set_aside;
    if (gvs_store_get(a->store, GVS_BUCKET_META, "stamp_floor", 11, &a->stamp_floor_ms,
                      sizeof a->stamp_floor_ms) != (int)sizeof a->stamp_floor_ms)
        a->stamp_floor_ms = 0;
    if (gvs_store_get(a->store, GVS_BUCKET_META, "init_floor", 10, &a->floor_ns,
                      sizeof a->floor_ns) != (int)sizeof a->floor_ns)
        a->floor_ns = 0;
    a->keyless = a->newborn && a->floor_ns != 0;
    if (gvs_store_get(a->store, GVS_BUCKET_META, "seq", 3, &a->events.seq, sizeof a->events.seq) !=
        (int)sizeof a->events.seq)
        a->events.seq = 0;
    a->events.first = a->events.seq + 1;
    a->events.stored = a->events.seq;
    return GVS_OK;
}

/* The vector promises that all it covers was taken in: with one record lost, it is void. */
static void
load_vector(struct gvs_agent *a)
{
    uint8_t b[GVS_VECTOR_CHUNK_MAX], key[GVS_VECTOR_KEY_LEN];
    int len;

    for (size_t i = 0; !a->lost; i++) {
        gvs_agent_vector_key(key, i);
        len = gvs_store_get(a->store, GVS_BUCKET_META, key, sizeof key, b, sizeof b);
        if (len < 0)
            return;
        if (gvs_node_load_vector(a->node, b, (size_t)len) < 0)
            gvs_agent_log(a, GVS_LOG_WARN, "a part of the stored version vector was left out");
    }
}

/* All that may be there: a part of it would be read beside the new one. */
static void
strike_vector(struct gvs_agent *a)
{
    uint8_t key[GVS_VECTOR_KEY_LEN];

    for (size_t i = 0; i * GVS_VECTOR_WRITERS_MAX < a->cfg.limits.members; i++) {
        gvs_agent_vector_key(key, i);
        gvs_store_put(a->store, GVS_BUCKET_META, key, sizeof key, NULL, 0);
    }
}

static int
open_node(struct gvs_agent *a, struct gvs_fault *fault)
{
    struct gvs_keyring *ring = gvs_secret_alloc(1, sizeof *ring);
    struct gvs_node_config nc = {
        .limits = a->cfg.limits,
        .cluster = a->cfg.cluster,
        .keyring = ring,
        .admission = &a->cfg.admission,
        .init_floor = a->floor_ns,
        .stamp_floor_ms = a->stamp_floor_ms,
        .newborn = a->newborn,
        .random = {gvs_crypto_random, NULL},
        .name = a->cfg.name,
        .version = GVS_VERSION,
        .advertise = a->cfg.advertise,
    };
    struct load load = {.a = a};

    if (!ring)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    if (gvs_config_keyring(ring, a->cfg.keyring, fault) < 0) {
        gvs_secret_free(ring); /* wiped */
        return -1;
    }
    memcpy(nc.priv, a->priv, GVS_KEY_SECRET_LEN);
    gvs_crypto_random(NULL, &nc.boot, sizeof nc.boot);
    a->node = gvs_node_open(&nc, gvs_udp_now());
    gvs_crypto_wipe(&nc.priv, sizeof nc.priv);
    gvs_keys_note(a, ring);
    gvs_keyring_wipe(ring);
    gvs_secret_free(ring);
    if (!a->node)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory for %zu entries",
                             a->cfg.limits.entries);
    gvs_store_each(a->store, GVS_BUCKET_ENTRY, load_entry, &load);
    gvs_store_each(a->store, GVS_BUCKET_MEMBER, load_entry, &load);
    if (load.refused)
        gvs_agent_log(a, GVS_LOG_WARN, "%zu stored entries do not parse and were left out",
                      load.refused);
    a->lost |= load.refused > 0;
    load_vector(a);
    gvs_agent_log(a, GVS_LOG_INFO, "%zu entries loaded from %s; events go on from %llu",
                  load.entries, a->cfg.state, (unsigned long long)a->events.seq);
    return GVS_OK;
}

/* An id that was retired is so for ever, and a table without its key is another node's. The old
 * store is kept, beside; the new one goes on with the numbers of events, and with the ledger, which
 * has a file of its own: the kernel's services stay ours. */
static int
begin_anew(struct gvs_agent *a, struct gvs_fault *fault)
{
    const char *why = a->keyless ? "node.key is missing or damaged" : "this node's id was retired";
    uint64_t seq = a->events.seq;

    gvs_peers_take_former(a);
    gvs_node_close(a->node);
    gvs_store_close(a->store);
    a->node = NULL;
    a->store = NULL;
    if (a->keyless)
        gvs_code_free(a);
    if (gvs_store_retire(a->cfg.state, fault) < 0 || open_store(a, fault) < 0 ||
        open_node(a, fault) < 0)
        return -1;
    a->events.seq = seq;
    a->events.first = seq + 1;
    gvs_code_store(a); /* as files are claimed anew */
    gvs_agent_log(a, GVS_LOG_WARN, "%s: its store is set aside in %s, and it joins with a new id",
                  why, a->cfg.state);
    return GVS_OK;
}

static int
open_udp(struct gvs_agent *a, struct gvs_fault *fault)
{
    char text[GVS_EP_TEXT_LEN], owner[64];

    a->udp = gvs_udp_open(a->loop, &a->cfg.bind, a->node, (void (*)(void *))gvs_agent_pump, a);
    if (a->udp)
        return GVS_OK;
    gvs_ep_format(text, &a->cfg.bind);
    if (errno == EADDRINUSE) {
        gvs_port_owner(owner, sizeof owner, a->cfg.bind.port);
        gvs_fault_set(fault, GVS_EXIT_USAGE, "%s/udp is taken by %s", text, owner);
        gvs_fault_hint(fault, "ss -ulpn 'sport = %u'", a->cfg.bind.port);
    } else {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot bind %s/udp: %s", text, strerror(errno));
    }
    return -1;
}

static int
open_sets(struct gvs_agent *a, struct gvs_fault *fault)
{
    struct gvs_set **sets[] = {&a->shown, &a->dirty, &a->troubled, &a->held.set[0],
                               &a->held.set[1]};
    size_t items = gvs_limits_held(&a->cfg.limits);
    bool short_of_memory = false;

    a->view = calloc(1, sizeof *a->view);
    a->items = calloc(1 + GVS_VIEW_BACKENDS_MAX, sizeof *a->items);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        void *mem = calloc(1, gvs_set_footprint(items));

        *sets[i] = mem ? gvs_set_init(mem, items) : NULL;
        short_of_memory |= !mem;
    }
    if (!a->view || !a->items || short_of_memory)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory for %zu entries", items);
    return GVS_OK;
}

/* --- timers --- */

static void
on_tick(uv_timer_t *t)
{
    struct gvs_agent *a = t->data;

    raise_floor(a);
    a->members_due = true;
    gvs_peers_tick(a, gvs_udp_now());
    gvs_http_tick(a);
    gvs_agent_read_claims(a);
    gvs_keys_log_strangers(a);
    gvs_agent_pump(a);
    gvs_alarms_log(a);
    gvs_agent_tell_refused(a);
}

static void
pass(struct gvs_agent *a)
{
    void (*on_left)(void *) = a->on_left;

    gvs_peers_tick(a, gvs_udp_now());
    gvs_agent_pump(a);
    if (!a->left || !on_left)
        return;
    a->on_left = NULL;
    on_left(a->on_left_ctx); /* who closes us, perhaps */
}

static void
on_kernel_timer(uv_timer_t *t)
{
    pass(t->data);
}

static void
on_more(uv_idle_t *i)
{
    pass(i->data);
}

void
gvs_agent_on_left(struct gvs_agent *a, void (*left)(void *ctx), void *ctx)
{
    a->on_left = left;
    a->on_left_ctx = ctx;
}

static void
on_services_changed(uv_fs_event_t *w, const char *name, int events, int status)
{
    struct gvs_agent *a = w->data;

    (void)name, (void)events, (void)status;
    gvs_agent_read_claims(a);
    gvs_agent_pump(a);
}

static void
watch(uv_fs_event_t *w, bool *watching, const char *dir)
{
    if (*watching)
        uv_fs_event_stop(w);
    *watching = uv_fs_event_start(w, on_services_changed, dir, 0) == 0;
}

static void
watch_services(struct gvs_agent *a)
{
    watch(&a->watch, &a->watching, a->cfg.services);
    watch(&a->watch_maintenance, &a->watching_maintenance, a->cfg.maintenance);
}

static void
open_timers(struct gvs_agent *a)
{
    uv_timer_init(a->loop, &a->kernel_timer);
    uv_idle_init(a->loop, &a->more);
    uv_timer_init(a->loop, &a->tick);
    uv_fs_event_init(a->loop, &a->watch);
    uv_fs_event_init(a->loop, &a->watch_maintenance);
    a->kernel_timer.data = a->more.data = a->tick.data = a;
    a->watch.data = a->watch_maintenance.data = a;
    a->handles += 5;
    uv_timer_start(&a->tick, on_tick, TICK_MS, TICK_MS);
    uv_timer_start(&a->kernel_timer, on_kernel_timer, 60000, 0);
    uv_idle_start(&a->more, on_more);
    watch_services(a);
    gvs_netns_begin(a);
    gvs_hook_begin(a);
    gvs_checks_begin(a);
}

/* --- opening and closing --- */

static void
free_agent(struct gvs_agent *a)
{
    if (a->store)
        gvs_store_close(a->store);
    gvs_requests_fini(a);
    gvs_netns_free(a);
    gvs_hook_free(a);
    gvs_checks_free(a);
    gvs_maintenance_free(a);
    gvs_code_free(a);
    if (a->node)
        gvs_node_close(a->node);
    gvs_agent_free_overwrites(a);
    gvs_owners_close(a);
    gvs_names_free(&a->names);
    free(a->pass.all);
    gvs_claims_free(&a->claims);
    gvs_events_free(&a->events);
    close_key(a);
    free(a->shown); /* each was initialised at the start of its block */
    free(a->dirty);
    free(a->troubled);
    for (int i = 0; i < 2; i++)
        free(a->held.set[i]);
    free(a->trials);
    free(a->status);
    free(a->view);
    free(a->items);
    free(a);
}

void
gvs_agent_handle_closed(struct gvs_agent *a)
{
    void (*closed)(void *) = a->closed;
    void *ctx = a->closed_ctx;

    GVS_ASSERT(a->handles > 0);
    if (--a->handles > 0 || !a->closing)
        return;
    free_agent(a);
    if (closed)
        closed(ctx);
}

static void
handle_closed(uv_handle_t *h)
{
    gvs_agent_handle_closed(h->data);
}

static int
read_config(const struct gvs_agent *a, struct gvs_config *c, struct gvs_fault *fault)
{
    int rc = gvs_config_read(c, a->config_path, fault);

    if (rc == GVS_OK && a->embedded)
        gvs_config_embed(c);
    return rc;
}

int
gvs_agent_open(struct gvs_agent **out, struct uv_loop_s *loop, const char *config, gvs_log_fn log,
               void *log_ctx, struct gvs_fault *fault)
{
    const struct gvs_agent_setup setup = {loop, config, log, log_ctx, .embedded = false};

    return gvs_agent_set_up(out, &setup, fault);
}

static struct gvs_agent *
new_agent(const struct gvs_agent_setup *setup)
{
    struct gvs_agent *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->loop = setup->loop;
    a->log = setup->log;
    a->log_ctx = setup->log_ctx;
    a->embedded = setup->embedded;
    a->started = gvs_udp_now();
    a->out_of_step = a->started;
    a->withdraw = a->claims_again = GVS_MONO_NEVER;
    a->helper.fd = a->runner.fd = -1;
    snprintf(a->config_path, sizeof a->config_path, "%s", setup->config);
    return a;
}

int
gvs_agent_set_up(struct gvs_agent **out, const struct gvs_agent_setup *setup,
                 struct gvs_fault *fault)
{
    struct gvs_agent *a = new_agent(setup);
    int rc = -1;

    *out = NULL;
    if (!a)
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    if (gvs_crypto_init() < 0) {
        gvs_fault_set(fault, GVS_EXIT_NO, "libsodium does not start");
        goto out;
    }
    if (read_config(a, &a->cfg, fault) < 0)
        goto out;
    snprintf(a->program, sizeof a->program, "%s@%s", program_invocation_short_name, a->cfg.name);
    a->configured = a->started_wall = gvs_udp_wall();
    gvs_netns_fork(a);
    gvs_hook_fork(a);
    if (!gvs_checks_fork(a)) {
        gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
        goto out;
    }
    if (open_store(a, fault) < 0 || open_sets(a, fault) < 0 || open_node(a, fault) < 0)
        goto out;
    if (a->embedded)
        gvs_code_load(a);
    if (((a->keyless || gvs_node_retired(a->node)) && begin_anew(a, fault) < 0) ||
        gvs_netns_open(a, fault) < 0 || open_udp(a, fault) < 0)
        goto out;
    a->handles++; /* the socket's */
    rc = gvs_control_open(&a->control, a, fault);
    if (rc < 0)
        goto out;
    /* Everything is read: from here on the state is written, the key before all else. */
    if (a->newborn) {
        rc = gvs_store_key_write(a->priv, a->cfg.state, fault);
        if (rc < 0)
            goto out;
    }
    close_key(a);
    gvs_peers_keep_former(a);
    gvs_http_begin(a);
    if (!gvs_node_keys_locked(a->node))
        gvs_agent_log(a, GVS_LOG_WARN,
                      "keys may be swapped out: no more memory may be locked (LimitMEMLOCK in the "
                      "unit, ulimit -l)");
    if (a->lost)
        strike_vector(a);
    raise_floor(a);
    open_timers(a);
    if (gvs_owners_open(a) < 0) {
        rc = gvs_fault_set(fault, GVS_EXIT_NO, "out of memory for %zu members",
                           a->cfg.limits.members);
        goto out;
    }
    a->quiet = true; /* what was there before the restart is nothing new */
    gvs_trials_load(a);
    gvs_agent_dirty_all(a);
    gvs_agent_absorb(a);
    a->quiet = false;
    gvs_node_start(a->node, gvs_udp_now(), gvs_udp_wall());
    gvs_peers_read(a);
    gvs_agent_read_claims_now(a);
    gvs_agent_pump(a);
    *out = a;
out:
    if (rc < 0)
        gvs_agent_close(a, NULL, NULL);
    return rc;
}

static void
close_handle(void *handle)
{
    uv_handle_t *h = handle;

    if (h->type != UV_UNKNOWN_HANDLE && !uv_is_closing(h))
        uv_close(h, handle_closed);
}

void
gvs_agent_close(struct gvs_agent *a, void (*closed)(void *ctx), void *ctx)
{
    a->closing = true;
    a->closed = closed;
    a->closed_ctx = ctx;
    a->handles++; /* this call */
    gvs_requests_abandon(a, NULL);
    if (a->control)
        gvs_control_close(a->control);
    gvs_http_close(a);
    if (a->udp)
        gvs_udp_close(a->udp, (void (*)(void *))gvs_agent_handle_closed, a);
    close_handle(&a->kernel_timer);
    close_handle(&a->more);
    close_handle(&a->tick);
    close_handle(&a->watch);
    close_handle(&a->watch_maintenance);
    gvs_checks_close(a, close_handle);
    close_handle(&a->netns_watch);
    close_handle(&a->helper_poll);
    close_handle(&a->runner_poll);
    gvs_agent_handle_closed(a);
}

static bool
same_netns(const struct gvs_config *a, const struct gvs_config *b)
{
    bool same = a->netns_host == b->netns_host && a->netns_count == b->netns_count;

    for (size_t i = 0; same && i < a->netns_count; i++)
        same = strcmp(a->netns[i], b->netns[i]) == 0;
    return same;
}

/* What was built at the start from an option stays until a restart; a changed one is refused by
 * name, so that nobody believes it took effect. */
static int
refuse_fixed(const struct gvs_config *old, const struct gvs_config *new, struct gvs_fault *fault)
{
    const char *what = NULL;

    if (strcmp(old->cluster, new->cluster) != 0)
        what = "cluster";
    else if (strcmp(old->name, new->name) != 0)
        what = "name";
    else if (gvs_ep_cmp(&old->bind, &new->bind) != 0)
        what = "bind";
    else if (gvs_ep_cmp(&old->advertise, &new->advertise) != 0)
        what = "advertise";
    else if (strcmp(old->state, new->state) != 0)
        what = "state";
    else if (strcmp(old->socket, new->socket) != 0)
        what = "socket";
    else if (strcmp(old->group, new->group) != 0)
        what = "group";
    else if (strcmp(old->admin_group, new->admin_group) != 0)
        what = "admin-group";
    else if (old->observe != new->observe)
        what = "mode";
    else if (strcmp(old->interface, new->interface) != 0)
        what = "interface";
    else if (!same_netns(old, new))
        what = "namespaces";
    else if (old->audit_seconds != new->audit_seconds)
        what = "audit";
    else if (strcmp(old->on_change, new->on_change) != 0)
        what = "on-change";
    else if (old->limits.entries != new->limits.entries ||
             old->limits.members != new->limits.members)
        what = "limits";
    if (!what)
        return GVS_OK;
    gvs_fault_set(fault, GVS_EXIT_USAGE,
                  "%s: '%s' changed, which takes a restart; nothing reloaded", new->path, what);
    gvs_fault_hint(fault, "systemctl restart gossipvsd (connections stay)");
    return -1;
}

/* Where there is no directory there are no files, and nothing is claimed: so it is on a node
 * without claims. But who names another directory means what is in it. */
static int
refuse_missing(const struct gvs_config *old, const struct gvs_config *new, struct gvs_fault *fault)
{
    if (strcmp(old->services, new->services) == 0 || new->services[0] == '\0' ||
        access(new->services, F_OK) == 0)
        return GVS_OK;
    return gvs_fault_set(fault, GVS_EXIT_USAGE, "%s: services = %s: %s; nothing reloaded",
                         new->path, new->services, strerror(errno));
}

/* The process that runs the commands of checks reads them there, and nowhere else. */
static int
refuse_checked(const struct gvs_agent *a, const struct gvs_config *new, struct gvs_fault *fault)
{
    if (!gvs_checks_fixed(a) || strcmp(a->cfg.services, new->services) == 0)
        return GVS_OK;
    gvs_fault_set(
        fault, GVS_EXIT_USAGE,
        "%s: 'services' changed, which takes a restart where checks run commands; nothing "
        "reloaded",
        new->path);
    gvs_fault_hint(fault, "systemctl restart gossipvsd (connections stay)");
    return -1;
}

int
gvs_agent_reload(struct gvs_agent *a, bool force, struct gvs_fault *fault)
{
    struct gvs_config *new = calloc(1, sizeof *new);
    struct gvs_keyring *ring = gvs_secret_alloc(1, sizeof *ring);
    int rc = -1;

    if (!new || !ring) {
        free(new);
        gvs_secret_free(ring);
        return gvs_fault_set(fault, GVS_EXIT_NO, "out of memory");
    }
    if (read_config(a, new, fault) == GVS_OK && refuse_fixed(&a->cfg, new, fault) == GVS_OK &&
        refuse_missing(&a->cfg, new, fault) == GVS_OK && refuse_checked(a, new, fault) == GVS_OK &&
        gvs_keys_check(a, new, force, ring, fault) == GVS_OK &&
        gvs_http_move(a, &new->metrics, fault) == GVS_OK)
        rc = GVS_OK;
    if (rc == GVS_OK) {
        a->cfg = *new;
        a->configured = gvs_udp_wall();
        a->config_fault = (struct gvs_fault){0};
        gvs_keys_use(a, ring);
        gvs_node_set_admission(a->node, gvs_udp_now(), &a->cfg.admission);
        watch_services(a);
        gvs_agent_dirty_all(a);
        gvs_agent_read_claims_now(a);
        gvs_agent_pump(a);
        gvs_agent_log(a, GVS_LOG_INFO, "reloaded %s", a->config_path);
        gvs_peers_read(a);
        gvs_peers_tick(a, gvs_udp_now());
    } else {
        a->config_fault = *fault;
        gvs_agent_log(a, GVS_LOG_ERR, "%s; the running configuration stays", fault->text);
    }
    gvs_keyring_wipe(ring);
    gvs_secret_free(ring);
    free(new);
    return rc;
}
