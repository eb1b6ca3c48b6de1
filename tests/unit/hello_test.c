/* unit/hello_test.c: hellos of real clients, and made ones: cut anywhere, in records and slices of any size,
 * with any bit turned; each thing that can be wrong with one; those that are none.
 *
 * hellos/ has what clients sent, in hex, with a line that says who it was. */

#include <stdio.h>

#include "alloc.h"
#include "base/prng.h"
#include "base/text.h"
#include "check_main.h"
#include "tls/hello.h"

Suite *hello_suite(void);
Suite *names_suite(void);

enum { BYTES_MAX = 140 * 1024 };
struct bytes {
    uint8_t at[BYTES_MAX];
    size_t len;
};

static void put(struct bytes *b, uint32_t value, size_t n)
{
    ck_assert_uint_le(b->len + n, BYTES_MAX);
    while (n-- > 0)
        b->at[b->len++] = (uint8_t)(value >> (8 * n));
}

static void put_bytes(struct bytes *b, const void *from, size_t len)
{
    ck_assert_uint_le(b->len + len, BYTES_MAX);
    if (len > 0)
        memcpy(b->at + b->len, from, len);
    b->len += len;
}

/* A place for a length of n bytes; filled by shut. */
static size_t open_vector(struct bytes *b, size_t n)
{
    put(b, 0, n);
    return b->len;
}

static void shut(struct bytes *b, size_t from, size_t n)
{
    size_t len = b->len - from;

    for (size_t i = 1; i <= n; i++, len >>= 8)
        b->at[from - i] = (uint8_t)len;
}

/* ---- the reader, fed in slices ---- */

struct feed {
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_chain chain;
};

static void feed_init(struct feed *f)
{
    memset(f, 0, sizeof *f);
    test_alloc_init(&f->alloc);
    gw_heap_init(&f->heap, &f->alloc.allocator, 0);
    gw_pool_init(&f->pool, &f->heap, 64, 1024);
    f->pool.lent_max = UINT32_MAX;
    gw_chain_init(&f->chain, &f->pool);
}

static void feed_fini(struct feed *f)
{
    gw_chain_clear(&f->chain);
    gw_pool_run_done(&f->pool);
    gw_pool_fini(&f->pool);
    test_alloc_fini(&f->alloc);
}

/* Slices of piece bytes each. */
static enum gw_tls_hello_fault look(struct feed *f, const uint8_t *at, size_t len, size_t piece,
                                    struct gw_tls_hello *out)
{
    enum gw_tls_hello_fault fault;

    memset(out, 0x5a, sizeof *out);
    for (size_t from = 0; from < len;) {
        size_t n = len - from < piece ? len - from : piece;
        struct gw_block *b = gw_block_lend(&f->pool, (gw_const_span){ at + from, n }, NULL, NULL,
                                           NULL);
        ck_assert_ptr_nonnull(b);
        ck_assert_int_eq(gw_chain_append(&f->chain, b, b->bytes, n), GW_OK);
        gw_block_unref(b);
        from += n;
    }
    fault = gw_tls_hello_read(&f->chain, out);
    ck_assert_uint_eq(f->chain.len, len);
    gw_chain_clear(&f->chain);
    gw_pool_run_done(&f->pool);
    return fault;
}

static bool is_same(const struct gw_tls_hello *a, const struct gw_tls_hello *b)
{
    return memcmp(a->name, b->name, sizeof a->name) == 0 && a->name_len == b->name_len &&
           a->has_1_2 == b->has_1_2 && a->has_1_3 == b->has_1_3 && a->has_alpn == b->has_alpn &&
           a->has_session_id == b->has_session_id && a->has_h2 == b->has_h2 &&
           a->has_h1 == b->has_h1 && a->can_rsa == b->can_rsa &&
           a->can_ecdsa_p256 == b->can_ecdsa_p256 && a->can_ecdsa_p384 == b->can_ecdsa_p384;
}

