/* Datagrams on links that delay, lose, repeat, reorder, corrupt and stop.
 *
 * A link is one way between two hosts. Delays are exponential about the link's mean, and a few take
 * up to a minute more, so that order changes by itself. Of everything sent a sample is kept, and
 * comes back at any later time: across restarts, too, and from addresses that never sent it. */
#include <stdlib.h>
#include <string.h>

#include "tools/sim/world.h"

#define TAPE (sizeof((struct sim_world *)0)->tape / sizeof(struct sim_packet *))

struct sim_link *
sim_link(struct sim_world *w, size_t from, size_t to)
{
    return &w->link[from * w->count + to];
}

void
sim_network_open(struct sim_world *w)
{
    const struct sim_plan *p = &w->plan;

    w->link = sim_need(calloc(w->count * w->count, sizeof *w->link));
    for (size_t i = 0; i < w->count * w->count; i++) {
        double mean = p->delay_us;

        if (p->spread > 1)
            mean = sim_spread(&w->air, mean / p->spread, mean);
        w->link[i].delay_us = mean < 1 ? 1 : (uint32_t)mean;
    }
}

void
sim_network_close(struct sim_world *w)
{
    for (size_t i = 0; i < TAPE; i++) {
        if (w->tape[i])
            sim_packet_drop(w->tape[i]);
    }
    free(w->link);
}

void
sim_packet_drop(struct sim_packet *p)
{
    if (--p->refs == 0)
        free(p);
}

static struct sim_packet *
make_packet(size_t from, size_t to, const uint8_t *b, size_t len)
{
    struct sim_packet *p = sim_need(malloc(sizeof *p + len));

    *p = (struct sim_packet){.refs = 1,
                             .from = (uint32_t)from,
                             .to = (uint32_t)to,
                             .hash = sim_hash(b, len),
                             .sound = true,
                             .len = (uint16_t)len};
    memcpy(p->b, b, len);
    return p;
}

/* A sample of all that was ever sent (Vitter's algorithm R). */
static void
keep_on_tape(struct sim_world *w, struct sim_packet *p)
{
    uint64_t place = w->tape_seen++;

    if (place >= TAPE)
        place = sim_below(&w->air, w->tape_seen);
    if (place >= TAPE)
        return;
    if (w->tape[place])
        sim_packet_drop(w->tape[place]);
    p->refs++;
    p->witnessed = true;
    w->tape[place] = p;
}

static uint64_t
draw_delay(struct sim_world *w, const struct sim_link *l)
{
    double us;

    if (w->plan.fixed_delay)
        return l->delay_us;
    us = sim_wait(&w->air, l->delay_us);
    if (sim_chance(&w->air, w->plan.tail))
        us += (double)sim_below(&w->air, w->plan.tail_us + 1);
    return 20 + (uint64_t)us;
}

static void
launch(struct sim_world *w, struct sim_link *l, struct sim_packet *p)
{
    uint64_t at = w->now_us;

    if (l->clogged_us > at)
        at = l->clogged_us;
    at += draw_delay(w, l);
    if (w->plan.fixed_delay && at < l->last_us)
        at = l->last_us;
    l->last_us = at;
    p->refs++;
    sim_alarm(w, &(struct sim_alarm){.at_us = at, .timer = SIM_ARRIVAL, .packet = p});
}

/* A copy with bits turned over, or its end cut off. Flips in mac2 are spared: that field means
 * nothing until a cookie is asked for, and so a handshake with such a flip is as good as ever. */
static struct sim_packet *
spoil(struct sim_world *w, const struct sim_packet *p, bool truncate)
{
    struct sim_packet *bad = make_packet(p->from, p->to, p->b, p->len);
    size_t span = p->len == GVS_HANDSHAKE_LEN ? 160 : p->len;

    bad->sound = false;
    if (truncate)
        bad->len = (uint16_t)sim_below(&w->air, p->len);
    else
        for (uint64_t flips = 1 + sim_below(&w->air, 3); flips > 0; flips--)
            bad->b[sim_below(&w->air, span)] ^= (uint8_t)(1 << sim_below(&w->air, 8));
    if (bad->len == p->len && memcmp(bad->b, p->b, p->len) == 0)
        bad->b[0] ^= 1; /* a bit was turned over twice */
    bad->hash = sim_hash(bad->b, bad->len);
    return bad;
}

static bool
find_host(const struct sim_world *w, const struct gvs_ep *ep, size_t *host)
{
    size_t i = (size_t)ep->addr.b[1] << 16 | (size_t)ep->addr.b[2] << 8 | ep->addr.b[3];

    *host = i - 1;
    return i >= 1 && i <= w->count && gvs_ep_cmp(ep, &w->host[i - 1].ep) == 0;
}

static void
drop(struct sim_world *w, const struct sim_packet *p, const char *why)
{
    w->dropped++;
    sim_note(w, SIM_DROPPED, p->to, why, p->from, p->len, p->hash);
}

