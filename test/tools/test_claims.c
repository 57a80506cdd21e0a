#include "tools/words/claims.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DIR_TEMPLATE "/tmp/gossipvs-test.XXXXXX"

/* A directory services.d of its own for each test. */
static char base[64], dir[96];

static const char *
at(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void
write_bytes(const char *name, const char *text, size_t len)
{
    FILE *f = fopen(at(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void
write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* As if written long ago: then only the time, the size and the inode tell of a change. */
static void
age(const char *name, long seconds)
{
    const struct timeval t[2] = {{1000000 + seconds, 0}, {1000000 + seconds, 0}};

    assert_int_equal(utimes(at(name), t), 0);
}

static bool
reread(struct gvs_claims *c)
{
    struct gvs_fault fault;
    bool changed = gvs_claims_read(c, dir, &fault);

    assert_string_equal(fault.text, "");
    return changed;
}

/* What is in force, one letter of service names after the other: "web dns". */
static const char *
in_force(const struct gvs_claims *c)
{
    static char text[1024];

    text[0] = '\0';
    for (size_t i = 0; i < c->file_count; i++) {
        for (size_t j = 0; j < c->files[i].service_count; j++)
            sprintf(text + strlen(text), "%s%s/%zu", text[0] == '\0' ? "" : " ",
                    c->files[i].services[j].attr.name, c->files[i].services[j].backend_count);
    }
    return text;
}

static void
expect_fault(const char *text, const char *fault_text)
{
    struct gvs_claims_file f;
    struct gvs_fault fault;

    write_text("web.conf", text);
    if (gvs_claims_read_file(&f, dir, "web.conf", &fault) == GVS_EXIT_OK)
        fail_msg("accepted: %s", text);
    assert_string_equal(fault.text, fault_text);
    assert_int_equal(fault.exit, GVS_EXIT_USAGE);
    assert_null(f.services);
}

#define WHOLE                                                                           \
    "# services.d/web.conf\n"                                                           \
    "service web {\n"                                                                   \
    "  backend \"10.77.0.5:8080\" { weight = 0  forward = nat lower = 5 upper = 10 }\n" \
    "  backend \"10.77.0.4:8080\" { }\n"                                                \
    "  backend \"[fd00::4]:80\" { forward = tun tunnel = gue:6080 }\n"                  \
    "  vip       = \"10.99.0.1:80/tcp\"\n"                                              \
    "  scheduler = mh\n"                                                                \
    "  flags     = \"fallback,port\"\n"                                                 \
    "  persistent = 5m\n"                                                               \
    "  netmask   = 255.255.255.0\n"                                                     \
    "  forward   = dr\n"                                                                \
    "}\n"                                                                               \
    "service mark { vip = fwmark:5/v6 }\n"                                              \
    "service dns { vip = \"10.99.0.1:53/udp\" flags = ops }\n"                          \
    "service dns { vip = 10.99.0.1:53 backend 10.77.0.4:53 {} }\n"

static void
test_every_word_arrives_in_order(void **state)
{
    struct gvs_claims_file f;
    struct gvs_fault fault;
    const struct gvs_claim_service *s;
    char text[GVS_SVCID_TEXT_LEN];

    (void)state;
    write_text("web.conf", WHOLE);
    if (gvs_claims_read_file(&f, dir, "web.conf", &fault) < 0)
        fail_msg("%s", fault.text);
    assert_string_equal(f.name, "web.conf");
    assert_int_equal(f.service_count, 4);
    s = f.services;
    gvs_svcid_format(text, &s[0].id);
    assert_string_equal(text, "fwmark:5/v6");
    assert_string_equal(s[0].attr.sched, "wlc");
    assert_int_equal(s[0].backend_count, 0);
    gvs_svcid_format(text, &s[1].id);
    assert_string_equal(text, "10.99.0.1:53/tcp");
    assert_int_equal(s[1].line, 15);
    assert_int_equal(s[1].backends[0].attr.weight, 1);
    assert_int_equal(s[1].backends[0].attr.forward, GVS_FORWARD_NAT);
    gvs_svcid_format(text, &s[2].id);
    assert_string_equal(text, "10.99.0.1:80/tcp");
    assert_string_equal(s[2].attr.name, "web");
    assert_string_equal(s[2].attr.sched, "mh");
    assert_int_equal(s[2].attr.flags, GVS_FLAG_FALLBACK | GVS_FLAG_PORT);
    assert_int_equal(s[2].attr.persistent, 300);
    assert_int_equal(s[2].attr.netmask, 24);
    assert_int_equal(s[2].attr.forward, GVS_FORWARD_DR);
    assert_int_equal(s[2].line, 6);
    assert_int_equal(s[2].backend_count, 3);
    gvs_ep_format(text, &s[2].backends[0].ep);
    assert_string_equal(text, "10.77.0.4:8080");
    assert_int_equal(s[2].backends[0].attr.forward, GVS_FORWARD_DR); /* the service's */
    assert_int_equal(s[2].backends[0].line, 4);
    assert_int_equal(s[2].backends[1].attr.weight, 0);
    assert_int_equal(s[2].backends[1].attr.forward, GVS_FORWARD_NAT);
    assert_int_equal(s[2].backends[1].attr.lower, 5);
    assert_int_equal(s[2].backends[1].attr.upper, 10);
    assert_int_equal(s[2].backends[2].attr.tunnel, GVS_TUNNEL_GUE);
    assert_int_equal(s[2].backends[2].attr.tunnel_port, 6080);
    assert_int_equal(s[3].attr.flags, GVS_FLAG_OPS);
    gvs_claims_file_free(&f);
    assert_int_equal(f.service_count, 0);
}

#define WEB(rest) "service web {\n vip = 10.99.0.1:80\n" rest "\n}\n"
#define CHECK(words) WEB("backend 10.0.0.1:80 {\n check {\n" words " } }") /* on line 5 */

static void
test_each_mistake_names_its_line(void **state)
{
    static const struct {
        const char *why, *text, *fault;
    } rows[] = {
        {"row 4 of the twenty", "\nservice web {\n  vip = 10.99.0.1:80/tcp\n\n  scheduler = wwr\n}",
         "services.d/web.conf:5: unknown scheduler 'wwr' (did you mean wrr? have: rr wrr lc wlc "
         "lblc lblcr sh dh mh sed nq fo ovf twos)"},
        {"row 20 of the twenty", WEB("backend 10.77.0.4:80 {\n wieght = 5 }"),
         "services.d/web.conf:4: no such option 'wieght' in backend (did you mean weight?)"},
        {"row 1 of the twenty", WEB("backend \"10.0.0.300:80\" { }"),
         "services.d/web.conf:3: bad address '10.0.0.300:80': 300 is over 255"},
        {"row 2 of the twenty", "service web {\nvip = 10.99.0.1 }",
         "services.d/web.conf:2: '10.99.0.1' has no port"},
        {"unknown in a service", "service web { vpi = 10.99.0.1:80 }",
         "services.d/web.conf:1: no such option 'vpi' in service (did you mean vip?)"},
        {"unknown at the top", "servise web { }",
         "services.d/web.conf:1: no such option 'servise' (did you mean service?)"},
        {"weight", WEB("backend 10.77.0.4:80 { weight = 65536 }"),
         "services.d/web.conf:3: weight = 65536: 0 to 65535 expected"},
        {"weight below", WEB("backend 10.77.0.4:80 {\n\n weight = -1 }"),
         "services.d/web.conf:5: weight = -1: 0 to 65535 expected"},
        {"forward", WEB("forward = masq"),
         "services.d/web.conf:3: forward = masq: nat, dr or tun expected"},
        {"families", WEB("backend \"[fd00::1]:80\" { }"),
         "services.d/web.conf:3: backend '[fd00::1]:80' is IPv6 but vip 'web' is IPv4 (only "
         "forward "
         "tun can mix)"},
        {"families the other way",
         "service web {\nbackend 10.0.0.1:80 {}\nvip = \"[fd00::1]:80\"\n}",
         "services.d/web.conf:2: backend '10.0.0.1:80' is IPv4 but vip 'web' is IPv6 (only forward "
         "tun can mix)"},
        {"families by mark", "service web {\nbackend 10.0.0.1:80 {}\nvip = fwmark:7/v6\n}",
         "services.d/web.conf:2: backend '10.0.0.1:80' is IPv4 but vip 'web' is IPv6 (only forward "
         "tun can mix)"},
        {"an anchor", "service web {\nvip = fwmark:1735786500 }",
         "services.d/web.conf:2: vip 'fwmark:1735786500': this mark is the agent's own"},
        {"the other anchor", "service web {\nvip = fwmark:1735786502/v6 }",
         "services.d/web.conf:2: vip 'fwmark:1735786502/v6': this mark is the agent's own"},
        {"a mark of 0", "service web {\nvip = fwmark:0 }", NULL},
        {"port 0", "service web {\nvip = \"10.99.0.1:0\" }", NULL},
        {"flags without their scheduler", WEB("flags = port"), NULL},
        {"ops over tcp", WEB("flags = ops"), NULL},
        {"an unknown flag", WEB("flags = \"port,fast\""), NULL},
        {"a netmask of the other family",
         "service web {\nvip = \"[fd00::1]:80\"\nnetmask = "
         "255.255.255.0 }",
         NULL},
        {"a tunnel without tun", WEB("backend 10.0.0.1:80 { tunnel = gre }"), NULL},
        {"lower over upper", WEB("backend 10.0.0.1:80 { lower = 9 upper = 8 }"), NULL},
        {"lower alone", WEB("backend 10.0.0.1:80 {\n lower = 9 }"),
         "services.d/web.conf:4: lower 9 means nothing without upper"},
        {"persistent for more than a kernel can count",
         "service web {\nvip = 10.99.0.1:80\npersistent = 2678401 }",
         "services.d/web.conf:3: persistent = 2678401: seconds expected, 0 to 2678400"},
        {"v4-mapped", "service web {\nvip = \"[::ffff:10.0.0.1]:80\" }", NULL},
        {"scoped", "service web {\nvip = \"[fe80::1%eth0]:80\" }", NULL},
        {"a protocol", "service web {\nvip = \"10.99.0.1:80/icmp\" }", NULL},
        {"multicast", "service web {\nvip = \"224.0.0.1:80\" }",
         "services.d/web.conf:2: vip '224.0.0.1:80' is no host's address"},
        {"every address", "service web {\nvip = \"0.0.0.0:80\" }",
         "services.d/web.conf:2: vip '0.0.0.0:80' is no host's address"},
        {"every address behind it", WEB("backend \"[::]:80\" {}"),
         "services.d/web.conf:3: backend '[::]:80' is no host's address"},
        {"a name", "service Web { }", NULL},
        {"a reserved name", "service all { }", NULL},
        {"no vip", "\nservice web {\n backend 10.0.0.1:80 { }\n}",
         "services.d/web.conf:2: service web has no vip"},
        {"a vip twice", "service web {\nvip = 10.99.0.1:80\nvip = 10.99.0.2:80 }",
         "services.d/web.conf:3: vip is given twice"},
        {"a service twice", WEB("") "service web2 {\n vip = 10.99.0.1:80/tcp }",
         "services.d/web.conf:6: vip '10.99.0.1:80/tcp' is already 'web' on line 2"},
        {"a backend twice", WEB("backend 10.0.0.1:80 { }\nbackend 10.0.0.1:80 { weight = 2 }"),
         "services.d/web.conf:4: backend '10.0.0.1:80' is already on line 3"},
        {"a check of a type that is none", CHECK("type = http"),
         "services.d/web.conf:5: type = http: tcp or exec expected"},
        {"a start that is none", CHECK("type = tcp start = maybe"),
         "services.d/web.conf:5: start = maybe: up or down expected"},
        {"no seconds", CHECK("type = tcp interval = 5x"),
         "services.d/web.conf:5: interval = 5x: seconds expected, 1 to 3600"},
        {"no time at all", CHECK("type = tcp timeout = 0"),
         "services.d/web.conf:5: timeout = 0: seconds expected, 1 to 3600"},
        {"no answer is enough", CHECK("type = tcp rise = 0"),
         "services.d/web.conf:5: rise = 0: a number expected, 1 to 100"},
        {"too many", CHECK("type = tcp fall = 101"),
         "services.d/web.conf:5: fall = 101: a number expected, 1 to 100"},
        {"a command somewhere", CHECK("type = exec command = check"),
         "services.d/web.conf:5: command = check: the whole path of a program expected"},
        {"17 words", CHECK("type = exec command = \"/c 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6\""),
         "services.d/web.conf:5: command = /c 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6: more than 16 words"},
        {"an empty check", CHECK(""), "services.d/web.conf:4: check has no type (tcp or exec)"},
        {"nothing to run", CHECK("type = exec"),
         "services.d/web.conf:4: check of type exec has no command"},
        {"something to run", CHECK("type = tcp command = /bin/true"),
         "services.d/web.conf:4: check of type tcp runs no command"},
        {"longer than between two", CHECK("type = tcp timeout = 3"),
         "services.d/web.conf:4: check has a timeout (3 s) beyond its interval (2 s)"},
        {"a word that is none", CHECK("type = tcp port = 80"), NULL},
        {"two checks", WEB("backend 10.0.0.1:80 { check { type = tcp }\n check { type = tcp } }"),
         NULL},
        {"a brace", "service web {\n vip = 10.99.0.1:80\n backend 10.0.0.1:80 {\n",
         "services.d/web.conf:3: the closing brace of this backend is missing"},
        {"no title", "service { }", "services.d/web.conf:1: a name is missing after 'service'"},
        {"backends by libconfuse's paths", WEB("") "\"service|backend\" 10.0.0.1:80 { weight = 1 }",
         NULL},
        {"words by libconfuse's paths", WEB("backend 10.0.0.1:80 { } \"backend|weight\" = 7"),
         NULL},
        {"backend port 0", WEB("backend \"10.0.0.1:0\" { }"),
         "services.d/web.conf:3: backend '10.0.0.1:0' has port 0 but vip 'web' has not"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gvs_claims_file f;
        struct gvs_fault fault;

        print_message("%s\n", rows[i].why);
        if (rows[i].fault != NULL) {
            expect_fault(rows[i].text, rows[i].fault);
            continue;
        }
        /* Sentences of tools/words/words.c: here only that there is one, with the line. */
        write_text("web.conf", rows[i].text);
        if (gvs_claims_read_file(&f, dir, "web.conf", &fault) == 0)
            fail_msg("accepted: %s", rows[i].text);
        print_message("    %s\n", fault.text);
        assert_int_equal(strncmp(fault.text, "services.d/web.conf:", 20), 0);
        assert_in_range(fault.text[20], '1', '9');
    }
}

static void
test_a_check_is_read_with_its_defaults(void **state)
{
    struct gvs_claims_file f;
    struct gvs_fault fault;
    const struct gvs_check *c;

    (void)state;
    write_text("web.conf",
               WEB("backend 10.0.0.1:80 { }\nbackend 10.0.0.2:80 {\n check { type = tcp } }"
                   "backend 10.0.0.3:80 { check { type = exec interval = 1m timeout = 5\n"
                   "rise = 1 fall = 7 start = up command = \"/a/b  -c\" } weight = 3 }"));
    assert_int_equal(gvs_claims_read_file(&f, dir, "web.conf", &fault), 0);
    assert_null(f.services[0].backends[0].check);
    c = f.services[0].backends[1].check;
    assert_true(c->type == GVS_CHECK_TCP && !c->start_up && c->line == 5);
    assert_true(c->interval == 2 && c->timeout == 1 && c->rise == 2 && c->fall == 3);
    assert_ptr_equal(gvs_claims_first_check(&f, false), c);
    c = f.services[0].backends[2].check;
    assert_true(c->type == GVS_CHECK_EXEC && c->start_up);
    assert_true(c->interval == 60 && c->timeout == 5 && c->rise == 1 && c->fall == 7);
    assert_string_equal(c->command, "/a/b  -c");
    assert_ptr_equal(gvs_claims_first_check(&f, true), c);
    assert_int_equal(f.services[0].backends[2].attr.weight, 3);
    gvs_claims_file_free(&f);
}

static void
test_another_check_is_a_change_and_so_is_its_line(void **state)
{
    static const struct {
        const char *why, *text;
        bool changed;
    } rows[] = {
        {"a check", CHECK("type = tcp"), true},
        {"the same", CHECK("type = tcp"), false},
        {"further down", "\n" CHECK("type = tcp"), true},
        {"another word", "\n" CHECK("type = tcp fall = 4"), true},
        {"none", "\n" WEB("\nbackend 10.0.0.1:80 { }"), true},
    };
    struct gvs_claims c = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].why);
        write_text("web.conf", rows[i].text);
        assert_true(reread(&c) == rows[i].changed);
    }
    gvs_claims_free(&c);
}

static void
test_a_check_by_tcp_needs_a_port(void **state)
{
    (void)state;
    expect_fault("service any { vip = \"10.99.0.1:0\" persistent = 60\nbackend 10.0.0.1:0 {\n"
                 "check { type = tcp } } }",
                 "services.d/web.conf:3: check of type tcp needs a port, and the backend's is 0");
}

static void
test_hints_survive_the_way_through_a_file(void **state)
{
    struct gvs_claims_file f;
    struct gvs_fault fault;

    (void)state;
    write_text("web.conf", "service web { vip = 10.99.0.1 }");
    assert_true(gvs_claims_read_file(&f, dir, "web.conf", &fault) < 0);
    assert_string_equal(fault.hint, "write 10.99.0.1:80/tcp, or fwmark:5");
}

static void
test_port_0_goes_with_persistence(void **state)
{
    struct gvs_claims_file f;
    struct gvs_fault fault;

    (void)state;
    write_text("web.conf",
               "service any { vip = \"10.99.0.1:0\" persistent = 60\nbackend 10.0.0.1:0 { } }");
    if (gvs_claims_read_file(&f, dir, "web.conf", &fault) < 0)
        fail_msg("%s", fault.text);
    gvs_claims_file_free(&f);
}

static void
test_a_bad_file_keeps_its_last_good_version(void **state)
{
    struct gvs_claims c = {0};

    (void)state;
    assert_false(reread(&c));
    write_text("web.conf", WEB("backend 10.0.0.1:80 { }"));
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "web/1");
    assert_false(reread(&c));
    write_text("web.conf", WEB("backend 10.0.0.1:80 { "));
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "web/1");
    assert_true(c.files[0].bad);
    assert_string_equal(c.files[0].fault.text,
                        "services.d/web.conf:1: the closing brace of this service is missing; its "
                        "last good version stays in force");
    assert_false(reread(&c)); /* the same mistake is no news */
    write_text("web.conf", "nonsense");
    assert_true(reread(&c)); /* another one is */
    assert_string_equal(in_force(&c), "web/1");
    write_text("web.conf", WEB("backend 10.0.0.1:80 { }\nbackend 10.0.0.2:80 { }"));
    assert_true(reread(&c));
    assert_false(c.files[0].bad);
    assert_string_equal(in_force(&c), "web/2");
    gvs_claims_free(&c);
}