/* What holds of anything that was read. */
static void check_sane(enum gw_tls_hello_fault fault, const struct gw_tls_hello *h, size_t len)
{
    ck_assert_uint_le(fault, GW_TLS_HELLO_LONG);
    ck_assert_uint_le(h->len, len);
    ck_assert_uint_eq(strlen(h->name), h->name_len);
    ck_assert_uint_eq(strspn(h->name, "abcdefghijklmnopqrstuvwxyz0123456789-_."), h->name_len);
    if (fault == GW_TLS_HELLO_OLD) {
        ck_assert(!h->has_1_2 || h->len > 0);
    } else if (fault == GW_TLS_HELLO_WHOLE) {
        ck_assert_uint_gt(h->len, 40);
        ck_assert_uint_le(h->len, GW_TLS_HELLO_MAX);
        ck_assert(h->has_1_2 || h->has_1_3);
    } else {
        ck_assert(h->name_len == 0 && !h->has_1_2 && !h->has_1_3 && !h->has_alpn && !h->can_rsa);
    }
}

/* ---- hellos of real clients ---- */

enum {
    V12 = 1,
    V13 = 2,
    ALPN = 4,
    H2 = 8,
    H1 = 16,
    RSA = 32,
    P256 = 64,
    P384 = 128,
    ALL = RSA | P256 | P384
};
static const struct {
    const char *file, *name;
    unsigned says;
} clients[] = {
    { "curl", "a.example", V12 | V13 | ALPN | H2 | H1 | ALL },
    { "curl-ip", "", V12 | V13 | ALPN | H2 | H1 | ALL },
    { "curl-tls12", "a.example", V12 | ALPN | H2 | H1 | ALL },
    { "grpc", "grpc.example", V12 | V13 | ALPN | H2 | ALL },
    { "java", "java.example", V12 | V13 | ALL },
    { "node", "node.example", V12 | V13 | ALPN | H2 | ALL },
    { "openssl", "a.example", V12 | V13 | ALL },
    { "openssl-psk", "psk.example", V13 | ALPN | H2 | H1 | ALL },
    { "openssl-sigalgs", "a.example", V12 | V13 | P384 },
    { "openssl-tls12-ecdsa", "a.example", V12 | P384 },
    { "openssl-tls12-rsa", "", V12 | RSA },
    { "python", "py.example", V12 | V13 | ALPN | H1 | ALL },
};
enum { CLIENTS = sizeof clients / sizeof clients[0] };

static int hex_value(int c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c);

    return c == '\0' || at == NULL ? -1 : (int)(at - digits);
}

