/* fuzz/fuzz_hello.c: what a TLS client says first. The first byte says how large slices are, the second where
 * the wire is cut for a look before the rest came; then the wire. A verdict does not depend on slices, and
 * once there is one it stays. */

#include "fuzz.h"

#include "base/heap.h"
#include "tls/hello.h"

static enum gw_tls_hello_fault look(struct gw_pool *pool, const uint8_t *at, size_t len,
                                    size_t piece, struct gw_tls_hello *out)
{
    enum gw_tls_hello_fault fault;
    struct gw_chain chain;

    gw_chain_init(&chain, pool);
    for (size_t from = 0; from < len; from += piece) {
        size_t n = len - from < piece ? len - from : piece;
        struct gw_block *b = gw_block_lend(pool, (gw_const_span){ at + from, n }, NULL, NULL, NULL);
        CHECK(b != NULL && gw_chain_append(&chain, b, b->bytes, n) == GW_OK);
        gw_block_unref(b);
    }
    fault = gw_tls_hello_read(&chain, out);
    CHECK(chain.len == len);
    gw_chain_clear(&chain);
    gw_pool_run_done(pool);
    return fault;
}

static void check_sane(enum gw_tls_hello_fault fault, const struct gw_tls_hello *h, size_t len)
{
    CHECK(fault <= GW_TLS_HELLO_LONG && h->len <= len && h->len <= GW_TLS_HELLO_MAX);
    CHECK(strlen(h->name) == h->name_len);
    CHECK(strspn(h->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == h->name_len);
    if (fault != GW_TLS_HELLO_OLD)
        CHECK(fault == GW_TLS_HELLO_WHOLE ? h->has_1_2 || h->has_1_3 : h->name_len == 0);
    CHECK(h->has_alpn || (!h->has_h1 && !h->has_h2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    size_t piece = (size_t)fuzz_byte(&in) + 1, cut = fuzz_byte(&in);
    struct gw_tls_hello one, other;
    enum gw_tls_hello_fault fault, early;
    gw_allocator allocator;
    struct gw_heap heap;
    struct gw_pool pool;
    uint64_t live;

    allocator = fuzz_allocator(&live);
    gw_heap_init(&heap, &allocator, 0);
    gw_pool_init(&pool, &heap, 64, 64);
    pool.lent_max = UINT32_MAX;
    cut = in.len * cut / 256;
    fault = look(&pool, in.at, in.len, in.len + 1, &one);
    check_sane(fault, &one, in.len);
    CHECK(look(&pool, in.at, in.len, piece, &other) == fault);
    CHECK(strcmp(one.name, other.name) == 0 && one.len == other.len);
    early = look(&pool, in.at, cut, piece, &other);
    check_sane(early, &other, cut);
    CHECK(early == GW_TLS_HELLO_MORE || early == fault);
    gw_pool_fini(&pool);
    CHECK(live == 0);
    return 0;
}
