/* The agent as a library: what no other agent would send it. */
#include "test/tools/agent_bench.h"

static void
test_a_member_that_cannot_be_read_is_shown_as_far_as_it_can(void **state)
{
    static const uint8_t strange[] = {1, 3, 'a', ' ', 'b'}; /* no name of ours, no endpoint */
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    struct gvs_store *store;
    struct bench b;
    json_t *list;
    bool seen = false;

    (void)state;
    begin(&b);
    store = open_store(&b);
    for (uint8_t id = 1; id < 5; id++) {
        memset(key.owner.b, id, GVS_ID_LEN);
        store_entry(store, &key, gvs_member_order(3, (enum gvs_member_state)(id - 1)), strange,
                    sizeof strange);
    }
    close_store(&b, store);
    open_agent(&b);
    list = json_object_get(ask(&b, "{\"command\":\"members\",\"args\":[\"--all\"]}"), "members");
    for (size_t i = 0; i < json_array_size(list); i++)
        seen |= json_is_true(json_object_get(json_array_get(list, i), "self"));
    assert_true(seen);
    assert_non_null(json_object_get(ask(&b, "{\"command\":\"status\"}"), "health"));
    assert_non_null(json_object_get(ask(&b, "{\"command\":\"vip list\"}"), "vips"));
    end(&b);
}

/* Whatever stands in an event, or is the node's error, may be shown to a browser. */
static void
test_a_page_escapes_all_that_it_shows(void **state)
{
    static const char by[] = "<script>\"'&\x1b\xff";
    struct bench b;
    size_t len;
    char *text;

    (void)state;
    begin(&b);
    open_agent(&b);
    gvs_event_emit(b.agent, "vip.add", NULL, NULL, NULL,
                   json_pack("{s:s%, s:s, s:{s:s}, s:{s:s}}", "backend", by, sizeof by - 2,
                             "reason", "<i>why</i>", "before", "<u>", "<s>", "after", "<u>",
                             "<p onclick='x'>"));
    b.agent->via = GVS_VIA_API;
    b.agent->by = "<b>you & me</b>";
    gvs_event_emit(b.agent, "vip.del", NULL, NULL, NULL, NULL);
    b.agent->by = NULL;
    text = gvs_page_text(b.agent, &len);
    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<b>you"));
    assert_null(strstr(text, "<i>why"));
    assert_non_null(strstr(text, "<td>&#60;u&#62; &#60;s&#62; &#8594; &#60;p onclick=&#39;x&#39;"
                                 "&#62;; &#60;i&#62;why&#60;/i&#62;<td>"));
    assert_non_null(strstr(text, "<td>&#60;script&#62;&#34;&#39;&#38;?<td>"));
    assert_non_null(strstr(text, "<td>&#60;b&#62;you &#38; me&#60;/b&#62;</tr>"));
    free(text);
    end(&b);
}

/* --- a service at a member's address --- */

static void
store_ledger(struct gvs_store *store, const struct gvs_svcid *svc)
{
    void *mem = calloc(1, gvs_ledger_footprint(8));
    struct gvs_ledger *ledger = gvs_ledger_init(mem, 8);
    struct gvs_ledger_rec rec;
    char place[96];

    assert_true(gvs_ledger_place(place) >= 0);
    gvs_store_put(store, GVS_BUCKET_LEDGER, "place", 5, place, strlen(place));
    assert_true(gvs_ledger_service(ledger, svc, true));
    assert_true(gvs_ledger_next(ledger, &rec));
    gvs_store_put(store, GVS_BUCKET_LEDGER, rec.b, rec.len, "", 0);
    free(mem);
}

static const char *
state_of(struct bench *b, const char *vip)
{
    json_t *vips = json_object_get(ask(b, "{\"command\":\"vip list\"}"), "vips");

    for (size_t i = 0; i < json_array_size(vips); i++) {
        json_t *v = json_array_get(vips, i);

        if (strcmp(json_string_value(json_object_get(v, "vip")), vip) == 0)
            return json_string_value(json_object_get(v, "state"));
    }
    return "not there";
}

