/* test/net/flood.c: as many datagrams a second as somebody asks for, at an agent on loopback; and a
 * bare socket that only receives, to see what that alone costs.
 *
 *     flood send FILE ADDRESS:PORT RATE SECONDS      FILE's packets there, over and over
 *     flood receive ADDRESS:PORT SECONDS
 *
 * FILE has IPv4 packets of UDP, each behind its length in two bytes, little-endian. Where they go
 * is replaced; who sends them is not, but for 0.0.0.0: such a packet comes from another one of
 * 32,768 addresses and ports of 127.0.0.0/8 each time. What is sent to these is counted against
 * what they sent, for each of them. Needs CAP_NET_RAW. Prints one line: names and numbers in turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net/packet.h"

#define PACKET_LEN_MAX 1500
#define HEADER_LEN (sizeof(struct iphdr) + sizeof(struct udphdr))
#define PLACES 32768
#define BATCH 16 /* 6,250 bursts a second make 100,000: a network card's are no longer */

struct packet {
    uint16_t len;
    uint8_t b[PACKET_LEN_MAX];
};

struct flood {
    struct sockaddr_in to;
    int raw, tap;
    struct packet *packets;
    size_t count, next_packet, next_place;
    struct place {
        uint64_t in, out; /* bytes of payload to the agent, and from it */
    } places[PLACES];
    uint64_t sent, bytes, resp, cookie, answered; /* the last in bytes */
    uint64_t over;                                /* answers after which out was above in */
};

static void
need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(2);
}

static uint64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static struct sockaddr_in
parse_address(char *text)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    char *colon = strrchr(text, ':');

    errno = EINVAL;
    need(colon != NULL, text);
    *colon = '\0';
    need(inet_pton(AF_INET, text, &sin.sin_addr) == 1, text);
    sin.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return sin;
}

/* --- send --- */

/* 127.1.0.7 to 127.128.255.7: no agent is there. */
static uint32_t
place_address(size_t place)
{
    return htonl((uint32_t)(0x7f010007 + (place / 256 << 16) + (place % 256 << 8)));
}

static size_t
place_of(uint32_t address)
{
    uint32_t a = ntohl(address) - 0x7f010007;

    return (a & 0xff) == 0 && a >> 16 < PLACES / 256 ? (a >> 16) * 256 + (a >> 8 & 0xff) : PLACES;
}

static void
read_packets(struct flood *f, const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t len[2];

    need(in != NULL, path);
    while (fread(len, 1, 2, in) == 2) {
        struct packet *p;

        f->packets = realloc(f->packets, (f->count + 1) * sizeof *f->packets);
        need(f->packets != NULL, "realloc");
        p = &f->packets[f->count++];
        p->len = gvs_get16le(len);
        errno = EINVAL;
        need(p->len >= HEADER_LEN && p->len <= sizeof p->b && fread(p->b, 1, p->len, in) == p->len,
             path);
        memcpy(p->b + offsetof(struct iphdr, daddr), &f->to.sin_addr, 4);
        memcpy(p->b + sizeof(struct iphdr) + offsetof(struct udphdr, uh_dport), &f->to.sin_port, 2);
    }
    errno = ENODATA;
    need(f->count > 0, path);
    fclose(in);
}

/* All that comes from the agent. The filter keeps the flood itself away. */
static void
open_sockets(struct flood *f)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct iphdr, saddr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(f->to.sin_addr.s_addr), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    int len = 4 << 20;

    f->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    need(f->raw >= 0, "a raw socket");
    f->tap = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* deaf as yet */
    need(f->tap >= 0, "a packet socket");
    need(setsockopt(f->tap, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0, "a filter");
    need(setsockopt(f->tap, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof len) == 0, "a buffer");
    need(bind(f->tap,
              (struct sockaddr *)&(struct sockaddr_ll){.sll_family = AF_PACKET,
                                                       .sll_protocol = htons(ETH_P_IP)},
              sizeof(struct sockaddr_ll)) == 0,
         "bind");
}

static void
count_answer(struct flood *f, const uint8_t *ip, size_t len)
{
    struct place *p;
    uint16_t port;
    uint32_t to;

    memcpy(&to, ip + offsetof(struct iphdr, daddr), 4);
    memcpy(&port, ip + sizeof(struct iphdr) + offsetof(struct udphdr, uh_sport), 2);
    if (len <= HEADER_LEN || ip[offsetof(struct iphdr, protocol)] != IPPROTO_UDP ||
        port != f->to.sin_port || place_of(to) == PLACES)
        return;
    p = &f->places[place_of(to)];
    p->out += len - HEADER_LEN;
    f->answered += len - HEADER_LEN;
    f->over += p->out > p->in;
    f->resp += ip[HEADER_LEN] == GVS_PACKET_RESP;
    f->cookie += ip[HEADER_LEN] == GVS_PACKET_COOKIE;
}

