/* Lines of the control socket (docs/control.md), to an agent on a kernel in memory that may write:
 * each line of the input is one request. Every request gets whole JSON objects as answers, one of
 * them the last, or waits; and the agent outlives it. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define GVS_LSAN
#endif
#endif

#include "test/fuzz/scratch.h"
#include "test/ipvs/fake.h"
#include "tools/agent/agent.h"

static struct gvs_agent *agent;
static uv_loop_t loop;

static void
close_agent(void)
{
    gvs_agent_close(agent, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop) == 0);
}

static void
open_agent(void)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= primary\n";
    const char *conf = scratch_path("gossipvs.conf"), *ring = scratch_path("keyring");
    const char *dir = scratch_get()->dir;
    struct gvs_fault fault;
    char text[1024];

    scratch_path("data.mdb");
    scratch_path("ledger.mdb");
    scratch_path("lock");
    scratch_path("sock");
    must((size_t)snprintf(text, sizeof text,
                          "cluster = fuzz\n"
                          "node { name = one bind = \"127.0.0.1:%d\" keyring = \"%s\"\n"
                          "  state = \"%s\" services = \"%s/services.d\" }\n"
                          "control { socket = \"%s/sock\" }\n",
                          20000 + getpid() % 20000, ring, dir, dir, dir) < sizeof text);
    scratch_write(conf, (const uint8_t *)text, strlen(text));
    scratch_write(ring, (const uint8_t *)key, sizeof key - 1);
    must(chmod(ring, 0600) == 0 && uv_loop_init(&loop) == 0);
    fake_reset();
    if (gvs_agent_open(&agent, &loop, conf, NULL, NULL, &fault) < 0) {
        fprintf(stderr, "%s\n", fault.text);
        abort();
    }
    agent->started.us -= 60 * UINT64_C(1000000); /* alone for long enough */
    atexit(close_agent);
}

static void
check_answer(void *ctx, const char *line, int last)
{
    json_error_t error;
    json_t *doc = json_loads(line, JSON_REJECT_DUPLICATES, &error);

    must(json_is_object(doc) && strchr(line, '\n') == NULL);
    json_decref(doc);
    *(int *)ctx += last;
}

int
LLVMFuzzerTestOneInput(const uint8_t *b, size_t len)
{
    char *text, *rest = NULL;
    int requests = 0, ended = 0;

    if (agent == NULL) {
#ifdef GVS_LSAN
        __lsan_disable(); /* what it holds by way of locked memory, LeakSanitizer does not see */
#endif
        open_agent();
#ifdef GVS_LSAN
        __lsan_enable();
#endif
    }
    text = feed_text(b, len);
    for (char *line = strtok_r(text, "\n", &rest); line && requests < 16;
         line = strtok_r(NULL, "\n", &rest)) {
        gvs_agent_command(agent, line, "fuzz", 1, check_answer, &ended);
        requests++;
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    must(ended <= requests);
    gvs_requests_abandon(agent, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    free(text);
    return 0;
}