static void
test_a_new_bad_file_claims_nothing(void **state)
{
    struct gvs_claims c = {0};

    (void)state;
    write_text("web.conf", "service web { vip = 10.99.0.1:80");
    assert_true(reread(&c));
    assert_int_equal(c.file_count, 1);
    assert_true(c.files[0].bad);
    assert_string_equal(in_force(&c), "");
    assert_string_equal(c.files[0].fault.text,
                        "services.d/web.conf:1: the closing brace of this service is missing");
    assert_false(reread(&c));
    gvs_claims_free(&c);
}

static void
test_the_file_goes_the_claims_go(void **state)
{
    struct gvs_claims c = {0};

    (void)state;
    write_text("web.conf", WEB(""));
    write_text("dns.conf", "service dns { vip = 10.99.0.1:53/udp }");
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "dns/0 web/0");
    assert_int_equal(unlink(at("dns.conf")), 0);
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "web/0");
    write_text("web.conf", "service");
    assert_true(reread(&c));
    assert_int_equal(unlink(at("web.conf")), 0); /* a bad one too */
    assert_true(reread(&c));
    assert_int_equal(c.file_count, 0);
    gvs_claims_free(&c);
}

static void
test_renaming_over_a_file_replaces_it(void **state)
{
    struct gvs_claims c = {0};
    char to[256];

    (void)state;
    write_text("web.conf", WEB("backend 10.0.0.1:80 { weight = 1 }"));
    age("web.conf", 0);
    assert_true(reread(&c));
    /* The same size and time: the inode tells. */
    write_text(".web.conf.new", WEB("backend 10.0.0.1:80 { weight = 2 }"));
    age(".web.conf.new", 0);
    strcpy(to, at("web.conf"));
    assert_int_equal(rename(at(".web.conf.new"), to), 0);
    assert_true(reread(&c));
    assert_int_equal(c.files[0].services[0].backends[0].attr.weight, 2);
    gvs_claims_free(&c);
}

