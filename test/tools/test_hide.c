/* Each story is told in lines `MS EVENT...; STAGES`: at that time the events happen, and then
 * member 1 is us and the stages of 2, 3, ... are `.` there, `g` gone, `s` silent, `r` retired. Of
 * events, 3s is: member 3 is suspect; 3d: dead to the table; 3g: our probe failed too; 3a: alive;
 * 3l: left; 3h: heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/agent/hide.h"

#define MEMBERS 9

struct world {
    struct gvs_hide hide;
    struct gvs_node_member m[MEMBERS];
    size_t count;
    struct gvs_mono next;
};

static void
begin(struct world *w, size_t count)
{
    *w = (struct world){.count = count};
    assert_true(gvs_hide_open(&w->hide, MEMBERS));
    for (size_t i = 0; i < count; i++)
        memset(w->m[i].id.b, (int)i + 1, GVS_ID_LEN);
    w->m[0].self = true;
}

static void
happen(struct world *w, const char *event, struct gvs_mono now)
{
    struct gvs_node_member *m = &w->m[event[0] - '1'];

    m->state = event[1] == 'a'   ? GVS_ALIVE
               : event[1] == 'd' ? GVS_DEAD
               : event[1] == 'l' ? GVS_LEFT
                                 : m->state;
    if (event[1] == 's')
        m->state = GVS_SUSPECT;
    m->heard |= event[1] == 'h';
    if (event[1] != 'h')
        m->gone = false;
    if (event[1] == 'g') {
        m->state = GVS_DEAD;
        m->gone = true;
        m->gone_since = now;
    }
}

static void
tell(char *text, const struct world *w)
{
    static const char letters[] = ".gsr";
    size_t at = 0;

    for (size_t i = 1; i < w->count; i++) {
        *text = '.';
        if (at < w->hide.count && gvs_id_cmp(&w->hide.owners[at].id, &w->m[i].id) == 0)
            *text = letters[w->hide.owners[at++].stage];
        text++;
    }
    *text = 0;
    assert_int_equal(at, w->hide.count); /* and nobody else */
}

/* Runs one line; says what is wrong with it. */
static void
run_line(struct world *w, const char *why, char *line)
{
    char *stages = strchr(line, ';'), *at = line, *word, text[MEMBERS];
    struct gvs_mono now = {0}, expected = w->next;
    size_t changed = 0, events = 0;
    char before[MEMBERS];

    assert_non_null(stages);
    *stages++ = 0;
    stages += strspn(stages, " ");
    now.us = strtoull(at, &at, 10) * 1000;
    tell(before, w);
    w->hide.changed_count = 0;
    while ((word = strsep(&at, " ")))
        if (*word) {
            happen(w, word, now);
            events++;
        }
    w->next = gvs_hide_update(&w->hide, w->m, w->count, now);
    tell(text, w);
    if (strcmp(text, stages) != 0)
        fail_msg("%s, at %s: \"%s\", not \"%s\"", why, line, text, stages);
    for (size_t i = 0; text[i]; i++)
        changed += text[i] != before[i];
    if (changed != w->hide.changed_count)
        fail_msg("%s, at %s: %zu changed, %zu told", why, line, changed, w->hide.changed_count);
    if (changed && !events && expected.us != now.us)
        fail_msg("%s, at %s: not expected then", why, line);
    if (w->next.us != GVS_MONO_NEVER.us && w->next.us <= now.us)
        fail_msg("%s, at %s: next is in the past", why, line);
}

static void
run(const char *why, size_t members, const char *const *lines)
{
    struct world w;

    begin(&w, members);
    for (; *lines; lines++) {
        char line[128];

        snprintf(line, sizeof line, "%s", *lines);
        run_line(&w, why, line);
    }
    gvs_hide_close(&w.hide);
}

static void
test_gone_then_silent_then_there_again(void **state)
{
    static const char *const one[] = {"1000 ; ..",     "2000 2d; ..",
                                      "2500 2g; g.",   "17499 ; g.",
                                      "17500 ; s.",    "99000 ; s.",
                                      "99001 2a; ..",  "99900 2d; ..",
                                      "100000 2g; g.", "101000 2a; ..",
                                      "200000 2g; g.", "201000 2l; r.",
                                      "999000 ; r.",   NULL};
    static const char *const two[] = {"1000 2g; g...", "9000 4g; g.g.",  "16000 ; s.g.",
                                      "24000 ; s.s.",  "25000 2a; ..s.", NULL};

    (void)state;
    run("one of three", 3, one);
    run("two of five, one after the other", 5, two);
}