/* The first view after a restart decides: what it withheld would leave the kernel. */
static void
test_what_was_in_the_kernel_stays_where_a_member_came_to_its_address(void **state)
{
    struct gvs_key key = {.kind = GVS_KEY_MEMBER}, claim = {.kind = GVS_KEY_SERVICE};
    struct gvs_service attr = {.name = "web", .sched = "wlc"};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_store *store;
    struct bench b;

    (void)state;
    begin(&b);
    store = open_store(&b);
    memset(key.owner.b, 2, GVS_ID_LEN);
    store_entry(store, &key, gvs_member_order(3, GVS_ALIVE), value, member_value_at(value, 2));
    claim.owner = key.owner;
    claim.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    claim.svc.addr.family = GVS_FAMILY_V4;
    memcpy(claim.svc.addr.b, (uint8_t[]){10, 77, 0, 2}, 4);
    store_entry(store, &claim, gvs_hlc_make(1000, 0), value, gvs_service_encode(value, &attr));
    store_ledger(store, &claim.svc);
    claim.svc.port = 81;
    store_entry(store, &claim, gvs_hlc_make(1000, 0), value, gvs_service_encode(value, &attr));
    close_store(&b, store);
    open_agent(&b);
    assert_string_equal(state_of(&b, "10.77.0.2:80/tcp"), "observed");
    assert_string_equal(state_of(&b, "10.77.0.2:81/tcp"), "withheld");
    gvs_agent_dirty_all(b.agent);
    gvs_agent_absorb(b.agent);
    assert_string_equal(state_of(&b, "10.77.0.2:80/tcp"), "observed");
    assert_string_equal(state_of(&b, "10.77.0.2:81/tcp"), "withheld");
    end(&b);
}

/* One owner's hundred thousand backends and one of another's: what is looked for when he goes. */
static void
test_the_services_of_an_owner_are_found_in_slices(void **state)
{
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    uint8_t value[GVS_VALUE_LEN_MAX];
    size_t entries = 100000, found = 0, passes = 0;
    struct gvs_store *store;
    struct gvs_svcid svc;
    struct gvs_mono began, slice;
    uint64_t worst = 0, total;
    struct bench b;

    (void)state;
    begin(&b);
    store = open_store(&b);
    memset(key.owner.b, 2, GVS_ID_LEN);
    store_entry(store, &key, gvs_member_order(3, GVS_ALIVE), value, member_value_at(value, 2));
    for (size_t i = 0; i < entries; i++) {
        key = (struct gvs_key){.kind = GVS_KEY_BACKEND};
        key.svc =
            (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = (uint16_t)(1 + i / 10 % 60000)};
        key.svc.addr.family = key.ep.addr.family = GVS_FAMILY_V4;
        memcpy(key.svc.addr.b, (uint8_t[]){10, 99, 0, 1}, 4);
        memcpy(key.ep.addr.b, (uint8_t[]){10, 77, 0, 1}, 4);
        key.ep.port = (uint16_t)(1 + i % 10);
        memset(key.owner.b, i == entries / 2 ? 2 : 3, GVS_ID_LEN);
        store_entry(store, &key, gvs_hlc_make(1000, 0), value, 0);
    }
    close_store(&b, store);
    open_agent(&b);
    memset(b.agent->hide.changed[0].b, 2, GVS_ID_LEN);
    b.agent->hide.changed_count = 1;
    b.agent->scanning = true;
    b.agent->scan_key.len = 0;
    began = gvs_udp_now();
    while (b.agent->scanning) {
        size_t budget = 4096;

        slice = gvs_udp_now();
        while (gvs_owners_next(b.agent, &budget, &svc)) {
            found++;
            assert_int_equal(svc.port, 1 + entries / 2 / 10 % 60000);
        }
        slice.us = gvs_udp_now().us - slice.us;
        worst = slice.us > worst ? slice.us : worst;
        passes++;
    }
    total = gvs_udp_now().us - began.us;
    print_message("%zu entries: %zu slices, %llu us, the longest %llu us\n", entries, passes,
                  (unsigned long long)total, (unsigned long long)worst);
    assert_int_equal(found, 1);
    assert_int_equal(passes, entries / 4096 + 1);
    assert_int_equal(b.agent->hide.changed_count, 0);
    end(&b);
}