static void load(const char *name, struct bytes *out)
{
    char path[512], line[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/hellos/%s.hex", UNIT_SOURCE, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    out->len = 0;
    while (fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; line[0] != '#' && hex_value(line[i]) >= 0; i += 2)
            put(out, (uint32_t)(hex_value(line[i]) * 16 + hex_value(line[i + 1])), 1);
    fclose(file);
    ck_assert_uint_gt(out->len, 0);
}

static unsigned said(const struct gw_tls_hello *h)
{
    return (h->has_1_2 ? V12 : 0u) | (h->has_1_3 ? V13 : 0u) | (h->has_alpn ? ALPN : 0u) |
           (h->has_h2 ? H2 : 0u) | (h->has_h1 ? H1 : 0u) | (h->can_rsa ? RSA : 0u) |
           (h->can_ecdsa_p256 ? P256 : 0u) | (h->can_ecdsa_p384 ? P384 : 0u);
}

/* The same message, in records of at most n bytes. */
static void in_records(const struct bytes *from, size_t n, struct bytes *out)
{
    out->len = 0;
    for (size_t at = 5; at < from->len;) {
        size_t len = from->len - at < n ? from->len - at : n;
        put(out, 0x160301, 3);
        put(out, (uint32_t)len, 2);
        put_bytes(out, from->at + at, len);
        at += len;
    }
}

static struct bytes wire, other; /* large */

START_TEST(real_clients)
{
    struct gw_tls_hello h, again;
    struct feed f;

    feed_init(&f);
    load(clients[_i].file, &wire);
    ck_assert_int_eq(look(&f, wire.at, wire.len, wire.len, &h), GW_TLS_HELLO_WHOLE);
    ck_assert_str_eq(h.name, clients[_i].name);
    ck_assert_msg(said(&h) == clients[_i].says, "%s says %x", clients[_i].file, said(&h));
    ck_assert_uint_eq(h.len, wire.len);
    ck_assert(h.has_session_id == (wire.at[5 + 4 + 2 + 32] > 0));
    for (size_t cut = 0; cut < wire.len; cut++) /* every cut, in some slices */
        ck_assert_int_eq(look(&f, wire.at, cut, cut % 7 + 1, &again), GW_TLS_HELLO_MORE);
    for (size_t n = 1; n < wire.len; n += 1 + n / 8) { /* records, whatever their size */
        in_records(&wire, n, &other);
        for (size_t piece = 1; piece < 300; piece = piece * 3 + 1) {
            put(&other, 0x140303, 3); /* and something behind */
            ck_assert_int_eq(look(&f, other.at, other.len, piece, &again), GW_TLS_HELLO_WHOLE);
            other.len -= 3;
            ck_assert(is_same(&h, &again));
            ck_assert_uint_eq(again.len, other.len);
        }
        ck_assert_int_eq(look(&f, other.at, other.len - 1, 9, &again), GW_TLS_HELLO_MORE);
    }
    feed_fini(&f);
}
END_TEST

/* A verdict that is not MORE is the same however much follows, and does not depend on slices. */
static void check_steady(struct feed *f, const struct bytes *b, size_t cut)
{
    struct gw_tls_hello whole, part;
    enum gw_tls_hello_fault fault = look(f, b->at, b->len, b->len, &whole), early;

    check_sane(fault, &whole, b->len);
    ck_assert_int_eq(look(f, b->at, b->len, cut % 11 + 1, &part), fault);
    ck_assert(is_same(&whole, &part));
    early = look(f, b->at, cut, cut + 1, &part);
    check_sane(early, &part, cut);
    ck_assert_msg(early == GW_TLS_HELLO_MORE || early == fault, "%d, then %d", early, fault);
}

START_TEST(every_byte_changed)
{
    struct gw_prng prng = { .state = (uint64_t)_i + 1 };
    struct feed f;

    feed_init(&f);
    load(clients[_i].file, &wire);
    for (int split = 0; split < 2; split++) {
        if (split == 1) {
            in_records(&wire, 50, &other);
            wire = other;
        }
        for (size_t at = 0; at < wire.len; at++) {
            uint8_t kept = wire.at[at];
            uint8_t tries[] = { 0,
                                0xff,
                                (uint8_t)(kept + 1),
                                (uint8_t)(kept - 1),
                                (uint8_t)(kept ^ 0x80),
                                (uint8_t)gw_prng_next(&prng) };
            for (size_t i = 0; i < sizeof tries; i++) {
                wire.at[at] = tries[i];
                check_steady(&f, &wire, (size_t)gw_prng_below(&prng, wire.len));
            }
            wire.at[at] = kept;
        }
    }
    feed_fini(&f);
}
END_TEST

START_TEST(an_old_client)
{
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    load("openssl-tls11", &wire);
    ck_assert_int_eq(look(&f, wire.at, wire.len, 3, &h), GW_TLS_HELLO_OLD);
    ck_assert_uint_eq(h.len, wire.len);
    feed_fini(&f);
}
END_TEST

/* ---- made ones: one thing is as a row says ---- */

struct ext {
    uint32_t type;
    const char *body;
    size_t len;
};
#define EXT(type, body)                                                                            \
    {                                                                                              \
        type, "" body, sizeof(body) - 1                                                            \
    }
struct made {
    uint32_t version;   /* 0x0303                 */
    const char *suites; /* with their length      */
    size_t suites_len;
    const char *rest; /* compressions           */
    size_t rest_len;
    struct ext exts[4]; /* up to one without body */
    bool is_bare;       /* no extensions at all   */
};

static void make(const struct made *m, struct bytes *out)
{
    size_t record, message, all;

    out->len = 0;
    put(out, 0x160301, 3);
    record = open_vector(out, 2);
    put(out, 1, 1);
    message = open_vector(out, 3);
    put(out, m->version != 0 ? m->version : 0x0303, 2);
    for (uint32_t i = 0; i < 32; i++)
        put(out, i, 1);
    put(out, 0, 1);
    if (m->suites != NULL)
        put_bytes(out, m->suites, m->suites_len);
    else
        put_bytes(out, "\0\6\x13\1\xc0\x2b\xc0\x2f", 8);
    if (m->rest != NULL)
        put_bytes(out, m->rest, m->rest_len);
    else
        put_bytes(out, "\1\0", 2);
    if (!m->is_bare) {
        all = open_vector(out, 2);
        for (size_t i = 0; i < 4 && m->exts[i].body != NULL; i++) {
            put(out, m->exts[i].type, 2);
            put(out, (uint32_t)m->exts[i].len, 2);
            put_bytes(out, m->exts[i].body, m->exts[i].len);
        }
        shut(out, all, 2);
    }
    shut(out, message, 3);
    shut(out, record, 2);
}

#define SUITES(text) .suites = "" text, .suites_len = sizeof(text) - 1
#define REST(text) .rest = "" text, .rest_len = sizeof(text) - 1

START_TEST(what_is_said)
{
    static const struct {
        struct made made;
        const char *name;
        unsigned says;
    } rows[] = {
        { { .exts = { EXT(0, "\0\4\0\0\1A") } }, "a", V12 | RSA },
        { { .is_bare = true }, "", V12 | RSA },
        { { .is_bare = true, .version = 0x0304 }, "", V12 | RSA }, /* as if it were 1.2 */
        { { .version = 0x0301, .exts = { EXT(43, "\4\3\4\3\3") } }, "", V12 | V13 },
        { { .exts = { EXT(43, "\4\3\4\x7f\x1c") } }, "", V13 },
        { { .exts = { EXT(43, "\6\xaa\xaa\3\4\3\1") } }, "", V13 }, /* GREASE */
        { { .exts = { EXT(43, "\2\3\4"), EXT(13, "\0\2\4\1") } },
          "",
          V13 }, /* PKCS 1: not in 1.3 */
        { { .exts = { EXT(43, "\2\3\4"), EXT(13, "\0\2\x8\5") } }, "", V13 | RSA },
        { { .exts = { EXT(43, "\2\3\4"), EXT(13, "\0\2\4\3") } }, "", V13 | P256 },
        { { .exts = { EXT(43, "\2\3\4"), EXT(13, "\0\2\5\3") } }, "", V13 | P384 },
        { { .exts = { EXT(43, "\2\3\4"), EXT(13, "\0\2\2\1") } }, "", V13 }, /* SHA-1 */
        { { .exts = { EXT(13, "\0\2\4\1") } }, "", V12 | RSA },
        { { .exts = { EXT(13, "\0\2\x8\4") } }, "", V12 | RSA },
        { { .exts = { EXT(13, "\0\2\4\3"), EXT(10, "\0\2\0\x17") } }, "", V12 | P256 },
        { { .exts = { EXT(13, "\0\2\4\3"), EXT(10, "\0\2\0\x18") } }, "", V12 | P384 },
        { { .exts = { EXT(13, "\0\2\4\3"), EXT(10, "\0\2\0\x1d") } }, "", V12 },
        { { .exts = { EXT(13, "\0\2\4\1"), EXT(10, "\0\2\0\x17") } }, "", V12 | RSA },
        { { .exts = { EXT(10, "\0\4\0\x17\0\x18") } }, "", V12 | ALL },
        { { SUITES("\0\2\xc0\x2f"), .exts = { EXT(10, "\0\2\0\x17") } }, "", V12 | RSA },
        { { SUITES("\0\2\xcc\xa9"), .exts = { EXT(10, "\0\2\0\x17") } }, "", V12 | P256 },
        { { SUITES("\0\2\0\x2f"), .exts = { EXT(10, "\0\2\0\x17") } }, "", V12 },
        { { .exts = { EXT(16, "\0\x3\2h2") } }, "", V12 | RSA | ALPN | H2 },
        { { .exts = { EXT(16, "\0\xc\2h3\x8http/1.1") } }, "", V12 | RSA | ALPN | H1 },
        { { .exts = { EXT(16, "\0\xb\xahttp/1.1xx") } }, "", V12 | RSA | ALPN },
        { { .exts = { EXT(16, "\0\x2\1h") } }, "", V12 | RSA | ALPN },
        { { .exts = { EXT(0, "\0\x8\0\0\5Ab_-.") } }, "ab_-", V12 | RSA },
        { { .exts = { EXT(0, "\0\x8\7\0\1x\0\0\1a") } }, "a", V12 | RSA }, /* a type to come */
        { { .exts = { EXT(0, "\0\xb\0\0\x8"
                             "10.0.0.1") } },
          "",
          V12 | RSA },
        { { .exts = { EXT(0, "\0\6\0\0\3::1") } }, "", V12 | RSA },
        { { .exts = { EXT(0, "\0\x8\0\0\5[::1]") } }, "", V12 | RSA },
        { { .exts = { EXT(0x4469, "what"), EXT(41, "x") } }, "", V12 | RSA },
        { { REST("\2\1\0") }, "", V12 | RSA },
    };
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make(&rows[i].made, &wire);
        ck_assert_msg(look(&f, wire.at, wire.len, 5, &h) == GW_TLS_HELLO_WHOLE, "row %zu", i);
        ck_assert_str_eq(h.name, rows[i].name);
        ck_assert_msg(said(&h) == rows[i].says, "row %zu says %x", i, said(&h));
    }
    feed_fini(&f);
}
END_TEST

