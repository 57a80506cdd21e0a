/* Rows are written in a small language. A table is a list of entries, split by ';':
 *
 *     A OWNER MS [sched=X] [flags=N] [persistent=N] [netmask=N] [reset=MS] [name=X]   service claim
 *     B ENDPOINT OWNER MS [weight=N] [forward=N] [upper=N]                    backend claim
 *     O ENDPOINT WRITER MS [drain] [weight=N]                                 override
 *
 * Owner 0 is the cluster (written by node 9). `-` before the letter: its tombstone; `?`: a value
 * that this version cannot mean. A view is told as
 *
 *     SCHEDULER by OWNERS [conflict] [REASON]; ENDPOINT WEIGHT by OWNERS [conflict] [REASON]; ...
 */
#include "core/view.h"
#include "test/core/entries.h"
#include "test/core/items.h"

#define VIP "10.99.0.1:80/tcp"
#define A "10.77.0.4:80"
#define B "10.77.0.5:80"
#define C "10.77.0.6:80"

/* --- from text to a table --- */

struct values { /* the words of an entry, whichever kind it is of */
    struct gvs_service service;
    struct gvs_backend backend;
    struct gvs_override override;
    bool force;
};

static void
read_word(struct values *v, const char *word)
{
    uint32_t n = 0;
    const char *equals = strchr(word, '=');

    if (equals)
        n = (uint32_t)strtoul(equals + 1, NULL, 10);
    if (!strcmp(word, "drain"))
        v->override.drain = true;
    else if (!strcmp(word, "force"))
        v->force = true;
    else if (!strncmp(word, "sched=", 6))
        snprintf(v->service.sched, sizeof v->service.sched, "%s", equals + 1);
    else if (!strncmp(word, "name=", 5))
        snprintf(v->service.name, sizeof v->service.name, "%s", equals + 1);
    else if (!strncmp(word, "flags=", 6))
        v->service.flags = n;
    else if (!strncmp(word, "persistent=", 11))
        v->service.persistent = n;
    else if (!strncmp(word, "netmask=", 8))
        v->service.netmask = (uint8_t)n;
    else if (!strncmp(word, "reset=", 6))
        v->service.reset = gvs_hlc_make(n, 0);
    else if (!strncmp(word, "forward=", 8))
        v->service.forward = v->backend.forward = (uint8_t)n;
    else if (!strncmp(word, "upper=", 6))
        v->backend.upper = n;
    else if (!strncmp(word, "lower=", 6))
        v->backend.lower = n;
    else if (!strncmp(word, "weight=", 7)) {
        v->backend.weight = v->override.weight = n;
        v->override.has_weight = true;
    } else
        fail_msg("no such word: %s", word);
}

static size_t
write_value(uint8_t *value, enum gvs_key_kind kind, char mark, const struct values *v)
{
    static const uint8_t unreadable[] = {2, 4, 0xff, 0xff, 0xff, 0xff}; /* no such number there */

    if (mark == '-')
        return gvs_tombstone_encode(value, v->force);
    if (mark == '?') {
        memcpy(value, unreadable, sizeof unreadable);
        return sizeof unreadable;
    }
    if (kind == GVS_KEY_SERVICE)
        return gvs_service_encode(value, &v->service);
    if (kind == GVS_KEY_BACKEND)
        return gvs_backend_encode(value, &v->backend);
    return gvs_override_encode(value, &v->override);
}

/* "B 10.77.0.4:80 1 5 weight=3" */
static struct bytes
read_entry(const struct gvs_svcid *svc, char *text)
{
    struct values v = {.service = {.name = "web", .sched = "wlc"}, .backend = {.weight = 1}};
    char *at = text, *word = strtok_r(text, " ", &at), mark = 0;
    struct gvs_key key = {.svc = *svc};
    uint8_t owner, value[GVS_VALUE_LEN_MAX];
    struct gvs_id writer;
    struct bytes out;
    uint64_t ms;

    if (*word == '-' || *word == '?')
        mark = *word++;
    key.kind = *word == 'A' ? GVS_KEY_SERVICE : *word == 'B' ? GVS_KEY_BACKEND : GVS_KEY_OVERRIDE;
    if (key.kind != GVS_KEY_SERVICE)
        key.ep = endpoint(strtok_r(NULL, " ", &at));
    owner = (uint8_t)strtoul(strtok_r(NULL, " ", &at), NULL, 10);
    writer = node(owner ? owner : 9);
    if (key.kind != GVS_KEY_OVERRIDE)
        key.owner = node(owner);
    ms = strtoull(strtok_r(NULL, " ", &at), NULL, 10);
    while ((word = strtok_r(NULL, " ", &at)))
        read_word(&v, word);
    out.len = gvs_entry_build(out.b, &key, gvs_hlc_make(ms, 0), &writer, mark == '-', value,
                              write_value(value, key.kind, mark, &v));
    return out;
}

static void
merge_text(struct gvs_table *t, const char *vip, const char *text)
{
    struct gvs_svcid svc = svcid(vip);
    char copy[512], *at = copy;

    assert_true(strlen(text) < sizeof copy);
    memcpy(copy, text, strlen(text) + 1);
    for (char *line; (line = strsep(&at, ";"));) {
        struct bytes bytes;
        struct gvs_entry e;

        line += strspn(line, " ");
        if (!*line)
            continue;
        bytes = read_entry(&svc, line);
        e = parsed(&bytes);
        assert_true(gvs_table_merge(t, &e) >= 0);
    }
}

/* --- from a view to text --- */

#define TEXT_LEN 1024

static void
tell_claims(char *text, const struct gvs_id *owners, uint16_t count, bool conflict,
            enum gvs_withheld withheld)
{
    static const char *const reasons[] = {"",        " unreadable", " not-allowed", " own-address",
                                          " family", " port-zero",  " flags",       " address",
                                          " orphan", " anchor",     " member"};
    size_t len = strlen(text);

    len += (size_t)snprintf(text + len, TEXT_LEN - len, " by ");
    for (uint16_t i = 0; i < count && i < GVS_VIEW_OWNERS_MAX; i++)
        len += (size_t)snprintf(text + len, TEXT_LEN - len, "%u", owners[i].b[0]);
    snprintf(text + len, TEXT_LEN - len, "%s%s", conflict ? " conflict" : "", reasons[withheld]);
}

