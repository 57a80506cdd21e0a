/* core/value.h: what an entry says, in canonical bytes.
 *
 * A value is a run of fields, each `tag(1) len(1) bytes(len)`, tags strictly ascending. A number is
 * big-endian without leading zero bytes (0 has no bytes). A field that would say the default is
 * left out, so that an ordinary backend says nothing at all. A tag that this version does not know
 * is kept and relayed with the entry, byte for byte, and skipped when read: that is how the format
 * grows. Defaults therefore never change. Tag 0 is none.
 *
 *     service   1 name  2 scheduler  3 flags  4 persistent (s)  5 netmask  6 forward  7 reset (hlc)
 *     backend   1 weight  2 forward  3 lower  4 upper  5 tunnel  6 tunnel port
 *     override  1 drain  2 weight
 *     tombstone 1 force
 *     member    1 name  2 endpoint  3 boot id  4 version  5 cluster keys
 *     trial     1 deadline (ms since 1970)  2 word (0 none yet, 1 confirmed, 2 rolled back)
 *     any       64 and above: reserved (64 prev, 65 writer key, 66 signature, 67 undo)
 *
 * Text is its bytes; an endpoint is family(1) address(4|16) port(2), as in a key; yes is
 * the number 1; cluster keys are the ids, 8 bytes each, of one to four keys.
 *
 *   I1  decode(encode(x)) == x; encode writes each thing in exactly one way, and of what it knows
 *       decode takes no other.
 *   I2  Decoding never reads outside the value and never fails on an unknown tag.
 */
#pragma once

#include "core/addr.h"
#include "core/id.h"

#define GVS_NAME_LEN_MAX 63
#define GVS_SCHED_LEN_MAX 15 /* IP_VS_SCHEDNAME_MAXLEN - 1, linux/ip_vs.h */
#define GVS_VERSION_LEN_MAX 31
#define GVS_MEMBER_KEYS_MAX 4
#define GVS_WEIGHT_MAX 65535
#define GVS_PERSISTENT_MAX 2678400 /* 31 days: what ipvsadm takes, too */
#define GVS_VALUE_LEN_MAX 384

/* As IPVS numbers them. */
enum gvs_forward { GVS_FORWARD_NAT = 0, GVS_FORWARD_TUN = 2, GVS_FORWARD_DR = 3 };
enum gvs_tunnel { GVS_TUNNEL_IPIP = 0, GVS_TUNNEL_GUE = 1, GVS_TUNNEL_GRE = 2 };

/* Flags of a service; the bits are the kernel's (IP_VS_SVC_F_*). */
#define GVS_FLAG_OPS 0x4u      /* one packet, udp only */
#define GVS_FLAG_FALLBACK 0x8u /* sh, mh */
#define GVS_FLAG_PORT 0x10u    /* sh, mh */
#define GVS_FLAGS_ALL (GVS_FLAG_OPS | GVS_FLAG_FALLBACK | GVS_FLAG_PORT)

struct gvs_service {
    char name[GVS_NAME_LEN_MAX + 1];   /* matches [a-z0-9][a-z0-9._-]{0,62}; required */
    char sched[GVS_SCHED_LEN_MAX + 1]; /* default "wlc"; any word of [a-z0-9_] */
    uint32_t flags;                    /* GVS_FLAG_* */
    uint32_t persistent;               /* seconds; 0 = not */
    uint8_t netmask; /* prefix bits that persistence looks at; 0: the default, 32 or 128 */
    uint8_t forward; /* the default of its backends; enum gvs_forward */
    uint64_t reset;  /* cluster entries: the hlc of the key's last tombstone, or 0 */
};

struct gvs_backend {
    uint32_t weight; /* default 1 */
    uint8_t forward;
    uint8_t tunnel;
    uint16_t tunnel_port;  /* gue needs one, nothing else has one */
    uint32_t lower, upper; /* connection thresholds; 0 = none; lower <= upper unless upper is 0 */
};

struct gvs_override {
    bool drain;      /* weight 0 until lifted */
    bool has_weight; /* instead of whatever the claims say */
    uint32_t weight; /* with has_weight only */
};

struct gvs_member_value {
    char name[GVS_NAME_LEN_MAX + 1]; /* a label; as a service's name, and required */
    struct gvs_ep ep;                /* where it takes datagrams; required, its port is not 0 */
    uint64_t boot;                   /* random, new with each start of the process */
    char version[GVS_VERSION_LEN_MAX + 1]; /* printable ASCII without spaces; may be empty */
    uint64_t keys[GVS_MEMBER_KEYS_MAX]; /* ids of the cluster's keys that it takes, the one that it
                                           begins with first, then ascending, then 0; 0: unsaid */
};

