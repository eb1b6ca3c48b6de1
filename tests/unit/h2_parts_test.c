/* What HTTP/2 is made of: its pool of cells against a plain model, the bytes a connection takes, and
 * what happens when single cells run out. */

#include "h2/session.h"
#include "h2_rig.h"

#include "check_main.h"

Suite *h2_parts_suite(void);

START_TEST(cells)
{
    struct gw_prng prng = { (uint64_t)_i };
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_h2_memory m;
    struct piece {
        uint8_t *ptr;
        size_t size;
        uint8_t fill;
    } pieces[64] = { { NULL, 0, 0 } };
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_h2_memory_init(&m, &heap, 1 << 20);
    for (int n = 0; n < 5000; n++) {
        struct piece *p = &pieces[gw_prng_below(&prng, 64)];
        size_t size = (size_t)gw_prng_below(&prng, n % 50 == 0 ? 30000 : 700);
        for (size_t k = 0; k < p->size; k++)
            ck_assert_uint_eq(p->ptr[k], p->fill);
        if (p->ptr != NULL && gw_prng_below(&prng, 3) > 0) {
            gw_h2_memory_give(&m, p->ptr);
            *p = (struct piece){ NULL, 0, 0 };
            continue;
        }
        size_t kept = size < p->size ? size : p->size;
        uint8_t *ptr = gw_h2_memory_retake(&m, p->ptr, size);
        if (ptr == NULL)
            continue;
        ck_assert_uint_eq((uintptr_t)ptr % 16, 0);
        for (size_t k = 0; k < kept; k++)
            ck_assert_uint_eq(ptr[k], p->fill);
        *p = (struct piece){ ptr, size, (uint8_t)n };
        memset(ptr, (uint8_t)n, size);
    }
    ck_assert_uint_le(m.bytes, m.bytes_max);
    for (size_t i = 0; i < 64; i++)
        gw_h2_memory_give(&m, pieces[i].ptr);
    gw_h2_memory_fini(&m);
    test_alloc_fini(&alloc);
}
END_TEST

START_TEST(cells_come_back)
{
    struct test_alloc alloc;
    struct gw_heap heap;
    struct gw_h2_memory m;
    test_alloc_init(&alloc);
    gw_heap_init(&heap, &alloc.allocator, 0);
    gw_h2_memory_init(&m, &heap, 40000);
    ck_assert_ptr_null(gw_h2_memory_take(&m, SIZE_MAX));
    ck_assert_ptr_null(gw_h2_memory_take(&m, 50000));
    void *large = gw_h2_memory_take(&m, 20000), *more;
    ck_assert_ptr_nonnull(large);
    ck_assert_ptr_null(gw_h2_memory_take(&m, 20000));
    gw_h2_memory_give(&m, large);
    /* A steady state asks the allocator for nothing. */
    for (int n = 0; n < 3; n++) {
        void *a = gw_h2_memory_take(&m, 100), *b = gw_h2_memory_take(&m, 2000);
        uint64_t calls = alloc.calls;
        gw_h2_memory_give(&m, a);
        gw_h2_memory_give(&m, b);
        more = gw_h2_memory_take(&m, 90);
        ck_assert_ptr_eq(more, a);
        gw_h2_memory_give(&m, more);
        ck_assert_uint_eq(alloc.calls, calls);
    }
    gw_h2_memory_fini(&m);
    test_alloc_fini(&alloc);
}
END_TEST

static uint64_t bytes_of(const struct rig_side *side)
{
    return side->shared->memory.bytes;
}