static void
test_a_second_write_within_a_tick_is_seen(void **state)
{
    struct gvs_claims c = {0};
    struct stat st;
    struct timespec t[2];

    (void)state;
    write_text("web.conf", WEB("backend 10.0.0.1:80 { weight = 1 }"));
    assert_int_equal(stat(at("web.conf"), &st), 0);
    assert_true(reread(&c));
    write_text("web.conf", WEB("backend 10.0.0.1:80 { weight = 2 }"));
    t[0] = t[1] = st.st_mtim; /* the clock had not moved on */
    assert_int_equal(utimensat(AT_FDCWD, at("web.conf"), t, 0), 0);
    assert_true(reread(&c));
    assert_int_equal(c.files[0].services[0].backends[0].attr.weight, 2);
    gvs_claims_free(&c);
}

static void
test_an_unchanged_file_is_not_read_again(void **state)
{
    struct gvs_claims c = {0};
    const struct gvs_claim_service *before;

    (void)state;
    write_text("web.conf", WEB("backend 10.0.0.1:80 { weight = 1 }"));
    age("web.conf", 0);
    assert_true(reread(&c));
    before = c.files[0].services;
    assert_false(reread(&c));
    assert_ptr_equal(c.files[0].services, before);
    age("web.conf", 1); /* touched, and the same: no change */
    assert_false(reread(&c));
    age("web.conf", time(NULL) - 1000000 + 86400); /* another's clock, or ours before */
    assert_false(reread(&c));
    before = c.files[0].services;
    assert_false(reread(&c));
    assert_ptr_equal(c.files[0].services, before);
    gvs_claims_free(&c);
}

