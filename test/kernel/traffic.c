/* test/kernel/traffic: servers that say who they are, and clients that ask a thousand times a
 * second. For test/kernel/t_traffic; in C, since Python does not keep that pace in a machine where
 * a system call is slow.
 *
 *     traffic serve tcp|udp PORT NAME        answers every connection, every datagram, by NAME, one
 *                                            letter; on every address, of both families
 *     traffic poll tcp SOURCE PORTS VIP PORT HZ
 *         connects, reads the letter, and resets, so that its port can be used again at once. PORTS
 *         0: any source port; else so many from 20000 on, one after the other.
 *     traffic poll udp SOURCE SPORT VIP PORT HZ
 *         sends from one port for ever, and takes whatever answers come.
 *
 * A poll prints, for each line of input, what has come since the last one: `KEY=NUMBER ...`, a key
 * being a server's letter, `refused`, `reset`, `unreachable`, `timeout`, `other`, `sent`, `lost`
 * (sent, and not answered), or `gap_ms`, the longest time between two answers. It ends with its
 * input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 20000
#define CONNECTIONS_MAX 1024

enum outcome { ANSWERED, REFUSED, RESET, UNREACHABLE, TIMEOUT, OTHER, OUTCOMES };

struct tally {
    uint64_t answers[256]; /* by letter */
    uint64_t bad[OUTCOMES];
    uint64_t sent;
    double last, gap; /* of answers; seconds */
};

static void
die(const char *what)
{
    perror(what);
    exit(2);
}

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_storage
address(const char *text, unsigned port, socklen_t *len)
{
    struct sockaddr_storage out = {.ss_family = AF_INET};
    struct sockaddr_in *four = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out;

    *len = sizeof *four;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_port = htons((uint16_t)port);
        return out;
    }
    *len = sizeof *six;
    out.ss_family = AF_INET6;
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
        die(text);
    six->sin6_port = htons((uint16_t)port);
    return out;
}

/* Bound to the address, as far as it is given. */
static int
open_socket(int type, const char *text, unsigned port)
{
    struct timeval second = {.tv_sec = 1};
    struct sockaddr_storage a;
    int fd, one = 1;
    socklen_t len;

    a = address(text, port, &len);
    fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    if (bind(fd, (struct sockaddr *)&a, len) < 0)
        die("bind");
    return fd;
}

/* Servers. */

/* Whoever asked closes; until then the connection is a connection. */
static void
serve_tcp(unsigned port, char name)
{
    static struct pollfd fds[CONNECTIONS_MAX];
    nfds_t count = 1;
    char b;

    fds[0] = (struct pollfd){open_socket(SOCK_STREAM, "::", port), POLLIN, 0};
    if (listen(fds[0].fd, 4096) < 0)
        die("listen");
    while (poll(fds, count, -1) > 0) {
        for (nfds_t i = count; i-- > 1;) {
            if (!fds[i].revents || read(fds[i].fd, &b, 1) > 0)
                continue;
            close(fds[i].fd);
            fds[i] = fds[--count];
        }
        if (!fds[0].revents || count == CONNECTIONS_MAX)
            continue;
        fds[count].fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fds[count].fd < 0)
            continue;
        fds[count].events = POLLIN;
        (void)!write(fds[count++].fd, &name, 1);
    }
    die("poll");
}

/* The answer has to come from where the question went: one address is asked, so the kernel's choice
 * is right. */
static void
serve_udp(unsigned port, char name)
{
    int fd = open_socket(SOCK_DGRAM, "::", port);
    struct sockaddr_storage from;
    char b[64];

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, b, sizeof b, 0, (struct sockaddr *)&from, &len);

        if (n < 1)
            continue;
        b[0] = name;
        sendto(fd, b, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

/* Clients. */

static enum outcome
outcome_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return REFUSED;
    case ECONNRESET:
    case EPIPE:
        return RESET;
    case ENETUNREACH:
    case EHOSTUNREACH:
        return UNREACHABLE;
    case EAGAIN:
    case EINPROGRESS:
    case ETIMEDOUT:
        return TIMEOUT;
    }
    return OTHER;
}

static void
answered(struct tally *t, char name)
{
    double now = seconds();

    t->answers[(unsigned char)name]++;
    if (t->last > 0 && now - t->last > t->gap)
        t->gap = now - t->last;
    t->last = now;
}

static uint64_t
answers(const struct tally *t)
{
    uint64_t sum = 0;

    for (int i = 0; i < 256; i++)
        sum += t->answers[i];
    return sum;
}

