/* The bootstrap peers: addresses as they stand, names through the resolver, again and again.
 *
 * A name may have several addresses, of which some cannot be reached from here: the node gets all
 * those that its socket speaks to, and tries each. Where they change, it follows. While the
 * resolver gives nothing, what it gave last stays: that names cannot be looked up is no sign that
 * anybody has moved, and is most likely when much else is down. Nobody waits for a look-up of
 * somebody else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/agent.h"

#define RESOLVE_MS 30000

struct lookup {
    uv_getaddrinfo_t req;
    struct gvs_agent *a;
    char text[GVS_CONFIG_PATH_MAX]; /* the peer; it may have left the configuration meanwhile */
    uint16_t port;
};

static struct gvs_agent_peer *
find_peer(struct gvs_agent_peer *peers, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(peers[i].text, text) == 0)
            return &peers[i];
    return NULL;
}

/* Is that this node itself? Nobody else is reached by a loopback address from another one, and that
 * is what a host's own name may lead to. (Bound to every address, the node finds it out.) */
static bool
is_own(const struct gvs_agent *a, const struct gvs_ep *ep)
{
    const struct gvs_ep *bind = &a->cfg.bind;

    if (gvs_ep_cmp(ep, bind) == 0)
        return true;
    return gvs_addr_is_loopback(&ep->addr) && !gvs_addr_is_loopback(&bind->addr) &&
           !gvs_addr_is_any(&bind->addr);
}

/* Tells the node. First one address of each peer, then another, as far as there is room: many
 * addresses of one name are not to push out other peers. */
static void
apply(struct gvs_agent *a)
{
    struct gvs_ep ep[GVS_NODE_PEERS_MAX];
    unsigned whose[GVS_NODE_PEERS_MAX];
    size_t count = 0;

    for (size_t rank = 0; rank < GVS_AGENT_ADDRESSES_MAX; rank++)
        for (size_t i = 0; i < a->peer_count && count < GVS_NODE_PEERS_MAX; i++) {
            const struct gvs_agent_peer *p = &a->peers[i];

            if (rank >= p->count || is_own(a, &p->ep[rank]))
                continue;
            ep[count] = p->ep[rank];
            whose[count++] = (unsigned)i;
        }
    for (size_t i = 0; i < a->former_count && count < GVS_NODE_PEERS_MAX; i++) {
        ep[count] = a->former[i];
        whose[count++] = GVS_NODE_HINT;
    }
    gvs_node_set_peers(a->node, ep, whose, count);
    gvs_udp_kick(a->udp);
}

/* --- looking up --- */

static bool
from_addrinfo(struct gvs_ep *ep, const struct addrinfo *i, uint16_t port)
{
    *ep = (struct gvs_ep){.port = port};
    if (i->ai_family == AF_INET) {
        ep->addr.family = GVS_FAMILY_V4;
        memcpy(ep->addr.b, &((struct sockaddr_in *)(void *)i->ai_addr)->sin_addr, 4);
    } else if (i->ai_family == AF_INET6) {
        ep->addr.family = GVS_FAMILY_V6;
        memcpy(ep->addr.b, &((struct sockaddr_in6 *)(void *)i->ai_addr)->sin6_addr, 16);
    }
    return ep->addr.family != GVS_FAMILY_NONE;
}

static bool
has_address(const struct gvs_agent_peer *p, const struct gvs_ep *ep)
{
    for (size_t i = 0; i < p->count; i++)
        if (gvs_ep_cmp(&p->ep[i], ep) == 0)
            return true;
    return false;
}

/* Returns whether any of them is of use. */
static bool
take_addresses(const struct gvs_agent *a, struct gvs_agent_peer *p, const struct addrinfo *list,
               uint16_t port)
{
    struct gvs_agent_peer got = {.count = 0};
    struct gvs_ep ep;

    for (const struct addrinfo *i = list; i && got.count < GVS_AGENT_ADDRESSES_MAX; i = i->ai_next)
        if (from_addrinfo(&ep, i, port) && gvs_udp_reaches(a->udp, ep.addr.family) &&
            !has_address(&got, &ep))
            got.ep[got.count++] = ep;
    if (got.count == 0)
        return false;
    memcpy(p->ep, got.ep, got.count * sizeof *p->ep);
    p->count = got.count;
    return true;
}

/* Once for each time that it stops or begins to work. */
static void
tell(struct gvs_agent *a, struct gvs_agent_peer *p, bool good, int status)
{
    if (p->failing == !good)
        return;
    p->failing = !good;
    if (good)
        gvs_agent_log(a, GVS_LOG_INFO, "peer %s: found", p->text);
    else
        gvs_agent_log(a, GVS_LOG_WARN, "peer %s: %s (%s); tried again every %d s", p->text,
                      p->count ? "not found now, its last addresses stay" : "not found",
                      status < 0 ? uv_strerror(status) : "it has no address that bind can reach",
                      RESOLVE_MS / 1000);
}

static void
looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct lookup *l = req->data;
    struct gvs_agent *a = l->a;
    struct gvs_agent_peer *p = a->closing ? NULL : find_peer(a->peers, a->peer_count, l->text);

    if (p) {
        bool good = status == 0 && take_addresses(a, p, res, l->port);

        p->looking = false;
        tell(a, p, good, status);
        if (good)
            apply(a);
    }
    uv_freeaddrinfo(res);
    free(l);
    gvs_agent_handle_closed(a);
}

