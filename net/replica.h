/* net/replica.h: this node's copy of what is replicated: both tables, and what changes in them.
 *
 * Entries come in from the disk, from other members and from this node itself; each way ends in the
 * same merge. What changed is kept, by key, for the caller of the node (news); what this node
 * originated is given to relay. What the members table says of a member is passed to net/member.h.
 *
 *   I1  Per key, what is held only ever becomes greater (core/entry.h), but for the below.
 *   I3  This node's own entry is alive and above any rumour about it, unless the rumour is that it
 *       is retired (net/node.h).
 *   I4  A local write is stamped above what it replaces, and above everything that was admitted and
 *       is not further ahead than what others take.
 *   I5  Only the network is doubted. What is on this node's own disk is taken whatever it says.
 *
 * What the network brings is admitted unless
 *   - a claim's stamp lies more than 30 s beyond the median of the clocks, as they are now, and
 *     there are three or more: it is deferred, and reconciliation offers it again. Compared with
 *     what is held instead, one wild stamp would shut out every sane one. But where what is held
 *     lies ahead, since clocks were wrong when it was written, the next edit may be 30 s later. And
 *     where most members say that they have seen stamps ahead of the clocks, it is the clocks that
 *     are wrong, or were: nothing is deferred then;
 *   - a member's incarnation is one that no process can have counted up to. Up to 2^32 (136 years
 *     of refuting once a second) everything is possible and nothing is compared, since whoever was
 *     away for long must be let in; beyond, steps of up to 2^20 are, and whatever a member says of
 *     itself in its own session. Of this node itself everything up to 2^54 is possible: it may have
 *     lost the disk of a life in which it had to refute what lay just below 2^32, and who would not
 *     hear what is said of it could never come back. So the last incarnation, above which nobody
 *     could refute, is 2^34 entries away;
 *   - it names a member nobody here has ever heard, and half of the room is taken by such ones
 *     (gvs_members_crowded). Not if that one is retired: who does not know it counts its claims.
 *
 * Whoever has seen stamps that most others have not, and would not take, writes what nobody takes.
 * After a minute of that its clock is lowered to what they take, but never to what was covered by
 * its own component (net/age.h). What it wrote meanwhile it writes again, with the same values, if
 * no member was equal to it in that minute, and so none has it: the one case in which what is held
 * becomes less.
 *
 * What stands on a retired member's name is admitted like anything else: the order of arrival must
 * not matter to what is held. It is the view that passes it over.
 */
#pragma once

#include "net/age.h"
#include "net/member.h"
#include "net/node.h"
#include "net/relay.h"

#define GVS_EVENTS_MAX 256
#define GVS_OVERWRITES_MAX 256
#define GVS_AHEAD_MS 30000 /* a stamp may be so far beyond the median clock */
#define GVS_INCARNATION_FREE (UINT64_C(1) << 32)
#define GVS_INCARNATION_OWN (UINT64_C(1) << 54)
#define GVS_INCARNATION_STEP (UINT64_C(1) << 20)

struct gvs_replica {
    struct gvs_table *table[GVS_TABLE_COUNT];
    struct gvs_members *members;
    struct gvs_relay relay; /* to which goes what we originate */
    struct gvs_age age;
    struct gvs_keylog news;        /* what changed lately, here or elsewhere */
    struct gvs_member_value value; /* what our own entry says */

    uint64_t deferred, ahead, leaps; /* as in gvs_node_counts */
    bool cloned;
    struct gvs_mono cloned_at;
    struct gvs_ep cloned_ep;

    /* Private. */
    struct gvs_id self;
    size_t entries;              /* with so many claims our own writes end */
    unsigned usurped;            /* how often another process asserted our name */
    struct gvs_mono reassert_at; /* not before, against such a one */
    uint64_t rewritten;          /* the latest stamp of what was written again, with a lesser one */
    struct gvs_mono astray; /* our clock is beyond what others take since then; NEVER: it is not */
    struct gvs_siphash_key hash_key;
    void *memory[GVS_TABLE_COUNT];
    struct gvs_hlc clock;
    uint64_t news_at;
    bool scan; /* the ring of news ran over: every entry is, from scan_key on */
    enum gvs_table_no scan_table;
    struct gvs_keybuf scan_key;
    struct gvs_node_event event[GVS_EVENTS_MAX];
    size_t event_at, event_count;
    struct gvs_node_overwrite *overwrite; /* NULL until there is one */
    size_t overwrite_at, overwrite_count;
    uint64_t overwrite_missed;
};

