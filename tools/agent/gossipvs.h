/* gossipvs.h: libgossipvs, an agent of gossipvs in a program that has a libuv loop.
 *
 *     char error[GVS_ERROR_LEN];
 *     struct gvs_agent *agent;
 *
 *     if (gvs_open(&agent, loop, "/etc/mine/gossipvs.conf", NULL, NULL, error) < 0)
 *         errx(1, "%s", error);
 *     gvs_claim(agent, "10.99.0.1:80/tcp", NULL, "name web scheduler wlc", 0, error);
 *     gvs_claim(agent, "10.99.0.1:80/tcp", "10.77.0.4:8080", "weight 2", 0, error);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 *     cc -o mine mine.c $(pkg-config --cflags --libs gossipvs)
 *
 * An agent takes part in one cluster as one node and programs the IPVS of the network namespace
 * that it was opened in: all that gossipvsd does, but for the arguments, the signals and the
 * confinement of a process of its own. This header is the whole interface; a longer example is
 * docs/example.c, installed with it.
 *
 * Configuration: a file in the language of gossipvs.conf(5), with the same defaults but two: there
 *   is no control socket, and no services.d (nor the maintenance.d beside it), unless the file
 *   names them in control { socket } and node { services }. With a socket gossipvs(1) works as on
 *   any node. kernel { mode = observe } is for who may not program IPVS, or does not want to.
 * State: the directory node { state } is who this node is: its key, its id, its table, and what it
 *   owns in the kernel. One agent at a time has it. A second one, in this process or another, is
 *   refused by an error that names the directory and the pid of the first.
 * Threads: all agents of a process, any number on any loops, belong to one thread; every function
 *   here is called on it, and calls back on it. An agent has two threads of its own for its store,
 *   all signals blocked, and looks names up on libuv's. They start when the loop runs.
 * Loop: an agent keeps it alive from gvs_open until `closed`. Who blocks it for half a second makes
 *   other nodes ask whether this one is dead.
 * Callbacks may call any function here, gvs_close included; `log` none.
 * Strings that go in are copied. Those that come out are lent: to a callback until it returns, by
 *   gvs_status as it says.
 * The process stays as it is: no signal's disposition, no mask, umask, limit, capability, prctl,
 *   locale or working directory changes. Descriptors are closed on exec. And so
 *     - the keys are in memory that is locked, as far as RLIMIT_MEMLOCK allows, and in no core
 *       file; but no filter of system calls, and no capability given up, stands between them and
 *       the rest of the program, as in gossipvsd. That is for the program to do, or not.
 *     - a program whose agent has a control socket ignores SIGPIPE, as libuv wants of streams.
 *     - where the file has other namespaces than "host", a hook, or checks that run commands, and
 *       only there, gvs_open forks a process for each of the three, which ends with the thread that
 *       called it. It has the privileges of that moment. Call it before there are other threads,
 *       and wait() for no children but your own.
 * Privileges: programming takes CAP_NET_ADMIN, when the agent is opened (without it gvs_open fails,
 *   by GVS_ERROR_NOT_PERMITTED) and as long as it is open. When it is lost, what is in the kernel
 *   stays there, what would change is refused and tried again, and status says so (critical,
 *   kernel_refused); the table and the other nodes go on. An observer needs no privilege; without
 *   this one it does not read IPVS either, which then counts as empty.
 *
 * Versions: what is here stays as it is while the soname is libgossipvs.so.0; functions, words and
 * keys of JSON may be added.
 */
#ifndef GOSSIPVS_H
#define GOSSIPVS_H