/* --- what the log tells, too --- */

struct heard { /* lines that begin with the word */
    const char *word;
    size_t count;
    char last[1024];
};

static void
hear(void *ctx, enum gvs_log_level level, const char *line)
{
    struct heard *h = ctx;

    (void)level;
    if (strncmp(line, h->word, strlen(h->word)) != 0)
        return;
    h->count++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

/* Until the next one, the agent's log is listened to. */
static void
listen_for(struct bench *b, struct heard *h, const char *word)
{
    *h = (struct heard){.word = word};
    b->agent->log = hear;
    b->agent->log_ctx = h;
}

/* The i-th problem of this code, or "". */
static const char *
problem_of(struct bench *b, const char *code, size_t i)
{
    json_t *list = json_object_get(ask(b, "{\"command\":\"status\"}"), "problems");

    for (size_t k = 0; k < json_array_size(list); k++) {
        json_t *p = json_array_get(list, k);

        if (strcmp(json_string_value(json_object_get(p, "code")), code) == 0 && i-- == 0)
            return json_string_value(json_object_get(p, "message"));
    }
    return "";
}

/* Members lb2, lb3, ... with the ids 2, 3, ..., at 127.77.0.2, 127.77.0.3, ..., where
 * nobody answers */
static void
store_members(struct bench *b, uint8_t count, enum gvs_member_state state)
{
    struct gvs_store *store = open_store(b);
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    uint8_t value[GVS_VALUE_LEN_MAX];

    for (uint8_t n = 2; n < 2 + count; n++) {
        struct gvs_member_value v = {.boot = 1, .ep.port = 7900};

        snprintf(v.name, sizeof v.name, "lb%d", n);
        v.ep.addr.family = GVS_FAMILY_V4;
        memcpy(v.ep.addr.b, (uint8_t[]){127, 77, 0, n}, 4);
        memset(key.owner.b, n, GVS_ID_LEN);
        store_entry(store, &key, gvs_member_order(3, state), value, gvs_member_encode(value, &v));
    }
    close_store(b, store);
}

static struct gvs_member *
member_of(struct bench *b, uint8_t n)
{
    struct gvs_id id;

    memset(id.b, n, GVS_ID_LEN);
    return gvs_member_get(b->agent->node->members, &id);
}

/* A member was heard, with a clock that is so far ahead of ours. */
static void
show_clock(struct bench *b, uint8_t n, int64_t ahead_ms)
{
    struct gvs_members *ms = b->agent->node->members;

    gvs_members_set_wall(ms, gvs_udp_now(), gvs_udp_wall());
    gvs_member_heard(ms, gvs_udp_now(), member_of(b, n));
    gvs_member_clock(ms, gvs_udp_now(), member_of(b, n), gvs_udp_wall().ms + (uint64_t)ahead_ms);
    b->agent->members_due = true;
    gvs_agent_pump(b->agent);
}

static void
assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" has no \"%s\"", text, part);
}

/* What is left out is named by nothing else. */
static void
test_backends_beyond_those_that_are_programmed_are_told(void **state)
{
    struct gvs_key key = {.kind = GVS_KEY_SERVICE, .owner = {{2}}};
    struct gvs_service service = {.name = "web", .sched = "wlc"};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_store *store;
    struct bench b;

    (void)state;
    begin(&b);
    store = open_store(&b);
    key.svc = (struct gvs_svcid){.proto = GVS_PROTO_TCP, .port = 80};
    key.svc.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 99, 0, 1}};
    store_entry(store, &key, gvs_hlc_make(1, 0), value, gvs_service_encode(value, &service));
    key.kind = GVS_KEY_BACKEND;
    key.ep.addr = (struct gvs_addr){GVS_FAMILY_V4, {10, 1, 0, 1}};
    for (key.ep.port = 1; key.ep.port <= GVS_VIEW_BACKENDS_MAX + 2; key.ep.port++)
        store_entry(store, &key, gvs_hlc_make(1, 0), value, 0);
    close_store(&b, store);
    open_agent(&b);
    assert_string_equal(problem_of(&b, "withheld", 0),
                        "vip '10.99.0.1:80/tcp' has 2 backends more than the 1024 that are "
                        "programmed");
    end(&b);
}

