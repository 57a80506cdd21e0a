/* metrics { listen }: what is counted, and whether this node is well, over HTTP.
 *
 * libmicrohttpd reads requests and writes answers. It has an epoll descriptor of its own, which the
 * agent's loop waits for, and no thread. Whoever reaches the address may ask, and nothing that he
 * can ask for changes anything; so all there is to see to is what he costs the loop:
 *
 *   - sixteen connections at a time; others wait in the kernel's queue, and are turned away by it;
 *   - a connection has ten seconds, from its first moment to its last, whatever it does: who sends
 *     a byte now and then, or reads one, holds nobody's place for longer;
 *   - one request each, with a head of 8 KiB at most; a body is not read;
 *   - what takes milliseconds to make is made at most five times a second, and is the same for all
 *     who ask meanwhile. */
#include "tools/agent/agent.h"

#ifndef GVS_MICROHTTPD

/* Without the library no configuration names an address. */
void
gvs_http_begin(struct gvs_agent *a)
{
    (void)a;
}

void
gvs_http_tick(struct gvs_agent *a)
{
    (void)a;
}

int
gvs_http_move(struct gvs_agent *a, const struct gvs_ep *to, struct gvs_fault *f)
{
    (void)a, (void)to, (void)f;
    return GVS_OK;
}

void
gvs_http_close(struct gvs_agent *a)
{
    (void)a;
}

#else

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define BACKLOG 128
#define CONNECTION_MS 10000
#define CONNECTION_BYTES 8192
#define KEPT_MS 200 /* an answer that takes time to make */

struct kept {
    struct MHD_Response *response; /* NULL: none yet */
    struct gvs_mono until;
};

struct gvs_http {
    struct gvs_agent *a;
    struct MHD_Daemon *daemon; /* NULL: stopped */
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* of these two, open */
    struct place {
        struct MHD_Connection *connection; /* NULL: free */
        struct gvs_mono end;
    } places[CONNECTIONS_MAX];
    size_t count; /* of these, taken */
    bool again;   /* somebody has left who was one of the most that there may be */
    struct kept metrics, page;
};

/* --- answers --- */

/* `text` is malloc's, and the response's from now on. NULL: no memory. */
static struct MHD_Response *
make_response(char *text, size_t len, const char *type)
{
    static const struct {
        const char *name, *value;
    } heads[] = {
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"X-Content-Type-Options", "nosniff"},
    };
    struct MHD_Response *r =
        text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!r) {
        free(text);
        return NULL;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        MHD_add_response_header(r, heads[i].name, heads[i].value);
    return r;
}

/* No response: the connection is closed. */
static enum MHD_Result
answer(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    enum MHD_Result rc = r ? MHD_queue_response(c, status, r) : MHD_NO;

    if (r)
        MHD_destroy_response(r); /* whoever it was queued for has it still */
    return rc;
}

__attribute__((format(printf, 3, 4))) static enum MHD_Result
say(struct MHD_Connection *c, unsigned status, const char *fmt, ...)
{
    struct MHD_Response *r;
    char *text = NULL;
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vasprintf(&text, fmt, ap);
    va_end(ap);
    r = make_response(len < 0 ? NULL : text, len < 0 ? 0 : (size_t)len,
                      "text/plain; charset=utf-8");
    if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return answer(c, status, r);
}

/* The response that is kept, or, when its time is over, a new one. */
static enum MHD_Result
answer_kept(struct gvs_http *h, struct MHD_Connection *c, struct kept *kept,
            struct MHD_Response *(*make)(struct gvs_agent *a))
{
    struct gvs_mono now = gvs_udp_now();

    if (!kept->response || gvs_mono_due(kept->until, now)) {
        if (kept->response)
            MHD_destroy_response(kept->response);
        kept->response = make(h->a);
        kept->until = gvs_mono_add_ms(gvs_udp_now(), KEPT_MS);
    }
    return kept->response ? MHD_queue_response(c, MHD_HTTP_OK, kept->response) : MHD_NO;
}

