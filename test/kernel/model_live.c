/* test/kernel/model_live LEDGER [DRAIN]: an agent of ipvs/kernel.h alone, which test/kernel/t_model
 * tells what to want. It lives until its input ends; then, as after kill -9, the kernel stays as it
 * is. What has connections may stay DRAIN seconds; not given, it goes at once.
 *
 * In, a line each, numbers as the kernel has them:
 *
 *     service VIP SCHEDULER FLAGS PERSISTENT NETMASK-BITS
 *     dest ADDR:PORT WEIGHT FORWARD TUNNEL TUNNEL-PORT LOWER UPPER     of that service, any order
 *     want                     all of it, from now on
 *     drop VIP                 nothing of it, from now on
 *     trust                    from now on edits and removes
 *     settle SECONDS AUDITS    until the kernel is in step and so many audits more have ended
 *
 * Out, after settle: `op NAME VIP ADDR:PORT|-` for each operation that was done since the last one,
 * `bad TEXT` for what was refused, found drifted or lost, and `status KEY=NUMBER ...`.
 */
#include "ipvs/kernel.h"
#include "test/kernel/ledger_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEMS_MAX 65536
#define WANT_MAX 1024

struct agent {
    struct gvs_kernel *kernel;
    struct gvs_ledger *ledger;
    FILE *ledger_file;
    uint64_t drain_ms;
    struct gvs_item items[WANT_MAX]; /* what is being told */
    size_t count;
};

__attribute__((noreturn)) static void
die(const char *line)
{
    fprintf(stderr, "model_live: not understood: %s\n", line);
    exit(2);
}

static struct gvs_svcid
parse_vip(const char *text)
{
    struct gvs_svcid svc;

    if (gvs_svcid_parse(&svc, text, strlen(text), NULL) != GVS_OK)
        die(text);
    return svc;
}

static void
take_service(struct agent *a, const char *line)
{
    struct gvs_item_service s = {.flags = 0};
    struct gvs_svcid svc;
    unsigned netmask;
    char vip[64];

    if (sscanf(line, "service %63s %15s %" SCNu32 " %" SCNu32 " %u", vip, s.sched, &s.flags,
               &s.persistent, &netmask) != 5)
        die(line);
    s.netmask = (uint8_t)netmask;
    svc = parse_vip(vip);
    a->items[0] = gvs_item_make_service(&svc);
    a->items[0].service = s;
    a->count = 1;
}

static void
take_dest(struct agent *a, const char *line)
{
    unsigned forward, tunnel, port;
    struct gvs_item_dest d;
    struct gvs_ep ep;
    char text[64];

    if (a->count == 0 || a->count == WANT_MAX ||
        sscanf(line, "dest %63s %" SCNu32 " %u %u %u %" SCNu32 " %" SCNu32, text, &d.weight,
               &forward, &tunnel, &port, &d.lower, &d.upper) != 7 ||
        gvs_ep_parse(&ep, text, strlen(text), NULL) != GVS_OK)
        die(line);
    d.forward = (uint8_t)forward;
    d.tunnel = (uint8_t)tunnel;
    d.tunnel_port = (uint16_t)port;
    a->items[a->count] = gvs_item_make_dest(&a->items[0].svc, &ep);
    a->items[a->count++].dest = d;
}

static int
by_identity(const void *a, const void *b)
{
    return gvs_item_cmp(a, b);
}

static void
want(struct agent *a)
{
    qsort(a->items, a->count, sizeof *a->items, by_identity);
    if (a->count == 0 ||
        gvs_kernel_want(a->kernel, &a->items[0].svc, a->items, a->count, false) != GVS_OK)
        die("want");
    a->count = 0;
}

static void
drop(struct agent *a, const char *line)
{
    struct gvs_svcid svc;
    char vip[64];

    if (sscanf(line, "drop %63s", vip) != 1)
        die(line);
    svc = parse_vip(vip);
    if (gvs_kernel_want(a->kernel, &svc, NULL, 0, false) != GVS_OK)
        die(line);
}