static void
test_clocks_that_are_off_are_told(void **state)
{
    struct heard heard;
    struct bench b;

    (void)state;
    begin(&b);
    store_members(&b, 3, GVS_ALIVE);
    open_agent(&b);
    show_clock(&b, 2, 500);
    show_clock(&b, 3, 500);
    assert_string_equal(problem_of(&b, "clock", 0), "");
    listen_for(&b, &heard, "clock:");
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 0);
    show_clock(&b, 3, 7200000); /* one of three: it is he who is wrong */
    assert_has(problem_of(&b, "clock", 0), "lb3's clock is 7200.0 s ahead of ours");
    assert_string_equal(problem_of(&b, "clock", 1), "");
    show_clock(&b, 4, 7200000); /* two of four: nobody is */
    show_clock(&b, 2, 7200000); /* three: it is we */
    assert_has(problem_of(&b, "clock", 0),
               "lb1's own clock is 7200.0 s behind the median of 4 (what is written here");
    assert_string_equal(problem_of(&b, "clock", 1), "");
    show_clock(&b, 2, -3600000);
    assert_has(problem_of(&b, "clock", 1), "lb2's clock is 10800.0 s behind the median");
    gvs_alarms_log(b.agent);
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 1);
    assert_has(heard.last, "own clock is 7200.0 s behind");
    assert_has(heard.last, "; and 1 more");
    for (size_t k = 0; k < GVS_ALARM_KINDS; k++) {
        assert_true(b.agent->alarm_due[k].us == 0 ||
                    b.agent->alarm_due[k].us > gvs_udp_now().us + 55000000);
        b.agent->alarm_due[k].us = 0; /* a minute later */
    }
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 2);
    end(&b);
}

static void
test_entries_from_the_future_are_told(void **state)
{
    struct gvs_key key = backend_key(8080);
    struct gvs_store *store;
    struct bench b;

    (void)state;
    begin(&b);
    store_members(&b, 3, GVS_ALIVE);
    store = open_store(&b);
    store_entry(store, &key, gvs_hlc_make(gvs_udp_wall().ms + 3600000, 0), NULL, 0);
    close_store(&b, store);
    open_agent(&b);
    assert_has(problem_of(&b, "clock", 0), "entries here are stamped up to 3");
    assert_has(problem_of(&b, "clock", 0), "of 1 clock nobody can tell which is wrong");
    show_clock(&b, 2, 10);
    show_clock(&b, 3, 20);
    assert_has(problem_of(&b, "clock", 0), "s ahead of the median of 3 clocks (who lacks them");
    show_clock(&b, 4, 3600000);
    assert_string_equal(problem_of(&b, "clock", 2), "");
    member_of(&b, 4)->deferred = 7;
    show_clock(&b, 4, 3600000);
    assert_has(
        problem_of(&b, "clock", 1),
        "entries from lb4 (127.77.0.4:7900) are not taken, 7 times so far (stamped more than "
        "30 s ahead of the median of 4 clocks; its own is 3600.0 s ahead)");
    show_clock(&b, 4, 500);
    assert_has(problem_of(&b, "clock", 1), "4 clocks; its own is right now)");
    show_clock(&b, 4, 3600000);
    for (size_t i = 0; i < b.agent->member_count; i++)
        b.agent->notes[i].deferred_at.us = 0; /* long ago */
    assert_has(problem_of(&b, "clock", 1), "lb4's clock is 3600.0 s ahead of ours");
    end(&b);
}

