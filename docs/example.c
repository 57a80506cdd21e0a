/* example CONFIG [VIP ADDRESS:PORT...]: a program with a loop of its own that takes part in a
 * cluster of gossipvs, claims the VIP and these backends as long as it runs, and prints what
 * happens, a line of JSON an event. SIGINT or SIGTERM ends it: what it claims is withdrawn first.
 *
 *     cc -o example example.c $(pkg-config --cflags --libs gossipvs)
 */
#include <gossipvs.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

static struct gvs_agent *agent;
static uv_signal_t signals[2];

static void
on_log(void *ctx, enum gvs_log_level level, const char *line)
{
    (void)ctx;
    if (level <= GVS_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}

static void
on_event(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

/* The loop ends when nobody uses it any more: the agent lets go of it when it has closed. */
static void
on_signal(uv_signal_t *signal, int number)
{
    (void)signal, (void)number;
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    gvs_close(agent, NULL, NULL);
}

int
main(int argc, char **argv)
{
    static const int ends[2] = {SIGINT, SIGTERM};
    uv_loop_t *loop = uv_default_loop();
    char error[GVS_ERROR_LEN];
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || gvs_open(&agent, loop, argv[1], on_log, NULL, error) < 0) {
        fprintf(stderr, "%s\n", argc < 2 ? "usage: example CONFIG [VIP ADDRESS:PORT...]" : error);
        return 2;
    }
    gvs_watch(agent, on_event, NULL);
    rc = argc > 2 ? gvs_claim(agent, argv[2], NULL, "name example", 0, error) : 0;
    for (int i = 3; i < argc && rc == 0; i++)
        rc = gvs_claim(agent, argv[2], argv[i], "weight 10", 0, error);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &signals[i]);
        uv_signal_start(&signals[i], on_signal, ends[i]);
    }
    if (rc < 0) {
        fprintf(stderr, "%s\n", error);
        on_signal(NULL, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return rc < 0 ? 1 : 0;
}