void
sim_send(struct sim_world *w, size_t from, const struct gvs_ep *ep, const uint8_t *b, size_t len)
{
    const struct sim_plan *plan = &w->plan;
    struct sim_packet *p, *bad;
    struct sim_link *l;
    size_t to;

    w->sent++;
    w->host[from].sent++;
    w->host[from].sent_bytes += len + 28;
    if (!find_host(w, ep, &to)) {
        /* To a stranger, who hears nothing and never answers: only how much counts. But for those
         * whom an intruder has invented, who live nowhere: a question is all that they can get. */
        if (ep->addr.b[0] == 192 || b[0] != GVS_PACKET_INIT)
            sim_oracle_sent(w, from, w->count + ep->addr.b[3] % SIM_STRANGERS, b, len);
        return;
    }
    sim_oracle_sent(w, from, to, b, len);
    p = make_packet(from, to, b, len);
    l = sim_link(w, from, to);
    sim_note(w, SIM_SENT, from, "to", to, len, p->hash);
    if (w->chaos && plan->replay > 0)
        keep_on_tape(w, p);
    if (l->cut > 0 || (sim_chance(&w->air, plan->loss))) {
        drop(w, p, l->cut > 0 ? "cut" : "lost");
    } else if (sim_chance(&w->air, plan->corrupt + plan->truncate)) {
        bad = spoil(w, p, sim_chance(&w->air, plan->truncate / (plan->corrupt + plan->truncate)));
        launch(w, l, bad);
        sim_packet_drop(bad);
    } else {
        launch(w, l, p);
    }
    for (int extra = 0; extra < 3 && sim_chance(&w->air, plan->duplicate); extra++) {
        p->witnessed = true;
        launch(w, l, p);
    }
    sim_packet_drop(p);
    if (w->chaos && sim_chance(&w->air, plan->replay))
        sim_replay(w);
}

/* To whom it was sent, or to anybody; from whom it came, or from an address of nobody. */
void
sim_replay(struct sim_world *w)
{
    uint64_t count = w->tape_seen < TAPE ? w->tape_seen : TAPE;
    struct sim_packet *p, *forged;

    if (count == 0)
        return;
    p = w->tape[sim_below(&w->air, count)];
    if (sim_chance(&w->air, 0.3)) {
        size_t from = w->count + sim_below(&w->air, SIM_STRANGERS);
        size_t to = sim_chance(&w->air, 0.5) ? p->to : sim_below(&w->air, w->count);

        forged = make_packet(from, to, p->b, p->len);
        launch(w, sim_link(w, p->from, to), forged);
        sim_packet_drop(forged);
        return;
    }
    launch(w, sim_link(w, p->from, p->to), p);
}

/* Takes one reference. */
void
sim_arrive(struct sim_world *w, struct sim_packet *p)
{
    struct sim_host *h = &w->host[p->to];
    struct sim_packet *own = p;

    if (sim_intruder_at(w, p->to)) {
        sim_intruder_take(w, p);
        sim_packet_drop(p);
        return;
    }
    if (!h->node || (p->from < w->count && sim_link(w, p->from, p->to)->cut > 0) ||
        h->inbox_count == SIM_INBOX_MAX) {
        drop(w, p, !h->node ? "down" : h->inbox_count == SIM_INBOX_MAX ? "inbox full" : "cut");
        sim_packet_drop(p);
        return;
    }
    if (w->contact_us == 0 && (p->from < w->border) != (p->to < w->border))
        w->contact_us = w->now_us;
    if (h->inbox_count == 0 && h->busy_us <= w->now_us) {
        sim_oracle_take(w, p->to, p);
        sim_host_pump(w, p->to);
        sim_packet_drop(p);
        return;
    }
    if (p->refs > 1) { /* other copies are elsewhere, and a packet stands in one queue only */
        own = make_packet(p->from, p->to, p->b, p->len);
        own->sound = p->sound;
        own->witnessed = p->witnessed;
        sim_packet_drop(p);
    }
    own->next = NULL;
    *h->inbox_end = own;
    h->inbox_end = &own->next;
    h->inbox_count++;
}

void
sim_cut(struct sim_world *w, size_t from, size_t to, bool cut)
{
    struct sim_link *l = sim_link(w, from, to);

    if (cut)
        l->cut++;
    else if (l->cut > 0)
        l->cut--;
}

void
sim_split(struct sim_world *w, size_t first, bool cut)
{
    sim_note(w, SIM_FAULT, 0, cut ? "split" : "joined", first, 0, 0);
    w->border = first;
    w->contact_us = 0;
    for (size_t from = 0; from < w->count; from++) {
        for (size_t to = 0; to < w->count; to++) {
            if ((from < first) != (to < first))
                sim_cut(w, from, to, cut);
        }
    }
}

uint64_t
sim_bytes_sent(const struct sim_world *w)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < w->count; i++)
        sum += w->host[i].sent_bytes;
    return sum;
}
