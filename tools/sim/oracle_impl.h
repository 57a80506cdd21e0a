/* tools/sim/oracle_impl.h: what oracle.c and rest.c share. */
#pragma once

#include "tools/sim/world.h"

#define SIM_CAME 256

struct sim_hashes { /* of entries; 0: free */
    uint64_t *v;
    size_t count, cap;
};

struct sim_oracle {
    struct sim_hashes written, forged, past;
    struct sim_map greatest; /* by key: of all that was written */
    struct sim_map graves;   /* deletions that somebody has forgotten */
    struct sim_map promise;
    struct sim_view_of {          /* of a host */
        uint64_t claims, members; /* fingerprints when its tables were last compared */
        uint64_t news;
        uint64_t greatest; /* order of a claim that has carried its clock along */
        uint64_t clock;    /* as it was last */
        struct sim_came {
            struct gvs_key key;
            uint64_t at_us;
        } came[SIM_CAME]; /* the latest claims that it had not held before: a ring */
        size_t came_at;
        uint64_t ahead_us; /* it had seen what lies in the future, the last time */
        uint64_t looked_us;
        uint64_t took_us, latest_ms; /* its last datagram, and what stamps that could bring */
    } * host;
};

/* Old enough to have been forgotten, if it is a deletion. */
bool sim_oracle_forgettable(const struct sim_world *w, const struct gvs_entry *e);
/* Is something greater than e in the map, of its key? */
bool sim_oracle_has_above(const struct sim_map *m, const struct gvs_entry *e);
void sim_oracle_put_greatest(struct sim_map *m, const struct gvs_entry *e);
const struct gvs_table *sim_oracle_table(const struct sim_world *w, size_t i, bool members);
void sim_oracle_compare(struct sim_world *w, size_t i); /* what node i holds, with its news */