static struct MHD_Response *
make_metrics(struct gvs_agent *a)
{
    size_t len = 0;
    char *text = gvs_metrics_text(a, &len);

    return make_response(text, len, "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result
give_metrics(struct gvs_http *h, struct MHD_Connection *c)
{
    return answer_kept(h, c, &h->metrics, make_metrics);
}

static struct MHD_Response *
make_page(struct gvs_agent *a)
{
    size_t len = 0;
    char *text = gvs_page_text(a, &len);
    struct MHD_Response *r = make_response(text, len, "text/html; charset=utf-8");

    if (r)
        MHD_add_response_header(r, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'");
    return r;
}

static enum MHD_Result
give_page(struct gvs_http *h, struct MHD_Connection *c)
{
    return answer_kept(h, c, &h->page, make_page);
}

/* That it answers is the answer: the loop turns. */
static enum MHD_Result
give_health(struct gvs_http *h, struct MHD_Connection *c)
{
    (void)h;
    return say(c, MHD_HTTP_OK, "ok\n");
}

static enum MHD_Result
give_ready(struct gvs_http *h, struct MHD_Connection *c)
{
    char why[192];

    if (gvs_agent_ready(h->a, why, sizeof why))
        return say(c, MHD_HTTP_OK, "ok\n");
    return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "%s\n", why);
}

static const struct {
    const char *path;
    enum MHD_Result (*give)(struct gvs_http *h, struct MHD_Connection *c);
} pages[] = {
    {"/", give_page},
    {"/metrics", give_metrics},
    {"/healthz", give_health},
    {"/readyz", give_ready},
};

/* Called with the head of a request, and answers at once: a body that may follow is not read, and
 * for that the library ends the connection. */
static enum MHD_Result
on_request(void *http, struct MHD_Connection *c, const char *url, const char *method,
           const char *version, const char *body, size_t *body_len, void **ctx)
{
    struct gvs_http *h = http;

    (void)version, (void)body, (void)body_len, (void)ctx;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD, and nothing else\n");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(pages[i].path, url) == 0)
            return pages[i].give(h, c);
    return say(c, MHD_HTTP_NOT_FOUND, "there are /, /metrics, /healthz and /readyz\n");
}

/* --- the loop --- */

static struct place *
find_place(struct gvs_http *h, const struct MHD_Connection *c)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (h->places[i].connection == c)
            return &h->places[i];
    return NULL;
}

/* The library sees the end of what he sends and of what he takes. */
static void
hang_up(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info)
        shutdown(info->connect_fd, SHUT_RDWR);
}

static void
on_connection(void *http, struct MHD_Connection *c, void **ctx,
              enum MHD_ConnectionNotificationCode what)
{
    struct gvs_http *h = http;
    bool came = what == MHD_CONNECTION_NOTIFY_STARTED;
    struct place *p = find_place(h, came ? NULL : c);

    (void)ctx;
    if (!p) { /* the library takes no more than it is allowed: one without an end is not to be */
        hang_up(c);
        return;
    }
    h->again |= !came && h->count == CONNECTIONS_MAX;
    if (came)
        h->count++;
    else
        h->count--;
    p->connection = came ? c : NULL;
    p->end = gvs_mono_add_ms(gvs_udp_now(), CONNECTION_MS);
}

/* Of those whose time is over. Returns when the next one's is. */
static struct gvs_mono
end_late(struct gvs_http *h, struct gvs_mono now)
{
    struct gvs_mono next = GVS_MONO_NEVER;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct place *p = &h->places[i];

        if (!p->connection)
            continue;
        if (gvs_mono_due(p->end, now)) {
            hang_up(p->connection);
            p->end = gvs_mono_add_ms(now, CONNECTION_MS);
        }
        next = gvs_mono_min(next, p->end);
    }
    return next;
}

static void on_timer(uv_timer_t *t);

static void
run(struct gvs_http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    struct gvs_mono now, next;

    h->again = false;
    MHD_run(h->daemon);
    now = gvs_udp_now();
    next = end_late(h, now);
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
        next = gvs_mono_min(next, gvs_mono_add_ms(now, ms));
    if (h->again) /* who waits to be accepted is not looked at before it is run once more */
        next = now;
    if (next.us == GVS_MONO_NEVER.us)
        uv_timer_stop(&h->timer);
    else /* not 0: it would run again before the loop has looked at its sockets */
        uv_timer_start(&h->timer, on_timer,
                       gvs_mono_due(next, now) ? 1 : (next.us - now.us + 999) / 1000, 0);
}