static void
tell(char *text, const struct gvs_view_service *v)
{
    snprintf(text, TEXT_LEN, "%s", v->claimed ? v->claim.sched : "-");
    tell_claims(text, v->owners, v->owner_count, v->conflict, v->withheld);
    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];
        size_t len = strlen(text);
        char ep[GVS_EP_TEXT_LEN];

        gvs_ep_format(ep, &b->ep);
        snprintf(text + len, TEXT_LEN - len, "; %s %u", ep, b->weight);
        tell_claims(text, b->owners, b->owner_count, b->conflict, b->withheld);
        len = strlen(text);
        snprintf(text + len, TEXT_LEN - len, "%s",
                 b->hidden == GVS_OWNER_GONE     ? " hidden"
                 : b->hidden == GVS_OWNER_SILENT ? " silent"
                                                 : "");
    }
    if (v->open)
        snprintf(text + strlen(text), TEXT_LEN - strlen(text), "; open");
}

/* What is not withheld is an item, in the same order, and nothing else is. */
static void
check_items(const struct gvs_view_service *v)
{
    static struct gvs_item items[1 + GVS_VIEW_BACKENDS_MAX];
    size_t count = gvs_view_items(v, items, 1 + GVS_VIEW_BACKENDS_MAX), want = 0;

    if (v->withheld != GVS_SHOWN) {
        assert_int_equal(count, 0);
        return;
    }
    assert_int_equal(items[0].kind, GVS_ITEM_SERVICE);
    assert_string_equal(items[0].service.sched, v->claim.sched);
    assert_int_equal(items[0].service.flags, v->claim.flags);
    assert_int_equal(items[0].service.persistent, v->claim.persistent);
    for (size_t i = 0; i < v->backend_count; i++) {
        const struct gvs_view_backend *b = &v->backends[i];

        if (b->withheld != GVS_SHOWN || b->hidden == GVS_OWNER_SILENT)
            continue;
        want++;
        assert_int_equal(gvs_ep_cmp(&items[want].ep, &b->ep), 0);
        assert_int_equal(items[want].dest.weight, b->weight);
        assert_int_equal(items[want].dest.forward, b->claim.forward);
        assert_int_equal(items[want].dest.upper, b->claim.upper);
    }
    assert_int_equal(count, 1 + want);
    for (size_t i = 1; i < count; i++)
        assert_true(gvs_item_cmp(&items[i - 1], &items[i]) < 0);
}

struct row {
    const char *why, *table, *view; /* no view: there is nothing to show */
    const char *vip;                /* default VIP */
};

static void
check_rows(const struct row *rows, size_t count, const struct gvs_view_env *env)
{
    struct gvs_view_service *v = malloc(sizeof *v);

    assert_non_null(v);
    for (size_t i = 0; i < count; i++) {
        const char *vip = rows[i].vip ? rows[i].vip : VIP;
        struct gvs_svcid svc = svcid(vip);
        struct gvs_table *t = table_new(64);
        char text[TEXT_LEN];

        memset(v, 0xee, sizeof *v);
        merge_text(t, vip, rows[i].table);
        if (!gvs_view_service(t, env, &svc, v)) {
            if (rows[i].view)
                fail_msg("%s: nothing", rows[i].why);
        } else {
            tell(text, v);
            if (!rows[i].view || strcmp(text, rows[i].view) != 0)
                fail_msg("%s: \"%s\", not \"%s\"", rows[i].why, text, rows[i].view);
            check_items(v);
        }
        free(t);
    }
    free(v);
}

#define CHECK_ROWS(rows, env) check_rows(rows, sizeof(rows) / sizeof *(rows), env)

static const struct gvs_view_env anything = {0};