static void
print_event(const struct gvs_kernel_event *ev)
{
    const char *name = gvs_op_name(ev->op.kind);
    char vip[GVS_SVCID_TEXT_LEN], ep[GVS_EP_TEXT_LEN] = "-";

    gvs_svcid_format(vip, &ev->op.item.svc);
    if (ev->op.item.kind == GVS_ITEM_DEST)
        gvs_ep_format(ep, &ev->op.item.ep);
    if (ev->what == GVS_KERNEL_DONE)
        printf("op %s %s %s\n", name, vip, ep);
    else
        printf("bad %s %s %s %s: errno %d\n", ev->what == GVS_KERNEL_DRIFT ? "drift" : "refused",
               name, vip, ep, ev->error);
}

static void
print_events(struct agent *a)
{
    struct gvs_kernel_event ev;
    uint64_t missed;

    while (gvs_kernel_event(a->kernel, &ev, &missed)) {
        if (missed > 0)
            printf("bad %" PRIu64 " events are lost\n", missed);
        print_event(&ev);
    }
}

static void
print_status(const struct gvs_kernel_status *s)
{
    printf("status in_step=%d services=%zu destinations=%zu pending=%zu failed=%zu foreign=%zu "
           "writes=%" PRIu64 " drift=%" PRIu64 " audits=%" PRIu64 "\n",
           s->in_step, s->services, s->destinations, s->pending, s->failed, s->foreign, s->writes,
           s->drift_found, s->audits);
    fflush(stdout);
}

static void
settle(struct agent *a, const char *line)
{
    uint64_t audits_before = gvs_kernel_status(a->kernel).audits;
    unsigned seconds, audits;
    struct gvs_kernel_status s;
    struct gvs_mono end, at;

    if (sscanf(line, "settle %u %u", &seconds, &audits) != 2)
        die(line);
    end = gvs_mono_add_ms(clock_now(), (uint64_t)seconds * 1000);
    do {
        at = gvs_kernel_step(a->kernel, clock_now());
        store_ledger(a->kernel, a->ledger, a->ledger_file);
        print_events(a);
        s = gvs_kernel_status(a->kernel);
        if (!gvs_mono_due(at, clock_now()))
            usleep(1000);
    } while (!(s.in_step && s.audits >= audits_before + audits) && !gvs_mono_due(end, clock_now()));
    print_status(&s);
}

static void
obey(struct agent *a, const char *line)
{
    if (strncmp(line, "service ", 8) == 0)
        take_service(a, line);
    else if (strncmp(line, "dest ", 5) == 0)
        take_dest(a, line);
    else if (strcmp(line, "want\n") == 0)
        want(a);
    else if (strncmp(line, "drop ", 5) == 0)
        drop(a, line);
    else if (strcmp(line, "trust\n") == 0)
        gvs_kernel_trust(a->kernel, GVS_TRUST_ALL);
    else if (strncmp(line, "settle ", 7) == 0)
        settle(a, line);
    else
        die(line);
}

/* Whatever is drawn is meant: no brake. */
static bool
at_once(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep)
{
    (void)ctx, (void)svc, (void)ep;
    return true;
}

static struct gvs_mono
stay(void *ctx, const struct gvs_svcid *svc, const struct gvs_ep *ep, uint64_t held_ms)
{
    (void)svc, (void)ep, (void)held_ms;
    return gvs_mono_add_ms(clock_now(), ((const struct agent *)ctx)->drain_ms);
}

int
main(int argc, char **argv)
{
    static struct agent a;
    struct gvs_kernel_config cfg = {.interface = "gossipvs0",
                                    .audit_ms = 1000,
                                    .items_max = ITEMS_MAX,
                                    .at_once = at_once,
                                    .stay = argc == 3 ? stay : NULL,
                                    .ctx = &a};
    char line[256];
    int rc;

    if (argc != 2 && argc != 3)
        die("the ledger's file is needed, and nothing else but a number of seconds");
    a.drain_ms = argc == 3 ? strtoul(argv[2], NULL, 10) * 1000 : 0;
    a.ledger = load_ledger(argv[1]);
    a.ledger_file = fopen(argv[1], "a");
    rc = a.ledger_file ? gvs_kernel_open(&a.kernel, &cfg, a.ledger, clock_now()) : GVS_E_SYS;
    if (rc != GVS_OK) {
        fprintf(stderr, "model_live: %s\n", gvs_kernel_trouble(rc));
        return 2;
    }
    while (fgets(line, sizeof line, stdin))
        obey(&a, line);
    gvs_kernel_close(a.kernel);
    fclose(a.ledger_file);
    free(a.ledger);
    return 0;
}