static void
on_timer(uv_timer_t *t)
{
    run(t->data);
}

static void
on_poll(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    run(p->data);
}

/* --- opening and closing --- */

static int
listen_at(const struct gvs_ep *at)
{
    bool v6 = at->addr.family == GVS_FAMILY_V6;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(at->port)};
    const struct sockaddr *sa = v6 ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in;
    int one = 1, err;
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(&in6.sin6_addr, at->addr.b, sizeof in6.sin6_addr);
    memcpy(&in.sin_addr, at->addr.b, sizeof in.sin_addr);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(fd, sa, v6 ? sizeof in6 : sizeof in) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    err = errno;
    close(fd);
    errno = err;
    return -1;
}

static void
on_closed(uv_handle_t *handle)
{
    struct gvs_http *h = handle->data;
    struct gvs_agent *a = h->a;

    if (--h->handles > 0)
        return;
    free(h);
    gvs_agent_handle_closed(a);
}

/* The library takes the socket over. False: it does not start. */
static bool
start_daemon(struct gvs_http *h, int fd)
{
    const union MHD_DaemonInfo *info;

    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
    info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || uv_poll_init(h->a->loop, &h->poll, info->epoll_fd) != 0)
        return false;
    uv_timer_init(h->a->loop, &h->timer);
    h->poll.data = h->timer.data = h;
    h->handles = 2;
    h->a->handles++;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
    return true;
}

static int
open_at(struct gvs_agent *a, const struct gvs_ep *at, struct gvs_fault *f)
{
    struct gvs_http *h;
    char text[GVS_EP_TEXT_LEN];
    int fd = listen_at(at);

    gvs_ep_format(text, at);
    if (fd < 0) {
        gvs_fault_set(f, GVS_EXIT_USAGE, "cannot listen at %s/tcp: %s", text, strerror(errno));
        gvs_fault_hint(f, "ss -ltpn 'sport = %u'", at->port);
        return -1;
    }
    h = calloc(1, sizeof *h);
    if (h)
        h->a = a;
    if (h && start_daemon(h, fd)) {
        a->http = h;
        return GVS_OK;
    }
    if (h && h->daemon)
        MHD_stop_daemon(h->daemon); /* closes the socket, too */
    else
        close(fd);
    free(h);
    return gvs_fault_set(f, GVS_EXIT_NO, "cannot answer at %s/tcp: libmicrohttpd does not start",
                         text);
}

/* No reason for a balancer not to balance. */
void
gvs_http_begin(struct gvs_agent *a)
{
    if (a->cfg.metrics.addr.family == GVS_FAMILY_NONE ||
        open_at(a, &a->cfg.metrics, &a->http_fault) == GVS_OK)
        return;
    gvs_agent_log(a, GVS_LOG_WARN, "metrics: %s; going on without", a->http_fault.text);
}

void
gvs_http_tick(struct gvs_agent *a)
{
    if (!a->http_fault.text[0] || open_at(a, &a->cfg.metrics, &a->http_fault) < 0)
        return;
    a->http_fault = (struct gvs_fault){0};
    gvs_agent_log(a, GVS_LOG_INFO, "metrics: listening now");
}

void
gvs_http_close(struct gvs_agent *a)
{
    struct gvs_http *h = a->http;

    a->http = NULL;
    if (!h)
        return;
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
    MHD_stop_daemon(h->daemon); /* and its connections */
    if (h->metrics.response)
        MHD_destroy_response(h->metrics.response);
    if (h->page.response)
        MHD_destroy_response(h->page.response);
}

/* The old address may stand in the new one's way, so it goes first; if it cannot be had again, that
 * is as at the start. */
int
gvs_http_move(struct gvs_agent *a, const struct gvs_ep *to, struct gvs_fault *f)
{
    bool had = a->http != NULL;

    if (gvs_ep_cmp(&a->cfg.metrics, to) == 0)
        return GVS_OK;
    gvs_http_close(a);
    if (to->addr.family == GVS_FAMILY_NONE || open_at(a, to, f) == GVS_OK) {
        a->http_fault = (struct gvs_fault){0};
        return GVS_OK;
    }
    snprintf(f->text + strlen(f->text), sizeof f->text - strlen(f->text), "; nothing reloaded");
    if (had)
        gvs_http_begin(a);
    return -1;
}

#endif
