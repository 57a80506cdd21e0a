#include "tools/words/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/keyring.h"
#include "test/lib/prng.h"
#include "tools/words/syntax.h"

static char dir[] = "/tmp/gossipvs-test.XXXXXX";

static const char *
at(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void
write_bytes(const char *name, const void *text, size_t len)
{
    FILE *f = fopen(at(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int
read_text(struct gvs_config *c, const char *text, struct gvs_fault *fault)
{
    write_bytes("gossipvs.conf", text, strlen(text));
    fault->text[0] = fault->hint[0] = '\0';
    return gvs_config_read(c, at("gossipvs.conf"), fault);
}

/* What is wrong with this file? */
static void
expect_fault(const char *text, const char *fault_text)
{
    struct gvs_config c, before;
    struct gvs_fault fault;

    memset(&c, 0x5a, sizeof c);
    before = c;
    if (read_text(&c, text, &fault) == GVS_OK)
        fail_msg("accepted: %s", text);
    assert_string_equal(fault.text, fault_text);
    assert_int_equal(fault.exit, GVS_EXIT_USAGE);
    assert_memory_equal(&c, &before, sizeof c);
}

#define ID1 "abcdefghijklmnopqrstuvwxya"
#define ID2 "bbcdefghijklmnopqrstuvwxya"

#define WHOLE                                                                   \
    "# a comment with | and ' and \" and { in it\n"                             \
    "cluster = \"prod-eu\"            # required\n"                             \
    "node {\n"                                                                  \
    "  name      = \"lb1\"\n"                                                   \
    "  bind      = \"10.77.0.1:7900\"\n"                                        \
    "  advertise = \"10.77.0.9:7901\"\n"                                        \
    "  peers     = { \"10.77.0.2:7900\",   # one\n"                             \
    "                lb3.example:7900, \"[fd00::3]:7900\" /* three */ }\n"      \
    "  keyring   = \"/k\"\n"                                                    \
    "  state     = \"s/t\"\n"                                                   \
    "  services  = \"/services.d\"\n"                                           \
    "  admission = allowlist\n"                                                 \
    "  allow = { " ID1 ", \"" ID2 "\" }   deny = { " ID2 " }\n"                 \
    "}\n"                                                                       \
    "kernel {\n"                                                                \
    "  mode      = observe\n"                                                   \
    "  audit     = 1m\n"                                                        \
    "  drain     = 2h\n"                                                        \
    "  namespaces = { host, blue, \"/run/netns/red\", \"/run/netns/cni-*\" }\n" \
    "  interface = \"\"\n"                                                      \
    "  vip-allow = { \"10.99.0.0/16\", \"fd00:99::/64\" }\n"                    \
    "}\n"                                                                       \
    "control { socket = \"/s.sock\"  group = \"g\"  admin-group = \"a-g\" }\n"  \
    "metrics { listen = \"\" }\n"                                               \
    "limits  { entries = 4000000  members = 10000 }\n"                          \
    "hooks   { on-change = \"/usr/lib/gossipvs/hook\" }\n"

static void
test_every_option_arrives(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;
    char text[GVS_EP_TEXT_LEN];

    (void)state;
    if (read_text(&c, WHOLE, &fault) < 0)
        fail_msg("%s", fault.text);
    assert_string_equal(c.path, at("gossipvs.conf"));
    assert_string_equal(c.cluster, "prod-eu");
    assert_string_equal(c.name, "lb1");
    gvs_ep_format(text, &c.bind);
    assert_string_equal(text, "10.77.0.1:7900");
    gvs_ep_format(text, &c.advertise);
    assert_string_equal(text, "10.77.0.9:7901");
    assert_int_equal(c.peer_count, 3);
    assert_string_equal(c.peers[0], "10.77.0.2:7900");
    assert_string_equal(c.peers[1], "lb3.example:7900");
    assert_string_equal(c.peers[2], "[fd00::3]:7900");
    assert_string_equal(c.keyring, "/k");
    assert_true(c.admission.listed_only);
    assert_int_equal(c.admission.allow_count, 2);
    assert_int_equal(c.admission.deny_count, 1);
    gvs_id_format(text, &c.admission.allow[1]);
    assert_string_equal(text, ID2);
    assert_int_equal(gvs_id_cmp(&c.admission.allow[1], &c.admission.deny[0]), 0);
    assert_string_equal(c.state, "s/t");
    assert_string_equal(c.services, "/services.d");
    assert_string_equal(c.maintenance, "/maintenance.d");
    assert_true(c.observe);
    assert_int_equal(c.audit_seconds, 60);
    assert_int_equal(c.drain_seconds, 7200);
    assert_true(c.netns_host);
    assert_int_equal(c.netns_count, 3);
    assert_string_equal(c.netns[0], "blue");
    assert_string_equal(c.netns[1], "red");
    assert_string_equal(c.netns[2], "cni-*");
    assert_string_equal(c.interface, "");
    assert_int_equal(c.allow_count, 2);
    gvs_prefix_format(text, &c.allow[0]);
    assert_string_equal(text, "10.99.0.0/16");
    gvs_prefix_format(text, &c.allow[1]);
    assert_string_equal(text, "fd00:99::/64");
    assert_string_equal(c.socket, "/s.sock");
    assert_string_equal(c.group, "g");
    assert_string_equal(c.admin_group, "a-g");
    assert_int_equal(c.limits.entries, 4000000);
    assert_int_equal(c.limits.members, 10000);
}

static void
test_defaults_are_those_of_the_manual(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;
    char text[GVS_EP_TEXT_LEN], host[256] = "";

    (void)state;
    if (read_text(&c, "cluster=x node { advertise = \"10.0.0.1:7900\" }", &fault) < 0)
        fail_msg("%s", fault.text);
    gvs_ep_format(text, &c.bind);
    assert_string_equal(text, "0.0.0.0:7900");
    gethostname(host, sizeof host - 1);
    assert_int_equal(strncasecmp(c.name, host, strcspn(host, ".")), 0);
    assert_int_equal(c.peer_count, 0);
    assert_string_equal(c.keyring, "/etc/gossipvs/keyring");
    assert_string_equal(c.state, "/var/lib/gossipvs");
    assert_string_equal(c.services, "/etc/gossipvs/services.d");
    assert_string_equal(c.maintenance, "/etc/gossipvs/maintenance.d");
    assert_false(c.observe);
    assert_int_equal(c.audit_seconds, 5);
    assert_int_equal(c.drain_seconds, 60);
    assert_string_equal(c.interface, "gossipvs0");
    assert_int_equal(c.allow_count, 0);
    assert_string_equal(c.socket, "/run/gossipvs/gossipvs.sock");
    assert_string_equal(c.group, "gossipvs");
    assert_string_equal(c.admin_group, "gossipvs-admin");
    assert_int_equal(c.limits.entries, 262144);
    assert_int_equal(c.limits.members, 1024);

    assert_int_equal(read_text(&c, "cluster=x node { bind = 10.0.0.1:1 }", &fault), GVS_OK);
    assert_memory_equal(&c.advertise, &c.bind, sizeof c.bind);
}

#define NODE "cluster = x\nnode { bind = \"10.0.0.1:7900\" }\n"

/* What is said of an address for HTTP, in a build that answers there. */
#ifdef GVS_MICROHTTPD
#define LISTEN(why) why
#else
#define LISTEN(why) "built without libmicrohttpd; gossipvs metrics has the same"
#endif

/* "" is none; what a program around an agent does not name is none, too. */
static void
test_there_need_be_no_socket_and_no_services(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;

    (void)state;
    if (read_text(&c,
                  "cluster=x\nnode { name = a bind = \"127.0.0.1:1\" services = \"\" }\n"
                  "control { socket = \"\" }\n",
                  &fault) < 0)
        fail_msg("%s", fault.text);
    assert_string_equal(c.services, "");
    assert_string_equal(c.maintenance, "");
    assert_string_equal(c.socket, "");

    if (read_text(&c, "cluster=x\nnode { name = a bind = \"127.0.0.1:1\" }\n", &fault) < 0)
        fail_msg("%s", fault.text);
    gvs_config_embed(&c);
    assert_string_equal(c.services, "");
    assert_string_equal(c.maintenance, "");
    assert_string_equal(c.socket, "");
    assert_string_equal(c.state, "/var/lib/gossipvs");

    if (read_text(&c, WHOLE, &fault) < 0)
        fail_msg("%s", fault.text);
    gvs_config_embed(&c);
    assert_string_equal(c.services, "/services.d");
    assert_string_equal(c.maintenance, "/maintenance.d");
    assert_string_equal(c.socket, "/s.sock");
}

static void
test_metrics_are_given_where_it_says(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;
    char text[GVS_EP_TEXT_LEN];

    (void)state;
    assert_int_equal(read_text(&c, NODE, &fault), GVS_OK);
    assert_int_equal(c.metrics.addr.family, GVS_FAMILY_NONE);
#ifdef GVS_MICROHTTPD
    assert_int_equal(read_text(&c, NODE "metrics { listen = \"[::1]:9791\" }", &fault), GVS_OK);
    gvs_ep_format(text, &c.metrics);
    assert_string_equal(text, "[::1]:9791");
#else
    (void)text;
    expect_fault(NODE "metrics { listen = \"[::1]:9791\" }",
                 "gossipvs.conf:3: listen = [::1]:9791: " LISTEN(""));
#endif
}

static void
test_each_wrong_value_is_named(void **state)
{
    static const struct {
        const char *why, *text, *fault;
    } rows[] = {
        {"the contract's own example, on line 7", "\n\n\n\n\n\nkernel { audit = 5x }",
         "gossipvs.conf:7: audit = 5x: seconds expected, 1 to 3600"},
        {"seconds: none", NODE "kernel { audit = \"\" }",
         "gossipvs.conf:3: audit = \"\": seconds expected, 1 to 3600"},
        {"seconds: only a unit", NODE "kernel { audit = m }",
         "gossipvs.conf:3: audit = m: seconds expected, 1 to 3600"},
        {"seconds: below", NODE "kernel { audit = 0 }",
         "gossipvs.conf:3: audit = 0: seconds expected, 1 to 3600"},
        {"seconds: above", NODE "kernel { audit = 3601 }",
         "gossipvs.conf:3: audit = 3601: seconds expected, 1 to 3600"},
        {"seconds: above by the unit", NODE "kernel { audit = 61m }",
         "gossipvs.conf:3: audit = 61m: seconds expected, 1 to 3600"},
        {"seconds: a fraction", NODE "kernel { audit = 1.5 }",
         "gossipvs.conf:3: audit = 1.5: seconds expected, 1 to 3600"},
        {"seconds: a sign", NODE "kernel { drain = -1 }",
         "gossipvs.conf:3: drain = -1: seconds expected, 0 to 86400"},
        {"seconds: over 64 bits", NODE "kernel { drain = 18446744073709551617 }",
         "gossipvs.conf:3: drain = 18446744073709551617: seconds expected, 0 to 86400"},
        {"seconds: over 32 bits", NODE "kernel { drain = 4294967297 }",
         "gossipvs.conf:3: drain = 4294967297: seconds expected, 0 to 86400"},
        {"numbers are decimal", NODE "limits { members = 0x10 }",
         "gossipvs.conf:3: members = 0x10: a number expected, 1 to 10000"},
        {"numbers: above", NODE "limits { members = 10001 }",
         "gossipvs.conf:3: members = 10001: a number expected, 1 to 10000"},
        {"numbers: zero", NODE "limits { entries = 0 }",
         "gossipvs.conf:3: entries = 0: a number expected, 1 to 4000000"},
        {"numbers: above", NODE "limits { entries = 4000001 }",
         "gossipvs.conf:3: entries = 4000001: a number expected, 1 to 4000000"},
        {"mode", NODE "kernel { mode = observ }",
         "gossipvs.conf:3: mode = observ: program or observe expected (did you mean observe?)"},
        {"mode of a later version", NODE "kernel { mode = dry-run }",
         "gossipvs.conf:3: mode = dry-run: program or observe expected"},
        {"an address", "cluster=x node { bind = \"10.0.0.300:80\" }",
         "gossipvs.conf:1: bind = 10.0.0.300:80: 300 is over 255"},
        {"a port forgotten", "cluster=x node { bind = \"10.0.0.1\" }",
         "gossipvs.conf:1: bind = 10.0.0.1: the port is missing"},
        {"port 0", "cluster=x node { bind = \"10.0.0.1:0\" }",
         "gossipvs.conf:1: bind = 10.0.0.1:0: a port from 1 to 65535 expected"},
        {"a name where an address is due", "cluster=x node { bind = \"lb1:80\" }",
         "gossipvs.conf:1: bind = lb1:80: ADDRESS:PORT expected, or [IPV6]:PORT"},
        {"multicast", "cluster=x node { bind = \"224.0.0.1:80\" }",
         "gossipvs.conf:1: bind = 224.0.0.1:80: a multicast or broadcast address"},
        {"advertise: every address", "cluster=x\nnode {\nadvertise = \"0.0.0.0:80\" }",
         "gossipvs.conf:3: advertise: an address that other nodes reach expected"},
        {"advertise missing", "cluster=x",
         "gossipvs.conf: node.advertise is missing (bind is not "
         "given either)"},
        {"advertise missing with an open bind", "cluster=x node { bind = \"[::]:7900\" }",
         "gossipvs.conf: node.advertise is missing (bind is every address)"},
        {"cluster missing", "node { bind = \"10.0.0.1:7900\" }",
         "gossipvs.conf: cluster is missing"},
        {"an empty file", "", "gossipvs.conf: cluster is missing"},
        {"cluster empty", "cluster = \"\"", "gossipvs.conf:1: cluster = \"\": must not be empty"},
        {"cluster with a blank", "cluster = \"a b\"",
         "gossipvs.conf:1: cluster = a b: letters, digits, '.', '_', '-' expected"},
        {"cluster of 64",
         "cluster = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "gossipvs.conf:1: cluster = "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: longer than 63 "
         "characters"},
        {"a name", "cluster=x node { name = LB1 }",
         "gossipvs.conf:1: name = LB1: a label expected: a-z, 0-9, '.', '_', '-', at most 63"},
        {"a reserved name", "cluster=x node { name = all }",
         "gossipvs.conf:1: name = all: a label expected: a-z, 0-9, '.', '_', '-', at most 63"},
        {"an interface of 16", NODE "kernel { interface = abcdefghijklmnop }",
         "gossipvs.conf:3: interface = abcdefghijklmnop: longer than 15 characters"},
        {"an interface with a slash", NODE "kernel { interface = \"a/b\" }",
         "gossipvs.conf:3: interface = a/b: no name for an interface"},
        {"an empty path", "cluster=x\nnode { state = \"\" }",
         "gossipvs.conf:2: state = \"\": must not be empty"},
        {"a prefix with host bits", NODE "kernel { vip-allow = { \"10.99.0.1/16\" } }",
         "gossipvs.conf:3: vip-allow = 10.99.0.1/16: the length is out of range, or the host's "
         "bits are not 0"},
        {"a prefix that is none", NODE "kernel { vip-allow = { \"10.99.0.0/16\",\n \"web\" } }",
         "gossipvs.conf:4: vip-allow = web: a prefix like 10.99.0.0/16 expected"},
        {"a peer without port", NODE "node2 {}",
         "gossipvs.conf:3: no such option 'node2' (did you "
         "mean node?)"},
        {"a peer's port", "cluster=x node { peers = { lb2:70000 } }",
         "gossipvs.conf:1: peers = lb2:70000: HOST:PORT expected, or [IPV6]:PORT"},
        {"a peer that is a wrong address", "cluster=x node { peers = { \"10.0.0.300:80\" } }",
         "gossipvs.conf:1: peers = 10.0.0.300:80: HOST:PORT expected, or [IPV6]:PORT"},
        {"a peer with a hole", "cluster=x node { peers = { lb2..example:80 } }",
         "gossipvs.conf:1: peers = lb2..example:80: HOST:PORT expected, or [IPV6]:PORT"},
        {"IPv6 without brackets", "cluster=x node { peers = { \"fd00::1:7900\" } }",
         "gossipvs.conf:1: peers = fd00::1:7900: HOST:PORT expected, or [IPV6]:PORT"},
        {"an admission that is none", "cluster=x node {\nadmission = list }",
         "gossipvs.conf:2: admission = list: psk or allowlist expected"},
        {"an id that is none, to allow", "cluster=x node { allow = { abc } }",
         "gossipvs.conf:1: allow = abc: a node's id expected (gossipvs -j members)"},
        {"a name, to deny", "cluster=x node { deny = { " ID1 ",\nlb3 } }",
         "gossipvs.conf:2: deny = lb3: a node's id expected (gossipvs -j members)"},
        {"a list of nobody", "cluster=x node { bind = 10.77.0.1:7900 admission = allowlist }",
         "gossipvs.conf: admission = allowlist, and node.allow is empty: nobody could join"},
        {"no namespace", NODE "kernel { namespaces = {} }",
         "gossipvs.conf:3: namespaces = {}: a namespace is missing; \"host\" is the agent's own"},
        {"a namespace elsewhere", NODE "kernel { namespaces = { host, \"/var/run/netns/a\" } }",
         "gossipvs.conf:3: namespaces = /var/run/netns/a: host, a name, or /run/netns/PATTERN "
         "expected"},
        {"a namespace further down", NODE "kernel { namespaces = { \"/run/netns/a/b\" } }",
         "gossipvs.conf:3: namespaces = /run/netns/a/b: host, a name, or /run/netns/PATTERN "
         "expected"},
        {"the way up", NODE "kernel { namespaces = { \"/run/netns/..\" } }",
         "gossipvs.conf:3: namespaces = /run/netns/..: host, a name, or /run/netns/PATTERN "
         "expected"},
        {"a pattern of nothing", NODE "kernel { namespaces = { \"*\" } }",
         "gossipvs.conf:3: namespaces = *: host, a name, or /run/netns/PATTERN expected"},
        {"the directory itself", NODE "kernel { namespaces = { \"/run/netns/\" } }",
         "gossipvs.conf:3: namespaces = /run/netns/: host, a name, or /run/netns/PATTERN expected"},
        {"metrics nowhere", NODE "metrics { listen = \"9791\" }",
         "gossipvs.conf:3: listen = 9791: " LISTEN("ADDRESS:PORT expected, or [IPV6]:PORT")},
        {"metrics at any port", NODE "metrics { listen = \"127.0.0.1:0\" }",
         "gossipvs.conf:3: listen = 127.0.0.1:0: " LISTEN("a port from 1 to 65535 expected")},
        {"metrics by name", NODE "metrics { listen = \"localhost:9791\" }",
         "gossipvs.conf:3: listen = localhost:9791: " LISTEN(
             "ADDRESS:PORT expected, or [IPV6]:PORT")},
        {"a hook that is looked for", NODE "hooks { on-change = bin/true }",
         "gossipvs.conf:3: on-change = bin/true: the whole path of a program expected"},
        {"unprintable bytes stay out of the fault", NODE "kernel { mode = \"\xc3\xa4\" }",
         "gossipvs.conf:3: mode = ??: program or observe expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        expect_fault(rows[i].text, rows[i].fault);
    }
}

static void
test_each_slip_of_the_pen_is_named(void **state)
{
    static const struct {
        const char *why, *text, *fault;
    } rows[] = {
        {"unknown at the top", "cluter = x",
         "gossipvs.conf:1: no such option 'cluter' (did you mean cluster?)"},
        {"unknown in a section", NODE "kernel {\n audti = 5 }",
         "gossipvs.conf:4: no such option 'audti' in kernel (did you mean audit?)"},
        {"nothing near", NODE "kernel { colour = red }",
         "gossipvs.conf:3: no such option 'colour' in kernel"},
        {"of another section", NODE "kernel { members = 5 }",
         "gossipvs.conf:3: no such option 'members' in kernel"},
        {"a path of libconfuse's", NODE "kernel { audit = 6 }\n\"kernel|audit\" = 7",
         "gossipvs.conf:4: no such option 'audit'"},
        {"a path to what is not there", NODE "\"kernel|audit\" = 7",
         "gossipvs.conf:3: not understood"},
        {"our own last word", "__end = x\n" NODE, "gossipvs.conf:1: no such option '__end'"},
        {"our own last word in a section", "node { __end = x }",
         "gossipvs.conf:1: no such option '__end' in node"},
        {"the words that carry our context", "\"context|\" = x", "gossipvs.conf:1: not understood"},
        {"the same", "\"opener|\" = x", "gossipvs.conf:1: not understood"},
        {"an option twice", NODE "kernel { audit = 5 audit = 6 }",
         "gossipvs.conf:3: audit is given twice"},
        {"a list twice", NODE "kernel { vip-allow = { 10.0.0.0/8 }\nvip-allow = { 10.0.0.0/8 } }",
         "gossipvs.conf:4: vip-allow is given twice"},
        {"a section twice", NODE "node { }", "gossipvs.conf:3: node is given twice"},
        {"no equal sign", "cluster x", "gossipvs.conf:1: '=' is missing after 'cluster'"},
        {"no brace", "node\ncluster = x", "gossipvs.conf:2: '{' is missing after 'node'"},
        {"a brace too many", NODE "}", "gossipvs.conf:3: a closing brace too many"},
        {"appending to one value", "cluster += x",
         "gossipvs.conf:1: '+=' on an option that takes one value: 'cluster'"},
        {"a list where one value is due", "cluster = { x }", "gossipvs.conf:1: unexpected '{'"},
        {"a brace that is missing", NODE "kernel {\n audit = 5\n\n",
         "gossipvs.conf:3: the closing brace of this kernel is missing"},
        {"a brace that is missing before the next section", NODE "kernel {\n audit = 5\nlimits { }",
         "gossipvs.conf:5: no such option 'limits' in kernel"},
        {"a value that is missing at the end",
         NODE "kernel { audit =", "gossipvs.conf:3: the closing brace of this kernel is missing"},
        {"a value that is missing at the end, at the top", NODE "\ncluster =\n",
         "gossipvs.conf:4: the file ends too early"},
        {"a quote that swallows lines", "cluster = \"x\nnode { name = \"y\" }",
         "gossipvs.conf:1: a closing quote is missing"},
        {"a quote behind a backslash", "cluster = \"x\\\"\nnode {}",
         "gossipvs.conf:1: a closing quote is missing"},
        {"a comment without end", NODE "/* \n\n",
         "gossipvs.conf:3: the comment that begins here has "
         "no end"},
        {"the environment is not asked", "cluster = \"${HOME}\"",
         "gossipvs.conf:1: '${' in a value"},
        {"nor without quotes", "cluster = ${HOME}", "gossipvs.conf:1: '${' in a value"},
        {"a bad escape", "cluster = \"\\777\"", "gossipvs.conf:1: bad escape in quotes: '\\777'"},
        {"a control character", "cluster = x\n\x01",
         "gossipvs.conf:2: a control character (byte "
         "0x01)"},
        {"a function's brackets", NODE "include(\"/etc/passwd\")",
         "gossipvs.conf:3: no such option 'include'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        expect_fault(rows[i].text, rows[i].fault);
    }
}

static void
test_values_have_their_usual_spellings(void **state)
{
    static const char *const good[] = {
        NODE "kernel { audit = 1 }",
        NODE "kernel { audit = 3600 }",
        NODE "kernel { audit = 1h }",
        NODE "kernel { audit = \"60m\" }",
        NODE "kernel { audit = 0005s }",
        NODE "kernel { drain = 0 }",
        NODE "kernel { drain = 24h }",
        NODE "kernel { audit=5 drain=5 }",
        NODE "kernel{audit=5}",
        NODE "// a comment\n",
        NODE "/* a\n comment */ limits { }",
        NODE "# no newline at the end",
        NODE "kernel { vip-allow = {} }",
        NODE "kernel { vip-allow = 10.0.0.0/8 }",
        NODE "\r\nkernel { audit = 5 }\r\n",
        NODE "metrics { listen = '' }",
        NODE "limits { entries = 1 members = 1 }",
    };
    struct gvs_config c;
    struct gvs_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (read_text(&c, good[i], &fault) < 0)
            fail_msg("%s: %s", good[i], fault.text);
    }
}

/* SECTION.NAME of what is in force = its values, each in quotes as a file has it; its line. */
static void
put_options(FILE *out, const struct gvs_config *c, bool lines)
{
    const char *section = "";
    struct gvs_config_option o;

    for (size_t i = 0; gvs_config_option(&o, c, i); i++) {
        char text[GVS_CONFIG_PATH_MAX], quoted[GVS_SYNTAX_QUOTED(GVS_CONFIG_PATH_MAX)];

        if (strcmp(o.section, section) != 0)
            fprintf(out, "%s%s {\n", section[0] ? "}\n" : "", o.section);
        section = o.section;
        fprintf(out, "%s = %s", o.name, o.list ? "{" : "");
        for (size_t n = 0; gvs_config_value(text, c, i, n); n++) {
            assert_true(o.list || n == 0);
            gvs_syntax_quote(quoted, sizeof quoted, text);
            fprintf(out, "%s%s", n > 0 ? ", " : "", o.number || o.word ? text : quoted);
        }
        fprintf(out, "%s", o.list ? "}" : "");
        if (lines)
            fprintf(out, " # %u", o.line);
        fputc('\n', out);
    }
    fputs("}\n", out);
}

static char *
options_text(const struct gvs_config *c, bool lines)
{
    size_t len;
    char *text;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    put_options(out, c, lines);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void
test_what_is_in_force_is_told_with_its_line(void **state)
{
    static const char want[] = "cluster = \"prod-eu\" # 2\n"
                               "node {\n"
                               "name = \"lb1\" # 4\n"
                               "bind = \"10.77.0.1:7900\" # 5\n"
                               "advertise = \"10.77.0.9:7901\" # 6\n"
                               "peers = {\"10.77.0.2:7900\", \"lb3.example:7900\", "
                               "\"[fd00::3]:7900\"} # 7\n"
                               "keyring = \"/k\" # 9\n"
                               "state = \"s/t\" # 10\n"
                               "services = \"/services.d\" # 11\n"
                               "admission = allowlist # 12\n"
                               "allow = {\"" ID1 "\", \"" ID2 "\"} # 13\n"
                               "deny = {\"" ID2 "\"} # 13\n"
                               "}\n"
                               "kernel {\n"
                               "mode = observe # 16\n"
                               "audit = 60 # 17\n"
                               "drain = 7200 # 18\n"
                               "namespaces = {\"host\", \"blue\", \"red\", "
                               "\"/run/netns/cni-*\"} # 19\n"
                               "interface = \"\" # 20\n"
                               "vip-allow = {\"10.99.0.0/16\", \"fd00:99::/64\"} # 21\n"
                               "}\n"
                               "control {\n"
                               "socket = \"/s.sock\" # 23\n"
                               "group = \"g\" # 23\n"
                               "admin-group = \"a-g\" # 23\n"
                               "}\n"
                               "metrics {\n"
                               "listen = \"\" # 24\n"
                               "}\n"
                               "limits {\n"
                               "entries = 4000000 # 25\n"
                               "members = 10000 # 25\n"
                               "}\n"
                               "hooks {\n"
                               "on-change = \"/usr/lib/gossipvs/hook\" # 26\n"
                               "}\n";
    struct gvs_config c;
    struct gvs_fault fault;
    char *text;

    (void)state;
    if (read_text(&c, WHOLE, &fault) < 0)
        fail_msg("%s", fault.text);
    text = options_text(&c, true);
    assert_string_equal(text, want);
    free(text);
}

static void
test_defaults_are_no_lines_of_the_file(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;
    char *text;

    (void)state;
    if (read_text(&c, "cluster = x\nnode { name = a\npeers = {}\nbind = \"127.0.0.1:1\" }\n",
                  &fault) < 0)
        fail_msg("%s", fault.text);
    text = options_text(&c, true);
    assert_string_equal(
        text, "cluster = \"x\" # 1\nnode {\nname = \"a\" # 2\nbind = \"127.0.0.1:1\" # 4\n"
              "advertise = \"127.0.0.1:1\" # 0\npeers = {} # 0\n"
              "keyring = \"/etc/gossipvs/keyring\" # 0\n"
              "state = \"/var/lib/gossipvs\" # 0\n"
              "services = \"/etc/gossipvs/services.d\" # 0\nadmission = psk # 0\n"
              "allow = {} # 0\ndeny = {} # 0\n}\nkernel {\nmode = program # 0\n"
              "audit = 5 # 0\ndrain = 60 # 0\nnamespaces = {\"host\"} # 0\n"
              "interface = \"gossipvs0\" # 0\nvip-allow = {} # 0\n}\ncontrol {\n"
              "socket = \"/run/gossipvs/gossipvs.sock\" # 0\ngroup = \"gossipvs\" # 0\n"
              "admin-group = \"gossipvs-admin\" # 0\n}\nmetrics {\nlisten = \"\" # 0\n}\n"
              "limits {\nentries = 262144 # 0\nmembers = 1024 # 0\n}\nhooks {\n"
              "on-change = \"\" # 0\n}\n");
    free(text);
}

/* One of a list of texts, or "" as often as any two of them. */
static const char *
one_of(struct gvs_prng *prng, const char *const *texts)
{
    size_t count = 0;

    while (texts[count] != NULL)
        count++;
    count = gvs_prng_below(prng, (uint32_t)count + 2);
    for (size_t i = 0; i < count && texts[i] != NULL; i++) {
        if (i + 1 == count)
            return texts[i];
    }
    return "";
}

#define ONE_OF(...) fputs(one_of(prng, (const char *const[]){__VA_ARGS__, NULL}), out)

static void
put_random(FILE *out, struct gvs_prng *prng)
{
    fputs("cluster = 'a.B-c_9'\nnode { ", out);
    ONE_OF("name = lb1\n", "name = \"a.b-c_d\"\n", "name = '0'\n");
    fputs("bind = \"10.77.0.1:7900\"\n", out);
    ONE_OF("advertise = \"[fd00::1]:1\"\n", "advertise = '10.77.0.1:65535'\n");
    ONE_OF("peers = {}\n", "peers = { \"[fd00:0::1]:7\", x:1 }\n", "peers = 'a.b-c.d_e:65535'\n",
           "peers = { \"10.0.0.1:1\",\n\"10.0.0.1:1\" }\n");
    ONE_OF("keyring = /k\n", "keyring = 'x\"y $HOME \\ {#} // /* z'\n",
           "keyring = \"\\xff\\x80\\e\"\n");
    ONE_OF("state = '~/s t'\n", "state = \"\\$\\{HOME}\"\n", "state = \"\\x24{HOME}\"\n");
    ONE_OF("services = .\n", "services = \"a'b\"\n", "services = \"tab\\tnl\\nq\\\"\"\n");
    ONE_OF("admission = psk\n", "admission = allowlist\n");
    fputs("allow = { " ID1 ", " ID2 "}\n", out);
    ONE_OF("deny = { " ID1 " }\n", "deny = {}\n");
    fputs("}\nkernel {\n", out);
    ONE_OF("mode = program\n", "mode = 'observe'\n");
    ONE_OF("audit = 1\n", "audit = 1h\n", "audit = 90s\n");
    ONE_OF("drain = 0\n", "drain = 24h\n", "drain = 2m\n");
    ONE_OF("namespaces = { host }\n", "namespaces = blue\n",
           "namespaces = { \"/run/netns/host\" }\n",
           "namespaces = { '/run/netns/[a-c]?', host, \"/run/netns/x@y\", z }\n");
    ONE_OF("interface = ''\n", "interface = eth0.7\n", "interface = \"a$#{}\\\"\"\n");
    ONE_OF("vip-allow = {}\n", "vip-allow = { '10.0.0.0/8', \"fd00::/8\", '0.0.0.0/0' }\n");
    fputs("}\n", out);
    ONE_OF("control { socket = s }\n", "control { group = g\nadmin-group = 'A.1' }\n");
    ONE_OF("limits { entries = 1 }\n", "limits { members = 10000\nentries = 4000000 }\n");
    ONE_OF("hooks { on-change = '/a b' }\n", "hooks { on-change = \"\" }\n");
}

static char *
random_text(struct gvs_prng *prng)
{
    size_t len;
    char *text;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    put_random(out, prng);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void
test_what_is_in_force_reads_back_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = test_seed_first(); test_seed_run(seed, 300); seed++) {
        struct gvs_prng prng = gvs_prng_init(seed);
        char *given = random_text(&prng), *shown, *again;
        struct gvs_config c, back;
        struct gvs_fault fault;

        if (read_text(&c, given, &fault) < 0)
            fail_msg("%s\n%s", fault.text, given);
        shown = options_text(&c, false);
        if (read_text(&back, shown, &fault) < 0)
            fail_msg("%s\n%s", fault.text, shown);
        again = options_text(&back, false);
        assert_string_equal(again, shown);
        assert_string_equal(back.keyring, c.keyring);
        assert_string_equal(back.services, c.services);
        assert_int_equal(back.netns_host, c.netns_host);
        assert_int_equal(back.netns_count, c.netns_count);
        assert_memory_equal(&back.admission, &c.admission, sizeof c.admission);
        assert_memory_equal(&back.bind, &c.bind, sizeof c.bind);
        free(given);
        free(shown);
        free(again);
    }
}

/* Whatever the cut, the file is refused, or what is left says all that it says: then the whole of
 * it is still what the cut file has, with nothing half read. */
static void
test_a_file_cut_anywhere_is_refused_or_whole(void **state)
{
    static const char text[] = WHOLE;
    struct gvs_config c;
    struct gvs_fault fault;
    size_t accepted = 0, sections = strlen(text);

    (void)state;
    for (size_t len = 0; len < sections; len++) {
        int depth = 0;

        write_bytes("gossipvs.conf", text, len);
        if (gvs_config_read(&c, at("gossipvs.conf"), &fault) < 0) {
            assert_int_equal(strncmp(fault.text, "gossipvs.conf:", 14), 0);
            continue;
        }
        /* The first line's brace is in a comment. */
        for (const char *p = strchr(text, '\n'); p < text + len; p++)
            depth += (*p == '{') - (*p == '}');
        if (depth != 0)
            fail_msg("cut inside a section at byte %zu and accepted", len);
        assert_string_equal(c.cluster, "prod-eu");
        assert_int_equal(c.peer_count, 3);
        assert_true(c.audit_seconds == 60 || c.audit_seconds == 5);
        accepted++;
    }
    assert_true(accepted > 5 && accepted < 80);
    print_message("%zu of %zu cuts are files for themselves\n", accepted, sections);
}

/* Any one byte replaced by any of those that mean something: a fault or a configuration. */
static void
test_no_byte_crashes_it(void **state)
{
    static const char bytes[] = "\"'{}=,#/*\\$|+ \n\x80;x";
    char text[] = WHOLE;
    struct gvs_config c;
    struct gvs_fault fault;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char was = text[i];

        for (size_t b = 0; b < sizeof bytes; b += 3) {
            text[i] = bytes[(b + i) % sizeof bytes];
            write_bytes("gossipvs.conf", text, sizeof text - 1);
            if (gvs_config_read(&c, at("gossipvs.conf"), &fault) < 0)
                assert_int_equal(strncmp(fault.text, "gossipvs.conf:", 14), 0);
        }
        text[i] = was;
    }
}

static void
test_what_cannot_be_read_is_named(void **state)
{
    struct gvs_config c;
    struct gvs_fault fault;
    char text[600];

    (void)state;
    assert_true(gvs_config_read(&c, at("none.conf"), &fault) < 0);
    snprintf(text, sizeof text, "cannot read %s (No such file or directory)", at("none.conf"));
    assert_string_equal(fault.text, text);
    assert_true(gvs_config_read(&c, dir, &fault) < 0);
    snprintf(text, sizeof text, "cannot read %s (not a file)", dir);
    assert_string_equal(fault.text, text);
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_true(gvs_config_read(&c, at("pipe"), &fault) < 0);
    assert_non_null(strstr(fault.text, "(not a file)"));
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_true(gvs_config_read(&c, text, &fault) < 0);
    assert_non_null(strstr(fault.text, "a path too long"));
}

static void
test_sixty_four_peers_fit_and_no_more(void **state)
{
    char text[4000] = "cluster=x node { bind=10.0.0.1:1 peers = { p0:1";
    struct gvs_config c;
    struct gvs_fault fault;

    (void)state;
    for (int i = 1; i < GVS_CONFIG_PEERS_MAX; i++)
        sprintf(text + strlen(text), ", p%d:1", i);
    strcat(text, " } }");
    assert_int_equal(read_text(&c, text, &fault), GVS_OK);
    assert_int_equal(c.peer_count, GVS_CONFIG_PEERS_MAX);
    text[strlen(text) - 3] = '\0';
    strcat(text, ", q:1 } }");
    assert_true(read_text(&c, text, &fault) < 0);
    assert_string_equal(fault.text,
                        "gossipvs.conf:1: peers = q:1: more than 64 peers; any one that "
                        "is alive is enough");
}

#define KEY1 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY2 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="

static int
read_keyring(struct gvs_keyring *k, const char *text, mode_t mode, struct gvs_fault *fault)
{
    write_bytes("keyring", text, strlen(text));
    assert_int_equal(chmod(at("keyring"), mode), 0);
    return gvs_config_keyring(k, at("keyring"), fault);
}

static void
test_a_keyring_that_others_can_read_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        const char *what; /* NULL: taken */
    } rows[] = {
        {0600, NULL},
        {0400, NULL},
        {0640, NULL},
        {0644, "readable by everyone (0644)"},
        {0604, "readable by everyone (0604)"},
        {0602, "open to everyone (0602)"},
        {0601, "open to everyone (0601)"},
        {0660, "writable by its group (0660)"},
        {0777, "readable by everyone (0777)"},
    };
    struct gvs_keyring k;
    struct gvs_fault fault;
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = read_keyring(&k, KEY1 " primary\n", rows[i].mode, &fault);

        if (rows[i].what == NULL) {
            assert_int_equal(rc, GVS_OK);
            assert_int_equal(k.count, 1);
            continue;
        }
        assert_true(rc < 0);
        assert_int_equal(k.count, 0);
        snprintf(text, sizeof text, "%s is %s; refusing", at("keyring"), rows[i].what);
        assert_string_equal(fault.text, text);
        snprintf(text, sizeof text, "chmod 0600 %s", at("keyring"));
        assert_string_equal(fault.hint, text);
    }
}

static void
test_a_damaged_keyring_is_named_by_line(void **state)
{
    struct gvs_keyring k;
    struct gvs_fault fault;
    char big[5000];

    (void)state;
    assert_int_equal(
        read_keyring(&k, "# note\n" KEY1 " primary\n" KEY2 " accept # old\n", 0600, &fault),
        GVS_OK);
    assert_int_equal(k.count, 2);
    assert_true(read_keyring(&k, "\n" KEY1 " primary\n" KEY2 " acept\n", 0600, &fault) < 0);
    assert_int_equal(strncmp(fault.text, "keyring line 3: ", 16), 0);
    assert_int_equal(k.count, 0);
    assert_true(
        read_keyring(&k, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA primary", 0600, &fault) < 0);
    assert_string_equal(fault.text, "keyring line 1: 43 characters, a key has 44");
    assert_true(read_keyring(&k, "", 0600, &fault) < 0);
    assert_int_equal(strncmp(fault.text, "keyring: ", 9), 0);
    memset(big, '#', sizeof big);
    big[sizeof big - 1] = '\0';
    assert_true(read_keyring(&k, big, 0600, &fault) < 0);
    assert_non_null(strstr(fault.text, "has 4999 bytes, a keyring at most 4096"));
}

static void
test_a_keyring_may_be_a_link_but_not_just_anything(void **state)
{
    struct gvs_keyring k;
    struct gvs_fault fault;
    char real[128], text[400];

    (void)state;
    assert_int_equal(read_keyring(&k, KEY1 " primary\n", 0600, &fault), GVS_OK);
    strcpy(real, at("keyring"));
    assert_int_equal(symlink(real, at("link")), 0);
    assert_int_equal(gvs_config_keyring(&k, at("link"), &fault), GVS_OK);
    assert_int_equal(chmod(real, 0644), 0);
    assert_true(gvs_config_keyring(&k, at("link"), &fault) < 0);
    assert_int_equal(chmod(real, 0600), 0);
    assert_true(gvs_config_keyring(&k, dir, &fault) < 0);
    assert_non_null(strstr(fault.text, "is not a file; refusing"));
    assert_int_equal(link(real, at("second")), 0);
    assert_true(gvs_config_keyring(&k, real, &fault) < 0);
    assert_non_null(strstr(fault.text, "has 2 names (hard links); refusing"));
    unlink(at("second"));
    assert_true(gvs_config_keyring(&k, at("missing"), &fault) < 0);
    snprintf(text, sizeof text, "cannot read key %s: No such file or directory (running as ",
             at("missing"));
    assert_int_equal(strncmp(fault.text, text, strlen(text)), 0);
}

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
    static const char *const names[] = {"gossipvs.conf", "keyring", "link", "second", "pipe"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(at(names[i]));
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option_arrives),
        cmocka_unit_test(test_there_need_be_no_socket_and_no_services),
        cmocka_unit_test(test_metrics_are_given_where_it_says),
        cmocka_unit_test(test_defaults_are_those_of_the_manual),
        cmocka_unit_test(test_each_wrong_value_is_named),
        cmocka_unit_test(test_each_slip_of_the_pen_is_named),
        cmocka_unit_test(test_values_have_their_usual_spellings),
        cmocka_unit_test(test_what_is_in_force_is_told_with_its_line),
        cmocka_unit_test(test_defaults_are_no_lines_of_the_file),
        cmocka_unit_test(test_what_is_in_force_reads_back_the_same),
        cmocka_unit_test(test_a_file_cut_anywhere_is_refused_or_whole),
        cmocka_unit_test(test_no_byte_crashes_it),
        cmocka_unit_test(test_what_cannot_be_read_is_named),
        cmocka_unit_test(test_sixty_four_peers_fit_and_no_more),
        cmocka_unit_test(test_a_keyring_that_others_can_read_is_refused),
        cmocka_unit_test(test_a_damaged_keyring_is_named_by_line),
        cmocka_unit_test(test_a_keyring_may_be_a_link_but_not_just_anything),
    };
    if (gvs_crypto_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