START_TEST(what_is_wrong)
{
    static const struct made rows[] = {
        { .exts = { EXT(0, "") } },                    /* no list */
        { .exts = { EXT(0, "\0\0") } },                /* an empty one */
        { .exts = { EXT(0, "\0\3\0\0\0") } },          /* an empty name */
        { .exts = { EXT(0, "\0\4\0\0\2a") } },         /* longer than what it lies in */
        { .exts = { EXT(0, "\0\5\0\0\1a") } },         /* so is the list */
        { .exts = { EXT(0, "\0\4\0\0\1ab") } },        /* something behind the list */
        { .exts = { EXT(0, "\0\x8\0\0\1a\0\0\1b") } }, /* two names */
        { .exts = { EXT(0, "\0\5\0\0\2a\0") } },       /* bytes of no name */
        { .exts = { EXT(0, "\0\5\0\0\2a ") } },
        { .exts = { EXT(0, "\0\5\0\0\2a/") } },
        { .exts = { EXT(0, "\0\6\0\0\3*.a") } },
        { .exts = { EXT(0, "\0\5\0\0\2\xc3\xa4") } },
        { .exts = { EXT(0, "\0\4\0\0\1.") } },
        { .exts = { EXT(0, "\0\5\0\0\2.a") } },
        { .exts = { EXT(0, "\0\6\0\0\3a..") } },
        { .exts = { EXT(0, "\0\7\0\0\4a..b") } },
        { .exts = { EXT(0, "\0\4\0\0\1a"), EXT(0, "\0\4\0\0\1a") } }, /* twice */
        { .exts = { EXT(0x4469, ""), EXT(0x4469, "") } },
        { .exts = { EXT(41, ""), EXT(7, "") } }, /* not the last one */
        { .exts = { EXT(16, "\0\0") } },
        { .exts = { EXT(16, "\0\1\0") } },
        { .exts = { EXT(16, "\0\3\3h2") } },
        { .exts = { EXT(16, "\0\3\2h2x") } },
        { .exts = { EXT(43, "\0") } },
        { .exts = { EXT(43, "\3\3\4\3") } },
        { .exts = { EXT(43, "\2\3\4\3") } },
        { .exts = { EXT(13, "\0\0") } },
        { .exts = { EXT(13, "\0\3\4\3\4") } },
        { .exts = { EXT(50, "\0\0") } },
        { .exts = { EXT(50, "\0\3\4\3\4") } },
        { .exts = { EXT(10, "\0\0") } },
        { .exts = { EXT(10, "\0\3\0\x17\0") } },
        { SUITES("\0\0") },
        { SUITES("\0\1\x13") },
        { SUITES("\0\3\x13\1\xc0") },
        { REST("\0") },
        { REST("\1\1") },
        { .is_bare = true, REST("\1\0\0") },    /* half a length of extensions */
        { .is_bare = true, REST("\1\0\0\1") },  /* more of them than there are */
        { .is_bare = true, REST("\1\0\0\0x") }, /* fewer */
        { .is_bare = true, REST("\1\0\0\4\0\7\0\1") },
        { .is_bare = true, REST("\1\0\0\3\0\7\0") },
        { .version = 0x0203 },
        { .version = 0xfefd }, /* that of datagrams */
    };
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make(&rows[i], &wire);
        ck_assert_msg(look(&f, wire.at, wire.len, 5, &h) == GW_TLS_HELLO_BROKEN, "row %zu", i);
        ck_assert_uint_eq(h.name_len, 0);
    }
    feed_fini(&f);
}
END_TEST

