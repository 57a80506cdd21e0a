/* net/keyring.c: a line is cut into words, the words are judged. What a fault says never quotes the
 * line: a key that was broken by a stray space would be half in the log. */
#include "net/keyring.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct word {
    const char *p;
    size_t len;
};

__attribute__((format(printf, 3, 4))) static int
complain(struct gvs_keyring_fault *fault, size_t line, const char *format, ...)
{
    va_list ap;

    fault->line = line;
    va_start(ap, format);
    vsnprintf(fault->text, sizeof fault->text, format, ap);
    va_end(ap);
    return GVS_E_MALFORMED;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line at *p, which ends at `end`; empty at a note or at the end. */
static struct word
take_word(const char **p, const char *end)
{
    struct word w;

    while (*p < end && is_blank(**p))
        ++*p;
    w.p = *p;
    if (*p < end && **p == '#')
        *p = end;
    w.len = 0;
    while (*p < end && !is_blank(**p)) {
        ++*p;
        w.len++;
    }
    return w;
}

static bool
word_is(struct word w, const char *text)
{
    return w.len == strlen(text) && memcmp(w.p, text, w.len) == 0;
}

static int
add_key(struct gvs_keyring *k, const struct word *w, size_t line, struct gvs_keyring_fault *fault)
{
    static const uint8_t zero[GVS_KEY_SECRET_LEN];
    struct gvs_keyring_key *key = &k->key[k->count];

    if (k->count == GVS_KEYRING_MAX)
        return complain(fault, line, "more than %d keys", GVS_KEYRING_MAX);
    if (w->len != 44)
        return complain(fault, line, "%zu characters, a key has 44", w->len);
    if (gvs_crypto_key_parse(key->psk, w->p, w->len) < 0)
        return complain(fault, line, "not the base64 of 32 bytes");
    if (gvs_crypto_equal(key->psk, zero, sizeof zero))
        return complain(fault, line, "a key of zeros is not a secret");
    for (size_t i = 0; i < k->count; i++)
        if (gvs_crypto_equal(k->key[i].psk, key->psk, sizeof key->psk))
            return complain(fault, line, "the same key a second time");
    gvs_keyring_derive(key);
    k->count++;
    return GVS_OK;
}

/* What follows the # of a line, without the blanks around it. Neither a key nor a role has a #. */
static void
take_note(char note[static GVS_KEYRING_NOTE_MAX + 1], const char *p, const char *end)
{
    const char *hash = memchr(p, '#', (size_t)(end - p));
    size_t len = 0;

    for (p = hash ? hash + 1 : end; p < end && is_blank(*p); p++)
        continue;
    while (p < end && is_blank(end[-1]))
        end--;
    for (; p < end && len < GVS_KEYRING_NOTE_MAX; p++)
        note[len++] = *p;
    for (size_t i = 0; i < len; i++)
        if (note[i] < ' ' || note[i] > '~')
            note[i] = '?';
    note[len] = 0;
}

static int
parse_line(struct gvs_keyring *k, bool *has_primary, const char *p, const char *end, size_t line,
           struct gvs_keyring_fault *fault)
{
    const char *begin = p;
    struct word key = take_word(&p, end), role = take_word(&p, end), rest = take_word(&p, end);
    int rc;

    if (key.len == 0)
        return GVS_OK;
    rc = add_key(k, &key, line, fault);
    if (rc < 0)
        return rc;
    if (!word_is(role, "primary") && !word_is(role, "accept"))
        return complain(fault, line, "primary or accept expected after the key");
    if (rest.len != 0)
        return complain(fault, line, "only a note, after #, may follow");
    take_note(k->key[k->count - 1].note, begin, end);
    if (word_is(role, "accept"))
        return GVS_OK;
    if (*has_primary)
        return complain(fault, line, "a second primary key");
    *has_primary = true;
    k->primary = k->count - 1;
    return GVS_OK;
}

static int
parse_text(struct gvs_keyring *k, const char *text, size_t len, struct gvs_keyring_fault *fault)
{
    const char *end = text + len, *p = text;
    bool has_primary = false;

    for (size_t line = 1; p < end; line++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        int rc = parse_line(k, &has_primary, p, eol ? eol : end, line, fault);

        if (rc < 0)
            return rc;
        p = eol ? eol + 1 : end;
    }
    if (k->count == 0)
        return complain(fault, 0, "no key");
    if (!has_primary)
        return complain(fault, 0, "no key is primary");
    return GVS_OK;
}

int
gvs_keyring_parse(struct gvs_keyring *out, const char *text, size_t len,
                  struct gvs_keyring_fault *fault)
{
    int rc;

    *out = (struct gvs_keyring){0};
    *fault = (struct gvs_keyring_fault){0};
    rc = parse_text(out, text, len, fault);
    if (rc < 0)
        gvs_keyring_wipe(out);
    return rc;
}

void
gvs_keyring_wipe(struct gvs_keyring *k)
{
    gvs_crypto_wipe(k, sizeof *k);
}

void
gvs_keyring_derive(struct gvs_keyring_key *key)
{
    key->id = gvs_crypto_key_id(key->psk);
    gvs_crypto_mac1_key(key->mac1, key->psk);
    gvs_crypto_cookie_key(key->cookie, key->psk);
}

const struct gvs_keyring_key *
gvs_keyring_find(const struct gvs_keyring *k, uint64_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->key[i].id == id)
            return &k->key[i];
    return NULL;
}
