/* test/kernel/kernel_live: does ipvs/kernel.h hold on a real kernel? Run by test/kernel/t_kernel,
 * inside the virtual machine. ipvsadm is the judge.
 *
 * Each agent is a process of its own, so that it can be killed. It keeps its ledger in a file, and
 * leaves its last status and counters in memory that the parent shares. */
#include "ipvs/kernel.h"
#include "test/kernel/ledger_file.h"
#include "test/kernel/live.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 2000
#define LARGE 3000
#define DESTS_MAX 10
#define LEDGER "/run/ledger"

/* What the parent and an agent share. */
struct shared {
    volatile int steps; /* the agent stands still after so many; -1: goes on */
    volatile int done;  /* it has made so many */
    volatile bool still;
    struct gvs_kernel_status status;
    bool observing;
};

/* Of the latest agent; with `next`, a new one's. */
static struct shared *
take_shared(bool next)
{
    static struct shared *s;

    if (next)
        s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        abort();
    return s;
}

static struct shared *
shared(void)
{
    return take_shared(false);
}

/* Tables. */

struct table {
    unsigned count;    /* services 10.99.x.y:80 */
    unsigned dests;    /* of each, 2 to DESTS_MAX */
    unsigned weight;   /* of the first destination of the first service */
    unsigned without;  /* this one is left out; UINT_MAX: none */
    const char *sched; /* of all */
    bool six;          /* and one of IPv6 */
};

static void
want_one(struct gvs_kernel *k, const char *vip, const struct table *t, unsigned weight)
{
    struct gvs_item items[1 + DESTS_MAX];
    struct gvs_svcid svc;
    char text[64];
    bool six;

    gvs_svcid_parse(&svc, vip, strlen(vip), NULL);
    items[0] = gvs_item_make_service(&svc);
    snprintf(items[0].service.sched, sizeof items[0].service.sched, "%s", t->sched);
    six = svc.addr.family == GVS_FAMILY_V6;
    items[0].service.netmask = six ? 128 : 32;
    for (unsigned i = 0; i < t->dests; i++) {
        struct gvs_ep ep;

        snprintf(text, sizeof text, six ? "[fd00:77::%x]:8080" : "10.77.0.%u:8080", 4 + i);
        gvs_ep_parse(&ep, text, strlen(text), NULL);
        items[1 + i] = gvs_item_make_dest(&svc, &ep);
        items[1 + i].dest.weight = i == 0 ? weight : 1;
    }
    if (gvs_kernel_want(k, &svc, items, 1 + t->dests, false) != GVS_OK)
        abort();
}

static void
want_table(struct gvs_kernel *k, const struct table *t)
{
    char vip[64];

    for (unsigned i = 0; i < t->count; i++) {
        snprintf(vip, sizeof vip, "10.99.%u.%u:80/tcp", i / 250, i % 250 + 1);
        if (i != t->without)
            want_one(k, vip, t, i == 0 ? t->weight : 1);
    }
    if (t->six)
        want_one(k, "[fd00:99::1]:80/tcp", t, 1);
}

/* Agents. */

/* Lives until it is killed. */
static void
live(const struct table *t, const char *interface, const char *ledger)
{
    struct gvs_kernel_config cfg = {
        .interface = interface, .audit_ms = 1000, .items_max = LARGE * (1 + DESTS_MAX)};
    struct shared *s = shared();
    struct gvs_ledger *l = load_ledger(ledger);
    FILE *f = fopen(ledger, "a");
    struct gvs_kernel *k;

    if (!f || gvs_kernel_open(&k, &cfg, l, clock_now()) != GVS_OK)
        _exit(1);
    want_table(k, t);
    gvs_kernel_trust(k, GVS_TRUST_ALL);
    for (;;) {
        struct gvs_mono at = gvs_kernel_step(k, clock_now());

        store_ledger(k, l, f);
        s->status = gvs_kernel_status(k);
        s->observing = gvs_kernel_observing(k);
        s->done++;
        s->still = s->done == s->steps;
        while (s->still)
            pause();
        if (!gvs_mono_due(at, clock_now()))
            usleep(1000);
    }
}

/* With `steps`, it makes so many and stands still. */
static pid_t
start(const struct table *t, const char *interface, const char *ledger, int steps)
{
    struct shared *s = take_shared(true);
    pid_t pid;

    s->steps = steps;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        live(t, interface, ledger);
    }
    return pid;
}

static void
end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Waits up to `seconds` for the agent's word. */
static bool
comes(double seconds, bool (*good)(const struct shared *))
{
    double limit = now() + seconds;

    while (now() < limit) {
        if (good(shared()))
            return true;
        usleep(2000);
    }
    return false;
}

static bool
in_step(const struct shared *s)
{
    return s->status.in_step;
}

static bool
stands_still(const struct shared *s)
{
    return s->still;
}

static bool
has_audited_twice(const struct shared *s)
{
    return s->status.audits >= 2 && s->status.in_step;
}