static void
test_over_half_at_once_waits(void **state)
{
    static const char *const both[] = {"1000 2g 3g; ..", "30999 ; ..", "31000 ; gg",
                                       "45999 ; gg",     "46000 ; ss", NULL};
    static const char *const half[] = {"1000 2g 3g; gg.", NULL};
    static const char *const back[] = {"1000 2g 3g; ..", "9000 2a 3a; ..", "60000 2g; g.", NULL};
    static const char *const later[] = {
        "1000 2g; g...", "2000 3g; gg..", "3000 4g; ....", "20000 5g; ....",
        "32999 ; ....",  "33000 ; gggg",  "48000 ; ssss",  NULL};
    static const char *const slow[] = {"1000 2g; g...", "12000 3g; gg..", "24000 4g; sgg.", NULL};
    static const char *const again[] = {"1000 2g 3g; ..", "40000 2a 3a; ..", "100000 2g 3g; ..",
                                        "129999 ; ..",    "130000 ; gg",     NULL};

    static const char *const doubt[] = {"1000 2s 3s; ..", "3000 2g; ..", "3500 3g; ..",
                                        "33499 ; ..",     "33500 ; gg",  NULL};
    static const char *const cleared[] = {
        "1000 2s 3s; ..", "3000 2g; ..", "3500 3a; g.", "4000 3s; g.",
        "4500 3a; g.",    "18000 ; s.",  NULL};
    static const char *const rumour[] = {"1000 2g 3d; ..", "1500 3a; g.", NULL};

    (void)state;
    run("both in doubt, then gone", 3, doubt);
    run("both in doubt, one comes back; who is hidden stays so", 3, cleared);
    run("one gone, one dead to the table only", 3, rumour);
    run("two of three", 3, both);
    run("two of four is no more than half", 4, half);
    run("they come back", 3, back);
    run("one by one, within the time: the first are shown again", 5, later);
    run("one by one, slowly", 5, slow);
    run("a second time", 3, again);
}

static void
test_who_was_dead_before_we_started_is_silent_until_heard(void **state)
{
    struct world w;
    char line[] = "10 ; s.", gone[] = "600 2g; s.", heard[] = "700 2h 2a; ..";
    char again[] = "9000 2g; g.", other[] = "9100 3g; ..", lone[] = "600 2g; s.";
    char first[] = "700 3g; sg";

    (void)state;
    begin(&w, 3);
    w.m[1].state = GVS_DEAD;
    gvs_hide_begin(&w.hide, w.m, w.count);
    assert_int_equal(w.hide.changed_count, 0);
    run_line(&w, "at once", line);
    run_line(&w, "our probe fails: no news", gone);
    run_line(&w, "heard", heard);
    run_line(&w, "gone again, the ordinary way", again);
    run_line(&w, "two within the time", other);
    gvs_hide_close(&w.hide);

    begin(&w, 3);
    w.m[1].state = GVS_DEAD;
    gvs_hide_begin(&w.hide, w.m, w.count);
    run_line(&w, "no news", lone);
    run_line(&w, "one of the two that were here", first);
    gvs_hide_close(&w.hide);
}

/* As many lines as there are; each ends in `!` while nothing may be removed. */
static void
run_after(const char *why, size_t members, size_t dead, const char *const *lines)
{
    struct world w;

    begin(&w, members);
    for (size_t i = 1; i <= dead; i++)
        w.m[i].state = GVS_DEAD;
    gvs_hide_begin(&w.hide, w.m, w.count);
    assert_int_equal(w.hide.unproven, dead > 0);
    for (; *lines; lines++) {
        char line[128], *mark;
        bool unproven;

        snprintf(line, sizeof line, "%s", *lines);
        mark = strchr(line, '!');
        unproven = mark != NULL;
        if (mark)
            *mark = 0;
        run_line(&w, why, line);
        if (w.hide.unproven != unproven)
            fail_msg("%s, at %s: %s", why, *lines, unproven ? "proven" : "not proven");
    }
    gvs_hide_close(&w.hide);
}

static void
test_nothing_is_removed_by_the_word_of_the_disk(void **state)
{
    static const char *const fails[] = {"10 ; s..!",   "900 2g; s..!",  "15899 ; s..!",
                                        "15900 ; s..", "16000 3g; sg.", NULL};
    static const char *const heard[] = {"10 ; s..!", "700 2h 2a; ...", NULL};
    static const char *const other[] = {"10 ; ss..!",    "500 2g; ss..!", "900 3h 3a; s...!",
                                        "15499 ; s...!", "15500 ; s...",  NULL};
    static const char *const half[] = {"10 ; ss!", "500 2g 3g; ss!", "45499 ; ss!", "45500 ; ss",
                                       NULL};
    static const char *const left[] = {"10 ; s..!", "500 2l; r..", NULL};
    static const char *const again[] = {"10 ; s..!",   "500 2a; ...", "600 2d; ...",
                                        "900 2g; g..", "15900 ; s..", NULL};
    static const char *const none[] = {"10 ; ..", "500 2g; g.", NULL};

    (void)state;
    run_after("our own probe fails, too", 4, 1, fails);
    run_after("he is heard", 4, 1, heard);
    run_after("one of two is", 5, 2, other);
    run_after("over half wait for longer", 3, 2, half);
    run_after("he is retired", 4, 1, left);
    run_after("the table takes it back, and a second time it is news", 4, 1, again);
    run_after("nobody was dead", 3, 0, none);
}

static void
test_we_never_hide_ourselves(void **state)
{
    struct world w;
    char line[] = "10 1l; ..";

    (void)state;
    begin(&w, 3);
    run_line(&w, "retired", line);
    gvs_hide_close(&w.hide);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_then_silent_then_there_again),
        cmocka_unit_test(test_over_half_at_once_waits),
        cmocka_unit_test(test_who_was_dead_before_we_started_is_silent_until_heard),
        cmocka_unit_test(test_nothing_is_removed_by_the_word_of_the_disk),
        cmocka_unit_test(test_we_never_hide_ourselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