static void
test_a_clone_is_told_with_both_addresses(void **state)
{
    struct heard heard;
    struct bench b;
    struct gvs_ep other = {.port = 7901};

    (void)state;
    begin(&b);
    store_members(&b, 2, GVS_ALIVE);
    open_agent(&b);
    gvs_agent_pump(b.agent);
    listen_for(&b, &heard, "clone:");
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 0);
    other.addr.family = GVS_FAMILY_V4;
    memcpy(other.addr.b, (uint8_t[]){10, 77, 0, 9}, 4);
    gvs_replica_cloned(&b.agent->node->replica, gvs_udp_now(), &other);
    assert_has(problem_of(&b, "clone", 0), "another process has the key of lb1 (127.0.0.1:");
    assert_has(problem_of(&b, "clone", 0), "): at 10.77.0.9:7901 (a copied machine or ");
    assert_string_equal(problem_of(&b, "clone", 1), "");
    gvs_alarms_log(b.agent);
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 1);
    gvs_replica_cloned(&b.agent->node->replica, gvs_udp_now(), &member_of(&b, 2)->value.ep);
    assert_has(problem_of(&b, "clone", 0), "): at an address not yet known (");
    gvs_members_self(b.agent->node->members)->value.ep = other; /* not outbid yet */
    b.agent->members_due = true;
    gvs_agent_pump(b.agent);
    assert_has(problem_of(&b, "clone", 0), "): at 10.77.0.9:7901 (");
    gvs_members_self(b.agent->node->members)->value.ep = b.agent->cfg.advertise;
    b.agent->members_due = true;
    gvs_agent_pump(b.agent);
    assert_has(problem_of(&b, "clone", 0), "): at 10.77.0.9:7901 (");
    member_of(&b, 3)->value.ep = other; /* as the other one says */
    member_of(&b, 3)->cloned = true;
    member_of(&b, 3)->cloned_at = gvs_udp_now();
    b.agent->members_due = true;
    gvs_agent_pump(b.agent);
    assert_has(problem_of(&b, "clone", 1),
               "two processes have the key of lb3: at 10.77.0.9:7901 and at 127.77.0.3:7900 (");
    b.agent->node->replica.cloned_at.us = member_of(&b, 3)->cloned_at.us = 0;
    b.agent->members_due = true;
    gvs_agent_pump(b.agent);
    assert_string_equal(problem_of(&b, "clone", 0), "");
    end(&b);
}

static void
test_members_that_fill_their_places_are_told(void **state)
{
    struct heard heard;
    struct bench b;

    (void)state;
    begin_for(&b, 10);
    store_members(&b, 6, GVS_LEFT);
    open_agent(&b);
    listen_for(&b, &heard, "full:");
    gvs_alarms_log(b.agent);
    assert_string_equal(problem_of(&b, "full", 0), ""); /* 7 of 10, ourselves among them */
    assert_int_equal(heard.count, 0);
    close_agent(&b);
    store_members(&b, 7, GVS_LEFT);
    open_agent(&b);
    listen_for(&b, &heard, "full:");
    gvs_alarms_log(b.agent);
    assert_has(problem_of(&b, "full", 0), "8 of 10 members' places are taken (7 by members that");
    assert_int_equal(heard.count, 1);
    b.agent->node->refused[GVS_REFUSAL_MEMBER] = (struct gvs_node_refused){
        .count = 1, .at = gvs_udp_now(), .ep = {{GVS_FAMILY_V4, {10, 77, 0, 9}}, 7900}};
    assert_has(problem_of(&b, "full", 0),
               "10.77.0.9:7900 has the key and cannot join (no room for more than 10 members)");
    gvs_alarms_log(b.agent);
    assert_int_equal(heard.count, 1);
    memset(b.agent->alarm_due, 0, sizeof b.agent->alarm_due); /* a minute later */
    gvs_alarms_log(b.agent);
    assert_has(heard.last, "full: 10.77.0.9:7900 has the key");
    b.agent->node->refused[GVS_REFUSAL_MEMBER].at.us = 0;
    assert_string_equal(problem_of(&b, "full", 1), "");
    end(&b);
}

