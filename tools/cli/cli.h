/* tools/cli/cli.h: the inside of gossipvs, the command line.
 *
 *     gossipvs.c    main(): arguments, the table of commands (commands.h), help
 *     usage.c       usage lines as a grammar; complete.c, completion of the shell by them
 *     cli.c         the commands that ask the agent
 *     local.c   the commands that need no agent
 *     apply.c   apply and plan of files: read here, sent, and judged there once more
 *     check.c       check and metrics: for what watches
 *     config.c      config show, in the language of gossipvs.conf
 *     conflicts.c  what conflicts shows
 *     doctor.c  what doctor finds and sets; doctor_look.c, its eyes and hands
 *     export.c  export: pages of the table, put together
 *     import.c  import: import_ipvsadm.c and import_keepalived.c read, and then it is an apply
 *     keys.c    what keys list shows
 *     list.c    long answers, an element at a time
 *     top.c         top, again and again
 *     client.c      the control socket
 *     screen.c      what a person sees; screen_changes.c, of what changes
 *     print.c       nothing that came from outside reaches a terminal as it came
 *
 * Data goes to stdout, words to stderr. With -j stdout has JSON only: the agent's lines as they
 * came, errors included, our own errors in the same form.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "tools/cli/client.h"
#include "tools/cli/print.h"
#include "tools/cli/screen.h"
#include "tools/words/claims.h"
#include "tools/words/fault.h"

#define GVS_CLI_SCHEMA "gossipvs/1"
#define GVS_CLI_SECONDS_MAX 86400

struct gvs_cli {
    const char *socket;
    double seconds;    /* how long to wait, -n; */
    bool seconds_said; /* or by default */
    bool json, quiet;
    struct gvs_client client; /* connected by the first question */
    struct gvs_screen screen;
    const char *command; /* "vip add" */
    void (*show)(const struct gvs_screen *s, const json_t *doc);
    char **words; /* what follows the command */
    size_t count;
    /* How the answer's list of this name is taken: an element at a time. NULL: whole, with it. */
    struct {
        const char *key;
        void (*each)(struct gvs_cli *c, const json_t *element);
        size_t count; /* so far */
    } list;
    struct gvs_screen_vips vips;       /* of such lists */
    struct gvs_screen_changes changes; /* likewise, */
    bool differs;                      /* and not all of them are foreign */
};

/* cli.c. Each prints one error and returns its exit status. */
int gvs_cli_fail(const struct gvs_cli *c, const struct gvs_fault *f);
int gvs_cli_usage(const struct gvs_cli *c, const char *message); /* of c->command */
/* A confirmation or a warning, to stderr unless -q. */
void gvs_cli_say(const struct gvs_cli *c, const char *words);
/* A document of our own, to stdout; stolen. */
void gvs_cli_print(json_t *doc);
/* "90", "1.5", "10s", "2m", "1h": 0 to a day, else a negative number and *f. `text` may be NULL. */
int gvs_cli_seconds(double *out, const char *what, const char *text, struct gvs_fault *f);

/* Takes an option out of the words, with its value or NULL. False: it is not there. */
bool gvs_cli_take(struct gvs_cli *c, const char *option, const char **value);

/* The text of an answer, a line of it after the other: nothing that came reaches a terminal as it
 * came. */
void gvs_cli_put_text(FILE *out, const char *text);

/* One question and its answer. With -j the answer is printed as it came, if `show` or if it is an
 * error. Returns the exit status, and prints what is wrong; *doc is the caller's, NULL if there is
 * none. */
int gvs_cli_talk(struct gvs_cli *c, const char *command, char *const *words, size_t count,
                 bool show, json_t **doc);

/* list.c: the next answer, with an empty list; its elements go to c->list.each as they come, and
 * all of it to stdout, as it came, if `show`. A negative number with *f. */
int gvs_cli_hear_list(struct gvs_cli *c, double seconds, bool show, json_t **doc,
                      struct gvs_fault *f);
int gvs_cli_no_document(const struct gvs_cli *c, struct gvs_fault *f); /* nor JSON at all; -1 */
/* From now on changes are told as they come. */
void gvs_cli_take_changes(struct gvs_cli *c);

/* A question without words. With -j its answer is printed as it came; on a fault nothing is. */
int gvs_cli_ask(struct gvs_cli *c, const char *command, json_t **doc, struct gvs_fault *f);

/* gvs_cli_talk with services along (docs/control.md, vips); stolen, NULL: none. */
int gvs_cli_tell(struct gvs_cli *c, const char *command, char *const *words, size_t count,
                 json_t *vips, bool show, json_t **doc);
void gvs_cli_say_changed(const struct gvs_cli *c, const json_t *doc); /* what came of a change */

/* The commands. Each returns the exit status. */
int gvs_cli_show(struct gvs_cli *c); /* asks, and shows by c->show */
int gvs_cli_status(struct gvs_cli *c);
int gvs_cli_vip_list(struct gvs_cli *c);
int gvs_cli_changes(struct gvs_cli *c); /* plan, audit */
int gvs_cli_watch(struct gvs_cli *c);
int gvs_cli_change(struct gvs_cli *c); /* whatever changes the table, and reload */
int gvs_cli_drain(struct gvs_cli *c);  /* backend drain, undrain */
int gvs_cli_leave(struct gvs_cli *c);

int gvs_cli_check(struct gvs_cli *c); /* check.c */
int gvs_cli_metrics(struct gvs_cli *c);
int gvs_cli_config_show(struct gvs_cli *c); /* config.c */
int gvs_cli_conflicts(struct gvs_cli *c);   /* conflicts.c */
int gvs_cli_doctor(struct gvs_cli *c);      /* doctor.c */
int gvs_cli_export(struct gvs_cli *c);      /* export.c */
int gvs_cli_keys_list(struct gvs_cli *c);   /* keys.c */
int gvs_cli_apply(struct gvs_cli *c);       /* apply.c: apply; plan, if it is of files */
int gvs_cli_plan(struct gvs_cli *c);
int gvs_cli_import(struct gvs_cli *c); /* import.c */
int gvs_cli_top(struct gvs_cli *c);    /* top.c */
/* apply.c. The text of a file, or of stdin by "-", with room for gvs_syntax_text; to be freed.
 * `label` is its name in faults. NULL with *f. And: services to the agent, and then the command
 * that takes them together, with c->words. */
char *gvs_cli_read_text(const char *path, const char **label, size_t *len, struct gvs_fault *f);
int gvs_cli_send_claims(struct gvs_cli *c, const struct gvs_claims *claims, const char *label,
                        const char *command, json_t **doc);

/* local.c */
int gvs_cli_keys_generate(struct gvs_cli *c);
int gvs_cli_config_check(struct gvs_cli *c);
int gvs_cli_version(struct gvs_cli *c);
