/* test/fuzz/fuzz.h: what the fuzz targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput, for one entry of foreign bytes. tools/fuzz
 * links it with libFuzzer; ctest links it with replay.c, which runs the corpus and needs no clang.
 * What must hold is checked by must(): a crash is what a fuzzer can see.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *b, size_t len);

#define must(cond)                                                             \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* An input, taken from the front; what is not there any more is zero. */
struct feed {
    const uint8_t *at, *end;
};

static inline size_t
feed_left(const struct feed *f)
{
    return (size_t)(f->end - f->at);
}

static inline uint8_t
feed_byte(struct feed *f)
{
    return f->at < f->end ? *f->at++ : 0;
}

static inline uint16_t
feed_16(struct feed *f)
{
    uint8_t high = feed_byte(f);

    return (uint16_t)(high << 8 | feed_byte(f));
}

static inline void
feed_copy(struct feed *f, void *out, size_t len)
{
    size_t have = feed_left(f) < len ? feed_left(f) : len;

    memset(out, 0, len);
    if (have > 0)
        memcpy(out, f->at, have);
    f->at += have;
}

/* A piece of an input in a block of its very size, so that the sanitizer sees a step beyond it: two
 * bytes of length, then the bytes. To be freed. */
static inline uint8_t *
feed_piece(struct feed *f, size_t max, size_t *len)
{
    size_t n = feed_16(f);
    uint8_t *b;

    n = n < max ? n : max;
    n = n < feed_left(f) ? n : feed_left(f);
    b = malloc(n > 0 ? n : 1);
    must(b);
    feed_copy(f, b, n);
    *len = n;
    return b;
}

/* The whole of an input as text, ended by a 0. To be freed. */
static inline char *
feed_text(const uint8_t *b, size_t len)
{
    char *text = malloc(len + 1);

    must(text);
    if (len > 0)
        memcpy(text, b, len);
    text[len] = '\0';
    return text;
}