START_TEST(nothing_newer)
{
    static const struct made rows[] = {
        { .version = 0x0300 },
        { .version = 0x0301 },
        { .version = 0x0302, .exts = { EXT(0, "\0\4\0\0\1a") } },
        { .exts = { EXT(43, "\4\3\2\3\1") } },
        { .exts = { EXT(43, "\2\xaa\xaa") } },
        { .version = 0x0300, .exts = { EXT(43, "\2\3\4") } }, /* RFC 8446 D.5 */
    };
    static const uint8_t ssl2[] = { 0x80, 0x2e, 1, 0, 2, 0, 0x15 },
                         as_ssl2[] = { 0x80, 0x2e, 1, 3, 1 };
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make(&rows[i], &wire);
        ck_assert_msg(look(&f, wire.at, wire.len, 5, &h) == GW_TLS_HELLO_OLD, "row %zu", i);
        ck_assert_uint_eq(h.len, wire.len);
        ck_assert_str_eq(h.name, i == 2 ? "a" : "");
    }
    ck_assert_int_eq(look(&f, ssl2, sizeof ssl2, 1, &h), GW_TLS_HELLO_OLD);
    ck_assert_uint_eq(h.len, 0);
    ck_assert_int_eq(look(&f, as_ssl2, 5, 1, &h), GW_TLS_HELLO_OLD);
    ck_assert_int_eq(look(&f, as_ssl2, 4, 1, &h), GW_TLS_HELLO_MORE);
    feed_fini(&f);
}
END_TEST