/* Somebody reads it once a second, and ten thousand services take him half of one. */
static void
test_a_bad_file_is_read_once(void **state)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct gvs_claims c = {0};
    char events[4096];

    (void)state;
    assert_true(watch >= 0);
    write_text("web.conf", "nonsense");
    age("web.conf", 0);
    assert_true(reread(&c));
    assert_true(inotify_add_watch(watch, at("web.conf"), IN_OPEN) >= 0);
    assert_false(reread(&c));
    assert_true(read(watch, events, sizeof events) < 0);
    age("web.conf", 1);
    assert_false(reread(&c)); /* the same mistake */
    assert_true(read(watch, events, sizeof events) > 0);
    write_text("web.conf", WEB(""));
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "web/0");
    gvs_claims_free(&c);
    close(watch);
}

/* Whatever kept it from being read may be over, and leaves no trace on the file. */
static void
test_a_file_that_could_not_be_read_is_tried_again(void **state)
{
    struct gvs_claims c = {0};
    uid_t uid = geteuid();

    (void)state;
    write_text("web.conf", WEB(""));
    age("web.conf", 0);
    if (uid != 0)
        skip(); /* whoever is root is to be somebody else for a moment */
    assert_int_equal(chmod(base, 0755) | chmod(dir, 0755) | chmod(at("web.conf"), 0600), 0);
    assert_int_equal(seteuid(65534), 0);
    assert_true(reread(&c));
    assert_int_equal(seteuid(uid), 0);
    assert_true(c.files[0].bad);
    assert_true(reread(&c));
    assert_false(c.files[0].bad);
    assert_string_equal(in_force(&c), "web/0");
    gvs_claims_free(&c);
}