static void
hear(struct flood *f)
{
    uint8_t b[PACKET_LEN_MAX];
    ssize_t len;

    while ((len = recv(f->tap, b, sizeof b, MSG_DONTWAIT)) > 0)
        count_answer(f, b, (size_t)len);
}

/* The next packet, as it goes out this time. */
static size_t
make_next(struct flood *f, uint8_t b[static PACKET_LEN_MAX])
{
    const struct packet *p = &f->packets[f->next_packet++ % f->count];
    uint32_t source;

    memcpy(b, p->b, p->len);
    memcpy(&source, b + offsetof(struct iphdr, saddr), 4);
    if (source == 0) {
        size_t place = f->next_place++ % PLACES;
        uint16_t port = htons((uint16_t)(1024 + place));

        source = place_address(place);
        memcpy(b + offsetof(struct iphdr, saddr), &source, 4);
        memcpy(b + sizeof(struct iphdr) + offsetof(struct udphdr, uh_sport), &port, 2);
        f->places[place].in += p->len - HEADER_LEN;
    }
    f->bytes += p->len - HEADER_LEN;
    return p->len;
}

static void
send_batch(struct flood *f, unsigned count)
{
    static const struct mmsghdr none;
    uint8_t b[BATCH][PACKET_LEN_MAX];
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];

    for (unsigned i = 0; i < count; i++) {
        iov[i] = (struct iovec){b[i], make_next(f, b[i])};
        msg[i] = none;
        msg[i].msg_hdr.msg_name = &f->to;
        msg[i].msg_hdr.msg_namelen = sizeof f->to;
        msg[i].msg_hdr.msg_iov = &iov[i];
        msg[i].msg_hdr.msg_iovlen = 1;
    }
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(f->raw, msg + done, count - done, 0);

        need(n > 0, "sendmmsg");
        done += (unsigned)n;
    }
    f->sent += count;
}

static void
run_flood(struct flood *f, uint64_t rate, uint64_t seconds)
{
    uint64_t began = now_us(), end = began + seconds * 1000000, now;

    while ((now = now_us()) < end) {
        if (f->sent + BATCH <= (now - began) * rate / 1000000)
            send_batch(f, BATCH);
        else
            usleep(1); /* and the 60 us that the kernel adds */
        hear(f);
    }
    usleep(200000); /* for what still waits to be read */
    hear(f);
    printf("sent %llu bytes %llu seconds %.3f resp %llu cookie %llu answered %llu over %llu\n",
           (unsigned long long)f->sent, (unsigned long long)f->bytes, (double)(now - began) / 1e6,
           (unsigned long long)f->resp, (unsigned long long)f->cookie,
           (unsigned long long)f->answered, (unsigned long long)f->over);
}

/* --- receive --- */

/* What libuv does for net/udp.c (uv__udp_recvmsg), and nothing of what net/udp.c does then. */
static void
receive(const struct sockaddr_in *at, uint64_t seconds)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC), len = 4 << 20;
    uint8_t b[1233];
    struct sockaddr_storage from;
    struct iovec iov = {b, sizeof b};
    struct rusage usage;
    uint64_t count = 0, end = now_us() + seconds * 1000000;

    need(fd >= 0 && epoll >= 0, "socket");
    need(bind(fd, (const struct sockaddr *)at, sizeof *at) == 0, "bind");
    need(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &len, sizeof len) == 0, "a buffer");
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    while (now_us() < end) {
        if (epoll_wait(epoll, &event, 1, 100) <= 0)
            continue;
        for (int i = 0; i < 32; i++) {
            struct msghdr msg = {
                .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1};

            if (recvmsg(fd, &msg, 0) < 0)
                break;
            count++;
        }
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("received %llu cpu_us %lld\n", (unsigned long long)count,
           (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
               usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in at;
    struct flood *f;

    if (argc == 4 && strcmp(argv[1], "receive") == 0) {
        at = parse_address(argv[2]);
        receive(&at, strtoul(argv[3], NULL, 10));
        return 0;
    }
    if (argc != 6 || strcmp(argv[1], "send") != 0) {
        fprintf(stderr, "usage: flood send FILE ADDRESS:PORT RATE SECONDS\n"
                        "       flood receive ADDRESS:PORT SECONDS\n");
        return 2;
    }
    f = calloc(1, sizeof *f);
    need(f != NULL, "calloc");
    f->to = parse_address(argv[3]);
    read_packets(f, argv[2]);
    open_sockets(f);
    run_flood(f, strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    free(f->packets);
    free(f);
    return 0;
}