static bool
has_repaired(const struct shared *s)
{
    return s->status.drift_found > 0 && s->status.drift_repaired == s->status.drift_found &&
           s->status.in_step;
}

static bool
sees_foreign(const struct shared *s)
{
    return s->status.foreign == 1;
}

static uint64_t
operations(void)
{
    struct gvs_kernel_status s = shared()->status;

    return s.service_add + s.service_edit + s.service_del + s.dest_add + s.dest_edit + s.dest_del;
}

static bool
save(const char *name)
{
    char command[128];

    snprintf(command, sizeof command,
             "(ipvsadm -Sn; ip -o addr | awk '{print $2, $4}') | sort >/run/%s", name);
    return holds(command);
}

static bool
same(const char *a, const char *b)
{
    char command[128];

    snprintf(command, sizeof command, "cmp -s /run/%s /run/%s", a, b);
    return holds(command);
}

/* The facts. */

static const struct table small = {
    .count = 10, .dests = 2, .weight = 1, .without = 99, .sched = "wlc", .six = true};

static void
check_programming(void)
{
    pid_t pid = start(&small, "gossipvs0", LEDGER, -1);

    check(comes(10, in_step), "an empty kernel is programmed");
    check(shared()->status.service_add == 11 && shared()->status.dest_add == 22 &&
              operations() == 33,
          "by one operation for each thing");
    check(shared()->status.writes == 33 + 2 + 11, "two anchors and eleven addresses");
    check(holds("test $(ipvsadm -Sn | grep -c '^-A -t') = 11"), "ipvsadm sees the services");
    check(holds("test $(ipvsadm -Sn | grep -c '^-A -f') = 2"), "and the anchors");
    check(holds("test $(ip -o addr show dev gossipvs0 | grep -c ' 10[.]99[.]\\| fd00:99:') = 11"),
          "the addresses are there");
    save("small");
    end(pid);
}

static void
check_adoption(void)
{
    pid_t pid = start(&small, "gossipvs0", LEDGER, -1);

    check(comes(10, has_audited_twice), "after kill -9 it is in step again");
    check(shared()->status.writes == 0, "with no write at all, two audits included");
    check(shared()->status.services == 11 && shared()->status.destinations == 22,
          "and knows what is its own");
    save("again");
    check(same("small", "again"), "the kernel is the same");
    end(pid);

    pid = start(&small, "gossipvs0", "/run/no-ledger", -1);
    check(comes(10, has_audited_twice), "without its ledger, too");
    check(shared()->status.writes == 0, "it adopts everything");
    end(pid);
}

static void
check_difference(void)
{
    struct table t = small;
    pid_t pid;

    t.weight = 5;
    t.without = 7;
    pid = start(&t, "gossipvs0", LEDGER, -1);
    check(comes(10, in_step), "a table that changed meanwhile");
    check(operations() == 2 && shared()->status.dest_edit == 1 && shared()->status.service_del == 1,
          "is one edit and one removal");
    check(holds("! ip -o addr show dev gossipvs0 | grep -q '10[.]99[.]0[.]8/'"),
          "and the address went");
    end(pid);
    pid = start(&small, "gossipvs0", LEDGER, -1);
    check(comes(10, in_step), "and back");
    save("again");
    check(same("small", "again"), "to where it was");
    end(pid);
}

/* What is done behind the agent's back, and how many things it changes. */
static void
check_repair(const char *name, const char *command, uint64_t found)
{
    pid_t pid = start(&small, "gossipvs0", LEDGER, -1);
    char fact[96];

    comes(10, in_step);
    if (!holds(command))
        check(false, command);
    snprintf(fact, sizeof fact, "%s is repaired", name);
    check(comes(3, has_repaired), fact);
    snprintf(fact, sizeof fact, "%s: %d things, no other operation", name, (int)found);
    check(shared()->status.drift_found == found && shared()->status.service_del == 0 &&
              operations() <= found,
          fact);
    save("again");
    snprintf(fact, sizeof fact, "%s: the kernel is as it was", name);
    check(same("small", "again"), fact);
    end(pid);
}

static void
check_foreign(void)
{
    struct table t = small;
    pid_t pid;

    holds("ipvsadm -A -t 10.98.0.1:80 -s lc; ipvsadm -a -t 10.98.0.1:80 -r 10.77.0.9:80 -m;"
          "ipvsadm -A -t 10.99.0.11:80 -s sh");
    t.count = 11; /* the eleventh is taken */
    save("before");
    pid = start(&t, "gossipvs0", LEDGER, -1);
    check(comes(10, sees_foreign), "a different service of somebody is foreign");
    sleep(3);
    check(shared()->status.writes == 0 && !shared()->status.in_step, "nothing is written");
    save("after");
    check(same("before", "after"), "and it stays as it is");
    end(pid);
    holds("ipvsadm -D -t 10.99.0.11:80; ipvsadm -D -t 10.98.0.1:80");
}