/* GVS_E_SYS if memory is short; close frees whatever there is. Not to be moved while open. */
int gvs_replica_open(struct gvs_replica *r, const struct gvs_node_config *cfg,
                     const struct gvs_id *self, struct gvs_mono now);
void gvs_replica_close(struct gvs_replica *r);

/* An entry of either table, from the disk: no news. GVS_E_FULL, or GVS_E_MALFORMED (a member's
 * value). */
int gvs_replica_load(struct gvs_replica *r, struct gvs_mono now, const struct gvs_entry *e);

/* The same from another member: 1 if it was news. A rumour about us is refuted at once.
 * GVS_E_RANGE: not admitted, for its stamp or its incarnation. GVS_E_DELETED: see net/age.h. */
int gvs_replica_take(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                     struct gvs_member *from, const struct gvs_entry *e);

/* Somebody says that the claim with this id was deleted: it is dropped if that can be true. */
bool gvs_replica_refused(struct gvs_replica *r, struct gvs_mono now, uint64_t id);

/* A chunk of an equal peer's vector, bounded by the clocks as stamps are; as gvs_age_take. */
int gvs_replica_vector(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                       const uint8_t *b, size_t len);

/* Forgets some tombstones that nobody needs any more; whether there may be others. */
bool gvs_replica_collect(struct gvs_replica *r, struct gvs_mono now);

/* Are there stamps among those that it has seen that lie in the future by the clocks? */
bool gvs_replica_is_ahead(const struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall);

/* To be called once a minute: the clock comes down to what others take, and what nobody took is
 * written again. */
void gvs_replica_look_at_clock(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall);

/* A local write of a claim; see gvs_node_write. */
int gvs_replica_write(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall,
                      const struct gvs_key *key, bool tombstone, const uint8_t *value,
                      size_t value_len, struct gvs_stamp *stamp);

/* Everybody in our arc of this level is owed the entry of a key, as it is held (net/relay.h). */
void gvs_replica_serve(struct gvs_replica *r, struct gvs_mono now, unsigned level,
                       const uint8_t *key, size_t len);

/* Loading is over: writes this node's own entry. */
void gvs_replica_start(struct gvs_replica *r, struct gvs_mono now, struct gvs_wall wall);

/* Writes this node's own entry, alive and one incarnation above what the table says of us; not if
 * that is what it says, nor if we are retired. */
void gvs_replica_assert_self(struct gvs_replica *r, struct gvs_mono now);

/* What our own entry says of the keyring; written anew if that is other than before. */
void gvs_replica_set_keys(struct gvs_replica *r, struct gvs_mono now,
                          const struct gvs_keyring *ring);

/* Writes LEFT; see gvs_node_leave and gvs_node_forget. */
int gvs_replica_retire(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m);
bool gvs_replica_retired(const struct gvs_replica *r, const struct gvs_id *id);

/* Another process has our key, and speaks from `ep`. */
void gvs_replica_cloned(struct gvs_replica *r, struct gvs_mono now, const struct gvs_ep *ep);

/* m->gone has changed: an event. */
void gvs_replica_gone(struct gvs_replica *r, const struct gvs_member *m);

/* Writes SUSPECT or DEAD, with the member's own value, so that all accusers write the same bytes.
 * Nothing if it is as bad already, or if we are retired. */
void gvs_replica_accuse(struct gvs_replica *r, struct gvs_mono now, struct gvs_member *m,
                        enum gvs_member_state state);

bool gvs_replica_get_member(const struct gvs_replica *r, const struct gvs_id *id,
                            struct gvs_entry *e);

/* As net/node.h says. */
bool gvs_replica_news(struct gvs_replica *r, struct gvs_entry *e);
bool gvs_replica_event(struct gvs_replica *r, struct gvs_node_event *ev);
bool gvs_replica_overwrite(struct gvs_replica *r, struct gvs_node_overwrite *out, uint64_t *missed);