static void
test_only_files_that_end_in_conf_count(void **state)
{
    static const char *const names[] = {".web.conf", "web.conf~", "web.con",
                                        "conf",      ".conf",     "web.conf.dpkg-new"};
    struct gvs_claims c = {0};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_text(names[i], WEB(""));
    assert_false(reread(&c));
    assert_int_equal(c.file_count, 0);
    gvs_claims_free(&c);
}

static void
test_of_two_files_with_a_service_the_later_is_wrong(void **state)
{
    struct gvs_claims c = {0};

    (void)state;
    write_text("b.conf", "service web { vip = 10.99.0.1:80 }\nservice dns { vip = 10.99.0.1:53 }");
    age("b.conf", 0);
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "dns/0 web/0");
    /* An earlier name takes one of the two: b is wrong from now on, and keeps the other. */
    write_text("a.conf", "\nservice other { vip = 10.99.0.1:80/tcp }");
    age("a.conf", 0);
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "other/0 dns/0");
    assert_false(c.files[0].bad);
    assert_true(c.files[1].bad);
    assert_string_equal(c.files[1].fault.text,
                        "services.d/b.conf:1: vip '10.99.0.1:80/tcp' is already 'other' in a.conf, "
                        "line 2; its last good version stays in force");
    assert_false(reread(&c));
    /* A later new file with a clash claims nothing at all. */
    write_text("c.conf", "service c1 { vip = 10.99.0.9:1 }\nservice c2 { vip = 10.99.0.1:53 }");
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "other/0 dns/0");
    assert_false(reread(&c));
    /* With the cause goes the fault. */
    assert_int_equal(unlink(at("a.conf")), 0);
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "dns/0 web/0");
    assert_int_equal(unlink(at("b.conf")), 0);
    assert_true(reread(&c));
    assert_string_equal(in_force(&c), "c2/0 c1/0");
    gvs_claims_free(&c);
}

