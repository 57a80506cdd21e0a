/* test/lib/cluster.h: a cluster in one process: real nodes, fake time, a fake network.
 *
 * Time goes from event to event: a datagram arrives, or a node's deadline comes. All dice come from
 * one seed, so a run is (seed, commit) and nothing else; `hash` is over every datagram that was
 * delivered, in order. Node i has the address 10.0.0.(i+1):7900 and the name "n<i>".
 *
 * Claims are named by a number k: the cluster's backend 10.1.(k/256).(k%256):8080 of one service.
 */
#pragma once

#include "net/node.h"
#include "test/lib/prng.h"

#define CLUSTER_NODES_MAX 128
#define CLUSTER_WALL_MS UINT64_C(1763827200000)

struct cluster_config {
    size_t nodes;
    uint64_t seed;
    struct gvs_limits limits;   /* zero: 4,096 entries, 64 members */
    uint64_t latency_us;        /* one way; zero: 200 */
    uint64_t jitter_us;         /* on top, evenly */
    unsigned loss, duplication; /* percent */
    bool disks;                 /* as an agent's: see cluster_kill */
};

struct cluster_packet {
    uint64_t at_us, no; /* ordered by both */
    size_t from, to;
    size_t len;
    uint8_t b[GVS_DATAGRAM_LEN_MAX];
};

struct cluster_host {
    struct gvs_node *node; /* NULL: not running */
    struct cluster *cluster;
    struct gvs_prng prng;
    uint8_t priv[GVS_KEY_SECRET_LEN];
    struct gvs_ep ep;
    struct gvs_keyring keyring;
    const char *cluster_name;
    size_t peers[CLUSTER_NODES_MAX], peer_count;
    bool paused;
    int64_t skew_ms; /* of its wall clock */
    uint64_t init_floor;
    uint8_t *disk; /* entries, each behind its length (u16) */
    size_t disk_len;
    struct gvs_table *store[2]; /* with `disks`: what news said, claims and members */
    uint8_t *vector;            /* likewise, with the vector, */
    size_t vector_len;
    uint64_t vector_changes;
    struct gvs_mono vector_at;
    uint64_t stamp_floor_ms;   /* and the floor of stamps */
    bool born;                 /* it has run before */
    uint64_t sent, sent_bytes; /* since the start of the cluster; bytes with 28 a datagram */
    uint64_t news;             /* entries that were lent as news */
    uint64_t died;             /* events that said somebody is dead, */
    uint64_t hid;              /* and that somebody is gone */
};

struct cluster {
    struct cluster_config config;
    struct gvs_mono now;
    struct gvs_prng prng;
    uint64_t hash;
    uint64_t packets; /* ever sent */
    struct cluster_host host[CLUSTER_NODES_MAX];
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX]; /* [from][to] */
    struct cluster_packet **queue;                  /* a heap */
    size_t queue_count, queue_cap;
    bool recording;
    struct cluster_packet *record;
    size_t record_count, record_cap;
};

struct cluster *cluster_open(const struct cluster_config *config);
void cluster_close(struct cluster *c);

/* Knows one peer: node i the node i - 1, node 0 nobody. cluster_start begins with what is on disk.
 */
void cluster_start(struct cluster *c, size_t i);
void cluster_start_all(struct cluster *c);
/* What it holds is on its disk. With `disks`, what an agent has there that is killed: everything
 * that was news, without what was removed, and a vector that is up to ten minutes old, but never
 * older than a removal. */
void cluster_kill(struct cluster *c, size_t i);
void cluster_wipe(struct cluster *c, size_t i);  /* an empty disk, under the same key */
void cluster_rekey(struct cluster *c, size_t i); /* and a new key: another node */
void cluster_set_peers(struct cluster *c, size_t i, const size_t *peers, size_t count);

/* Until the next event at the latest. */
void cluster_step(struct cluster *c);
void cluster_run(struct cluster *c, uint64_t ms);
/* True as soon as `holds`; false if it does not within ms. */
bool cluster_run_until(struct cluster *c, uint64_t ms, bool (*holds)(struct cluster *c));

void cluster_cut(struct cluster *c, size_t from, size_t to); /* one way */
void cluster_split(struct cluster *c, size_t first);         /* nodes below `first` from the rest */
void cluster_heal(struct cluster *c);
void cluster_pause(struct cluster *c, size_t i); /* stopped; datagrams pile up */
void cluster_resume(struct cluster *c, size_t i);

int cluster_write(struct cluster *c, size_t i, unsigned k, uint32_t weight);
void cluster_delete(struct cluster *c, size_t i, unsigned k);
void cluster_key(struct gvs_key *key, unsigned k);
/* The live claim's weight at node i, or -1. */
int64_t cluster_read(const struct cluster *c, size_t i, unsigned k);

uint64_t cluster_order(const struct cluster *c, size_t i, unsigned k); /* 0: no entry */

/* For cluster_run_until. */
bool cluster_joined(struct cluster *c); /* every running node sees exactly the running ones alive */
bool cluster_agrees(struct cluster *c); /* equal fingerprints of both tables */
bool cluster_converged(struct cluster *c); /* both */

struct gvs_wall cluster_wall(const struct cluster *c, size_t i);
size_t cluster_alive(const struct cluster *c, size_t i);
enum gvs_member_state cluster_state(const struct cluster *c, size_t at, size_t of, uint64_t *inc);
