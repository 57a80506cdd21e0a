/* Time, the log, and what a run says when it fails. */
#include "tools/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US 100000
#define ASK_US 10000 /* how often sim_run_till looks */

void *
sim_need(void *p)
{
    if (!p) {
        fputs("sim: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

/* Any mixing hash will do: nobody attacks it. */
uint64_t
sim_hash(const void *b, size_t len)
{
    const uint8_t *p = b;
    uint64_t h = len, word = 0;

    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = sim_mix(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    memcpy(&word, p, len);
    return sim_mix(h ^ word);
}

/* --- the heap --- */

static bool
earlier(const struct sim_alarm *a, const struct sim_alarm *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->no < b->no;
}

void
sim_alarm(struct sim_world *w, const struct sim_alarm *alarm)
{
    struct sim_queue *q = &w->queue;
    struct sim_alarm a = *alarm;
    size_t i = q->count++;

    a.no = w->no++;
    if (i == q->cap) {
        q->cap = 2 * q->cap + 256;
        q->v = sim_need(realloc(q->v, q->cap * sizeof *q->v));
    }
    for (; i > 0 && earlier(&a, &q->v[(i - 1) / 2]); i = (i - 1) / 2)
        q->v[i] = q->v[(i - 1) / 2];
    q->v[i] = a;
}

static struct sim_alarm
next_alarm(struct sim_queue *q)
{
    struct sim_alarm first = q->v[0], last = q->v[--q->count];
    size_t i = 0, kid;

    while ((kid = 2 * i + 1) < q->count) {
        if (kid + 1 < q->count && earlier(&q->v[kid + 1], &q->v[kid]))
            kid++;
        if (!earlier(&q->v[kid], &last))
            break;
        q->v[i] = q->v[kid];
        i = kid;
    }
    q->v[i] = last;
    return first;
}

void
sim_call(struct sim_world *w, uint64_t at_us, void (*call)(struct sim_world *w, uint64_t arg),
         uint64_t arg)
{
    sim_alarm(w, &(struct sim_alarm){.at_us = at_us, .timer = SIM_CALL, .call = call, .arg = arg});
}

/* --- the world --- */

/* One key for all, from a stream of its own. */
static void
make_ring(struct sim_world *w, uint64_t seed)
{
    struct sim_prng prng = {seed ^ UINT64_C(0x6b6579)};
    struct gvs_keyring_fault fault;
    char line[80], key[45];
    uint8_t psk[32];
    int rc;

    sim_fill(&prng, psk, sizeof psk);
    gvs_crypto_key_format(key, psk);
    snprintf(line, sizeof line, "%s primary\n", key);
    w->ring = sim_need(malloc(sizeof *w->ring));
    rc = gvs_keyring_parse(w->ring, line, strlen(line), &fault);
    GVS_ASSERT(rc == GVS_OK);
}

struct sim_world *
sim_world_open(const struct sim_plan *plan, uint64_t seed)
{
    struct sim_world *w = sim_need(calloc(1, sizeof *w));
    int rc = gvs_crypto_init();

    GVS_ASSERT(rc == GVS_OK && plan->nodes >= 1);
    w->plan = *plan;
    w->seed = seed;
    w->now_us = SIM_BEGIN_US;
    w->prng.state = sim_mix(seed);
    w->air.state = sim_next(&w->prng);
    w->desk.state = sim_next(&w->prng);
    w->count = plan->nodes + (plan->clone_us > 0) + (plan->intruder_us > 0);
    w->host = sim_need(calloc(w->count, sizeof *w->host));
    w->view = sim_need(calloc(1, sizeof *w->view));
    w->items = sim_need(calloc(1 + GVS_VIEW_BACKENDS_MAX, sizeof *w->items));
    snprintf(w->replay, sizeof w->replay, "sim --seed %" PRIu64, seed);
    make_ring(w, seed);
    sim_network_open(w);
    sim_oracle_open(w);
    for (size_t i = 0; i < w->count; i++)
        sim_host_init(w, i);
    sim_alarm(w, &(struct sim_alarm){.at_us = w->now_us + TICK_US, .timer = SIM_TICK});
    return w;
}

void
sim_world_close(struct sim_world *w)
{
    while (w->queue.count > 0) {
        struct sim_alarm a = next_alarm(&w->queue);

        if (a.packet)
            sim_packet_drop(a.packet);
    }
    for (size_t i = 0; i < w->count; i++)
        sim_host_fini(&w->host[i]);
    sim_intruder_close(w);
    sim_trials_close(w);
    sim_network_close(w);
    sim_oracle_close(w);
    free(w->queue.v);
    free(w->host);
    free(w->watch.took_us);
    free(w->view);
    free(w->items);
    free(w->ring);
    free(w);
}

static void
handle(struct sim_world *w, const struct sim_alarm *a)
{
    switch ((enum sim_timer)a->timer) {
    case SIM_ARRIVAL:
        sim_arrive(w, a->packet);
        break;
    case SIM_WAKE:
        if (w->host[a->host].wake_us == a->at_us) /* else another one was set since */
            sim_host_wake(w, a->host);
        break;
    case SIM_TICK:
        sim_tick(w);
        sim_alarm(w, &(struct sim_alarm){.at_us = w->now_us + TICK_US, .timer = SIM_TICK});
        break;
    case SIM_WORK:
        sim_work(w);
        break;
    case SIM_CALL:
        a->call(w, a->arg);
        break;
    }
}

void
sim_run_until(struct sim_world *w, uint64_t until_us)
{
    while (!w->failed && w->queue.count > 0 && w->queue.v[0].at_us <= until_us) {
        struct sim_alarm a = next_alarm(&w->queue);

        GVS_ASSERT(a.at_us >= w->now_us);
        w->now_us = a.at_us;
        handle(w, &a);
    }
    if (!w->failed)
        w->now_us = until_us;
}

void
sim_run(struct sim_world *w, uint64_t us)
{
    sim_run_until(w, w->now_us + us);
}

bool
sim_run_till(struct sim_world *w, uint64_t us, bool (*holds)(struct sim_world *w))
{
    uint64_t end = w->now_us + us;

    while (!w->failed) {
        if (holds(w))
            return true;
        if (w->now_us >= end)
            return false;
        sim_run_until(w, w->now_us + ASK_US < end ? w->now_us + ASK_US : end);
    }
    return false;
}

/* --- the log --- */

void
sim_note(struct sim_world *w, enum sim_kind kind, size_t host, const char *word, uint64_t a,
         uint64_t b, uint64_t hash)
{
    w->log[w->logged++ % SIM_LOG] = (struct sim_event){.at_us = w->now_us,
                                                       .a = a,
                                                       .b = b,
                                                       .hash = hash,
                                                       .host = (uint32_t)host,
                                                       .kind = (uint8_t)kind,
                                                       .word = word};
    w->hash = sim_mix(w->hash ^ w->now_us);
    w->hash = sim_mix(w->hash ^ (host << 8 | (uint64_t)kind));
    w->hash = sim_mix(w->hash ^ a);
    w->hash = sim_mix(w->hash ^ b);
    w->hash = sim_mix(w->hash ^ hash);
}

void
sim_fail(struct sim_world *w, size_t host, const char *invariant, const char *fmt, ...)
{
    char node[32] = "all nodes", text[512];
    va_list ap;

    if (w->failed)
        return;
    w->failed = true;
    if (host != SIM_NOBODY)
        snprintf(node, sizeof node, "node n%zu", host);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(w->verdict, sizeof w->verdict, "%s at %.6f s, %s: %s", invariant,
             (double)w->now_us / 1e6, node, text);
}

static void
print_event(const struct sim_event *e)
{
    static const char *const kinds[] = {"sent",   "delivered", "dropped", "write", "commit",
                                        "kernel", "opened",    "crashed", "fault"};

    printf("  %12.6f  n%-3" PRIu32 " %-9s %-14s %6" PRIu64 " %6" PRIu64 "  %016" PRIx64 "\n",
           (double)e->at_us / 1e6, e->host, kinds[e->kind], e->word, e->a, e->b, e->hash);
}

void
sim_print_failure(const struct sim_world *w)
{
    uint64_t first = w->logged > 40 ? w->logged - 40 : 0;

    printf("seed %" PRIu64 " FAILED: %s\n", w->seed, w->verdict);
    printf("the latest of %" PRIu64 " events (time, node, what, to or key, length, hash):\n",
           w->logged);
    for (uint64_t k = first; k < w->logged; k++)
        print_event(&w->log[k % SIM_LOG]);
    printf("replay: %s\n", w->replay);
}