static void
test_a_missing_directory_has_no_files(void **state)
{
    struct gvs_claims c = {0};
    struct gvs_fault fault;
    char gone[128];

    (void)state;
    write_text("web.conf", WEB(""));
    assert_true(reread(&c));
    snprintf(gone, sizeof gone, "%s/gone", base);
    assert_true(gvs_claims_read(&c, gone, &fault));
    assert_string_equal(fault.text, "");
    assert_int_equal(c.file_count, 0);
    gvs_claims_free(&c);
}

static void
test_an_unreadable_directory_keeps_everything(void **state)
{
    struct gvs_claims c = {0};
    struct gvs_fault fault;
    char text[400];

    (void)state;
    write_text("web.conf", WEB(""));
    assert_true(reread(&c));
    assert_false(gvs_claims_read(&c, at("web.conf"), &fault)); /* no directory */
    snprintf(text, sizeof text, "cannot read %s (Not a directory); its claims stay in force",
             at("web.conf"));
    assert_string_equal(fault.text, text);
    assert_string_equal(in_force(&c), "web/0");
    gvs_claims_free(&c);
}

/* Whatever the cut, never less of a service than the whole file says, and never half of one. */
static void
test_a_file_cut_anywhere_is_refused_or_whole(void **state)
{
    static const char text[] = WHOLE;
    struct gvs_claims_file f;
    struct gvs_fault fault;
    size_t accepted = 0;

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        int depth = 0;

        write_bytes("web.conf", text, len);
        if (gvs_claims_read_file(&f, dir, "web.conf", &fault) < 0) {
            assert_int_equal(strncmp(fault.text, "services.d/web.conf:", 20), 0);
            continue;
        }
        for (const char *p = text; p < text + len; p++)
            depth += (*p == '{') - (*p == '}');
        if (depth != 0)
            fail_msg("cut inside a section at byte %zu and accepted", len);
        for (size_t i = 0; i < f.service_count; i++) {
            if (strcmp(f.services[i].attr.name, "web") == 0)
                assert_int_equal(f.services[i].backend_count, 3);
        }
        gvs_claims_file_free(&f);
        accepted++;
    }
    assert_in_range(accepted, 5, 40);
}