/* What was said of an apply that waits to be confirmed (core/trial.h). */
enum gvs_trial_word { GVS_TRIAL_OPEN = 0, GVS_TRIAL_CONFIRMED = 1, GVS_TRIAL_ROLLED_BACK = 2 };
struct gvs_trial_value {
    uint64_t deadline_ms; /* since 1970; required: 1 to GVS_HLC_MS_MAX */
    uint8_t word;         /* enum gvs_trial_word */
};

/* Is everything in range? What decode lets through, and what encode demands (asserted). Whether it
 * suits the service's family and protocol is for core/view.h. */
bool gvs_service_valid(const struct gvs_service *v);
bool gvs_backend_valid(const struct gvs_backend *v);
bool gvs_override_valid(const struct gvs_override *v);
bool gvs_member_value_valid(const struct gvs_member_value *v);
bool gvs_trial_value_valid(const struct gvs_trial_value *v);

/* Each returns the length written to out, which holds GVS_VALUE_LEN_MAX bytes. */
size_t gvs_service_encode(uint8_t *out, const struct gvs_service *v);
size_t gvs_backend_encode(uint8_t *out, const struct gvs_backend *v);
size_t gvs_override_encode(uint8_t *out, const struct gvs_override *v);
size_t gvs_member_encode(uint8_t *out, const struct gvs_member_value *v);
size_t gvs_tombstone_encode(uint8_t *out, bool force);
size_t gvs_trial_encode(uint8_t *out, const struct gvs_trial_value *v);

/* GVS_OK, GVS_E_MALFORMED (the frame of the fields is broken, a required one is missing, or one is
 * not canonical), or GVS_E_RANGE (well-formed, but a value that this version cannot mean: newer
 * software, or a hostile one). *out is written on GVS_OK only, and whole: text is padded with
 * zeros. */
int gvs_service_decode(struct gvs_service *out, const uint8_t *b, size_t len);
int gvs_backend_decode(struct gvs_backend *out, const uint8_t *b, size_t len);
int gvs_override_decode(struct gvs_override *out, const uint8_t *b, size_t len);
int gvs_member_decode(struct gvs_member_value *out, const uint8_t *b, size_t len);
int gvs_tombstone_decode(bool *force, const uint8_t *b, size_t len);
int gvs_trial_decode(struct gvs_trial_value *out, const uint8_t *b, size_t len);

/* Field 64 of any value: the hlc of the latest entry of another writer that its writer replaced, so
 * that he knew it. `add` appends it to what encode wrote, in a buffer that holds GVS_VALUE_LEN_MAX,
 * and returns the new length; hlc 0 adds nothing. `get` is 0 where there is none. */
size_t gvs_prev_add(uint8_t *value, size_t len, uint64_t hlc);
uint64_t gvs_prev_get(const uint8_t *b, size_t len);

/* Field 67 of the cluster's entries: what a trial (core/trial.h) that wrote this one goes back to.
 *
 *     trial(8) deadline(8, ms) flags(1) value replaced     flags: 1 this deletes  2 something was
 *                                                          there, and follows  4 with 1: by force
 */
struct gvs_undo {
    uint64_t trial, deadline_ms; /* neither is 0 */
    bool gone;                   /* the entry says that its key is deleted; its value is empty */
    bool force;                  /* likewise, by force */
    bool had;                    /* something was there: */
    const uint8_t *was;          /* borrowed; without its fields from 64 on */
    size_t was_len;
};

/* Appends it to a value without fields above 66, in a buffer that holds GVS_VALUE_LEN_MAX, and
 * returns the new length; 0: there is no room, and the value is as it was. `get` is false where
 * there is none that this version can read: such an entry is as any other. */
size_t gvs_undo_add(uint8_t *value, size_t len, const struct gvs_undo *u);
bool gvs_undo_get(struct gvs_undo *out, const uint8_t *b, size_t len);

/* How long a valid value is without its fields from 64 on, which are about its writer. */
size_t gvs_value_bare(const uint8_t *b, size_t len);

/* Only the frame: tags ascend, lengths add up, and the whole has at most GVS_VALUE_LEN_MAX bytes.
 * What a table demands of an entry it takes. */
bool gvs_value_valid(const uint8_t *b, size_t len);

/* Do two claims say the same? `reset` is no attribute: only the cluster's claim has one. */
bool gvs_service_equal(const struct gvs_service *a, const struct gvs_service *b);
bool gvs_backend_equal(const struct gvs_backend *a, const struct gvs_backend *b);

bool gvs_name_valid(const char *name, size_t len); /* also not "cluster" and not "all" */

/* "nat", "dr", "tun"; "?" for any other. Parse takes these three, else GVS_E_MALFORMED. */
const char *gvs_forward_name(uint8_t forward);
int gvs_forward_parse(uint8_t *out, const char *text);

/* The schedulers of Linux' IPVS, ended by NULL; whether this kernel has the module is another
 * question. */
extern const char *const gvs_schedulers[];
bool gvs_scheduler_known(const char *name);