#ifdef __cplusplus
extern "C" {
#endif

#define GVS_PUBLIC __attribute__((visibility("default")))

struct uv_loop_s; /* uv_loop_t */
struct gvs_agent;

/* What can go wrong: negative numbers, which never change. gossipvs(1) exits with the same. */
enum gvs_error {
    GVS_ERROR_NO = -1,            /* out of something: memory, room */
    GVS_ERROR_USAGE = -2,         /* a word or the configuration is wrong, or cannot be used here */
    GVS_ERROR_NOT_PERMITTED = -4, /* not for this user */
    GVS_ERROR_NOT_FOUND = -5,     /* no such thing */
    GVS_ERROR_CONFLICT = -6,      /* something else is there, or this node was retired */
    GVS_ERROR_KERNEL = -8         /* the kernel refused */
};

/* Where a function takes `error`, it is NULL or has room for GVS_ERROR_LEN bytes, into which a
 * negative answer, and no other, puts a text: WHAT (WHY), and where somebody can do something about
 * it, after a newline, "hint: COMMAND". Printable ASCII, ended by 0. */
#define GVS_ERROR_LEN 800

enum gvs_log_level {
    GVS_LOG_ERR = 3,
    GVS_LOG_WARN = 4,
    GVS_LOG_INFO = 6,
    GVS_LOG_DEBUG = 7
}; /* as syslog */
typedef void (*gvs_log_fn)(void *ctx, enum gvs_log_level level, const char *line);

/* "0.1.0": the library's, which may be newer than this header. */
GVS_PUBLIC const char *gvs_version(void);

/* Reads the file, opens store, kernel and sockets, and begins. 0 and *out; or a negative number,
 * *out NULL, and nothing of it left once the loop has run again. `log` may be NULL. */
GVS_PUBLIC int gvs_open(struct gvs_agent **out, struct uv_loop_s *loop, const char *config,
                        gvs_log_fn log, void *log_ctx, char *error);

/* Ends what this agent claims and is not GVS_DURABLE, and stops. Everything else stays as it is:
 * the kernel, durable claims, those of services.d; nobody is told. What ends is withdrawn as by
 * gvs_withdraw; that it is on the disk, with this kernel and with up to three other nodes is waited
 * for, for two seconds at most. Then all is closed, the agent freed, and `closed` called (it may be
 * NULL): from the loop, never from within this call. No other function may be called with the agent
 * after this one; of callbacks only `log` is called, requests that wait are dropped.
 *
 * A program that ends without it (a crash, exit before `closed`) is a node that died: others hide
 * what it claims (weight 0 at once, gone 15 s later), and its next life takes up what is left, see
 * gvs_claim. */
GVS_PUBLIC void gvs_close(struct gvs_agent *agent, void (*closed)(void *ctx), void *ctx);

/* This node claims a service (backend NULL) or a backend of one, and goes on to until it is
 * withdrawn:
 *
 *     vip      "10.99.0.1:80/tcp", "[fd00:99::1]:53/udp", "fwmark:5": an address, not a name
 *     backend  "10.77.0.4:8080", "[fd00:77::4]:8080"
 *     words    WORD VALUE pairs as on the command line, blanks between; NULL is ""
 *              of a service:  name, scheduler, flags, persistent, netmask, forward
 *              of a backend:  weight (0 to 65535), forward, tunnel, lower, upper
 *
 * What is not given has the defaults of gossipvs(1): scheduler wlc, weight 1, forward nat, or that
 * of the service if this agent claims it, too; a name made of the VIP. The same again does nothing;
 * with other words it is an edit in place, and what is not given goes back to its default. Who
 * claims a backend need not claim its service, but somebody has to.
 *
 * 0: it is noted, and will be in the table as soon as this node may write (it has the table of the
 * others, or nobody was there for 10 s); whether it got there, and into the kernel, gvs_watch and
 * gvs_status tell. So they do of what the cluster does not take: a VIP outside vip-allow, one that
 * somebody claims differently, a table that is full. Where a file of services.d says something of
 * the same service or backend, the file counts. A file maintenance.d/NAME drains these claims, too:
 * backends of a service that this agent claims by that name have weight 0 until it goes. Checks are
 * for files: who claims from code says himself when a backend takes no more, by weight 0. Else
 * GVS_ERROR_USAGE, GVS_ERROR_CONFLICT (the node was retired: close and open again), GVS_ERROR_NO
 * (more claims than limits { entries }), and all is as before.
 *
 * Without GVS_DURABLE a claim ends with gvs_close. With it, it is kept in the state directory
 * (within milliseconds) and claimed again by each gvs_open, until it is withdrawn, or the directory
 * lost. A claim that is neither, left by a life that crashed, is withdrawn two seconds after the
 * agent may write; who claims it again by then costs no kernel an operation. */
#define GVS_DURABLE 1u
GVS_PUBLIC int gvs_claim(struct gvs_agent *agent, const char *vip, const char *backend,
                         const char *words, unsigned flags, char *error);

/* Ends a claim of gvs_claim, durable or not; with backend NULL that of the service and those of its
 * backends. What nobody else claims leaves the kernels: what has connections at weight 0 first, for
 * `drain` seconds. GVS_ERROR_NOT_FOUND: this agent has no such claim; GVS_ERROR_USAGE. */
GVS_PUBLIC int gvs_withdraw(struct gvs_agent *agent, const char *vip, const char *backend,
                            char *error);

/* From now on `event` is called with each event of `gossipvs watch`, a line of JSON
 * (gossipvs-json(5)) without its newline. There is one watcher: this one takes the place of
 * another; NULL ends it. */
GVS_PUBLIC void gvs_watch(struct gvs_agent *agent, void (*event)(void *ctx, const char *line),
                          void *ctx);

/* How it is: 0 ok, 1 warn (some problem), 2 critical (the kernel is not as wanted, the disk fails).
 * *json (json may be NULL) gets what `gossipvs -j status` prints, lent until the next call or
 * gvs_close; without memory NULL. JSON and no struct: one schema for all languages, which grows
 * without a new soname. */
enum { GVS_HEALTH_OK, GVS_HEALTH_WARN, GVS_HEALTH_CRITICAL };
GVS_PUBLIC int gvs_status(struct gvs_agent *agent, const char **json);

/* Everything else: one request of the control protocol (docs/control.md), with the right to change;
 * {"command":"members"}, {"command":"backend drain","args":["all","10.77.0.4"]},
 * {"command":"reload"}. `reply` gets the answer, a line of JSON, perhaps before this returns;
 * `last` is 0 where more follow (watch). */
typedef void (*gvs_reply_fn)(void *ctx, const char *line, int last);
GVS_PUBLIC void gvs_command(struct gvs_agent *agent, const char *line, gvs_reply_fn reply,
                            void *ctx);

#ifdef __cplusplus
}
#endif
#endif