static void
test_no_byte_crashes_it(void **state)
{
    static const char bytes[] = "\"'{}=,#/*\\$|+ \n\x80;x0";
    char text[] = WHOLE;
    struct gvs_claims_file f;
    struct gvs_fault fault;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char was = text[i];

        for (size_t b = 0; b < sizeof bytes; b += 3) {
            text[i] = bytes[(b + i) % sizeof bytes];
            write_bytes("web.conf", text, sizeof text - 1);
            if (gvs_claims_read_file(&f, dir, "web.conf", &fault) == 0)
                gvs_claims_file_free(&f);
        }
        text[i] = was;
    }
}

static int
make_dir(void **state)
{
    (void)state;
    strcpy(base, DIR_TEMPLATE);
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(dir, sizeof dir, "%s/services.d", base);
    return mkdir(dir, 0700);
}

static int
remove_dir(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command);
}

/* --- many files --- */

#define FILES 10000

/* Of so many files with a service each, the last one with that of the first, or with its own:
 * processor time to take them. */
static double
seconds_to_take(bool clash)
{
    struct gvs_claims_found found = {.dir = strdup("services.d"), .any = true, .file_count = FILES};
    struct gvs_claims c = {0};
    struct gvs_fault fault;
    clock_t began;

    found.files = calloc(FILES, sizeof *found.files);
    assert_non_null(found.files);
    for (unsigned i = 0; i < FILES; i++) {
        struct gvs_claims_found_file *f = &found.files[i];
        struct gvs_svcid id = {.proto = GVS_PROTO_TCP, .addr.family = GVS_FAMILY_V4};

        f->read = true;
        snprintf(f->file.name, sizeof f->file.name, "%05u.conf", i);
        f->file.services = calloc(1, sizeof *f->file.services);
        assert_non_null(f->file.services);
        f->file.service_count = 1;
        id.port = (uint16_t)(clash && i == FILES - 1 ? 1 : 1 + i);
        f->file.services->id = id;
    }
    began = clock();
    assert_true(gvs_claims_take(&c, &found, &fault));
    began = clock() - began;
    assert_int_equal(c.files[FILES - 1].bad, clash);
    assert_int_equal(c.files[FILES - 1].service_count, !clash);
    gvs_claims_free(&c);
    return (double)began / CLOCKS_PER_SEC;
}