START_TEST(others_speak)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum gw_tls_hello_fault fault;
    } rows[] = {
#define ROW(text, fault) { text, sizeof(text) - 1, GW_TLS_HELLO_##fault }
        ROW("", MORE),
        ROW("G", MORE),
        ROW("GET", MORE),
        ROW("GET ", HTTP),
        ROW("GET / HTTP/1.1\r\n", HTTP),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP),
        ROW("M-SEARCH * HTTP/1.1\r\n", HTTP),
        ROW("UPDATEREDIRECTREF /", HTTP),
        ROW("AAAAAAAAAAAAAAAAAAAA", MORE),
        ROW("AAAAAAAAAAAAAAAAAAAAA", NOT_TLS),
        ROW(" GET", NOT_TLS),
        ROW("get /", NOT_TLS),
        ROW("SSH-2.0-x", NOT_TLS),
        ROW("\r\n", NOT_TLS),
        ROW("\0", NOT_TLS),
        ROW("\x15\3\1\0\2\1\0", NOT_TLS),
        ROW("\x16", MORE),
        ROW("\x16\2", NOT_TLS),
        ROW("\x16\x3\x1", MORE),
        ROW("\x16\x3\x1\0\0", BROKEN), /* an empty record */
        ROW("\x16\x3\x1\x40\0", MORE),
        ROW("\x16\x3\x1\x40\1", BROKEN),     /* a longer one than there may be */
        ROW("\x16\x3\x1\0\1\2", BROKEN),     /* a ServerHello */
        ROW("\x16\x3\x1\0\1\1\x17", BROKEN), /* goes on in another type of record */
        ROW("\x16\x3\x1\0\1\1\x16\2", BROKEN),
        ROW("\x16\x3\x1\0\4\1\0\x3f\xff", LONG),
        ROW("\x16\x3\x1\0\4\1\0\x3f\xf7", MORE),
        ROW("\x16\x3\x1\0\4\1\0\x3f\xf8", LONG),
        ROW("\x16\x3\x1\0\6\1\0\0\0", BROKEN), /* behind an empty one something follows */
        ROW("\x16\x3\x1\0\4\1\0\0\0", BROKEN),
        ROW("\x80\x2e", MORE),
        ROW("\x80\x2e\2", NOT_TLS),
        ROW("\x80\x2e\1\2\1", NOT_TLS),
        ROW("\x80\x2e\1\0\1", NOT_TLS),
