/* unit/buf_test.h: the suites of unit-buf, and a byte array as the model of a chain. */
#ifndef UNIT_BUF_TEST_H
#define UNIT_BUF_TEST_H

#include "check_main.h"

#include <string.h>

#include "alloc.h"
#include "base/prng.h"
#include "buf/chain.h"

Suite *block_suite(void);
Suite *chain_suite(void);
Suite *pipe_suite(void);

/* Blocks are small here, so that every border is met often. */
enum { BLOCK = 64, BYTES_MAX = 16384 };
struct bytes {
    uint8_t at[BYTES_MAX];
    size_t len;
};

static inline void bytes_add(struct bytes *b, const uint8_t *from, size_t len)
{
    ck_assert_uint_le(b->len + len, BYTES_MAX);
    if (len > 0)
        memcpy(b->at + b->len, from, len);
    b->len += len;
}

static inline void bytes_drop(struct bytes *b, size_t len)
{
    ck_assert_uint_le(len, b->len);
    memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
}

/* The chain is whole and holds just these bytes. */
static inline void bytes_compare(const struct bytes *b, const struct gw_chain *c)
{
    static uint8_t out[BYTES_MAX + 1];
    ck_assert(gw_chain_check(c));
    ck_assert_uint_eq(c->len, b->len);
    ck_assert_uint_eq(gw_chain_read(c, 0, out, sizeof out), b->len);
    ck_assert(memcmp(out, b->at, b->len) == 0);
}

static inline void random_bytes(struct gw_prng *prng, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)gw_prng_next(prng);
}

static inline void count_done(void *ctx, void *object)
{
    (void)object;
    ++*(int *)ctx;
}

#endif
