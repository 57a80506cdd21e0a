/* Tombstones and time: whole nodes over days, with disks (test/lib/cluster.h).
 *
 * Days pass by setting all wall clocks an hour ahead, again and again, with 80 s between, in which
 * all that is done once a minute is done: so a week takes a fifth of a second. One test lets a week
 * pass as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "net/node_impl.h"
#include "test/lib/cluster.h"

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static struct cluster *
joined_cluster(size_t nodes, uint64_t seed)
{
    struct cluster_config config = {.nodes = nodes, .seed = seed, .disks = true};
    struct cluster *c = cluster_open(&config);

    cluster_start_all(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    return c;
}

static void
time_passes(struct cluster *c, uint64_t ms)
{
    for (; ms >= HOUR; ms -= HOUR) {
        for (size_t i = 0; i < c->config.nodes; i++)
            c->host[i].skew_ms += (int64_t)(HOUR - 80 * SECOND);
        cluster_run(c, 80 * SECOND);
    }
    cluster_run(c, ms);
}

/* As it is, unless it has to be quick. */
static void
time_passes_truly(struct cluster *c, uint64_t ms)
{
    if (test_seeds(10) < 10)
        time_passes(c, ms);
    else
        cluster_run(c, ms);
}

static struct gvs_age *
age_of(struct cluster *c, size_t i)
{
    return &c->host[i].node->replica.age;
}

static struct gvs_member *
member_of(struct cluster *c, size_t at, size_t of)
{
    struct gvs_id id = gvs_node_self(c->host[of].node);

    return gvs_member_get(c->host[at].node->members, &id);
}

static size_t
tombstones(const struct cluster *c, size_t i)
{
    return gvs_table_tombstones(gvs_node_claims(c->host[i].node));
}

/* Entries that fingerprints are over. */
static size_t
counting(const struct cluster *c, size_t i)
{
    return gvs_table_idsum(gvs_node_claims(c->host[i].node), 0, UINT64_MAX).count;
}

static void
assert_read_everywhere(const struct cluster *c, unsigned k, int64_t weight)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        if (c->host[i].node)
            assert_int_equal(cluster_read(c, i, k), weight);
    }
}

static void
assert_tombstones_everywhere(const struct cluster *c, size_t count)
{
    for (size_t i = 0; i < c->config.nodes; i++) {
        if (c->host[i].node)
            assert_int_equal(tombstones(c, i), count);
    }
}

static void
write_keys(struct cluster *c, size_t i, unsigned first, unsigned end)
{
    for (unsigned k = first; k < end; k++)
        assert_int_equal(cluster_write(c, i, k, k), GVS_OK);
    assert_true(cluster_run_until(c, MINUTE, cluster_agrees));
}

static void
delete_keys(struct cluster *c, size_t i, unsigned first, unsigned end)
{
    for (unsigned k = first; k < end; k++)
        cluster_delete(c, i, k);
    assert_true(cluster_run_until(c, MINUTE, cluster_agrees));
}

static uint64_t
count_refused(const struct cluster *c, size_t i)
{
    return gvs_node_count(c->host[i].node).deleted;
}

static uint64_t
count_pushed(const struct cluster *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->config.nodes; i++)
        sum += c->host[i].node ? gvs_node_count(c->host[i].node).pushed : 0;
    return sum;
}

/* --- a disk as it was --- */

struct old_disk {
    uint8_t *disk, *vector;
    size_t disk_len, vector_len;
    uint64_t stamp_floor_ms;
};

static void *
copy(const void *b, size_t len)
{
    void *p = malloc(len + 1);

    assert_non_null(p);
    if (len > 0)
        memcpy(p, b, len);
    return p;
}

/* Of a node that is down. */
static struct old_disk
keep_disk(const struct cluster *c, size_t i)
{
    const struct cluster_host *h = &c->host[i];

    return (struct old_disk){.disk = copy(h->disk, h->disk_len),
                             .disk_len = h->disk_len,
                             .vector = copy(h->vector, h->vector_len),
                             .vector_len = h->vector_len,
                             .stamp_floor_ms = h->stamp_floor_ms};
}

static void
restore_disk(struct cluster *c, size_t i, const struct old_disk *old)
{
    struct cluster_host *h = &c->host[i];

    free(h->disk);
    free(h->vector);
    h->disk = copy(old->disk, old->disk_len);
    h->disk_len = old->disk_len;
    h->vector = copy(old->vector, old->vector_len);
    h->vector_len = old->vector_len;
    h->stamp_floor_ms = old->stamp_floor_ms;
}

