#include "net/gate.h"
#include "core/bytes.h"

#include <string.h>

/* INITs that cost more than a mac: in all, and from one address and port. A node that starts asks
 * once a second. */
#define EVERY_US 5000
#define BURST 400
#define EP_EVERY_US 200000
#define EP_BURST 10

/* COOKIEs: a tenth of a core, where sending costs 20 us. */
#define COOKIE_EVERY_US 200
#define COOKIE_BURST 1000

#define LOAD_INITS 100 /* a second */
#define LOAD_PENDING 64
#define SECOND_MS 1000

/* The replay cache: an INIT is its mac1, of which nobody without the psk makes two with the same
 * beginning. What is forgotten meets init_time and the proof by DATA. A flood is found in `met`,
 * which costs nothing and promises nothing; the promise (I1) is the ring's. */
static uint64_t *
set_of(struct gvs_gate *g, uint64_t mac1)
{
    return g->met[mac1 % GVS_GATE_MET_SETS];
}

static bool
was_met(struct gvs_gate *g, uint64_t mac1)
{
    for (size_t i = 0; i < GVS_GATE_MET_WAYS; i++)
        if (set_of(g, mac1)[i] == mac1)
            return true;
    return false;
}

static void
note_met(struct gvs_gate *g, uint64_t mac1)
{
    uint64_t *set = set_of(g, mac1);

    memmove(set + 1, set, (GVS_GATE_MET_WAYS - 1) * sizeof *set);
    set[0] = mac1;
}

static bool
was_seen(const struct gvs_gate *g, uint64_t mac1)
{
    bool seen = false;

    for (size_t i = 0; i < GVS_GATE_SEEN_MAX; i++)
        seen |= g->seen[i] == mac1; /* no branch: a microsecond for all of them */
    return seen;
}

static void
note_seen(struct gvs_gate *g, uint64_t mac1)
{
    g->seen[g->seen_at] = mac1;
    g->seen_at = (g->seen_at + 1) % GVS_GATE_SEEN_MAX;
    note_met(g, mac1);
}

/* I4 */
static enum gvs_gate_verdict
ask(struct gvs_gate *g, struct gvs_mono now, uint64_t mac1)
{
    if (!gvs_limit_allows(&g->cookies, now, COOKIE_EVERY_US, COOKIE_BURST))
        return GVS_GATE_LIMITED;
    gvs_limit_take(&g->cookies, now, COOKIE_EVERY_US);
    note_met(g, mac1);
    return GVS_GATE_UNPROVEN;
}

/* May an INIT from there cost us an opening now? Addresses with the same hash share a cell. */
static bool
take(struct gvs_gate *g, struct gvs_mono now, const struct gvs_ep *from)
{
    struct gvs_limit *ep;
    uint8_t b[GVS_EP_LEN];

    gvs_put_ep(b, from);
    ep = &g->ep[gvs_crypto_siphash(&g->key, b, sizeof b) % GVS_GATE_EP_CELLS];
    if (!gvs_limit_allows(ep, now, EP_EVERY_US, EP_BURST) ||
        !gvs_limit_allows(&g->all, now, EVERY_US, BURST))
        return false;
    gvs_limit_take(ep, now, EP_EVERY_US);
    gvs_limit_take(&g->all, now, EVERY_US);
    return true;
}

/* One more has come. The second before counts, so that a flood does not get its first hundred
 * through in each. */
static bool
is_loaded(struct gvs_gate *g, struct gvs_mono now, size_t pending)
{
    struct gvs_mono next = gvs_mono_add_ms(g->second, SECOND_MS);

    if (gvs_mono_due(next, now)) {
        g->before = gvs_mono_due(gvs_mono_add_ms(next, SECOND_MS), now) ? 0 : g->count;
        g->count = 0;
        g->second = g->before > 0 ? next : now;
    }
    g->count++;
    return g->count > LOAD_INITS || g->before > LOAD_INITS || pending > LOAD_PENDING;
}

enum gvs_gate_verdict
gvs_gate_judge(struct gvs_gate *g, struct gvs_mono now, const struct gvs_ep *from,
               const uint8_t init[static GVS_HANDSHAKE_LEN], size_t pending)
{
    uint64_t mac1 = gvs_get64(init + GVS_AT_MAC1);

    if (was_met(g, mac1) || was_seen(g, mac1))
        return GVS_GATE_SEEN; /* before the limit, which is the honest ones' */
    if (is_loaded(g, now, pending) && !gvs_cookie_proves(&g->secrets, now, from, init))
        return ask(g, now, mac1);
    if (!take(g, now, from))
        return GVS_GATE_LIMITED;
    note_seen(g, mac1);
    return GVS_GATE_PASS;
}