static void
print_tally(struct tally *t)
{
    static const char *const names[] = {
        [REFUSED] = "refused", [RESET] = "reset", [UNREACHABLE] = "unreachable",
        [TIMEOUT] = "timeout", [OTHER] = "other",
    };
    double last = t->last;

    for (int i = 0; i < 256; i++) {
        if (t->answers[i])
            printf("%c=%llu ", i, (unsigned long long)t->answers[i]);
    }
    for (int i = REFUSED; i < OUTCOMES; i++)
        printf("%s=%llu ", names[i], (unsigned long long)t->bad[i]);
    printf("sent=%llu lost=%lld ", (unsigned long long)t->sent, (long long)(t->sent - answers(t)));
    printf("gap_ms=%.0f\n", t->gap * 1000);
    fflush(stdout);
    memset(t, 0, sizeof *t);
    t->last = last;
}

/* A line of input asks for the tally; its end is ours. False: nobody asks. */
static bool
asked(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    char b[16];

    if (poll(&in, 1, 0) <= 0)
        return false;
    if (read(0, b, sizeof b) <= 0)
        exit(0);
    return true;
}

/* Until the next tick of a clock that does not wait for us, so that what is late is made good. */
static void
wait_for_tick(double *next, double hz)
{
    double left;

    *next += 1 / hz;
    left = *next - seconds();
    if (left > 0)
        usleep((unsigned)(left * 1e6));
    else if (left < -1)
        *next = seconds();
}

static void
connect_once(struct tally *t, const char *source, unsigned port, const struct sockaddr_storage *to,
             socklen_t len)
{
    struct linger abort = {.l_onoff = 1};
    int fd = open_socket(SOCK_STREAM, source, port);
    char name;
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    t->sent++;
    if (connect(fd, (const struct sockaddr *)to, len) < 0) {
        t->bad[outcome_of(errno)]++;
        close(fd);
        return;
    }
    n = read(fd, &name, 1);
    if (n == 1)
        answered(t, name);
    else
        t->bad[n == 0 ? RESET : outcome_of(errno)]++;
    close(fd);
}

static void
poll_tcp(const char *source, unsigned ports, const struct sockaddr_storage *to, socklen_t len,
         double hz)
{
    struct tally t = {.sent = 0};
    double next = seconds();

    for (unsigned i = 0;; i++) {
        connect_once(&t, source, ports ? FIRST_PORT + i % ports : 0, to, len);
        if (asked())
            print_tally(&t);
        wait_for_tick(&next, hz);
    }
}

static void
take_datagrams(struct tally *t, int fd)
{
    char b[64];
    ssize_t n;

    while ((n = recv(fd, b, sizeof b, MSG_DONTWAIT)) != 0) {
        if (n > 0)
            answered(t, b[0]);
        else if (errno == EAGAIN)
            return;
        else
            t->bad[outcome_of(errno)]++;
    }
}

/* What is on its way may come: until all have, or there was a second's silence. */
static void
await_datagrams(struct tally *t, int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};

    while (answers(t) < t->sent && poll(&in, 1, 1000) > 0)
        take_datagrams(t, fd);
}

static void
poll_udp(const char *source, unsigned port, const struct sockaddr_storage *to, socklen_t len,
         double hz)
{
    int fd = open_socket(SOCK_DGRAM, source, port);
    struct tally t = {.sent = 0};
    double next = seconds();

    if (connect(fd, (const struct sockaddr *)to, len) < 0)
        die("connect");
    for (;;) {
        t.sent++;
        if (send(fd, "?", 1, 0) < 0)
            t.bad[outcome_of(errno)]++;
        take_datagrams(&t, fd);
        if (asked()) {
            await_datagrams(&t, fd);
            print_tally(&t);
            next = seconds();
        }
        wait_for_tick(&next, hz);
    }
}

int
main(int argc, char **argv)
{
    bool tcp = argc > 2 && strcmp(argv[2], "tcp") == 0;
    struct sockaddr_storage to;
    socklen_t len;

    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        (tcp ? serve_tcp : serve_udp)((unsigned)atoi(argv[3]), argv[4][0]);
    if (argc != 8 || strcmp(argv[1], "poll") != 0) {
        fprintf(stderr, "traffic: see the head of test/kernel/traffic.c\n");
        return 2;
    }
    to = address(argv[5], (unsigned)atoi(argv[6]), &len);
    (tcp ? poll_tcp : poll_udp)(argv[3], (unsigned)atoi(argv[4]), &to, len, atof(argv[7]));
}