#undef ROW
    };
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t piece = 1; piece < 4; piece++)
            ck_assert_msg(look(&f, (const uint8_t *)rows[i].bytes, rows[i].len, piece, &h) ==
                              rows[i].fault,
                          "row %zu", i);
    feed_fini(&f);
}
END_TEST

/* A name of 253 bytes, and one more; a label of 63, and one more. */
START_TEST(names_up_to_their_bounds)
{
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (size_t len = 252; len <= 255; len++)
        for (size_t label = 63; label <= 64; label++) {
            char body[300] = { 0 };
            struct made made = { .exts = { { 0, body, len + 5 } } };
            bool is_one = len <= 253 && label == 63;
            body[0] = (char)((len + 3) >> 8);
            body[1] = (char)(len + 3);
            body[4] = (char)len;
            for (size_t i = 0; i < len; i++)
                body[5 + i] = i % (label + 1) == label ? '.' : 'x';
            if (len == 255) { /* 253 and a dot too many */
                body[5 + 253] = '.';
                body[5 + 254] = '.';
            }
            make(&made, &wire);
            ck_assert_int_eq(look(&f, wire.at, wire.len, 64, &h),
                             is_one ? GW_TLS_HELLO_WHOLE : GW_TLS_HELLO_BROKEN);
            ck_assert_uint_eq(h.name_len, is_one ? len : 0);
        }
    feed_fini(&f);
}
END_TEST

START_TEST(as_many_extensions_as_there_may_be)
{
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    for (uint32_t n = 64; n <= 65; n++) {
        static char rest[400];
        struct made made = { .is_bare = true, .rest = rest, .rest_len = 4 + 4 * (size_t)n };
        memset(rest, 0, sizeof rest);
        rest[0] = 1;
        rest[2] = (char)((4 * n) >> 8);
        rest[3] = (char)(4 * n);
        for (uint32_t i = 0; i < n; i++) {
            rest[4 + 4 * i] = 0x33;
            rest[5 + 4 * i] = (char)i;
        }
        make(&made, &wire);
        ck_assert_int_eq(look(&f, wire.at, wire.len, 5, &h),
                         n == 64 ? GW_TLS_HELLO_WHOLE : GW_TLS_HELLO_BROKEN);
    }
    feed_fini(&f);
}
END_TEST