/* --- who was dead before a restart --- */

/* Nothing leaves the kernel for want of a member that nobody here has asked (agent/hide.h). */
static void
test_the_dead_of_the_disk_are_asked_before_anything_is_removed(void **state)
{
    struct gvs_mono began;
    struct bench b;

    (void)state;
    begin(&b);
    store_members(&b, 1, GVS_DEAD);
    open_agent(&b);
    began = gvs_udp_now();
    b.agent->node->synced = true; /* by another, who has heard the rumour, too */
    assert_true(b.agent->hide.unproven && b.agent->hide.count == 1);
    assert_false(gvs_agent_may_remove(b.agent));
    while (!member_of(&b, 2)->gone && gvs_udp_now().us - began.us < 20000000)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_true(member_of(&b, 2)->gone);
    print_message("asked after %llu ms\n",
                  (unsigned long long)(gvs_udp_now().us - began.us) / 1000);
    assert_false(gvs_agent_may_remove(b.agent));
    member_of(&b, 2)->gone_since.us -= GVS_HIDE_SILENT_MS * 1000;
    b.agent->members_due = true;
    gvs_agent_pump(b.agent);
    assert_true(gvs_agent_may_remove(b.agent));
    end(&b);
}

/* --- forgetting --- */

static json_t *
ask_and_wait(struct bench *b, const char *line)
{
    json_decref(b->answer);
    b->answer = NULL;
    gvs_agent_command(b->agent, line, "test", 1, take_answer, b);
    while (!b->answer)
        uv_run(&b->loop, UV_RUN_ONCE);
    return b->answer;
}

/* A peer that has answered since, with our claims, may not have heard of it yet. */
static void
test_forget_counts_those_who_have_forgotten(void **state)
{
    static const char line[] = "{\"command\":\"forget\",\"timeout\":%s,"
                               "\"args\":[\"lb3\",\"--peers\",\"1\"]}";
    struct gvs_key key = {.kind = GVS_KEY_MEMBER};
    uint8_t value[GVS_VALUE_LEN_MAX];
    struct gvs_store *store;
    struct gvs_member *m;
    struct bench b;
    json_t *answer;
    char text[128];

    (void)state;
    begin(&b);
    store = open_store(&b);
    for (uint8_t id = 2; id < 4; id++) {
        size_t len = member_value_at(value, id);

        memset(key.owner.b, id, GVS_ID_LEN);
        store_entry(store, &key, gvs_member_order(3, id == 2 ? GVS_ALIVE : GVS_DEAD), value, len);
    }
    close_store(&b, store);
    open_agent(&b);
    b.agent->started.us = 0; /* alone for long enough */
    memset(key.owner.b, 2, GVS_ID_LEN);
    m = gvs_member_get(b.agent->node->members, &key.owner);
    assert_non_null(m);
    m->has_fingerprint = true;
    m->fingerprint = gvs_table_fingerprint(gvs_node_claims(b.agent->node));
    m->members_fingerprint = gvs_table_fingerprint(gvs_node_members(b.agent->node));
    m->answered = GVS_MONO_NEVER;
    snprintf(text, sizeof text, line, "0.3");
    answer = ask_and_wait(&b, text);
    assert_string_equal(json_string_value(json_object_get(answer, "result")), "done");
    assert_int_equal(json_integer_value(json_object_get(answer, "peers")), 0);
    assert_non_null(json_object_get(answer, "error"));
    m->members_fingerprint = gvs_table_fingerprint(gvs_node_members(b.agent->node));
    snprintf(text, sizeof text, line, "10");
    answer = ask_and_wait(&b, text);
    assert_string_equal(json_string_value(json_object_get(answer, "result")), "already");
    assert_int_equal(json_integer_value(json_object_get(answer, "peers")), 1);
    assert_null(json_object_get(answer, "error"));
    assert_true(json_is_null(json_object_get(answer, "stamp")));
    end(&b);
}