static void
look_up(struct gvs_agent *a, struct gvs_agent_peer *p)
{
    const char *colon = strrchr(p->text, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct lookup *l = calloc(1, sizeof *l);
    char host[GVS_CONFIG_PATH_MAX];

    GVS_ASSERT(colon); /* the configuration has no other */
    if (!l)
        return;
    if (!gvs_udp_reaches(a->udp, GVS_FAMILY_V6))
        hints.ai_family = AF_INET;
    else if (!gvs_udp_reaches(a->udp, GVS_FAMILY_V4))
        hints.ai_family = AF_INET6;
    snprintf(host, sizeof host, "%.*s", (int)(colon - p->text), p->text);
    memcpy(l->text, p->text, sizeof l->text);
    l->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    l->a = a;
    l->req.data = l;
    if (uv_getaddrinfo(a->loop, &l->req, looked_up, host, NULL, &hints) < 0) {
        free(l);
        return;
    }
    p->looking = true;
    a->handles++;
}

static void
look_up_all(struct gvs_agent *a, struct gvs_mono now)
{
    struct gvs_ep ep;

    a->resolved = now;
    for (size_t i = 0; i < a->peer_count; i++) {
        struct gvs_agent_peer *p = &a->peers[i];

        if (!p->looking && gvs_ep_parse(&ep, p->text, strlen(p->text), NULL) < 0)
            look_up(a, p);
    }
}

/* --- what is configured --- */

static void
begin_peer(struct gvs_agent *a, struct gvs_agent_peer *p, const char *text)
{
    *p = (struct gvs_agent_peer){.count = 0};
    snprintf(p->text, sizeof p->text, "%s", text);
    if (gvs_ep_parse(&p->ep[0], p->text, strlen(p->text), NULL) < 0)
        return;
    p->count = 1;
    if (!gvs_udp_reaches(a->udp, p->ep[0].addr.family))
        gvs_agent_log(a, GVS_LOG_WARN, "peer %s: it is never called (bind cannot reach IPv%d)",
                      p->text, p->ep[0].addr.family);
}

void
gvs_peers_read(struct gvs_agent *a)
{
    size_t was_count = a->peer_count;
    struct gvs_agent_peer *was = calloc(GVS_CONFIG_PEERS_MAX, sizeof *was);

    if (!was)
        return; /* those from before stay */
    memcpy(was, a->peers, sizeof a->peers);
    a->peer_count = 0;
    for (size_t i = 0; i < a->cfg.peer_count; i++) {
        const struct gvs_agent_peer *old = find_peer(was, was_count, a->cfg.peers[i]);
        struct gvs_agent_peer *p = &a->peers[a->peer_count];

        if (find_peer(a->peers, a->peer_count, a->cfg.peers[i]))
            continue; /* twice */
        a->peer_count++;
        if (old)
            *p = *old;
        else
            begin_peer(a, p, a->cfg.peers[i]);
    }
    free(was);
    apply(a);
    a->resolved = (struct gvs_mono){0};
}

void
gvs_peers_tick(struct gvs_agent *a, struct gvs_mono now)
{
    bool ever = a->resolved.us != 0;

    if (!ever || gvs_mono_due(gvs_mono_add_ms(a->resolved, RESOLVE_MS), now))
        look_up_all(a, now);
}

/* --- the members of an id that was retired --- */

static void
add_former(struct gvs_agent *a, const struct gvs_ep *ep)
{
    for (size_t i = 0; i < a->former_count; i++)
        if (gvs_ep_cmp(&a->former[i], ep) == 0)
            return;
    if (a->former_count < GVS_AGENT_FORMER_MAX && ep->addr.family != GVS_FAMILY_NONE)
        a->former[a->former_count++] = *ep;
}

/* As text, with a blank between. */
static void
load_former(struct gvs_agent *a)
{
    char text[GVS_AGENT_FORMER_MAX * GVS_EP_TEXT_LEN], *save = NULL;
    int len = gvs_store_get(a->store, GVS_BUCKET_META, "former", 6, text, sizeof text - 1);
    struct gvs_ep ep;

    text[len > 0 ? len : 0] = 0;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        if (gvs_ep_parse(&ep, word, strlen(word), NULL) == GVS_OK)
            add_former(a, &ep);
}

static void
store_former(struct gvs_agent *a)
{
    char text[GVS_AGENT_FORMER_MAX * GVS_EP_TEXT_LEN];
    size_t len = 0;

    for (size_t i = 0; i < a->former_count; i++) {
        len += gvs_ep_format(text + len, &a->former[i]);
        text[len++] = ' ';
    }
    gvs_store_put(a->store, GVS_BUCKET_META, "former", 6, len ? text : NULL, len);
}

/* Those who live first: there may be more than there is room for. */
void
gvs_peers_take_former(struct gvs_agent *a)
{
    size_t count;
    struct gvs_node_member *m = gvs_list_members(a, &count);

    for (enum gvs_member_state s = GVS_ALIVE; s < GVS_LEFT; s++)
        for (size_t i = 0; i < count; i++)
            if (m[i].state == s && !m[i].self)
                add_former(a, &m[i].value.ep);
    free(m);
    load_former(a);
}

/* Whoever knows members has no need of them. */
void
gvs_peers_keep_former(struct gvs_agent *a)
{
    bool fresh = a->former_count > 0, knows = false;
    size_t count;
    struct gvs_node_member *m = gvs_list_members(a, &count);

    for (size_t i = 0; i < count; i++)
        knows |= !m[i].self;
    free(m);
    load_former(a);
    if (a->former_count == 0 || !(fresh || knows))
        return;
    if (knows)
        a->former_count = 0;
    store_former(a);
}
