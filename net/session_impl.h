/* net/session_impl.h: the inside of the sessions, for net/session*.c and nobody else.
 *
 *     session.c        the states: what comes, what is sent
 *     session_keys.c   which keys and whose ids count, and what follows when that changes
 */
#pragma once

#include "net/gate.h"
#include "net/noise.h"
#include "net/pool.h"
#include "net/session.h"

/* Waiting to be sent: who calls us sends before he reads as much again. */
#define GVS_COOKIES_MAX 64

struct gvs_sessions {
    struct gvs_noise_self self;
    struct gvs_id id;
    struct gvs_keyring ring;
    struct gvs_admission admission;
    struct gvs_random random;
    uint64_t boot;
    uint64_t init_time; /* the latest used */
    uint64_t turn;      /* counts handshakes' steps: an order without ties, which time is not */

    struct gvs_pool pool;
    struct gvs_mono sweep; /* when CURRENT ones are looked through again */

    struct gvs_gate gate;
    struct gvs_cookie_jar jar;
    struct gvs_cookie_out {
        struct gvs_ep to;
        uint8_t pkt[GVS_COOKIE_LEN];
    } cookies[GVS_COOKIES_MAX];
    size_t cookie_count;

    uint64_t rejected[GVS_REJECT_COUNT];
    struct gvs_stranger stranger, denied;
    uint8_t body[GVS_BODY_LEN_MAX];
};

/* e is under a key that is not primary any more: it is replaced within ten minutes. */
void gvs_session_hasten(struct gvs_sessions *s, struct gvs_mono now, struct gvs_session *e);
