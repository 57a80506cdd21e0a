/* Datagrams as the socket delivers them, to a node that knows the cluster's key: pieces of an
 * input, each with a byte that says from whom, whether its mac1 is made right, and how much later.
 * To an address that has not proven itself go no more bytes than came (net/session.h, I3). */
#include "net/packet.h"
#include "test/fuzz/golden.h"

enum { RIGHT_MAC = 0x80, LATER = 0x40, SENDERS = 0x03 };

static void
make_mac1(const struct golden *g, uint8_t *b, size_t len)
{
    if (len == GVS_HANDSHAKE_LEN)
        gvs_crypto_mac(b + GVS_AT_MAC1, b, GVS_AT_MAC1, g->ring.key[0].mac1, GVS_KEY_SECRET_LEN);
}

static size_t
drain(struct golden *g)
{
    uint8_t buf[GVS_DATAGRAM_LEN_MAX];
    size_t sum = 0, len;
    struct gvs_ep to;

    while ((len = gvs_sessions_next(g->s, g->now, buf, &to)) > 0) {
        must(len <= sizeof buf);
        sum += len;
    }
    return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    struct feed f = {b, b + len};
    size_t in = 0, out = 0;
    bool proven = false;
    struct golden g;

    golden_open(&g, 0x40);
    while (feed_left(&f) > 0) {
        uint8_t how = feed_byte(&f);
        struct gvs_ep from = golden_ep(how & SENDERS);
        size_t n;
        uint8_t *piece = feed_piece(&f, GVS_DATAGRAM_LEN_MAX + 1, &n);

        if (how & RIGHT_MAC)
            make_mac1(&g, piece, n);
        proven |= golden_recv(&g, &from, piece, n).event != GVS_SESSION_NOTHING;
        free(piece);
        in += n;
        out += drain(&g);
        must(proven || out <= in);
        if (how & LATER)
            g.now = gvs_mono_add_ms(g.now, 700);
    }
    gvs_sessions_close(g.s);
    return 0;
}