static void
free_disk(struct old_disk *old)
{
    free(old->disk);
    free(old->vector);
}

static struct old_disk
restart_and_keep_disk(struct cluster *c, size_t i)
{
    struct old_disk old;

    cluster_kill(c, i);
    old = keep_disk(c, i);
    cluster_start(c, i);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    return old;
}

/* --- what is forgotten, and when --- */

/* Time as it is: 8 days of three nodes. */
static void
test_a_tombstone_is_gone_after_a_week_and_costs_nothing_before(void **state)
{
    struct cluster *c = joined_cluster(3, 1);
    uint64_t bytes, quiet, pushed, changes;

    (void)state;
    write_keys(c, 0, 0, 20);
    delete_keys(c, 1, 0, 10);
    time_passes_truly(c, HOUR);
    quiet = c->host[0].sent_bytes;
    changes = gvs_node_vector_changes(c->host[0].node);
    time_passes_truly(c, HOUR);
    quiet = c->host[0].sent_bytes - quiet;
    pushed = count_pushed(c);
    time_passes_truly(c, 7 * DAY - 4 * HOUR);
    assert_tombstones_everywhere(c, 10);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(counting(c, i), 20);
    bytes = c->host[0].sent_bytes;
    time_passes_truly(c, 4 * HOUR);
    bytes = c->host[0].sent_bytes - bytes;
    assert_tombstones_everywhere(c, 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(gvs_table_count(gvs_node_claims(c->host[i].node)), 10);
    print_message("%lu bytes/s in a quiet hour, %lu around the hour of forgetting\n",
                  (unsigned long)(quiet / 3600), (unsigned long)(bytes / 4 / 3600));
    assert_true(bytes <= 4 * (quiet + quiet / 20));
    assert_int_equal(count_pushed(c), pushed);
    assert_int_equal(gvs_node_vector_changes(c->host[0].node),
                     changes); /* nor did it at the disk */
    cluster_close(c);
}

static void
test_a_lone_node_forgets_by_itself(void **state)
{
    struct cluster *c = joined_cluster(1, 2);

    (void)state;
    write_keys(c, 0, 0, 3);
    delete_keys(c, 0, 0, 2);
    time_passes(c, 8 * DAY);
    assert_tombstones_everywhere(c, 0);
    assert_read_everywhere(c, 2, 2);
    cluster_kill(c, 0);
    cluster_start(c, 0);
    assert_tombstones_everywhere(c, 0); /* the disk knows it as well */
    cluster_close(c);
}

/* Its cluster's backends that are older do not count; without it they would again. */
static void
test_a_deleted_service_is_remembered_while_it_buries_a_backend(void **state)
{
    struct cluster *c = joined_cluster(2, 21);
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;

    (void)state;
    write_keys(c, 0, 0, 2);
    cluster_key(&key, 0);
    key = (struct gvs_key){.kind = GVS_KEY_SERVICE, .svc = key.svc};
    assert_int_equal(gvs_node_write(c->host[1].node, c->now, cluster_wall(c, 1), &key, true, value,
                                    gvs_tombstone_encode(value, false), NULL),
                     GVS_OK);
    delete_keys(c, 1, 0, 1);
    time_passes(c, 9 * DAY);
    assert_tombstones_everywhere(c, 1);
    delete_keys(c, 0, 1, 2);
    time_passes(c, 9 * DAY);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* Of the same stamp, as two nodes that write in the same millisecond have: buried as well. */
static void
test_a_service_deleted_at_the_same_moment_is_remembered_too(void **state)
{
    struct cluster *c = joined_cluster(2, 25);
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_stamp stamp;
    struct gvs_key key;

    (void)state;
    cluster_key(&key, 0);
    key = (struct gvs_key){.kind = GVS_KEY_SERVICE, .svc = key.svc};
    assert_int_equal(cluster_write(c, 0, 1, 1), GVS_OK);
    assert_int_equal(gvs_node_write(c->host[1].node, c->now, cluster_wall(c, 1), &key, true, value,
                                    gvs_tombstone_encode(value, false), &stamp),
                     GVS_OK);
    assert_true(stamp.hlc == cluster_order(c, 0, 1));
    time_passes(c, 9 * DAY);
    assert_tombstones_everywhere(c, 1);
    cluster_close(c);
}

/* One that was deleted before needs nobody to bury it: both go in the same hour. */
static void
test_a_deleted_service_does_not_wait_for_what_was_deleted_before(void **state)
{
    struct cluster *c = joined_cluster(2, 22);
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_key key;
    unsigned hours = 0;

    (void)state;
    write_keys(c, 0, 0, 1);
    delete_keys(c, 1, 0, 1);
    cluster_key(&key, 0);
    key = (struct gvs_key){.kind = GVS_KEY_SERVICE, .svc = key.svc};
    assert_int_equal(gvs_node_write(c->host[1].node, c->now, cluster_wall(c, 1), &key, true, value,
                                    gvs_tombstone_encode(value, false), NULL),
                     GVS_OK);
    time_passes(c, 6 * DAY);
    assert_tombstones_everywhere(c, 2);
    while (tombstones(c, 0) == 2 && hours++ < 72)
        time_passes(c, HOUR);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

static void
test_whoever_is_dead_holds_tombstones_up_until_it_is_forgotten(void **state)
{
    struct cluster *c = joined_cluster(3, 3);
    struct gvs_id dead = gvs_node_self(c->host[2].node);

    (void)state;
    write_keys(c, 0, 0, 10);
    cluster_kill(c, 2);
    cluster_run(c, 10 * SECOND);
    delete_keys(c, 0, 0, 5);
    time_passes(c, 20 * DAY);
    assert_tombstones_everywhere(c, 5);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(counting(c, i), 5);
    assert_int_equal(gvs_node_forget(c->host[0].node, c->now, &dead), GVS_OK);
    time_passes(c, 3 * HOUR);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* Nodes 1 and 2 know by their configurations where it was, and these are not edited. */
static void
test_a_bootstrap_peer_that_was_forgotten_holds_nothing_up(void **state)
{
    struct cluster *c = joined_cluster(3, 24);
    struct gvs_id dead = gvs_node_self(c->host[0].node);

    (void)state;
    cluster_set_peers(c, 2, (size_t[]){0, 1}, 2);
    write_keys(c, 1, 0, 10);
    cluster_kill(c, 0);
    cluster_run(c, 10 * SECOND);
    delete_keys(c, 1, 0, 5);
    time_passes(c, 9 * DAY);
    assert_tombstones_everywhere(c, 5);
    assert_int_equal(gvs_node_forget(c->host[1].node, c->now, &dead), GVS_OK);
    time_passes(c, 3 * HOUR);
    assert_tombstones_everywhere(c, 0);
    for (size_t i = 1; i < 3; i++) {
        cluster_kill(c, i);
        cluster_start(c, i);
    }
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_agrees));
    delete_keys(c, 2, 5, 10);
    time_passes(c, 9 * DAY);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* Tables are equal all the time; only the components of the one that is cut off are missing. */
static void
test_memory_is_left_only_when_all_are_covered(void **state)
{
    struct cluster *c = joined_cluster(3, 4);

    (void)state;
    write_keys(c, 0, 0, 5);
    delete_keys(c, 0, 0, 5);
    cluster_split(c, 2);
    time_passes(c, 9 * DAY);
    assert_int_equal(tombstones(c, 0), 5);
    assert_int_equal(tombstones(c, 1), 5);
    assert_int_equal(tombstones(c, 2), 5);
    cluster_heal(c);
    time_passes(c, 3 * HOUR);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* --- what is dead stays dead --- */

static void
test_whoever_slept_brings_nothing_back(void **state)
{
    struct cluster *c = joined_cluster(3, 10);

    (void)state;
    write_keys(c, 0, 0, 40);
    cluster_kill(c, 2);
    delete_keys(c, 0, 0, 20);
    time_passes(c, 8 * DAY);
    cluster_start(c, 2);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    for (unsigned k = 0; k < 40; k++)
        assert_read_everywhere(c, k, k < 20 ? -1 : (int64_t)k);
    time_passes(c, 3 * HOUR);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* The disk is older than the tombstones, which nobody has any more. */
static void
test_t20_an_old_disk_brings_nothing_back_and_is_told(void **state)
{
    struct cluster *c = joined_cluster(3, 11);
    struct old_disk old;
    struct gvs_node_counts counts;
    uint64_t packets;

    (void)state;
    write_keys(c, 0, 0, 400);
    old = restart_and_keep_disk(c, 2);
    delete_keys(c, 0, 0, 200);
    time_passes(c, 8 * DAY);
    assert_tombstones_everywhere(c, 0);
    cluster_kill(c, 2);
    restore_disk(c, 2, &old);
    packets = c->packets;
    cluster_start(c, 2);
    assert_int_equal(cluster_read(c, 2, 7), 7);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    packets = c->packets - packets;
    counts = gvs_node_count(c->host[2].node);
    print_message("200 zombies: %lu refused, %lu dropped, %lu datagrams\n",
                  (unsigned long)(count_refused(c, 0) + count_refused(c, 1)),
                  (unsigned long)counts.dropped, (unsigned long)packets);
    assert_int_equal(counts.dropped, 200);
    assert_true(packets < 200);
    for (unsigned k = 0; k < 400; k++)
        assert_read_everywhere(c, k, k < 200 ? -1 : (int64_t)k);
    assert_tombstones_everywhere(c, 0);
    cluster_kill(c, 2);
    cluster_start(c, 2);
    assert_int_equal(cluster_read(c, 2, 7), -1); /* its disk knows it as well */
    free_disk(&old);
    cluster_close(c);
}

/* Its disk is from when it was alone and newborn, so that it knows of nobody. Alone again, it takes
 * itself for all there is; but what it wrote since, others hold, and it must not take for
 * deleted. */
static void
test_a_disk_from_a_lone_past_makes_nobody_forget(void **state)
{
    struct cluster_config config = {.nodes = 3, .seed = 15, .disks = true};
    struct cluster *c = cluster_open(&config);
    struct gvs_id self;
    struct old_disk old;

    (void)state;
    cluster_start(c, 0);
    assert_int_equal(cluster_write(c, 0, 1, 1), GVS_OK);
    time_passes(c, HOUR);
    cluster_kill(c, 0);
    old = keep_disk(c, 0);
    cluster_start_all(c);
    assert_true(cluster_run_until(c, 20 * SECOND, cluster_converged));
    write_keys(c, 0, 100, 110);
    time_passes(c, 8 * DAY);
    cluster_kill(c, 0);
    restore_disk(c, 0, &old);
    cluster_split(c, 1);
    cluster_start(c, 0);
    self = gvs_node_self(c->host[0].node);
    cluster_run(c, 15 * SECOND);
    assert_int_equal(cluster_write(c, 0, 2, 2), GVS_OK);
    cluster_run(c, 2 * MINUTE);
    assert_true(gvs_hlc_ms(gvs_vector_get(age_of(c, 0)->vector, &self)) + 7 * DAY <
                cluster_wall(c, 0).ms);
    cluster_heal(c);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    time_passes(c, 3 * HOUR);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(count_refused(c, i), 0);
        assert_int_equal(gvs_node_count(c->host[i].node).dropped, 0);
    }
    for (unsigned k = 100; k < 110; k++)
        assert_read_everywhere(c, k, k);
    assert_read_everywhere(c, 2, 2);
    free_disk(&old);
    cluster_close(c);
}

/* Its vector is lost with its records: it refuses nothing of what it wrote itself. */
static void
test_a_wiped_node_takes_all_and_brings_nothing_back(void **state)
{
    struct cluster *c = joined_cluster(3, 12);

    (void)state;
    write_keys(c, 2, 0, 40);
    delete_keys(c, 0, 0, 20);
    time_passes(c, 8 * DAY);
    cluster_kill(c, 2);
    cluster_wipe(c, 2);
    cluster_split(c, 2);
    cluster_start(c, 2);
    assert_int_equal(cluster_write(c, 2, 50, 50), GVS_OK);
    cluster_run(c, 3 * MINUTE); /* it knows nobody, and yet not all that it wrote */
    assert_int_equal(gvs_vector_count(age_of(c, 2)->vector), 0);
    cluster_heal(c);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    for (unsigned k = 0; k < 40; k++)
        assert_read_everywhere(c, k, k < 20 ? -1 : (int64_t)k);
    assert_int_equal(count_refused(c, 2), 0);
    assert_int_equal(cluster_write(c, 2, 3, 9), GVS_OK);
    assert_true(cluster_run_until(c, MINUTE, cluster_converged));
    assert_read_everywhere(c, 3, 9);
    cluster_close(c);
}

static void
test_the_retired_bring_nothing_back(void **state)
{
    struct cluster *c = joined_cluster(3, 13);
    struct gvs_id id = gvs_node_self(c->host[2].node);

    (void)state;
    write_keys(c, 2, 0, 10);
    cluster_kill(c, 2);
    delete_keys(c, 0, 0, 10);
    assert_int_equal(gvs_node_forget(c->host[0].node, c->now, &id), GVS_OK);
    time_passes(c, 8 * DAY);
    assert_tombstones_everywhere(c, 0);
    cluster_start(c, 2);
    cluster_run(c, 5 * MINUTE);
    assert_true(gvs_node_retired(c->host[2].node));
    for (unsigned k = 0; k < 10; k++)
        assert_read_everywhere(c, k, -1);
    cluster_close(c);
}

/* --- what lives is never lost --- */

static void
restart_all(struct cluster *c)
{
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_kill(c, i);
    for (size_t i = 0; i < c->config.nodes; i++)
        cluster_start(c, i);
}

static void
test_what_lives_outlasts_restarts_old_disks_and_a_wipe(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 4); seed++) {
        struct cluster *c = joined_cluster(3, 100 + seed);
        struct gvs_prng prng = gvs_prng_init(seed);
        struct old_disk old = {.disk = NULL};
        int64_t truth[30];

        for (unsigned k = 0; k < 30; k++)
            truth[k] = -1;
        for (unsigned step = 0; step < 12; step++) {
            size_t i = gvs_prng_below(&prng, 3);

            for (unsigned n = 0; n < 8; n++) {
                unsigned k = gvs_prng_below(&prng, 30);
                bool dies = truth[k] >= 0 && gvs_prng_chance(&prng, 1, 2);

                truth[k] = dies ? -1 : (int64_t)gvs_prng_below(&prng, 1000);
                if (dies)
                    cluster_delete(c, i, k);
                else
                    assert_int_equal(cluster_write(c, i, k, (uint32_t)truth[k]), GVS_OK);
            }
            assert_true(cluster_run_until(c, MINUTE, cluster_agrees));
            if (step == 3)
                old = restart_and_keep_disk(c, 0);
            if (step % 4 == 1)
                restart_all(c);
            if (step == 7 || step == 10) {
                cluster_kill(c, 0);
                restore_disk(c, 0, &old);
                cluster_kill(c, 1);
                cluster_wipe(c, 1);
                cluster_start(c, 0);
                cluster_start(c, 1);
            }
            time_passes(c, gvs_prng_below(&prng, 5) * DAY + HOUR);
            assert_true(cluster_run_until(c, MINUTE, cluster_converged));
            for (unsigned k = 0; k < 30; k++)
                assert_read_everywhere(c, k, truth[k]);
        }
        time_passes(c, 9 * DAY);
        assert_tombstones_everywhere(c, 0);
        free_disk(&old);
        cluster_close(c);
    }
}

/* --- the rules of the vector --- */

/* I2: who lost records may lack some that it wrote, as long as one member was not asked. */
static void
test_our_own_component_waits_for_all(void **state)
{
    struct cluster *c = joined_cluster(3, 20);
    struct gvs_id id = gvs_node_self(c->host[2].node);
    uint64_t component;

    (void)state;
    write_keys(c, 2, 0, 5);
    time_passes(c, HOUR);
    cluster_kill(c, 0);
    cluster_kill(c, 2);
    cluster_start(c, 2);
    component = gvs_vector_get(age_of(c, 2)->vector, &id);
    assert_true(component > 0);
    assert_int_equal(cluster_write(c, 2, 6, 6), GVS_OK);
    time_passes(c, 2 * HOUR);
    assert_int_equal(gvs_vector_get(age_of(c, 2)->vector, &id), component);
    cluster_start(c, 0);
    time_passes(c, HOUR);
    assert_true(gvs_vector_get(age_of(c, 2)->vector, &id) > component);
    assert_true(gvs_vector_get(age_of(c, 1)->vector, &id) > component);
    cluster_close(c);
}

/* I2: a clock may be lowered to what a component says, and so to nothing in the future. */
static void
test_our_own_component_does_not_lie_in_the_future(void **state)
{
    struct cluster *c = joined_cluster(2, 22);
    struct gvs_id id = gvs_node_self(c->host[0].node);
    uint64_t component;

    (void)state;
    c->host[0].skew_ms = (int64_t)DAY;
    write_keys(c, 0, 0, 5);
    c->host[0].skew_ms = 0;
    assert_true(gvs_hlc_ms(gvs_node_stamp(c->host[0].node)) > cluster_wall(c, 0).ms + 23 * HOUR);
    cluster_run(c, 5 * MINUTE);
    component = gvs_vector_get(age_of(c, 0)->vector, &id);
    assert_true(component > 0);
    assert_true(gvs_hlc_ms(component) <= cluster_wall(c, 0).ms);
    cluster_close(c);
}

/* I3: the one that is away may be the only one with its last write. */
static void
test_the_retired_ones_component_waits_for_all(void **state)
{
    struct cluster *c = joined_cluster(4, 21);
    struct gvs_id id = gvs_node_self(c->host[3].node);

    (void)state;
    write_keys(c, 0, 0, 5);
    cluster_split(c, 2); /* 2 and 3 are away; 3 writes what only 2 hears, and dies */
    cluster_run(c, 10 * SECOND);
    assert_int_equal(cluster_write(c, 3, 9, 90), GVS_OK);
    cluster_run(c, 10 * SECOND);
    assert_int_equal(cluster_read(c, 2, 9), 90);
    cluster_kill(c, 3);
    assert_int_equal(gvs_node_forget(c->host[0].node, c->now, &id), GVS_OK);
    time_passes(c, 9 * DAY);
    assert_false(gvs_vector_covers(age_of(c, 0)->vector, &id, GVS_VECTOR_END));
    cluster_heal(c);
    time_passes(c, HOUR);
    assert_read_everywhere(c, 9, 90);
    assert_true(gvs_vector_covers(age_of(c, 0)->vector, &id, GVS_VECTOR_END));
    cluster_close(c);
}

/* I1, and I4. A vector is forced out of node 1, which has been made to know a component. */
static void
lend_component(struct cluster *c, const struct gvs_id *writer, uint64_t hlc)
{
    struct gvs_node *n = c->host[1].node;

    age_of(c, 1)->lend_next = GVS_MONO_NEVER; /* not by itself */
    gvs_vector_zero(age_of(c, 1)->vector);
    gvs_vector_raise(age_of(c, 1)->vector, writer, hlc);
    gvs_node_note(n, member_of(c, 1, 0), &(struct gvs_note){.type = GVS_MSG_VECTOR});
    cluster_write(c, 1, 500, 1); /* makes it speak; the vector stands first in the datagram */
    cluster_run(c, SECOND);
}

static void
test_a_vector_is_taken_from_an_equal_peer_only(void **state)
{
    struct cluster *c = joined_cluster(2, 22);
    struct gvs_id id = gvs_node_self(c->host[1].node), stranger = {{9}};
    uint64_t now, before;

    (void)state;
    write_keys(c, 1, 0, 2);
    time_passes(c, HOUR);
    before = gvs_vector_get(age_of(c, 0)->vector, &id);
    assert_true(before > 0);
    now = gvs_hlc_make(cluster_wall(c, 0).ms, 0);
    print_message("it stood with a write that node 0 did not have\n");
    lend_component(c, &id, now);
    assert_int_equal(gvs_vector_get(age_of(c, 0)->vector, &id), before);
    print_message("what nobody wrote\n");
    assert_int_equal(gvs_age_take(age_of(c, 0), now, (uint8_t[24]){9, [23] = 1}, 24), GVS_E_RANGE);
    assert_int_equal(gvs_vector_get(age_of(c, 0)->vector, &stranger), 0);
    cluster_close(c);
}

static void
component(uint8_t b[static 24], const struct gvs_id *id, uint64_t hlc)
{
    memcpy(b, id->b, GVS_ID_LEN);
    gvs_put64(b + GVS_ID_LEN, hlc);
}

static void
test_components_beyond_the_clocks_are_not_taken(void **state)
{
    struct cluster *c = joined_cluster(3, 23);
    struct gvs_id id = gvs_node_self(c->host[1].node), self = gvs_node_self(c->host[0].node);
    struct gvs_replica *r = &c->host[0].node->replica;
    uint64_t stamp = gvs_node_stamp(c->host[0].node);
    struct gvs_wall wall;
    uint8_t b[24];

    (void)state;
    cluster_run(c, 5 * SECOND); /* until it knows three clocks */
    wall = cluster_wall(c, 0);
    component(b, &id, gvs_hlc_make(wall.ms + 60000, 0));
    assert_int_equal(gvs_replica_vector(r, c->now, wall, b, 24), GVS_E_RANGE);
    component(b, &id, GVS_VECTOR_END); /* it is not retired */
    assert_int_equal(gvs_replica_vector(r, c->now, wall, b, 24), GVS_E_RANGE);
    component(b, &self, GVS_VECTOR_END - 5);
    assert_int_equal(gvs_replica_vector(r, c->now, wall, b, 24), GVS_E_RANGE);
    assert_int_equal(gvs_node_stamp(c->host[0].node), stamp);
    component(b, &id, gvs_hlc_make(wall.ms + 20000, 0));
    assert_int_equal(gvs_replica_vector(r, c->now, wall, b, 24), 1);
    print_message("our own writes to come are above what others took in\n");
    component(b, &self, gvs_hlc_make(wall.ms + 20000, 0));
    assert_int_equal(gvs_replica_vector(r, c->now, wall, b, 24), 1);
    assert_int_equal(gvs_node_stamp(c->host[0].node), gvs_hlc_make(wall.ms + 20000, 0));
    cluster_close(c);
}

/* [ [12, {1: 0, 2: 0, 3: 0, 4: bin}] ] */
static void
test_a_vector_has_48_writers_at_most(void **state)
{
    uint8_t body[1300] = {0x91, 0x92, 0x0c, 0x84, 1, 0, 2, 0, 3, 0, 4, 0xc5};
    struct gvs_wire_reader reader;

    (void)state;
    gvs_put16(body + 12, 48 * 24);
    assert_int_equal(gvs_wire_open(&reader, body, 14 + 48 * 24), GVS_OK);
    gvs_put16(body + 12, 48 * 24 + 8);
    assert_int_equal(gvs_wire_open(&reader, body, 14 + 48 * 24 + 8), GVS_E_MALFORMED);
}

/* --- who says that something was deleted --- */

static void
refuse_at(struct cluster *c, size_t from, size_t to, uint64_t id)
{
    gvs_node_note(c->host[from].node, member_of(c, from, to),
                  &(struct gvs_note){.type = GVS_MSG_REFUSED, .seq = id});
    cluster_run(c, 5 * SECOND);
}

static uint64_t
id_of(struct cluster *c, size_t i, unsigned k)
{
    const struct gvs_table *t = gvs_node_claims(c->host[i].node);
    struct gvs_keybuf buf;
    struct gvs_entry e;
    struct gvs_key key;

    cluster_key(&key, k);
    gvs_key_build(&buf, &key);
    assert_true(gvs_table_get(t, buf.b, buf.len, &e));
    return gvs_table_id(t, &e);
}

static void
test_what_is_young_or_unknown_is_not_dropped(void **state)
{
    struct cluster *c = joined_cluster(3, 30);

    (void)state;
    write_keys(c, 0, 0, 3);
    refuse_at(c, 1, 0, id_of(c, 0, 1));
    refuse_at(c, 1, 0, 12345);
    assert_int_equal(gvs_node_count(c->host[0].node).dropped, 0);
    assert_read_everywhere(c, 1, 1);
    cluster_close(c);
}

/* It went back to work with a clock five hours late, and nothing on its disk. */
static void
test_what_is_young_is_taken_whatever_its_stamp(void **state)
{
    struct cluster *c = joined_cluster(2, 31);

    (void)state;
    write_keys(c, 1, 0, 5);
    time_passes(c, 2 * HOUR);
    cluster_kill(c, 1);
    cluster_wipe(c, 1);
    c->host[1].skew_ms -= (int64_t)(5 * HOUR);
    cluster_split(c, 1);
    cluster_start(c, 1);
    assert_int_equal(cluster_write(c, 1, 9, 90), GVS_OK);
    cluster_run(c, MINUTE);
    cluster_heal(c);
    cluster_run(c, 2 * MINUTE);
    assert_read_everywhere(c, 9, 90);
    assert_read_everywhere(c, 4, 4);
    cluster_close(c);
}

static void
test_t21_no_stamp_is_issued_again_by_an_earlier_clock(void **state)
{
    struct cluster *c = joined_cluster(1, 32);
    uint64_t order;

    (void)state;
    write_keys(c, 0, 0, 2);
    cluster_delete(c, 0, 1);
    order = cluster_order(c, 0, 1);
    time_passes(c, 8 * DAY);
    assert_int_equal(cluster_order(c, 0, 1), 0);
    cluster_kill(c, 0);
    c->host[0].skew_ms -= (int64_t)(30 * DAY);
    c->host[0].vector_len = 0;
    cluster_start(c, 0);
    assert_int_equal(cluster_write(c, 0, 1, 7), GVS_OK);
    assert_true(cluster_order(c, 0, 1) > order);
    cluster_close(c);
}

/* --- the hour --- */

static void
test_clocks_almost_an_hour_apart_age_together(void **state)
{
    struct cluster *c = joined_cluster(2, 40);
    uint64_t pushed, apart = 0;

    (void)state;
    c->host[0].skew_ms = (int64_t)(55 * MINUTE);
    write_keys(c, 0, 0, 10);
    delete_keys(c, 0, 0, 5);
    time_passes(c, 7 * DAY - 3 * HOUR);
    pushed = count_pushed(c);
    for (unsigned m = 0; m < 6 * 60; m++) {
        cluster_run(c, MINUTE);
        apart += !cluster_agrees(c);
    }
    print_message("clocks 55 minutes apart: %lu minutes with other tables\n", (unsigned long)apart);
    assert_true(apart <= 1);
    assert_int_equal(count_pushed(c), pushed);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(counting(c, i), 5);
    time_passes(c, 2 * HOUR);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* I5. Nothing outvotes it in a cluster of two. */
static void
test_a_clock_that_was_years_ahead_leaves_nothing_behind(void **state)
{
    struct cluster *c = joined_cluster(2, 41);
    uint64_t cut, stamp;

    (void)state;
    write_keys(c, 0, 0, 10);
    delete_keys(c, 0, 0, 5);
    time_passes(c, HOUR);
    cut = age_of(c, 1)->hour;
    stamp = gvs_node_stamp(c->host[1].node);
    c->host[1].skew_ms += (int64_t)(3650 * DAY);
    cluster_run(c, 30 * MINUTE);
    assert_true(age_of(c, 1)->hour > cut + 3000 * 24);
    assert_true(age_of(c, 0)->hour <= cut + 1 + GVS_AGE_HOURS_AHEAD);
    assert_int_equal(gvs_node_stamp(c->host[1].node), stamp);
    c->host[1].skew_ms -= (int64_t)(3650 * DAY);
    cluster_run(c, 5 * MINUTE);
    assert_true(cluster_agrees(c));
    assert_int_equal(age_of(c, 0)->hour, age_of(c, 1)->hour);
    assert_true(age_of(c, 1)->hour <= cut + 1 + GVS_AGE_HOURS_AHEAD);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(counting(c, i), 10);
    time_passes(c, 8 * DAY);
    assert_tombstones_everywhere(c, 0);
    cluster_close(c);
}

/* A member that names one later hour after the other. */
static void
test_peers_raise_the_cut_by_less_than_a_day(void **state)
{
    struct cluster *c = joined_cluster(2, 42);
    struct gvs_age *age = age_of(c, 0);
    uint64_t own;

    (void)state;
    cluster_run(c, 2 * MINUTE);
    own = age->own_hour;
    for (unsigned n = 0; n < 1000; n++)
        gvs_age_named(age, (unsigned)(age->hour + 1) & GVS_STATUS_HOUR_MASK);
    assert_int_equal(age->hour, own + GVS_AGE_HOURS_AHEAD);
    gvs_age_named(age, (unsigned)(age->hour - 2) & GVS_STATUS_HOUR_MASK);
    assert_int_equal(age->hour, own + GVS_AGE_HOURS_AHEAD);
    cluster_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tombstone_is_gone_after_a_week_and_costs_nothing_before),
        cmocka_unit_test(test_a_lone_node_forgets_by_itself),
        cmocka_unit_test(test_a_deleted_service_is_remembered_while_it_buries_a_backend),
        cmocka_unit_test(test_a_service_deleted_at_the_same_moment_is_remembered_too),
        cmocka_unit_test(test_a_deleted_service_does_not_wait_for_what_was_deleted_before),
        cmocka_unit_test(test_whoever_is_dead_holds_tombstones_up_until_it_is_forgotten),
        cmocka_unit_test(test_a_bootstrap_peer_that_was_forgotten_holds_nothing_up),
        cmocka_unit_test(test_memory_is_left_only_when_all_are_covered),
        cmocka_unit_test(test_whoever_slept_brings_nothing_back),
        cmocka_unit_test(test_t20_an_old_disk_brings_nothing_back_and_is_told),
        cmocka_unit_test(test_a_disk_from_a_lone_past_makes_nobody_forget),
        cmocka_unit_test(test_a_wiped_node_takes_all_and_brings_nothing_back),
        cmocka_unit_test(test_the_retired_bring_nothing_back),
        cmocka_unit_test_teardown(test_what_lives_outlasts_restarts_old_disks_and_a_wipe,
                                  test_seed_teardown),
        cmocka_unit_test(test_our_own_component_waits_for_all),
        cmocka_unit_test(test_our_own_component_does_not_lie_in_the_future),
        cmocka_unit_test(test_the_retired_ones_component_waits_for_all),
        cmocka_unit_test(test_a_vector_is_taken_from_an_equal_peer_only),
        cmocka_unit_test(test_components_beyond_the_clocks_are_not_taken),
        cmocka_unit_test(test_a_vector_has_48_writers_at_most),
        cmocka_unit_test(test_what_is_young_or_unknown_is_not_dropped),
        cmocka_unit_test(test_what_is_young_is_taken_whatever_its_stamp),
        cmocka_unit_test(test_t21_no_stamp_is_issued_again_by_an_earlier_clock),
        cmocka_unit_test(test_clocks_almost_an_hour_apart_age_together),
        cmocka_unit_test(test_a_clock_that_was_years_ahead_leaves_nothing_behind),
        cmocka_unit_test(test_peers_raise_the_cut_by_less_than_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