static void
check_second(void)
{
    struct table t = small;
    pid_t first = start(&small, "gossipvs0", LEDGER, -1), second;

    comes(10, in_step);
    t.sched = "rr";
    second = start(&t, "gossipvs0", LEDGER, -1);
    sleep(3);
    check(shared()->observing && shared()->status.writes == 0, "a second agent only observes");
    save("again");
    check(same("small", "again"), "and changes nothing");
    end(first);
    check(comes(5, in_step) && !shared()->observing, "when the first has gone it takes over");
    check(operations() == 11 && shared()->status.service_edit == 11, "by the difference");
    end(second);
}

static void
check_crash(void)
{
    struct table many = {.count = MANY, .dests = 2, .weight = 1, .without = MANY, .sched = "wlc"};
    uint64_t before;
    double began;
    pid_t pid;

    holds("ipvsadm -C; ip link del gossipvs0; rm -f " LEDGER);
    pid = start(&many, "", LEDGER, 60);
    check(comes(30, stands_still), "an agent stands in the middle of 2,000 services");
    end(pid);
    before = operations();
    check(before > 100 && before < 3 * MANY, "and is killed there");
    pid = start(&many, "", LEDGER, -1);
    began = now();
    check(comes(60, in_step), "the next one comes to the end");
    printf("# the rest took %.2f s\n", now() - began);
    printf("# %d before, %d after\n", (int)before, (int)operations());
    check(before + operations() == 3 * MANY, "with the missing operations and no other");
    check(shared()->status.service_del + shared()->status.dest_del + shared()->status.service_edit +
                  shared()->status.dest_edit ==
              0,
          "nothing was removed or edited");
    check(holds("test $(ipvsadm -Sn | grep -c '^-a') = 4000"), "ipvsadm sees all");
    end(pid);
}

/* Of the 2,000 that check_crash leaves: the first, one in the middle, the last. */
static void
check_one_of_many(void)
{
    static const unsigned which[] = {0, MANY / 2, MANY - 1};
    static const char *const names[] = {"first", "middle one", "last"};
    struct table many = {.count = MANY, .dests = 2, .weight = 1, .without = MANY, .sched = "wlc"};
    char fact[96];
    pid_t pid;

    for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
        many.without = which[i];
        pid = start(&many, "", LEDGER, -1);
        snprintf(fact, sizeof fact, "the %s of 2,000 goes by one operation", names[i]);
        check(comes(60, in_step) && operations() == 1 && shared()->status.service_del == 1, fact);
        end(pid);
        many.without = MANY;
        pid = start(&many, "", LEDGER, -1);
        snprintf(fact, sizeof fact, "and comes by three, no other is touched");
        check(comes(60, in_step) && operations() == 3 && shared()->status.service_add == 1 &&
                  shared()->status.dest_add == 2,
              fact);
        end(pid);
    }
    check(holds("test $(ipvsadm -Sn | grep -c '^-a') = 4000"), "ipvsadm sees all of them again");
}

/* A dump of the services is a megabyte, in dozens of messages; then one dump for each of them. */
static void
check_large(void)
{
    struct table large = {
        .count = LARGE, .dests = DESTS_MAX, .weight = 1, .without = LARGE, .sched = "wlc"};
    pid_t pid;

    holds("ipvsadm -C; rm -f " LEDGER);
    pid = start(&large, "", LEDGER, -1);
    check(comes(60, in_step) && operations() == LARGE * (1 + DESTS_MAX),
          "3,000 services with 10 destinations each, one operation for each thing");
    end(pid);
    pid = start(&large, "", LEDGER, -1);
    check(comes(120, has_audited_twice) && shared()->status.writes == 0,
          "the next agent adopts them all, and audits them twice, at no write");
    check(shared()->status.destinations == LARGE * DESTS_MAX, "and knows all that is its own");
    end(pid);
    large.weight = 5;
    pid = start(&large, "", LEDGER, -1);
    check(comes(60, in_step) && operations() == 1 && shared()->status.dest_edit == 1 &&
              shared()->status.writes == 1,
          "one weight changed among 30,000 is one message");
    end(pid);
}

int
main(void)
{
    check_programming();
    check_adoption();
    check_difference();
    check_repair("ipvsadm -D", "ipvsadm -D -t 10.99.0.3:80", 3);
    check_repair("ipvsadm -e -w 7", "ipvsadm -e -t 10.99.0.3:80 -r 10.77.0.4:8080 -m -w 7", 1);
    check_repair("ipvsadm -E -s rr", "ipvsadm -E -t 10.99.0.3:80 -s rr", 1);
    check_repair("ipvsadm -a", "ipvsadm -a -t 10.99.0.3:80 -r 10.77.0.66:8080 -m", 1);
    check_repair("ip addr del", "ip addr del 10.99.0.3/32 dev gossipvs0", 1);
    check_repair("ipvsadm -C", "ipvsadm -C", 33);
    check_foreign();
    check_second();
    check_crash();
    check_one_of_many();
    check_large();
    return *live_failed();
}