/* --- what services were called --- */

/* Of services that no kernel ever had: no operation tells that they are gone. */
static void
test_names_of_what_is_gone_do_not_pile_up(void **state)
{
    struct bench b;
    char line[160];

    (void)state;
    begin(&b);
    b.kernel = "namespaces = { \"there-is-none-by-this-name\" }";
    configure(&b, "");
    open_agent(&b);
    assert_false(gvs_agent_observes(b.agent));
    for (unsigned i = 0; i < 200; i++) {
        if (i % 2)
            snprintf(line, sizeof line, "{\"command\":\"vip del\",\"args\":[\"v%u\"]}", i / 2);
        else
            snprintf(line, sizeof line,
                     "{\"command\":\"vip add\",\"args\":[\"v%u\",\"10.99.1.%u:80\"]}", i / 2,
                     i / 2);
        assert_null(json_object_get(ask_and_wait(&b, line), "error"));
    }
    assert_in_range(b.agent->names.count, 0, 66);
    end(&b);
}

/* --- who is answered, and acts at once --- */

struct nested {
    struct bench *b;
    unsigned answers, inner;
    bool close;
};

static void
count_inner(void *ctx, const char *line, int last)
{
    struct nested *n = ctx;

    (void)line, (void)last;
    n->inner++;
}

static void
act(void *ctx, const char *line, int last)
{
    struct nested *n = ctx;

    assert_non_null(strstr(line, "\"schema\""));
    assert_true(last);
    if (n->answers++ > 0)
        return;
    gvs_agent_command(n->b->agent, "{\"command\":\"version\"}", "test", 0, count_inner, n);
    if (n->close)
        gvs_agent_close(n->b->agent, NULL, NULL);
}

static void
test_who_is_answered_may_ask_and_close_at_once(void **state)
{
    static const struct {
        const char *why, *line;
        bool close;
    } rows[] = {
        {"asks, after a wait", "{\"command\":\"vip add\",\"args\":[\"web\",\"10.99.0.1:80\"]}",
         false},
        {"asks at once", "{\"command\":\"status\"}", false},
        {"closes, after a wait", "{\"command\":\"vip add\",\"args\":[\"web\",\"10.99.0.1:80\"]}",
         true},
        {"closes at once", "{\"command\":\"status\"}", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        struct nested n = {.b = &b, .close = rows[i].close};

        print_message("%s\n", rows[i].why);
        begin(&b);
        open_agent(&b);
        gvs_agent_command(b.agent, rows[i].line, "test", 1, act, &n);
        while (n.answers == 0)
            uv_run(&b.loop, UV_RUN_ONCE);
        if (n.close)
            b.agent = NULL;
        else
            gvs_agent_pump(b.agent);
        assert_int_equal(n.answers, 1);
        assert_int_equal(n.inner, 1);
        end(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_escapes_all_that_it_shows),
        cmocka_unit_test(test_a_member_that_cannot_be_read_is_shown_as_far_as_it_can),
        cmocka_unit_test(test_what_was_in_the_kernel_stays_where_a_member_came_to_its_address),
        cmocka_unit_test(test_backends_beyond_those_that_are_programmed_are_told),
        cmocka_unit_test(test_clocks_that_are_off_are_told),
        cmocka_unit_test(test_entries_from_the_future_are_told),
        cmocka_unit_test(test_a_clone_is_told_with_both_addresses),
        cmocka_unit_test(test_members_that_fill_their_places_are_told),
        cmocka_unit_test(test_the_dead_of_the_disk_are_asked_before_anything_is_removed),
        cmocka_unit_test(test_the_services_of_an_owner_are_found_in_slices),
        cmocka_unit_test(test_forget_counts_those_who_have_forgotten),
        cmocka_unit_test(test_names_of_what_is_gone_do_not_pile_up),
        cmocka_unit_test(test_who_is_answered_may_ask_and_close_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