/* Tables filled with what costs most: many tiny entries, both ways. */
static void fill_tables(struct rig *rig)
{
    char name[] = "a", value[] = "00";
    for (int i = 0; i < 6; i++) {
        struct rig_stream *c = rig_request(rig, "GET", "/"), *s;
        for (int k = 0; k < 60; k++) {
            name[0] = (char)('a' + k % 26);
            value[0] = (char)('0' + k);
            value[1] = (char)('0' + i);
            rig_field(c, &c->out_head, name, value);
        }
        c->out_pipe.is_ended = true;
        ck_assert_int_eq(rig_send(c), GW_OK);
        rig_run(rig);
        s = rig_last(&rig->server);
        for (int k = 0; k < 60; k++) {
            name[0] = (char)('a' + k % 26);
            value[0] = (char)('0' + k);
            rig_field(s, &s->out_head, name, value);
        }
        rig_respond(s, 200, true);
        rig_run(rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
        rig_detach(s);
        rig_detach(c);
    }
}

START_TEST(what_a_connection_takes)
{
    enum { CHUNK = 16384, STREAMS = 100 };
    struct rig rig;
    rig_init(&rig, 1);
    fill_tables(&rig);
    ck_assert_uint_le(bytes_of(&rig.server), gw_h2_connection_bytes() + CHUNK);
    ck_assert_uint_le(bytes_of(&rig.client), gw_h2_connection_bytes() + CHUNK);
    for (int i = 0; i < STREAMS; i++)
        ck_assert_int_eq(rig_send(rig_request(&rig, "POST", "/")), GW_OK);
    rig_run(&rig);
    for (uint32_t i = 0; i < rig.server.count; i++)
        if (rig.server.streams[i] != NULL)
            rig_respond(rig.server.streams[i], 200, false);
    rig_run(&rig);
    uint64_t most = gw_h2_connection_bytes() + STREAMS * gw_h2_stream_bytes() + CHUNK;
    ck_assert_uint_le(bytes_of(&rig.server), most);
    ck_assert_uint_le(bytes_of(&rig.client), most);
    rig_fini(&rig);
}
END_TEST

/* In steady state a request asks the allocator for nothing. */
START_TEST(no_allocation_a_request)
{
    struct rig rig;
    rig_init(&rig, 1);
    uint64_t calls = 0;
    for (int i = 0; i < 40; i++) {
        if (i == 20)
            calls = rig.client.alloc.calls + rig.server.alloc.calls;
        struct rig_stream *c = rig_request(&rig, "POST", "/"), *s;
        rig_field(c, &c->out_head, "x-a", i % 2 ? "one" : "two");
        rig_push(c, 500);
        c->out_pipe.is_ended = true;
        ck_assert_int_eq(rig_send(c), GW_OK);
        rig_run(&rig);
        s = rig_last(&rig.server);
        rig_field(s, &s->out_trailers, "grpc-status", "0");
        s->s.out_trailers = &s->out_trailers;
        rig_push(s, 500);
        rig_respond(s, 200, true);
        rig_run(&rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
        rig_detach(s);
        rig_detach(c);
    }
    ck_assert_uint_eq(rig.client.alloc.calls + rig.server.alloc.calls, calls);
    rig_fini(&rig);
}
END_TEST

/* All cells but a few are taken away. */
enum { KEPT = 20000 };
struct drought {
    void *kept[KEPT];
    size_t count;
};

static void take_away(struct drought *d, struct gw_h2_memory *m, struct gw_prng *prng)
{
    static const size_t sizes[] = { 16,  32,  48,  80,   112,  176,  240,
                                    368, 496, 752, 1000, 1500, 2000, 3000 };
    d->count = 0;
    m->bytes_max = m->bytes;
    for (size_t i = sizeof sizes / sizeof sizes[0]; i-- > 0;)
        for (void *cell; (cell = gw_h2_memory_take(m, sizes[i])) != NULL;) {
            ck_assert_uint_lt(d->count, KEPT);
            d->kept[d->count++] = cell;
        }
    uint64_t left = gw_prng_below(prng, 60);
    while (left-- > 0 && d->count > 0) {
        size_t i = (size_t)gw_prng_below(prng, d->count);
        gw_h2_memory_give(m, d->kept[i]);
        d->kept[i] = d->kept[--d->count];
    }
}

static void give_back(struct drought *d, struct gw_h2_memory *m)
{
    while (d->count > 0)
        gw_h2_memory_give(m, d->kept[--d->count]);
    m->bytes_max = UINT64_MAX;
}

START_TEST(cells_run_out)
{
    static struct drought of_client, of_server;
    struct rig rig;
    rig_init(&rig, (uint64_t)_i);
    rig.cut_max = 1 + (size_t)_i * 10;
    uint32_t count = 0;
    for (int i = 0; i < 8; i++) {
        if (i == 3) {
            take_away(&of_client, &rig.client.shared->memory, &rig.prng);
            take_away(&of_server, &rig.server.shared->memory, &rig.prng);
        }
        struct rig_stream *c = rig_request(&rig, i % 2 ? "GET" : "POST", "/");
        rig_field(c, &c->out_head, "x-some-field", "with a value");
        rig_field(c, &c->out_trailers, "x-end", "1");
        c->s.out_trailers = &c->out_trailers;
        rig_push(c, 3000);
        c->out_pipe.is_ended = true;
        (void)!rig_send(c);
        rig_run(&rig);
        for (; count < rig.server.count; count++) {
            struct rig_stream *s = rig.server.streams[count];
            rig_take(s, 10000);
            rig_field(s, &s->out_trailers, "grpc-status", "1");
            s->s.out_trailers = &s->out_trailers;
            rig_push(s, 20000);
            if (s->s.out == GW_HALF_IDLE)
                rig_respond(s, 200, true);
            if (i == 5)
                rig.server.codec->ops->reset(rig.server.codec, &s->s, GW_H2_CANCEL);
        }
        rig_run(&rig);
        rig_take(c, 30000);
        rig_run(&rig);
        if (i == 6)
            rig_detach(rig.client.streams[5]);
    }
    /* With memory back, a connection that still stands can go on. */
    give_back(&of_client, &rig.client.shared->memory);
    give_back(&of_server, &rig.server.shared->memory);
    for (int i = 0; i < 3; i++) {
        rig_run(&rig);
        for (uint32_t n = 0; n < rig.client.count; n++)
            if (rig.client.streams[n] != NULL)
                rig_take(rig.client.streams[n], 30000);
    }
    for (uint32_t n = 0; n < rig.client.count; n++) {
        struct rig_stream *c = rig.client.streams[n];
        if (c != NULL && c->s.in == GW_HALF_DONE && c->s.peer_code == 0 && n < 3)
            ck_assert_uint_eq(c->got, 20000);
        /* Whoever waits still waits on a connection that stands. */
        if (c != NULL && c->s.codec != NULL && c->s.in < GW_HALF_DONE &&
            rig.server.codec->state != GW_CODEC_OVER)
            ck_assert_uint_ne(rig.client.codec->state, GW_CODEC_OVER);
    }
    rig_fini(&rig);
}
END_TEST

Suite *h2_parts_suite(void)
{
    Suite *s = suite_create("h2 parts");
    check_add_loop(s, cells, 0, 10);
    check_add(s, cells_come_back);
    check_add(s, what_a_connection_takes);
    check_add(s, no_allocation_a_request);
    check_add_loop(s, cells_run_out, 0, 300);
    return s;
}
