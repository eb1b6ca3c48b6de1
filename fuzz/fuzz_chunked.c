/* fuzz/fuzz_chunked.c: the chunked coding against a plain decoder of the whole text, fed whole, byte
 * by byte and in pieces. What the plain one takes must give the same bytes, and leave the same rest;
 * what it refuses must be refused. */

#include "fuzz.h"

#include "base/prng.h"
#include "h1/body.h"

enum { BLOCK = 1024, BODY_MAX = 8192, TRAILER_MAX = 300, FIELDS_MAX = 5 };

enum verdict { WHOLE, PART, BAD };
struct result {
    enum verdict verdict;
    char body[BODY_MAX];
    size_t len;
    size_t taken; /* of the input, if whole */
};

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The line at the start of s, at most max bytes with its CRLF; PART: not whole yet. It is looked at when it is whole:
 * then CR may stand nowhere else. */
static enum verdict take_line(gw_str s, size_t max, gw_str *out)
{
    size_t lf = gw_str_find(s, '\n');
    if (lf == s.len)
        return s.len >= max ? BAD : PART;
    if (lf == 0 || lf + 1 > max || gw_str_find(s, '\r') != lf - 1)
        return BAD;
    *out = gw_str_slice(s, 0, lf - 1);
    return WHOLE;
}

static bool is_size_line(gw_str line, uint64_t *size)
{
    size_t n = 0;
    while (n < line.len && is_hex(line.ptr[n]))
        n++;
    if (n > 16 || !hex_number(gw_str_slice(line, 0, n), size))
        return false;
    if (*size > GW_H1_CHUNK_MAX || (n < line.len && line.ptr[n] != ';'))
        return false;
    for (size_t i = n; i < line.len; i++)
        if (((uint8_t)line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return false;
    return true;
}

/* Framing alone: whether a trailer line is a field is not its matter. */
static void decode_plain(gw_str s, struct result *out)
{
    gw_str line;
    size_t all = s.len;
    uint64_t size;
    *out = (struct result){ .verdict = PART };
    for (;;) {
        out->verdict = take_line(s, GW_H1_CHUNK_LINE_MAX, &line);
        if (out->verdict != WHOLE)
            return;
        if (!is_size_line(line, &size)) {
            out->verdict = BAD;
            return;
        }
        s = gw_str_slice(s, line.len + 2, s.len);
        if (size == 0)
            break;
        size_t n = size < s.len ? (size_t)size : s.len;
        memcpy(out->body + out->len, s.ptr, n);
        out->len += n;
        s = gw_str_slice(s, n, s.len);
        if (n < size || s.len == 0) {
            out->verdict = PART;
            return;
        }
        if (s.ptr[0] != '\r' || (s.len > 1 && s.ptr[1] != '\n')) {
            out->verdict = BAD;
            return;
        }
        if (s.len < 2) {
            out->verdict = PART;
            return;
        }
        s = gw_str_slice(s, 2, s.len);
    }
    do {
        out->verdict = take_line(s, SIZE_MAX, &line);
        if (out->verdict != WHOLE)
            return;
        s = gw_str_slice(s, line.len + 2, s.len);
    } while (line.len > 0);
    out->taken = all - s.len;
}

static void drain(struct gw_pipe *pipe, struct result *out)
{
    gw_const_span span;
    while (gw_pipe_peek(pipe, &span, 1) > 0) {
        CHECK(out->len + span.len <= BODY_MAX);
        memcpy(out->body + out->len, span.ptr, span.len);
        out->len += span.len;
        CHECK(gw_pipe_drop(pipe, span.len) == GW_OK);
    }
}

/* The code under test. cut as in side_feed. Returns its reason. */
static enum gw_reason_id decode(gw_str s, uint64_t cut, struct result *out)
{
    uint64_t live;
    gw_allocator allocator = fuzz_allocator(&live);
    struct gw_prng prng = { cut };
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_chain rx;
    struct gw_pipe pipe;
    struct gw_message trailers;
    struct gw_arena arena;
    struct gw_h1_body body;
    static char memory[16384];
    struct gw_h1_body_target target = { &pipe, &trailers, TRAILER_MAX };
    size_t scanned = 0, all = s.len;
    enum gw_reason_id reason = GW_REASON_none;
    gw_heap_init(&heap, &allocator, 0);
    gw_pool_init(&pool, &heap, BLOCK, 1 << 16);
    gw_chain_init(&rx, &pool);
    gw_pipe_init(&pipe, &pool, cut == 0 ? 1 << 20 : 7);
    gw_arena_init(&arena, memory, sizeof memory, NULL, SIZE_MAX);
    gw_message_init(&trailers, GW_MESSAGE_TRAILERS, &arena, FIELDS_MAX);
    gw_h1_body_start(&body, GW_H1_BODY_CHUNKED, 0);
    *out = (struct result){ .verdict = PART };
    while (s.len > 0 && reason == GW_REASON_none) {
        size_t n = cut == 0 ? s.len : cut == 1 ? 1 : 1 + gw_prng_below(&prng, 30), before;
        n = n < s.len ? n : s.len;
        CHECK(gw_chain_write(&rx, s.ptr, n) == GW_OK);
        s = gw_str_slice(s, n, s.len);
        do {
            before = rx.len;
            reason = gw_h1_body_read(&body, &rx, &scanned, &target);
            drain(&pipe, out);
        } while (reason == GW_REASON_none && rx.len > 0 && rx.len < before);
    }
    if (reason != GW_REASON_none)
        out->verdict = BAD;
    else if (gw_h1_body_is_whole(&body))
        out->verdict = WHOLE;
    out->taken = all - rx.len - s.len;
    gw_chain_clear(&rx);
    gw_pipe_fini(&pipe);
    gw_arena_fini(&arena);
    gw_pool_fini(&pool);
    CHECK(heap.used == 0 && live == 0);
    return reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct result plain, whole, cut;
    struct fuzz_input in = { bytes, len };
    gw_str text = fuzz_rest(&in);
    if (text.len > 4096)
        return 0;
    decode_plain(text, &plain);
    enum gw_reason_id reason = decode(text, 0, &whole);
    /* Trailers that are no fields, or too many, are refused by other rules. */
    bool is_trailer = reason == GW_REASON_bad_field || reason == GW_REASON_head_too_large;
    if (!is_trailer) {
        CHECK(whole.verdict == plain.verdict);
        CHECK(whole.verdict == BAD ||
              (whole.len == plain.len && memcmp(whole.body, plain.body, plain.len) == 0));
        CHECK(whole.verdict != WHOLE || whole.taken == plain.taken);
    }
    for (uint64_t seed = 1; seed < 4; seed++) {
        CHECK(decode(text, seed, &cut) == reason);
        CHECK(cut.verdict == whole.verdict && cut.len == whole.len);
        CHECK(memcmp(cut.body, whole.body, whole.len) == 0);
        CHECK(cut.verdict != WHOLE || cut.taken == whole.taken);
    }
    return 0;
}