static void
test_one_service_twice_in_many_files_keeps_nobody_waiting(void **state)
{
    double alone = seconds_to_take(false), clash = seconds_to_take(true);

    (void)state;
    if (clash > 10 * alone + 0.02)
        fail_msg("%.3f s, where nothing clashes %.3f s", clash, alone);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_word_arrives_in_order),
        TEST(test_each_mistake_names_its_line),
        TEST(test_a_check_is_read_with_its_defaults),
        TEST(test_another_check_is_a_change_and_so_is_its_line),
        TEST(test_a_check_by_tcp_needs_a_port),
        TEST(test_hints_survive_the_way_through_a_file),
        TEST(test_port_0_goes_with_persistence),
        TEST(test_a_bad_file_keeps_its_last_good_version),
        TEST(test_a_new_bad_file_claims_nothing),
        TEST(test_the_file_goes_the_claims_go),
        TEST(test_renaming_over_a_file_replaces_it),
        TEST(test_a_second_write_within_a_tick_is_seen),
        TEST(test_an_unchanged_file_is_not_read_again),
        TEST(test_a_bad_file_is_read_once),
        TEST(test_a_file_that_could_not_be_read_is_tried_again),
        TEST(test_only_files_that_end_in_conf_count),
        TEST(test_of_two_files_with_a_service_the_later_is_wrong),
        TEST(test_a_missing_directory_has_no_files),
        TEST(test_an_unreadable_directory_keeps_everything),
        TEST(test_a_file_cut_anywhere_is_refused_or_whole),
        TEST(test_no_byte_crashes_it),
        TEST(test_one_service_twice_in_many_files_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