/* As long as one may be, in one record and in the smallest. */
START_TEST(the_longest)
{
    static char rest[GW_TLS_HELLO_MAX];
    struct made made = { .is_bare = true, .rest = rest };
    struct gw_tls_hello h;
    struct feed f;

    feed_init(&f);
    memset(rest, 0, sizeof rest);
    for (size_t records = 1; records <= 2; records++) {
        size_t head = 5 + 4 + 2 + 32 + 1 + 8 + 2, len = GW_TLS_HELLO_MAX - head - 2;
        for (size_t over = 0; over <= 1; over++) {
            size_t exts = len + over - (records - 1) * 5;
            made.rest_len = 4 + exts;
            rest[0] = 1;
            rest[2] = (char)(exts >> 8);
            rest[3] = (char)exts;
            rest[4] = 0x33;
            rest[6] = (char)((exts - 4) >> 8);
            rest[7] = (char)(exts - 4);
            make(&made, &wire);
            if (records == 2) {
                in_records(&wire, 9000, &other);
                wire = other;
            }
            ck_assert_uint_eq(wire.len, GW_TLS_HELLO_MAX + over);
            ck_assert_int_eq(look(&f, wire.at, wire.len, 1000, &h),
                             over ? GW_TLS_HELLO_LONG : GW_TLS_HELLO_WHOLE);
            ck_assert_int_eq(look(&f, wire.at, wire.len - 1 - over, 1000, &h),
                             over && records == 1 ? GW_TLS_HELLO_LONG
                             : over               ? GW_TLS_HELLO_LONG
                                                  : GW_TLS_HELLO_MORE);
        }
    }
    /* Who sends a byte a record is not waited for without end. */
    load("curl", &other);
    in_records(&other, 1, &wire);
    ck_assert_int_eq(look(&f, wire.at, wire.len, 1000, &h), GW_TLS_HELLO_WHOLE);
    made.rest_len = 4 + 3000;
    rest[2] = (char)(3000 >> 8);
    rest[3] = (char)3000;
    rest[6] = (char)(2996 >> 8);
    rest[7] = (char)2996;
    make(&made, &other);
    in_records(&other, 1, &wire);
    ck_assert_int_eq(look(&f, wire.at, wire.len, 1000, &h), GW_TLS_HELLO_LONG);
    ck_assert_int_eq(look(&f, wire.at, GW_TLS_HELLO_MAX, 1000, &h), GW_TLS_HELLO_LONG);
    feed_fini(&f);
}
END_TEST

/* Random bytes behind a good beginning, cut and sliced at random. */
START_TEST(noise)
{
    struct gw_prng prng = { .state = 77 };
    struct feed f;

    feed_init(&f);
    for (int round = 0; round < 3000; round++) {
        size_t from = 0;
        load(clients[gw_prng_below(&prng, CLIENTS)].file, &wire);
        if (gw_prng_below(&prng, 2) == 0) {
            in_records(&wire, 1 + (size_t)gw_prng_below(&prng, 60), &other);
            wire = other;
        }
        from = (size_t)gw_prng_below(&prng, wire.len);
        for (uint64_t n = gw_prng_below(&prng, 8); n > 0; n--)
            wire.at[from + (size_t)gw_prng_below(&prng, wire.len - from)] = (uint8_t)gw_prng_next(
                &prng);
        check_steady(&f, &wire, (size_t)gw_prng_below(&prng, wire.len));
    }
    feed_fini(&f);
}
END_TEST

Suite *hello_suite(void)
{
    Suite *s = suite_create("hello");

    check_add_loop(s, real_clients, 0, CLIENTS);
    check_add_loop(s, every_byte_changed, 0, CLIENTS);
    check_add(s, an_old_client);
    check_add(s, what_is_said);
    check_add(s, what_is_wrong);
    check_add(s, nothing_newer);
    check_add(s, others_speak);
    check_add(s, names_up_to_their_bounds);
    check_add(s, as_many_extensions_as_there_may_be);
    check_add(s, the_longest);
    check_add(s, noise);
    return s;
}

CHECK_MAIN(hello_suite, names_suite)
