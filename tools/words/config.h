/* tools/words/config.h: gossipvs.conf, read and checked whole.
 *
 * All or nothing: a file that is cut short, has an unknown word, a number with a wrong unit or out
 * of range gives one fault that names file:line and the value, and no configuration. The options,
 * their defaults and their ranges are those of gossipvs.conf(5). Options that belong to a later
 * version are accepted at their default only.
 */
#pragma once

#include <stdbool.h>

#include "core/addr.h"
#include "core/limits.h"
#include "core/value.h"
#include "net/admission.h"
#include "tools/words/fault.h"

#define GVS_CONFIG_PEERS_MAX 64
#define GVS_CONFIG_ALLOW_MAX 64
#define GVS_CONFIG_NETNS_MAX 64
#define GVS_CONFIG_NETNS_LEN_MAX 127
#define GVS_CONFIG_PATH_MAX 256
#define GVS_CLUSTER_LEN_MAX 63
#define GVS_CONFIG_WORDS_MAX 40 /* options and sections; asserted */

struct gvs_config {
    char path[GVS_CONFIG_PATH_MAX]; /* of this file */
    char cluster[GVS_CLUSTER_LEN_MAX + 1];
    char name[GVS_NAME_LEN_MAX + 1];
    struct gvs_ep bind, advertise; /* ports 1..65535; advertise is not 0.0.0.0 or :: */
    size_t peer_count;
    char peers[GVS_CONFIG_PEERS_MAX][GVS_CONFIG_PATH_MAX]; /* "host:port", resolved by the agent */
    char keyring[GVS_CONFIG_PATH_MAX];
    struct gvs_admission admission; /* admission, allow and deny of node { } */
    char state[GVS_CONFIG_PATH_MAX];
    char services[GVS_CONFIG_PATH_MAX];         /* "" = none */
    char maintenance[GVS_CONFIG_PATH_MAX + 16]; /* maintenance.d beside that: no option */
    bool observe;
    bool netns_host;    /* "host" is among the namespaces */
    size_t netns_count; /* the others: names below /run/netns, or patterns of glob(7) */
    char netns[GVS_CONFIG_NETNS_MAX][GVS_CONFIG_NETNS_LEN_MAX + 1];
    unsigned audit_seconds; /* 1..3600 */
    unsigned drain_seconds; /* 0..86400 */
    char interface[16];     /* "" = none */
    size_t allow_count;
    struct gvs_prefix allow[GVS_CONFIG_ALLOW_MAX]; /* vip-allow */
    char socket[108];                              /* "" = none */
    char group[32], admin_group[32];
    struct gvs_ep metrics; /* where HTTP is answered; family NONE: nowhere */
    struct gvs_limits limits;
    char on_change[GVS_CONFIG_PATH_MAX]; /* absolute; "" = none */

    unsigned lines[GVS_CONFIG_WORDS_MAX]; /* of the file, where it gives what; 0: it does not */
};

/* GVS_OK, or a negative number with *fault filled and *out untouched. Relative paths stay as they
 * are: they count from where the agent was started. Only one thread may read at a time. */
int gvs_config_read(struct gvs_config *out, const char *path, struct gvs_fault *fault);

/* Of a program around an agent (gossipvs.h): what the file does not name of socket and services is
 * none. */
void gvs_config_embed(struct gvs_config *c);

/* What is in force, option by option, in the order of gossipvs.conf(5). */
struct gvs_config_option {
    const char *section, *name; /* "": in no section */
    bool list, number, word;    /* several values; each a number; a word that needs no quotes */
    unsigned line;              /* of the file; 0: the default, as an empty list is */
};
/* False: there are no more than `i`. */
bool gvs_config_option(struct gvs_config_option *out, const struct gvs_config *c, size_t i);
/* The n-th of its values as text, which the file takes in quotes (gvs_syntax_quote); of what is no
 * list there is one. False: there are no more. */
bool gvs_config_value(char text[static GVS_CONFIG_PATH_MAX], const struct gvs_config *c, size_t i,
                      size_t n);

/* The keyring file: at the end of any symbolic links a regular file of at most 4 KiB with one name,
 * closed to others and not writable by its group; parsed. GVS_OK, or a negative number with *fault
 * filled and *out wiped. */
struct gvs_keyring;
int gvs_config_keyring(struct gvs_keyring *out, const char *path, struct gvs_fault *fault);