static void
test_who_speaks_for_a_service(void **state)
{
    static const struct row rows[] = {
        {"nobody ever", "", NULL, 0},
        {"the cluster", "A 0 5", "wlc by 0", 0},
        {"a node", "A 1 5 sched=rr", "rr by 1", 0},
        {"nobody any more", "A 1 5; -A 1 6", NULL, 0},
        {"of two nodes the later", "A 1 5 sched=rr; A 2 6 sched=sh", "sh by 21 conflict", 0},
        {"wherever its key sorts", "A 1 6 sched=rr; A 2 5 sched=sh", "rr by 12 conflict", 0},
        {"of equal clocks the greater writer", "A 1 5 sched=rr; A 2 5 sched=sh",
         "sh by 21 conflict", 0},
        {"the cluster before a later node", "A 0 1 sched=rr; A 1 9 sched=sh", "rr by 01 conflict",
         0},
        {"equal claims are no conflict", "A 0 1; A 1 5; A 2 3", "wlc by 012", 0},
        {"the one in the middle disagrees", "A 1 5; A 2 3 sched=rr; A 3 4", "wlc by 123 conflict",
         0},
        {"a name is an attribute", "A 1 5 name=a; A 2 6 name=b", "wlc by 21 conflict", 0},
        {"reset is not", "A 0 5 reset=4; A 1 5", "wlc by 01", 0},
        {"whoever left says nothing", "A 0 5 sched=rr; -A 0 6; A 1 2", "wlc by 1", 0},
        {"nor counts for a conflict", "A 1 5 sched=rr; -A 1 6; A 2 2; A 3 3", "wlc by 32", 0},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_who_speaks_for_a_backend(void **state)
{
    static const struct row rows[] = {
        {"each by its own claim", "A 0 1; B " A " 0 2 weight=3; B " B " 1 2",
         "wlc by 0; " A " 3 by 0; " B " 1 by 1", 0},
        {"the cluster before a later node", "A 0 1; B " A " 0 2 weight=3; B " A " 1 9 weight=4",
         "wlc by 0; " A " 3 by 01 conflict", 0},
        {"of two nodes the later", "A 0 1; B " A " 1 2 weight=3; B " A " 2 9 weight=4",
         "wlc by 0; " A " 4 by 21 conflict", 0},
        {"of three the later, in the middle",
         "A 0 1; B " A " 1 2 weight=3; B " A " 2 9 weight=4; B " A " 3 5 weight=5",
         "wlc by 0; " A " 4 by 213 conflict", 0},
        {"agreement is no conflict", "A 0 1; B " A " 1 2 weight=3; B " A " 2 9 weight=3",
         "wlc by 0; " A " 3 by 21", 0},
        {"one backend's speaker is not the next one's",
         "A 0 1; B " A " 1 9 weight=3; B " B " 1 2 weight=4; B " B " 2 3 weight=5",
         "wlc by 0; " A " 3 by 1; " B " 5 by 21 conflict", 0},
        {"a claim that ended", "A 0 1; B " A " 1 2 weight=3; -B " A " 2 9",
         "wlc by 0; " A " 3 by 1", 0},
        {"the last claim ended", "A 0 1; B " A " 1 2; -B " A " 1 3", "wlc by 0", 0},
        {"it takes no forward over from the service", "A 0 1 forward=3; B " A " 0 2",
         "wlc by 0; " A " 1 by 0", 0},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_a_service_deleted_and_made_again_starts_empty(void **state)
{
    static const struct row rows[] = {
        {"a cluster backend older than the tombstone", "B " A " 0 3; A 0 2; -A 0 5", NULL, 0},
        {"or than the reset", "B " A " 0 3; A 0 6 reset=5", "wlc by 0", 0},
        {"or exactly as old", "B " A " 0 5; A 0 6 reset=5", "wlc by 0", 0},
        {"a later one counts", "B " A " 0 6; A 0 7 reset=5", "wlc by 0; " A " 1 by 0", 0},
        {"later than the tombstone: an orphan", "B " A " 0 6; -A 0 5",
         "- by  orphan; " A " 1 by 0 orphan", 0},
        {"a node's backend is its own affair", "B " A " 1 3; A 0 6 reset=5",
         "wlc by 0; " A " 1 by 1", 0},
        {"after the tombstone too, if a node claims the service",
         "A 1 1; B " A " 1 3; B " B " 0 3; -A 0 5", "wlc by 1; " A " 1 by 1", 0},
        {"a node's tombstone resets nothing", "A 0 1; B " A " 0 3; -A 1 5",
         "wlc by 0; " A " 1 by 0", 0},
        {"nor does a node's reset", "A 1 6 reset=5; B " A " 0 3", "wlc by 1; " A " 1 by 0", 0},
        {"what does not count is no conflict", "B " A " 0 3 weight=9; B " A " 1 4; A 0 6 reset=5",
         "wlc by 0; " A " 1 by 1", 0},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_overrides(void **state)
{
    static const struct row rows[] = {
        {"drain is weight 0", "A 0 1; B " A " 0 2 weight=5; O " A " 1 3 drain",
         "wlc by 0; " A " 0 by 0", 0},
        {"a weight instead of the claim's", "A 0 1; B " A " 1 2 weight=5; O " A " 1 3 weight=8",
         "wlc by 0; " A " 8 by 1", 0},
        {"also 0", "A 0 1; B " A " 1 2 weight=5; O " A " 1 3 weight=0", "wlc by 0; " A " 0 by 1",
         0},
        {"drain before a weight", "A 0 1; B " A " 1 2; O " A " 1 3 drain weight=8",
         "wlc by 0; " A " 0 by 1", 0},
        {"an older override is over the claim too",
         "A 0 1; B " A " 1 9 weight=5; O " A " 1 3 weight=8", "wlc by 0; " A " 8 by 1", 0},
        {"lifted", "A 0 1; B " A " 0 2 weight=5; O " A " 1 3 drain; -O " A " 1 4",
         "wlc by 0; " A " 5 by 0", 0},
        {"of its backend only",
         "A 0 1; B " A " 0 2; B " B " 0 2; B " C " 0 2; O " B " 1 3 weight=8",
         "wlc by 0; " A " 1 by 0; " B " 8 by 0; " C " 1 by 0", 0},
        {"two of them",
         "A 0 1; B " A " 0 2; B " B " 0 2; B " C " 0 2; O " A " 1 3 drain; O " C " 1 3 drain",
         "wlc by 0; " A " 0 by 0; " B " 1 by 0; " C " 0 by 0", 0},
        {"over nobody's backend", "A 0 1; B " B " 0 2; O " A " 1 3 drain; O " C " 1 3 drain",
         "wlc by 0; " B " 1 by 0", 0},
        {"alone", "O " A " 1 3 drain", NULL, 0},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_services_that_are_withheld(void **state)
{
    static const struct row rows[] = {
        {"nobody claims it", "B " A " 1 2", "- by  orphan; " A " 1 by 1 orphan", 0},
        {"unreadable", "?A 1 2; B " A " 1 2", " by 1 unreadable; " A " 1 by 1", 0},
        {"unreadable, but another speaks", "?A 1 2; A 2 3", "wlc by 21 conflict", 0},
        {"a mask of 33 bits for IPv4", "A 0 1 netmask=33", "wlc by 0 unreadable", 0},
        {"but not for IPv6", "A 0 1 netmask=33", "wlc by 0", "[fd00:99::1]:80"},
        {"port 0", "A 0 1", "wlc by 0 port-zero", "10.99.0.1:0"},
        {"with persistence", "A 0 1 persistent=60", "wlc by 0", "10.99.0.1:0"},
        {"a mark has no port", "A 0 1", "wlc by 0", "fwmark:5"},
        {"an anchor's mark", "A 0 1; B " A " 0 1", "wlc by 0 anchor; " A " 1 by 0",
         "fwmark:1735786500"},
        {"the other one's", "A 0 1", "wlc by 0 anchor", "fwmark:1735786502/v6"},
        {"in the other family", "A 0 1", "wlc by 0 anchor", "fwmark:1735786502"},
        {"the mark between them", "A 0 1", "wlc by 0", "fwmark:1735786501"},
        {"ops with tcp", "A 0 1 flags=4", "wlc by 0 flags", 0},
        {"ops with udp", "A 0 1 flags=4", "wlc by 0", "10.99.0.1:80/udp"},
        {"fallback with wlc", "A 0 1 flags=8", "wlc by 0 flags", 0},
        {"port with wlc", "A 0 1 flags=16", "wlc by 0 flags", 0},
        {"fallback with sh", "A 0 1 flags=8 sched=sh", "sh by 0", 0},
        {"port and fallback with mh", "A 0 1 flags=24 sched=mh", "mh by 0", 0},
        {"unspecified", "A 0 1", "wlc by 0 address", "0.0.0.0:80"},
        {"multicast", "A 0 1", "wlc by 0 address", "239.1.1.1:80"},
        {"loopback", "A 0 1", "wlc by 0 address", "127.0.0.1:80"},
        {"loopback, IPv6", "A 0 1", "wlc by 0 address", "[::1]:80"},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_backends_that_are_withheld(void **state)
{
    static const struct row rows[] = {
        {"unreadable", "A 0 1; ?B " A " 1 2", "wlc by 0; " A " 0 by 1 unreadable", 0},
        {"unreadable, but the cluster speaks", "A 0 1; ?B " A " 1 2; B " A " 0 2",
         "wlc by 0; " A " 1 by 01 conflict", 0},
        {"the cluster's unreadable, a node's readable", "A 0 1; B " A " 1 2; ?B " A " 0 2",
         "wlc by 0; " A " 0 by 01 conflict unreadable", 0},
        {"an unreadable override", "A 0 1; B " A " 1 2; ?O " A " 1 2",
         "wlc by 0; " A " 1 by 1 unreadable", 0},
        {"IPv6 behind IPv4", "A 0 1; B [fd00::4]:80 0 2; B " A " 0 2",
         "wlc by 0; " A " 1 by 0; [fd00::4]:80 1 by 0 family", 0},
        {"not by dr", "A 0 1; B [fd00::4]:80 0 2 forward=3", "wlc by 0; [fd00::4]:80 1 by 0 family",
         0},
        {"by tun it may", "A 0 1; B [fd00::4]:80 0 2 forward=2", "wlc by 0; [fd00::4]:80 1 by 0",
         0},
        {"IPv4 behind IPv6", "A 0 1; B " A " 0 2", "wlc by 0; " A " 1 by 0 family",
         "[fd00:99::1]:80"},
        {"IPv4 behind a mark of IPv6", "A 0 1; B " A " 0 2", "wlc by 0; " A " 1 by 0 family",
         "fwmark:5/v6"},
        {"unspecified", "A 0 1; B 0.0.0.0:80 0 2", "wlc by 0; 0.0.0.0:80 1 by 0 address", 0},
        {"multicast", "A 0 1; B 224.0.0.1:80 0 2", "wlc by 0; 224.0.0.1:80 1 by 0 address", 0},
        {"loopback", "A 0 1; B 127.0.0.1:80 0 2", "wlc by 0; 127.0.0.1:80 1 by 0 address", 0},
        {"its own VIP", "A 0 1; B 10.99.0.1:80 0 2", "wlc by 0; 10.99.0.1:80 1 by 0 address", 0},
        {"port 0 of a service with a port", "A 0 1; B 10.77.0.4:0 1 2; B " A " 1 2",
         "wlc by 0; 10.77.0.4:0 1 by 1 port-zero; " A " 1 by 1", 0},
        {"port 0 of a service without", "A 0 1 persistent=9; B 10.77.0.4:0 1 2",
         "wlc by 0; 10.77.0.4:0 1 by 1", "10.99.0.1:0"},
        {"port 0 of a mark", "A 0 1; B 10.77.0.4:0 1 2", "wlc by 0; 10.77.0.4:0 1 by 1",
         "fwmark:5"},
        {"its own VIP's address, another port", "A 0 1; B 10.99.0.1:81 0 2",
         "wlc by 0; 10.99.0.1:81 1 by 0", 0},
        {"which does not help if the service has all ports",
         "A 0 1 persistent=9; B 10.99.0.1:81 0 2", "wlc by 0; 10.99.0.1:81 1 by 0 address",
         "10.99.0.1:0"},
    };

    (void)state;
    CHECK_ROWS(rows, &anything);
}

static void
test_what_this_node_does_not_take(void **state)
{
    static const struct row rows[] = {
        {"inside", "A 0 1", "wlc by 0", "10.99.7.1:80"},
        {"inside the other", "A 0 1", "wlc by 0", "[fd00:99::1]:80"},
        {"outside", "A 0 1; B " A " 0 1", "wlc by 0 not-allowed; " A " 1 by 0", "10.98.0.1:80"},
        {"outside, IPv6", "A 0 1", "wlc by 0 not-allowed", "[fd00:98::1]:80"},
        {"own", "A 0 1", "wlc by 0 own-address", "10.99.9.9:80"},
        {"a mark is nowhere", "A 0 1", "wlc by 0", "fwmark:5"},
        {"a backend is not asked", "A 0 1; B 10.99.9.9:80 0 2; B 1.2.3.4:5 0 2",
         "wlc by 0; 1.2.3.4:5 1 by 0; 10.99.9.9:80 1 by 0", 0},
    };
    struct gvs_prefix allow[2];
    struct gvs_addr own;
    struct gvs_view_env env = {.allow = allow, .allow_count = 2, .own = &own, .own_count = 1};

    (void)state;
    assert_int_equal(gvs_prefix_parse(&allow[0], "10.99.0.0/16", 12, NULL), GVS_OK);
    assert_int_equal(gvs_prefix_parse(&allow[1], "fd00:99::/64", 12, NULL), GVS_OK);
    assert_int_equal(gvs_addr_parse(&own, "10.99.9.9", 9, NULL), GVS_OK);
    CHECK_ROWS(rows, &env);
}

/* Node 1 is gone, 2 silent, 3 retired; 4 and the cluster are there. */
static struct gvs_view_env
env_of_fates(struct gvs_view_owner owners[static 3])
{
    for (uint8_t i = 0; i < 3; i++)
        owners[i] = (struct gvs_view_owner){node(i + 1), (enum gvs_owner_stage)(i + 1)};
    return (struct gvs_view_env){.owners = owners, .owner_count = 3};
}

static void
test_what_the_gone_alone_claim_is_hidden(void **state)
{
    static const struct row rows[] = {
        {"gone", "A 4 1; B " A " 1 2 weight=5; B " B " 4 2",
         "wlc by 4; " A " 0 by 1 hidden; " B " 1 by 4", 0},
        {"silent", "A 4 1; B " A " 2 2; B " B " 4 2", "wlc by 4; " A " 0 by 2 silent; " B " 1 by 4",
         0},
        {"of a datagram service at once", "A 4 1; B " A " 1 2; B " B " 4 2",
         "wlc by 4; " A " 0 by 1 silent; " B " 1 by 4", "10.99.0.1:53/udp"},
        {"not what somebody else claims too", "A 4 1; B " A " 1 2; B " A " 4 1; B " B " 4 2",
         "wlc by 4; " A " 1 by 14; " B " 1 by 4", 0},
        {"nor what the cluster does", "A 4 1; B " A " 1 2; B " A " 0 1; B " B " 4 2",
         "wlc by 4; " A " 1 by 01; " B " 1 by 4", 0},
        {"gone and silent is gone", "A 4 1; B " A " 1 2; B " A " 2 1; B " B " 4 2",
         "wlc by 4; " A " 0 by 12 hidden; " B " 1 by 4", 0},
        {"a claim withdrawn does not count", "A 4 1; B " A " 1 2; -B " A " 4 3; B " B " 4 2",
         "wlc by 4; " A " 0 by 1 hidden; " B " 1 by 4", 0},
        {"the service itself stays", "A 1 1 sched=rr; B " A " 4 2", "rr by 1; " A " 1 by 4", 0},
        {"attributes are those of the gone",
         "A 4 1; B " A " 1 9 weight=5; B " A " 4 2; B " B " 4 2",
         "wlc by 4; " A " 5 by 14 conflict; " B " 1 by 4", 0},
        {"a weight by override is hidden, too",
         "A 4 1; B " A " 1 2; B " B " 4 2; O " A " 4 3 weight=9",
         "wlc by 4; " A " 0 by 1 hidden; " B " 1 by 4", 0},
    };
    struct gvs_view_owner owners[3];
    struct gvs_view_env env = env_of_fates(owners);

    (void)state;
    CHECK_ROWS(rows, &env);
}

static void
test_nothing_is_hidden_if_nothing_would_be_left(void **state)
{
    static const struct row rows[] = {
        {"the only one", "A 4 1; B " A " 1 2 weight=5", "wlc by 4; " A " 5 by 1; open", 0},
        {"all of them, however long", "A 4 1; B " A " 1 2; B " B " 2 2",
         "wlc by 4; " A " 1 by 1; " B " 1 by 2; open", 0},
        {"the other has no weight", "A 4 1; B " A " 1 2; B " B " 4 2 weight=0",
         "wlc by 4; " A " 1 by 1; " B " 0 by 4; open", 0},
        {"the other is drained", "A 4 1; B " A " 1 2; B " B " 4 2; O " B " 4 3 drain",
         "wlc by 4; " A " 1 by 1; " B " 0 by 4; open", 0},
        {"the other is withheld", "A 4 1; B " A " 1 2; B 127.0.0.1:80 4 2",
         "wlc by 4; " A " 1 by 1; 127.0.0.1:80 1 by 4 address; open", 0},
        {"datagrams", "A 4 1; B " A " 1 2", "wlc by 4; " A " 1 by 1; open", "10.99.0.1:53/udp"},
        {"nobody is gone, nothing is open", "A 4 1; B " A " 4 2 weight=0", "wlc by 4; " A " 0 by 4",
         0},
    };
    struct gvs_view_owner owners[3];
    struct gvs_view_env env = env_of_fates(owners);

    (void)state;
    CHECK_ROWS(rows, &env);
}

/* How A's service went, and how its backend A. */
static void
test_what_is_not_there_ended_like_this(void **state)
{
    static const struct {
        const char *why, *text;
        unsigned service_ms, backend_ms;
        bool service_force, backend_force, silent;
    } rows[] = {
        {"there was none", "", 0, 0, 0, 0, 0},
        {"a deletion", "A 0 1; -B " A " 0 7", 0, 7, 0, 0, 0},
        {"by force", "A 0 1; -B " A " 0 7 force", 0, 7, 0, 1, 0},
        {"the latest of several says when", "A 0 1; -B " A " 0 5; -B " A " 4 7", 0, 7, 0, 0, 0},
        {"and how: by force", "A 0 1; -B " A " 0 5; -B " A " 4 7 force", 0, 7, 0, 1, 0},
        {"and how: not by force", "A 0 1; -B " A " 0 5 force; -B " A " 4 7", 0, 7, 0, 0, 0},
        {"other backends' do not", "A 0 1; -B " B " 0 7; -B " A "8 0 7", 0, 0, 0, 0, 0},
        {"nor does an override's", "A 0 1; -O " A " 0 7 force", 0, 0, 0, 0, 0},
        {"nor what the retired took back", "A 0 1; -B " A " 0 5; -B " A " 3 7 force", 0, 5, 0, 0,
         0},
        {"nor his claim", "A 0 1; B " A " 3 9; -B " A " 0 5", 0, 5, 0, 0, 0},
        {"who claims it has not deleted it", "A 0 1; B " A " 4 1; -B " A " 0 5", 0, 0, 0, 0, 0},
        {"who is silent claims it, too", "A 0 1; B " A " 2 1; -B " A " 0 5", 0, 0, 0, 0, 1},
        {"who is not silent, still more", "A 0 1; B " A " 2 1; B " A " 4 5", 0, 0, 0, 0, 0},
        {"in any order", "A 0 1; B " A " 0 1; B " A " 2 5", 0, 0, 0, 0, 0},
        {"the service", "-A 0 7; -A 4 9 force; B " A " 4 1", 9, 0, 1, 0, 0},
        {"the silent claim services as ever", "A 2 1; -A 0 7", 0, 0, 0, 0, 0},
    };
    struct gvs_view_owner owners[3];
    struct gvs_view_env env = env_of_fates(owners);
    struct gvs_svcid svc = svcid(VIP);
    struct gvs_ep ep = endpoint(A);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(16);
        struct gvs_view_end service, backend;

        print_message("%s\n", rows[i].why);
        merge_text(t, VIP, rows[i].text);
        service = gvs_view_end(t, &env, &svc, NULL);
        backend = gvs_view_end(t, &env, &svc, &ep);
        assert_int_equal(gvs_hlc_ms(service.hlc), rows[i].service_ms);
        assert_int_equal(service.force, rows[i].service_force);
        assert_false(service.silent);
        assert_int_equal(gvs_hlc_ms(backend.hlc), rows[i].backend_ms);
        assert_int_equal(backend.force, rows[i].backend_force);
        assert_int_equal(backend.silent, rows[i].silent);
        free(t);
    }
}

static void
test_what_the_retired_claim_does_not_count(void **state)
{
    static const struct row rows[] = {
        {"a backend", "A 4 1; B " A " 3 2; B " B " 4 2", "wlc by 4; " B " 1 by 4", 0},
        {"not even if it was the only one", "A 4 1; B " A " 3 2", "wlc by 4", 0},
        {"a service", "A 3 1; B " A " 4 2", "- by  orphan; " A " 1 by 4 orphan", 0},
        {"both", "A 3 1; B " A " 3 2", NULL, 0},
        {"nor does it disagree", "A 4 1; A 3 5 sched=rr; B " A " 4 2; B " A " 3 3 weight=7",
         "wlc by 4; " A " 1 by 4", 0},
        {"its overrides stay: they are the cluster's",
         "A 4 1; B " A " 4 2; B " B " 4 2; O " A " 3 3 weight=9",
         "wlc by 4; " A " 9 by 4; " B " 1 by 4", 0},
    };
    struct gvs_view_owner owners[3];
    struct gvs_view_env env = env_of_fates(owners);

    (void)state;
    CHECK_ROWS(rows, &env);
}

static bool
is_port_81(const void *ctx, const struct gvs_svcid *svc)
{
    assert_string_equal(ctx, "context");
    return svc->port == 81;
}

/* Whoever is second is in the wrong: a member that comes to the address of a service takes nothing
 * away, and a service that is claimed where a member is takes nothing either. */
static void
test_where_members_take_datagrams_nodes_make_no_vip(void **state)
{
    static const struct row rows[] = {
        {"the first", "A 1 1", "wlc by 1 member", "10.77.0.1:80"},
        {"whatever the port", "A 1 1", "wlc by 1 member", "10.77.0.2:7900/udp"},
        {"the last", "A 1 1", "wlc by 1 member", "[fd00::9]:80"},
        {"several nodes", "A 1 1; A 2 2", "wlc by 21 member", "10.77.0.1:80"},
        {"a neighbour", "A 1 1", "wlc by 1", "10.77.0.3:80"},
        {"a mark", "A 1 1", "wlc by 1", "fwmark:5"},
        {"a backend may be one", "A 0 1; B 10.77.0.2:80 0 2", "wlc by 0; 10.77.0.2:80 1 by 0", 0},
        {"the cluster's was judged when it was written", "A 0 1", "wlc by 0", "10.77.0.1:80"},
        {"and speaks for the nodes", "A 1 5; A 0 1; A 2 9", "wlc by 012", "10.77.0.2:80"},
        {"not any more", "A 1 5; A 0 1; -A 0 2", "wlc by 1 member", "10.77.0.2:80"},
        {"what is in use stays", "A 1 1; B " A " 1 2", "wlc by 1; " A " 1 by 1", "10.77.0.1:81"},
        {"in use or not, it is somebody's claim", "B " A " 1 2",
         "- by  orphan; " A " 1 by 1 orphan", "10.77.0.1:81"},
    };
    static const struct row unused[] = {
        {"nothing is", "A 1 1", "wlc by 1 member", "10.77.0.1:81"},
    };
    struct gvs_addr members[3];
    struct gvs_view_env env = {
        .members = members, .member_count = 3, .in_use = is_port_81, .in_use_ctx = "context"};

    (void)state;
    members[0] = svcid("10.77.0.1:1").addr;
    members[1] = svcid("10.77.0.2:1").addr;
    members[2] = svcid("[fd00::9]:1").addr;
    CHECK_ROWS(rows, &env);
    env.in_use = NULL;
    CHECK_ROWS(unused, &env);
}

/* --- what rows do not show --- */

static struct gvs_view_service *
view(const struct gvs_table *t, const char *vip)
{
    struct gvs_view_service *v = malloc(sizeof *v);
    struct gvs_svcid svc = svcid(vip);

    assert_non_null(v);
    assert_true(gvs_view_service(t, &anything, &svc, v));
    return v;
}

static void
test_netmask_0_is_the_whole_address(void **state)
{
    static const struct {
        const char *vip, *table;
        uint8_t netmask;
    } rows[] = {
        {VIP, "A 0 1", 32},
        {VIP, "A 0 1 netmask=24", 24},
        {"[fd00:99::1]:80", "A 0 1", 128},
        {"[fd00:99::1]:80", "A 0 1 netmask=64", 64},
        {"fwmark:5", "A 0 1", 32},
        {"fwmark:5/v6", "A 0 1", 128},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(4);
        struct gvs_view_service *v;
        struct gvs_item item;

        merge_text(t, rows[i].vip, rows[i].table);
        v = view(t, rows[i].vip);
        assert_int_equal(gvs_view_items(v, &item, 1), 1);
        assert_int_equal(item.service.netmask, rows[i].netmask);
        free(v);
        free(t);
    }
}

static void
test_a_lower_threshold_without_an_upper_one_is_none(void **state)
{
    static const struct {
        const char *claim;
        uint32_t lower, upper;
    } rows[] = {
        {"B " A " 0 1 lower=3 upper=9", 3, 9},
        {"B " A " 0 1 upper=9", 0, 9},
        {"B " A " 0 1 lower=3", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_table *t = table_new(4);
        struct gvs_view_service *v;
        struct gvs_item items[2];

        merge_text(t, VIP, "A 0 1");
        merge_text(t, VIP, rows[i].claim);
        v = view(t, VIP);
        assert_int_equal(gvs_view_items(v, items, 2), 2);
        assert_int_equal(items[1].dest.lower, rows[i].lower);
        assert_int_equal(items[1].dest.upper, rows[i].upper);
        free(v);
        free(t);
    }
}

static void
test_changed_is_the_latest_of_all_that_shaped_it(void **state)
{
    struct gvs_table *t = table_new(16);
    struct gvs_view_service *v;

    (void)state;
    merge_text(t, VIP,
               "A 0 5; A 1 7; -A 2 6; B " A " 1 2; B " A " 2 3; -B " A " 3 4; "
               "B " B " 1 3; -O " B " 2 8; B " C " 1 6; O " C " 2 3 drain");
    v = view(t, VIP);
    assert_int_equal(gvs_hlc_ms(v->changed.hlc), 7);
    assert_int_equal(v->changed.writer.b[0], 1);
    assert_int_equal(gvs_hlc_ms(v->backends[0].changed.hlc), 4); /* a claim ended */
    assert_int_equal(gvs_hlc_ms(v->backends[1].changed.hlc), 8); /* an override was lifted */
    assert_int_equal(v->backends[1].changed.writer.b[0], 2);
    assert_int_equal(gvs_hlc_ms(v->backends[2].changed.hlc), 6);
    free(v);
    free(t);
}

static void
test_claimants_beyond_the_eighth_are_counted(void **state)
{
    struct gvs_table *t = table_new(64);
    struct gvs_view_service *v;
    char text[64];

    (void)state;
    for (int owner = 1; owner <= 12; owner++) {
        snprintf(text, sizeof text, "A %d %d; B " A " %d %d", owner, owner == 11 ? 99 : owner,
                 owner, 50 - owner);
        merge_text(t, VIP, text);
    }
    v = view(t, VIP);
    assert_int_equal(v->owner_count, 12);
    assert_int_equal(v->owners[0].b[0], 11); /* the speaker, though it came eleventh */
    assert_int_equal(v->backends[0].owner_count, 12);
    for (int i = 0; i < GVS_VIEW_OWNERS_MAX; i++)
        assert_int_equal(v->backends[0].owners[i].b[0], i + 1);
    free(v);
    free(t);
}

static void
test_too_many_backends_are_counted_and_withheld(void **state)
{
    enum { EXTRA = 6 };
    struct gvs_table *t = table_new(4096);
    struct gvs_view_service *v;
    struct gvs_item *items = calloc(1 + GVS_VIEW_BACKENDS_MAX, sizeof *items);
    char text[128];

    (void)state;
    merge_text(t, VIP, "A 0 1");
    for (int i = GVS_VIEW_BACKENDS_MAX + EXTRA; i-- > 0;) { /* the last come first */
        snprintf(text, sizeof text, "B 10.77.0.4:%d 0 2; B 10.77.0.4:%d 1 2", i + 1, i + 1);
        merge_text(t, VIP, text);
    }
    merge_text(t, VIP, "O 10.77.0.4:1024 1 3 drain; O 10.77.0.4:1025 1 3 drain");
    v = view(t, VIP);
    assert_int_equal(v->backend_count, GVS_VIEW_BACKENDS_MAX);
    assert_int_equal(v->backend_more, EXTRA);
    assert_int_equal(v->withheld, GVS_SHOWN);
    assert_int_equal(gvs_view_items(v, items, 1 + GVS_VIEW_BACKENDS_MAX),
                     1 + GVS_VIEW_BACKENDS_MAX);
    assert_int_equal(items[GVS_VIEW_BACKENDS_MAX].ep.port, 1024);
    assert_int_equal(items[GVS_VIEW_BACKENDS_MAX].dest.weight, 0);
    free(items);
    free(v);
    free(t);
}

static void
test_seek_finds_what_is_alive(void **state)
{
    static const char *const order[] = {"fwmark:5", "10.99.0.1:80/tcp", "10.99.0.3:80/tcp",
                                        "[fd00:99::1]:80/tcp", "10.99.0.1:80/udp"};
    struct gvs_table *t = table_new(64);
    struct gvs_svcid at, from;
    char text[GVS_SVCID_TEXT_LEN];
    bool found;

    (void)state;
    assert_false(gvs_view_seek(t, NULL, false, &at));
    merge_text(t, "10.99.0.1:80/udp", "A 0 1");
    merge_text(t, "10.99.0.3:80/tcp", "-A 0 1; -B " A " 0 1; O " A " 1 1 drain");
    merge_text(t, "10.99.0.2:80/tcp", "-A 0 1; -B " A " 0 1; -O " A " 1 1");
    merge_text(t, "10.99.0.1:80/tcp", "-A 0 1; B " A " 1 1");
    merge_text(t, "[fd00:99::1]:80/tcp", "-A 0 1; A 3 1");
    merge_text(t, "fwmark:5", "A 0 1; B " A " 0 1; O " A " 1 1 drain");
    found = gvs_view_seek(t, NULL, false, &at);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_true(found);
        gvs_svcid_format(text, &at);
        assert_string_equal(text, order[i]);
        assert_true(gvs_view_seek(t, &at, false, &from));
        assert_memory_equal(&at, &from, sizeof at);
        found = gvs_view_seek(t, &from, true, &at);
    }
    assert_false(found);
    from = svcid("10.99.0.2:80/tcp"); /* dead, so the next one either way */
    assert_true(gvs_view_seek(t, &from, false, &at));
    gvs_svcid_format(text, &at);
    assert_string_equal(text, "10.99.0.3:80/tcp");
    free(t);
}

static void
test_services_do_not_see_each_other(void **state)
{
    struct gvs_table *t = table_new(64);
    struct gvs_view_service *v;

    (void)state;
    merge_text(t, "10.99.0.1:80/tcp", "A 0 5 reset=4; B " A " 1 6");
    merge_text(t, "10.99.0.1:81/tcp", "A 0 5; B " A " 0 3; B " B " 0 3; O " B " 1 3 drain");
    v = view(t, "10.99.0.1:80/tcp");
    assert_int_equal(v->backend_count, 1);
    free(v);
    v = view(t, "10.99.0.1:81/tcp");
    assert_int_equal(v->backend_count, 2);
    assert_int_equal(v->backends[0].weight, 1);
    assert_int_equal(v->backends[1].weight, 0);
    free(v);
    free(t);
}

/* --- against a naive view: for each thing, look through all entries --- */

#define OWNERS 4
#define ENDPOINTS 3

static const char *const endpoints[ENDPOINTS] = {A, B, C};

static void
random_line(char *text, size_t cap, struct gvs_prng *p)
{
    const char *ep = endpoints[gvs_prng_below(p, ENDPOINTS)];
    const char *mark = gvs_prng_chance(p, 1, 4) ? "-" : "";
    uint32_t owner = gvs_prng_below(p, OWNERS), ms = 1 + gvs_prng_below(p, 8);
    uint32_t n = gvs_prng_below(p, 3);

    switch (gvs_prng_below(p, 4)) {
    case 0:
        if (owner == 0)
            snprintf(text, cap, "%sA 0 %u persistent=%u reset=%u", mark, ms, n,
                     1 + gvs_prng_below(p, 8));
        else
            snprintf(text, cap, "%sA %u %u persistent=%u", mark, owner, ms, n);
        break;
    case 1:
        snprintf(text, cap, "%sO %s %u %u %s", mark, ep, 1 + n, ms, n ? "weight=7" : "drain");
        break;
    default:
        snprintf(text, cap, "%sB %s %u %u weight=%u upper=%u", mark, ep, owner, ms, n, n % 2);
    }
}

/* Looks an entry up by its parts; only one that is alive. */
static bool
live(const struct gvs_table *t, const struct gvs_key *key, struct gvs_entry *out)
{
    struct gvs_keybuf buf;

    gvs_key_build(&buf, key);
    return gvs_table_get(t, buf.b, buf.len, out) && !out->tombstone;
}

static uint64_t
naive_reset(const struct gvs_table *t, const struct gvs_svcid *svc)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = *svc};
    struct gvs_service claim;
    struct gvs_keybuf buf;
    struct gvs_entry e;

    gvs_key_build(&buf, &key);
    if (!gvs_table_get(t, buf.b, buf.len, &e))
        return 0;
    if (e.tombstone)
        return e.order;
    assert_int_equal(gvs_service_decode(&claim, e.value, e.value_len), GVS_OK);
    return claim.reset;
}

/* The claim that speaks: the cluster's, else the greatest. */
static bool
naive_speaker(const struct gvs_table *t, const enum gvs_owner_stage *stage, struct gvs_key key,
              uint64_t reset, struct gvs_entry *out)
{
    struct gvs_entry e;
    bool found = false;

    key.owner = GVS_ID_CLUSTER;
    if (live(t, &key, out) && out->order > reset)
        return true;
    for (uint8_t owner = 1; owner < OWNERS; owner++) {
        key.owner = node(owner);
        if (stage[owner] != GVS_OWNER_RETIRED && live(t, &key, &e) &&
            (!found || naive_greater(&e, out))) {
            *out = e;
            found = true;
        }
    }
    return found;
}

static uint32_t
naive_weight(const struct gvs_table *t, const struct gvs_key *backend, uint32_t weight)
{
    struct gvs_key key = {.kind = GVS_KEY_OVERRIDE, .svc = backend->svc, .ep = backend->ep};
    struct gvs_override o;
    struct gvs_entry e;

    if (!live(t, &key, &e))
        return weight;
    assert_int_equal(gvs_override_decode(&o, e.value, e.value_len), GVS_OK);
    return o.drain ? 0 : o.has_weight ? o.weight : weight;
}

/* The best that is known of anybody who claims it. */
static enum gvs_owner_stage
naive_stage(const struct gvs_table *t, const enum gvs_owner_stage *stage, struct gvs_key key,
            uint64_t reset)
{
    enum gvs_owner_stage best = GVS_OWNER_RETIRED;
    struct gvs_entry e;

    for (uint8_t owner = 0; owner < OWNERS; owner++) {
        key.owner = owner ? node(owner) : GVS_ID_CLUSTER;
        if (live(t, &key, &e) && (owner || e.order > reset) && stage[owner] < best)
            best = stage[owner];
    }
    return best;
}

static size_t
naive_hide(struct gvs_item *items, const enum gvs_owner_stage *hidden, size_t count)
{
    size_t left = 0, kept = 1;

    for (size_t i = 1; i < count; i++)
        left += hidden[i] == GVS_OWNER_THERE && items[i].dest.weight > 0;
    for (size_t i = 1; i < count; i++) {
        if (left && hidden[i] == GVS_OWNER_SILENT)
            continue;
        items[kept] = items[i];
        if (left && hidden[i] == GVS_OWNER_GONE)
            items[kept].dest.weight = 0;
        kept++;
    }
    return kept;
}

static size_t
naive_items(const struct gvs_table *t, const enum gvs_owner_stage *stage,
            const struct gvs_svcid *svc, struct gvs_item *items)
{
    enum gvs_owner_stage hidden[1 + ENDPOINTS] = {0};
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .svc = *svc};
    struct gvs_service claim;
    struct gvs_entry e;
    size_t count = 1;

    if (!naive_speaker(t, stage, key, 0, &e))
        return 0;
    assert_int_equal(gvs_service_decode(&claim, e.value, e.value_len), GVS_OK);
    items[0] = gvs_item_make_service(svc);
    memcpy(items[0].service.sched, "wlc", 3);
    items[0].service.persistent = claim.persistent;
    items[0].service.netmask = 32;
    key.kind = GVS_KEY_BACKEND;
    for (size_t i = 0; i < ENDPOINTS; i++) {
        struct gvs_backend backend;

        key.ep = endpoint(endpoints[i]);
        if (!naive_speaker(t, stage, key, naive_reset(t, svc), &e))
            continue;
        assert_int_equal(gvs_backend_decode(&backend, e.value, e.value_len), GVS_OK);
        items[count] = gvs_item_make_dest(svc, &key.ep);
        items[count].dest.weight = naive_weight(t, &key, backend.weight);
        items[count].dest.upper = backend.upper;
        hidden[count++] = naive_stage(t, stage, key, naive_reset(t, svc));
    }
    return naive_hide(items, hidden, count);
}

static void
test_items_are_those_of_the_naive_view(void **state)
{
    static struct gvs_item want[1 + ENDPOINTS], got[1 + GVS_VIEW_BACKENDS_MAX];
    struct gvs_view_service *v = malloc(sizeof *v);
    struct gvs_svcid svc = svcid(VIP);

    (void)state;
    assert_non_null(v);
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 5000); seed++) {
        struct gvs_prng p = gvs_prng_init(seed);
        struct gvs_table *t = table_new(64);
        enum gvs_owner_stage stage[OWNERS] = {GVS_OWNER_THERE};
        struct gvs_view_owner owners[OWNERS - 1];
        struct gvs_view_env env = {.owners = owners, .owner_count = OWNERS - 1};
        uint32_t lines = gvs_prng_below(&p, 30);
        char text[128];
        size_t count = 0;

        while (lines-- > 0) {
            random_line(text, sizeof text, &p);
            merge_text(t, VIP, text);
        }
        for (uint8_t owner = 1; owner < OWNERS; owner++) {
            stage[owner] = gvs_prng_chance(&p, 1, 2) ? gvs_prng_below(&p, 4) : GVS_OWNER_THERE;
            owners[owner - 1] = (struct gvs_view_owner){node(owner), stage[owner]};
        }
        if (gvs_view_service(t, &env, &svc, v))
            count = gvs_view_items(v, got, 1 + GVS_VIEW_BACKENDS_MAX);
        assert_int_equal(count, naive_items(t, stage, &svc, want));
        assert_memory_equal(got, want, count * sizeof *got);
        free(t);
    }
    free(v);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_speaks_for_a_service),
        cmocka_unit_test(test_who_speaks_for_a_backend),
        cmocka_unit_test(test_a_service_deleted_and_made_again_starts_empty),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_services_that_are_withheld),
        cmocka_unit_test(test_backends_that_are_withheld),
        cmocka_unit_test(test_what_this_node_does_not_take),
        cmocka_unit_test(test_what_the_gone_alone_claim_is_hidden),
        cmocka_unit_test(test_nothing_is_hidden_if_nothing_would_be_left),
        cmocka_unit_test(test_what_is_not_there_ended_like_this),
        cmocka_unit_test(test_what_the_retired_claim_does_not_count),
        cmocka_unit_test(test_where_members_take_datagrams_nodes_make_no_vip),
        cmocka_unit_test(test_netmask_0_is_the_whole_address),
        cmocka_unit_test(test_a_lower_threshold_without_an_upper_one_is_none),
        cmocka_unit_test(test_changed_is_the_latest_of_all_that_shaped_it),
        cmocka_unit_test(test_claimants_beyond_the_eighth_are_counted),
        cmocka_unit_test(test_too_many_backends_are_counted_and_withheld),
        cmocka_unit_test(test_seek_finds_what_is_alive),
        cmocka_unit_test(test_services_do_not_see_each_other),
        cmocka_unit_test_teardown(test_items_are_those_of_the_naive_view, test_seed_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
