/* Two codecs of ours against each other: messages of every shape, backpressure, ends of every kind,
 * and what happens when memory is short. */

#include "h2_rig.h"

#include "check_main.h"

Suite *h2_frames_suite(void);
Suite *h2_parts_suite(void);

static void small_cuts(struct rig *rig)
{
    static const size_t cuts[] = { 1, 3, 17, 500, 20000 };
    rig->cut_max = cuts[rig->prng.state % 5];
}

START_TEST(a_get)
{
    struct rig rig;
    rig_init(&rig, (uint64_t)_i);
    small_cuts(&rig);
    struct rig_stream *c = rig_request(&rig, "GET", "/a");
    c->out_head.query = rig_copy(c, "b=c");
    rig_field(c, &c->out_head, "User-Agent", "rig");
    rig_field(c, &c->out_head, "authorization", "secret");
    c->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(c), GW_OK);
    ck_assert_uint_eq(c->news, 0);
    rig_run(&rig);
    ck_assert_uint_eq(c->s.out, GW_HALF_DONE);
    ck_assert_uint_eq(c->s.out_mark, rig.client.codec->written > c->s.out_mark
                                         ? c->s.out_mark
                                         : rig.client.codec->written);
    struct rig_stream *s = rig_last(&rig.server);
    ck_assert_uint_eq(s->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(s->news, GW_NEWS_HEAD | GW_NEWS_END);
    rig_is(s->in_head.method_text, "GET");
    ck_assert_uint_eq(s->s.request_method, GW_METHOD_GET);
    rig_is(s->in_head.path, "/a");
    rig_is(s->in_head.query, "b=c");
    rig_is(s->in_head.authority, "example.org");
    rig_is(s->in_head.scheme, "http");
    rig_has(&s->in_head, "user-agent", "rig");
    rig_has(&s->in_head, "authorization", "secret");
    ck_assert_uint_eq(s->in_head.body, GW_BODY_NONE);

    s->out_head.body = GW_BODY_LENGTH;
    s->out_head.length = 5;
    rig_field(s, &s->out_head, "X-Thing", "1");
    rig_field(s, &s->out_head, "set-cookie", "a=b");
    ck_assert_uint_eq(rig_push(s, 5), 5);
    rig_respond(s, 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(s->s.out, GW_HALF_DONE);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(c->in_head.code, 200);
    ck_assert_uint_eq(c->in_head.body, GW_BODY_LENGTH);
    ck_assert_uint_eq(c->in_head.length, 5);
    rig_has(&c->in_head, "x-thing", "1");
    rig_has(&c->in_head, "content-length", "5");
    ck_assert_uint_eq(rig_take(c, 100), 5);
    ck_assert(gw_pipe_is_done(&c->in_pipe));
    ck_assert_uint_eq(c->news, GW_NEWS_SENT | GW_NEWS_HEAD | GW_NEWS_BODY | GW_NEWS_END);
    rig_detach(c);
    rig_detach(s);
    rig_run(&rig);
    ck_assert_uint_eq(rig.client.codec->state, GW_CODEC_OPEN);
    ck_assert_uint_eq(rig.server.codec->state, GW_CODEC_OPEN);
    ck_assert_uint_eq(rig.server.codec->streams, 0);
    ck_assert_uint_eq(rig.server.codec->streams_ever, 1);
    rig_fini(&rig);
}
END_TEST

static bool has_bytes(struct rig_side *side, const char *bytes, size_t len)
{
    static char text[20000];
    size_t n = gw_chain_read(&side->tx, 0, text, sizeof text);
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(text + i, bytes, len) == 0)
            return true;
    return false;
}

/* "Never indexed" (RFC 7541 6.2.3): 0001, then the name's number in the static table. */
START_TEST(secrets_enter_no_table)
{
    struct rig rig;
    rig_init(&rig, 1);
    struct gw_codec *client = rig.client.codec, *server = rig.server.codec;
    struct rig_stream *c = rig_request(&rig, "GET", "/");
    rig_field(c, &c->out_head, "Authorization", "secret");
    rig_field(c, &c->out_head, "cookie", "secret");
    c->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(c), GW_OK);
    ck_assert_int_eq(client->ops->write(client, &rig.client.tx, SIZE_MAX, 0), GW_OK);
    ck_assert(has_bytes(&rig.client, "\x1f\x08", 2));
    ck_assert(has_bytes(&rig.client, "\x1f\x11", 2));
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    rig_field(s, &s->out_head, "set-cookie", "a=b");
    rig_respond(s, 200, true);
    ck_assert_int_eq(server->ops->write(server, &rig.server.tx, SIZE_MAX, 0), GW_OK);
    ck_assert(has_bytes(&rig.server, "\x1f\x28", 2));
    rig_fini(&rig);
}
END_TEST

/* Bodies in both directions that are many windows long; takers that take at random. */
START_TEST(long_bodies)
{
    struct rig rig;
    rig_init(&rig, (uint64_t)_i + 77);
    small_cuts(&rig);
    size_t len = rig.cut_max < 100 ? 150000 : 1500000;
    struct rig_stream *c = rig_request(&rig, "POST", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    ck_assert_uint_eq(s->s.in, GW_HALF_BODY);
    ck_assert_uint_eq(s->in_head.body, GW_BODY_UNKNOWN);
    rig_respond(s, 200, false);
    while (c->got < len || s->got < len) {
        if (c->sent < len)
            rig_push(c, (size_t)gw_prng_below(&rig.prng, len - c->sent + 1));
        else if (!c->out_pipe.is_ended)
            rig_end(c);
        if (s->sent < len)
            rig_push(s, (size_t)gw_prng_below(&rig.prng, len - s->sent + 1));
        else if (!s->out_pipe.is_ended)
            rig_end(s);
        rig_run(&rig);
        ck_assert_uint_le(s->in_pipe.chain.len, s->in_pipe.size);
        ck_assert_uint_le(c->in_pipe.chain.len, c->in_pipe.size);
        rig_take(c, (size_t)gw_prng_below(&rig.prng, 100000));
        rig_take(s, (size_t)gw_prng_below(&rig.prng, 100000));
    }
    if (!c->out_pipe.is_ended)
        rig_end(c);
    if (!s->out_pipe.is_ended)
        rig_end(s);
    rig_run(&rig);
    ck_assert_uint_eq(c->got, len);
    ck_assert_uint_eq(s->got, len);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(s->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(c->s.out, GW_HALF_DONE);
    ck_assert_uint_eq(s->s.out, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

/* Nobody takes: the sender stops at the window. One byte is taken at a time: it goes on. */
START_TEST(backpressure)
{
    struct rig rig;
    rig_init(&rig, 5);
    struct rig_stream *c = rig_request(&rig, "PUT", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig); /* settings are acknowledged */
    struct rig_stream *s = rig_last(&rig.server);
    ck_assert_uint_eq(rig_push(c, 200000), 200000);
    rig_run(&rig);
    ck_assert_uint_eq(s->in_pipe.chain.len, 16384);
    ck_assert_uint_eq(c->out_pipe.chain.len, 200000 - 16384);
    /* A sibling is not held up. */
    struct rig_stream *other = rig_request(&rig, "PUT", "/");
    ck_assert_int_eq(rig_send(other), GW_OK);
    rig_push(other, 10000);
    rig_end(other);
    rig_run(&rig);
    ck_assert_uint_eq(rig_last(&rig.server)->s.in, GW_HALF_DONE);
    size_t most = 0;
    while (s->got < 200000) {
        if (s->in_pipe.chain.len > most)
            most = s->in_pipe.chain.len;
        ck_assert_uint_gt(rig_take(s, 3000), 0);
        rig_run(&rig);
    }
    /* The window grew, since there is memory and the stream is bulk, but never past the pipe. */
    ck_assert_uint_gt(most, 16384);
    ck_assert_uint_le(most, 262144);
    rig_fini(&rig);
}
END_TEST

START_TEST(no_growth_without_memory)
{
    struct rig rig;
    rig_init(&rig, 5);
    struct gw_block *kept[2500];
    for (size_t i = 0; i < 2500; i++)
        ck_assert_ptr_nonnull(kept[i] = gw_block_take(&rig.server.pool, NULL));
    struct rig_stream *c = rig_request(&rig, "PUT", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    rig_push(c, 200000);
    rig_run(&rig);
    while (s->got < 200000) {
        ck_assert_uint_le(s->in_pipe.chain.len, 16384);
        rig_take(s, 4000);
        rig_run(&rig);
    }
    for (size_t i = 0; i < 2500; i++)
        gw_block_unref(kept[i]);
    rig_fini(&rig);
}
END_TEST

START_TEST(trailers_both_ways)
{
    struct rig rig;
    rig_init(&rig, (uint64_t)_i);
    small_cuts(&rig);
    struct rig_stream *c = rig_request(&rig, "POST", "/");
    rig_field(c, &c->out_trailers, "x-sum", "12");
    c->s.out_trailers = &c->out_trailers;
    if (_i % 2)
        rig_push(c, 100);
    if (_i % 3)
        c->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    if (_i % 3 == 0)
        rig_end(c);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    ck_assert_uint_eq(s->s.in, GW_HALF_DONE);
    rig_has(&s->in_trailers, "x-sum", "12");
    ck_assert_uint_eq(rig_take(s, 1000), _i % 2 ? 100 : 0);
    /* The response: a body, then trailers that come late. */
    rig_respond(s, 200, false);
    rig_push(s, 20000);
    rig_run(&rig);
    rig_take(c, 20000);
    rig_run(&rig);
    rig_take(c, 20000);
    rig_field(s, &s->out_trailers, "grpc-status", "0");
    s->s.out_trailers = &s->out_trailers;
    rig_end(s);
    rig_run(&rig);
    rig_take(c, 20000);
    ck_assert_uint_eq(c->got, 20000);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    rig_has(&c->in_trailers, "grpc-status", "0");
    rig_fini(&rig);
}
END_TEST

START_TEST(trailers_only)
{
    struct rig rig;
    rig_init(&rig, 1);
    struct rig_stream *c = rig_get(&rig, "/");
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    rig_field(s, &s->out_head, "grpc-status", "12");
    rig_respond(s, 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(c->in_head.body, GW_BODY_NONE);
    rig_has(&c->in_head, "grpc-status", "12");
    rig_fini(&rig);
}
END_TEST

START_TEST(informational)
{
    struct rig rig;
    rig_init(&rig, 1);
    rig.client.drops_info = _i == 1;
    struct rig_stream *c = rig_request(&rig, "POST", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    struct gw_message infos[2];
    for (int i = 0; i < 2; i++) {
        gw_message_init(&infos[i], GW_MESSAGE_RESPONSE, &s->arena, 100);
        infos[i].code = (uint16_t)(100 + 3 * i);
        rig_field(s, &infos[i], "link", i == 0 ? "a" : "b");
    }
    infos[0].next = &infos[1];
    s->s.out_info = &infos[0];
    rig_advance(s);
    if (_i == 2)
        rig_respond(s, 200, true);
    rig_run(&rig);
    ck_assert_ptr_null(s->s.out_info);
    if (_i != 1) {
        ck_assert_uint_eq(c->s.info_count, 2);
        ck_assert(c->news & GW_NEWS_INFO);
        ck_assert_uint_eq(c->s.info->code, 100);
        ck_assert_uint_eq(c->s.info->next->code, 103);
        rig_has(c->s.info->next, "link", "b");
        ck_assert_ptr_null(c->s.info->next->next);
    }
    if (_i != 2) {
        ck_assert_uint_eq(c->s.in, GW_HALF_HEAD);
        rig_respond(s, 200, true);
        rig_run(&rig);
    }
    ck_assert_uint_eq(c->in_head.code, 200);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

START_TEST(without_a_body)
{
    static const struct {
        const char *method;
        uint16_t code;
    } cases[] = { { "HEAD", 200 }, { "GET", 204 }, { "GET", 304 } };
    struct rig rig;
    rig_init(&rig, 1);
    struct rig_stream *c = rig_request(&rig, cases[_i].method, "/");
    c->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    if (cases[_i].code != 204) {
        s->out_head.has_length = 1;
        s->out_head.length = 1234;
    }
    rig_respond(s, cases[_i].code, _i == 1);
    rig_run(&rig);
    ck_assert_uint_eq(s->s.out, GW_HALF_DONE);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(c->in_head.body, GW_BODY_NONE);
    if (cases[_i].code != 204)
        rig_has(&c->in_head, "content-length", "1234");
    rig_fini(&rig);
}
END_TEST

START_TEST(connect_is_a_tunnel)
{
    struct rig rig;
    rig_init(&rig, 1);
    struct rig_stream *c = rig_request(&rig, "CONNECT", "");
    c->out_head.authority = GW_STR("example.org:443");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    ck_assert_uint_eq(s->in_head.body, GW_BODY_TUNNEL);
    rig_is(s->in_head.authority, "example.org:443");
    s->s.is_tunnel = true;
    rig_respond(s, 200, false);
    rig_run(&rig);
    ck_assert_uint_eq(c->in_head.body, GW_BODY_TUNNEL);
    rig_push(c, 1000);
    rig_push(s, 2000);
    rig_run(&rig);
    ck_assert_uint_eq(rig_take(c, 5000), 2000);
    ck_assert_uint_eq(rig_take(s, 5000), 1000);
    rig_end(c);
    rig_run(&rig);
    ck_assert_uint_eq(s->s.in, GW_HALF_DONE);
    rig_end(s);
    rig_run(&rig);
    ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

/* Many streams at once: all finish, and none waits for another's end. */
START_TEST(streams_share)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct rig_stream *c[40], *s[40];
    rig_run(&rig);
    for (int i = 0; i < 40; i++)
        c[i] = rig_get(&rig, "/");
    rig_run(&rig);
    for (int i = 0; i < 40; i++) {
        s[i] = rig.server.streams[i];
        rig_respond(s[i], 200, false);
        rig_push(s[i], 16384 * 3);
    }
    /* One write of two blocks' mark must serve two streams, not one twice. */
    struct gw_codec *codec = rig.server.codec;
    size_t before[40];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 40; i++)
            before[i] = s[i]->out_pipe.chain.len;
        ck_assert_int_eq(codec->ops->write(codec, &rig.server.tx, rig.mark, 0), GW_OK);
        for (int i = 0; i < 40; i++)
            ck_assert_uint_le(before[i] - s[i]->out_pipe.chain.len, 16384);
        rig_carry(&rig, &rig.server, &rig.client);
    }
    for (int i = 0; i < 40; i++)
        ck_assert_uint_ge(c[i]->in_pipe.chain.len + 1, 16384u);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 40; i++)
            rig_take(c[i], 100000);
        rig_run(&rig);
    }
    for (int i = 0; i < 40; i++)
        ck_assert_uint_eq(c[i]->got, 16384 * 3);
    rig_fini(&rig);
}
END_TEST

START_TEST(resets)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct rig_stream *c = rig_request(&rig, "POST", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_push(c, 50000);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    if (_i == 0) { /* by the client */
        rig.client.codec->ops->reset(rig.client.codec, &c->s, GW_H2_CANCEL);
        rig_run(&rig);
        ck_assert_uint_eq(s->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(s->s.out, GW_HALF_CUT);
        ck_assert_uint_eq(s->s.fault, GW_REASON_client_reset);
        ck_assert_uint_eq(s->s.peer_code, GW_H2_CANCEL);
        ck_assert(s->s.by_peer && s->in_pipe.is_cut);
        ck_assert_uint_eq(c->news & GW_NEWS_CUT, 0);
    } else if (_i == 1) { /* by the server, refused */
        rig.server.codec->ops->reset(rig.server.codec, &s->s, GW_H2_REFUSED_STREAM);
        rig_run(&rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(c->s.fault, GW_REASON_upstream_refused_stream);
        ck_assert(c->s.by_peer && c->s.is_refused);
    } else if (_i == 2) { /* by the server, in the middle */
        rig_respond(s, 200, false);
        rig_push(s, 1000);
        rig_run(&rig);
        rig.server.codec->ops->reset(rig.server.codec, &s->s, GW_H2_INTERNAL_ERROR);
        rig_run(&rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(c->s.fault, GW_REASON_upstream_reset);
        ck_assert_uint_eq(c->s.peer_code, GW_H2_INTERNAL_ERROR);
        ck_assert(c->in_pipe.is_cut && !c->s.is_refused);
    } else if (_i ==
               3) { /* the server is done before the client: NO_ERROR, and the answer stands */
        rig_respond(s, 200, true);
        rig_run(&rig);
        rig_detach(s);
        rig_run(&rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
        ck_assert_uint_eq(c->s.out, GW_HALF_CUT);
        ck_assert_uint_eq(c->s.peer_code, GW_H2_NO_ERROR);
        ck_assert_uint_eq(c->news & GW_NEWS_CUT, 0);
        rig_detach(c);
    } else if (_i == 4) { /* the client goes away in the middle */
        rig_detach(c);
        rig_run(&rig);
        ck_assert_uint_eq(s->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(s->s.peer_code, GW_H2_CANCEL);
    } else if (_i == 5) { /* the same when the request was whole */
        rig_take(s, 100000);
        rig_run(&rig);
        rig_end(c);
        for (int i = 0; i < 5; i++) {
            rig_run(&rig);
            rig_take(s, 100000);
        }
        ck_assert_uint_eq(s->s.in, GW_HALF_DONE);
        rig_detach(c);
        rig_run(&rig);
        ck_assert_uint_eq(s->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(s->s.fault, GW_REASON_client_reset);
    }
    /* The connection lives on. */
    struct rig_stream *again = rig_get(&rig, "/");
    rig_run(&rig);
    rig_respond(rig_last(&rig.server), 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(again->s.in, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

START_TEST(never_sent)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct rig_stream *a = rig_get(&rig, "/a"), *b = rig_get(&rig, "/b");
    if (_i == 0)
        rig_detach(a);
    else
        rig.client.codec->ops->reset(rig.client.codec, &a->s, GW_H2_CANCEL);
    rig_run(&rig);
    ck_assert_uint_eq(rig.server.count, 1);
    rig_is(rig_last(&rig.server)->in_head.path, "/b");
    ck_assert_uint_eq(b->s.out, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

START_TEST(refused_by_the_owner)
{
    struct rig rig;
    rig_init(&rig, 9);
    rig.server.refuses = true;
    struct rig_stream *c = rig_request(&rig, "POST", "/");
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_push(c, 1000);
    rig_run(&rig);
    ck_assert_uint_eq(rig.server.count, 0);
    ck_assert_uint_eq(c->s.in, GW_HALF_CUT);
    ck_assert_uint_eq(c->s.fault, GW_REASON_upstream_refused_stream);
    ck_assert(c->s.is_refused);
    rig.server.refuses = false;
    rig_get(&rig, "/");
    rig_run(&rig);
    ck_assert_uint_eq(rig.server.count, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(as_many_as_allowed)
{
    struct gw_codec_limits limits = rig_limits();
    struct rig rig;
    limits.h2_streams_max = 10;
    rig_init_with(&rig, 9, &limits, &limits);
    struct gw_codec *codec = rig.client.codec;
    ck_assert(codec->ops->can_open(codec));
    /* Before the peer's settings have come some are too many: refused, and no harm done. */
    struct rig_stream *early[15];
    for (int i = 0; i < 15; i++)
        early[i] = rig_get(&rig, "/");
    ck_assert_int_eq(codec->ops->write(codec, &rig.client.tx, rig.mark, 0), GW_OK);
    rig_run(&rig);
    int refused = 0;
    for (int i = 0; i < 15; i++)
        refused += early[i]->s.is_refused;
    ck_assert_int_eq(refused, 5);
    ck_assert(!codec->ops->can_open(codec));
    struct rig_stream *more = rig_request(&rig, "GET", "/");
    ck_assert_int_eq(rig_send(more), GW_AGAIN);
    for (int i = 0; i < 3; i++)
        rig_detach(early[i]);
    rig_run(&rig);
    ck_assert_int_eq(rig_send(more), GW_OK);
    ck_assert_uint_eq(rig.server.codec->state, GW_CODEC_OPEN);
    rig_fini(&rig);
}
END_TEST

START_TEST(too_large_a_head)
{
    struct rig rig;
    struct gw_codec_limits limits = rig_limits(), small = rig_limits();
    small.head_bytes_max = 2000;
    small.fields_max = 20;
    rig_init_with(&rig, 9, _i < 2 ? &limits : &small, _i < 2 ? &small : &limits);
    struct rig_stream *c = rig_request(&rig, "GET", "/");
    char name[16];
    if (_i == 0)
        for (int i = 0; i < 21; i++) {
            snprintf(name, sizeof name, "a-%d", i);
            rig_field(c, &c->out_head, name, "b");
        }
    else if (_i == 1)
        for (int i = 0; i < 10; i++)
            rig_field(c, &c->out_head, "a", name + 0 * snprintf(name, sizeof name, "%012d", i));
    if (_i == 1) {
        char *big = memset(calloc(1, 2000), 'x', 1999);
        rig_field(c, &c->out_head, "big", big);
        free(big);
    }
    c->out_pipe.is_ended = true;
    ck_assert_int_eq(rig_send(c), GW_OK);
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    if (_i < 2) { /* 431 goes on the same stream */
        ck_assert_uint_eq(s->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(s->s.fault, GW_REASON_head_too_large);
        ck_assert_uint_eq(s->s.out, GW_HALF_IDLE);
        rig_respond(s, 431, true);
        rig_run(&rig);
        ck_assert_uint_eq(c->in_head.code, 431);
        ck_assert_uint_eq(c->s.in, GW_HALF_DONE);
    } else {
        for (int i = 0; i < 60; i++)
            rig_field(s, &s->out_head, "x", "a value that is not so short, sixty times");
        rig_respond(s, 200, true);
        rig_run(&rig);
        ck_assert_uint_eq(c->s.in, GW_HALF_CUT);
        ck_assert_uint_eq(c->s.fault, GW_REASON_upstream_head_too_large);
    }
    rig_detach(s);
    rig_detach(c);
    struct rig_stream *again = rig_get(&rig, "/");
    rig_run(&rig);
    ck_assert_uint_eq(rig_last(&rig.server)->s.in, GW_HALF_DONE);
    rig_respond(rig_last(&rig.server), 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(again->s.in, GW_HALF_DONE);
    rig_fini(&rig);
}
END_TEST

START_TEST(drain_of_a_server)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct gw_codec *client = rig.client.codec, *server = rig.server.codec;
    struct rig_stream *a = rig_get(&rig, "/a");
    rig_run(&rig);
    struct rig_stream *s = rig_last(&rig.server);
    server->ops->drain(server, false);
    /* What the client sends before it hears of it is still served. */
    struct rig_stream *b = rig_get(&rig, "/b");
    rig_run(&rig);
    ck_assert_uint_eq(client->state, GW_CODEC_DRAINING);
    ck_assert(!client->ops->can_open(client));
    ck_assert_uint_eq(rig.server.count, 2);
    ck_assert_uint_eq(server->state, GW_CODEC_DRAINING);
    server->ops->drain(server, true);
    rig_run(&rig);
    ck_assert_uint_eq(server->state, GW_CODEC_DRAINING);
    rig_respond(s, 200, true);
    rig_respond(rig_last(&rig.server), 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(a->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(b->s.in, GW_HALF_DONE);
    rig_detach(s);
    rig_detach(rig.server.streams[1]);
    ck_assert_uint_eq(server->state, GW_CODEC_OVER);
    rig_detach(a);
    rig_detach(b);
    ck_assert_uint_eq(client->state, GW_CODEC_OVER);
    ck_assert_uint_eq(client->fault, GW_REASON_none);
    rig_fini(&rig);
}
END_TEST

START_TEST(goaway_refuses_later_streams)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct gw_codec *server = rig.server.codec, *client = rig.client.codec;
    rig_get(&rig, "/a");
    rig_run(&rig);
    server->ops->drain(server, true);
    ck_assert_int_eq(server->ops->write(server, &rig.server.tx, rig.mark, 0), GW_OK);
    struct rig_stream *b = rig_request(&rig, "POST", "/b"), *unsent;
    ck_assert_int_eq(rig_send(b), GW_OK);
    rig_push(b, 30000);
    ck_assert_int_eq(client->ops->write(client, &rig.client.tx, rig.mark, 0), GW_OK);
    unsent = rig_get(&rig, "/c");
    rig_carry(&rig, &rig.client, &rig.server); /* crosses the GOAWAY */
    rig_carry(&rig, &rig.server, &rig.client);
    rig_run(&rig);
    ck_assert_uint_eq(rig.server.count, 1);
    ck_assert_uint_eq(b->s.in, GW_HALF_CUT);
    ck_assert_uint_eq(b->s.fault, GW_REASON_upstream_goaway);
    ck_assert(b->s.is_refused);
    ck_assert(unsent->s.is_refused);
    ck_assert_uint_eq(unsent->s.fault, GW_REASON_upstream_goaway);
    ck_assert_uint_eq(rig.client.streams[0]->s.in, GW_HALF_IDLE);
    rig_respond(rig.server.streams[0], 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(rig.client.streams[0]->s.in, GW_HALF_DONE);
    ck_assert_int_eq(rig.server.read_status, GW_OK);
    rig_fini(&rig);
}
END_TEST

START_TEST(drain_of_a_client)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct gw_codec *client = rig.client.codec, *server = rig.server.codec;
    struct rig_stream *a = rig_get(&rig, "/a");
    rig_run(&rig);
    client->ops->drain(client, _i == 1);
    ck_assert(!client->ops->can_open(client));
    rig_run(&rig);
    rig_respond(rig_last(&rig.server), 200, true);
    rig_run(&rig);
    ck_assert_uint_eq(a->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(client->state, GW_CODEC_DRAINING);
    rig_detach(a);
    ck_assert_uint_eq(client->state, GW_CODEC_OVER);
    rig_detach(rig_last(&rig.server));
    ck_assert_uint_eq(server->state, _i == 1 ? GW_CODEC_OVER : GW_CODEC_OPEN);
    rig_fini(&rig);
}
END_TEST

START_TEST(the_peer_is_gone)
{
    struct rig rig;
    rig_init(&rig, 9);
    struct gw_codec *client = rig.client.codec, *server = rig.server.codec;
    struct rig_stream *a = rig_get(&rig, "/a"), *b = rig_get(&rig, "/b"), *d = rig_get(&rig, "/d");
    rig_run(&rig);
    struct rig_stream *c = rig_get(&rig, "/c");
    rig_respond(rig.server.streams[0], 200, true);
    rig_respond(rig.server.streams[1], 200, false);
    ck_assert_int_eq(server->ops->write(server, &rig.server.tx, rig.mark, 0), GW_OK);
    rig_carry(&rig, &rig.server, &rig.client);
    client->ops->read_end(client, GW_EOF, 0);
    server->ops->read_end(server, GW_ERESET, 0);
    ck_assert_uint_eq(client->state, GW_CODEC_OVER);
    ck_assert_uint_eq(a->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(b->s.fault, GW_REASON_upstream_cut);
    ck_assert_uint_eq(d->s.fault, GW_REASON_upstream_closed);
    ck_assert(!d->s.is_refused);
    ck_assert_uint_eq(c->s.in, GW_HALF_CUT);
    ck_assert(c->s.is_refused);
    ck_assert_uint_eq(rig.server.streams[0]->s.in, GW_HALF_DONE);
    ck_assert_uint_eq(rig.server.streams[1]->s.fault, GW_REASON_client_reset);
    ck_assert_uint_eq(rig.server.streams[2]->s.in, GW_HALF_CUT);
    ck_assert(!client->ops->wants_write(client));
    ck_assert(!client->ops->wants_read(client, 0));
    rig_fini(&rig);
}
END_TEST

/* Everything at once, with the k-th allocation refused: no leak, no crash, and whoever was told of an
 * end was told once. */
static bool whole_story(struct rig *rig, uint64_t k)
{
    struct gw_codec_limits limits = rig_limits();
    memset(rig, 0, sizeof *rig);
    rig_side_init(&rig->client, &limits);
    rig_side_init(&rig->server, &limits);
    rig->prng.state = 1;
    rig->cut_max = 3000;
    rig->mark = 33280;
    rig->client.alloc.fail_at = rig->server.alloc.fail_at = k;
    if (!rig_side_make(&rig->client, true) || !rig_side_make(&rig->server, false))
        return false;
    for (int i = 0; i < 6; i++) {
        struct rig_stream *c = rig_request(rig, i % 2 ? "GET" : "POST", "/");
        rig_field(c, &c->out_head, "x-some-field", "with a value");
        rig_push(c, i % 2 ? 0 : 3000);
        c->out_pipe.is_ended = true;
        gw_status status = rig_send(c);
        ck_assert(status == GW_OK || status == GW_AGAIN || status == GW_ENOMEM);
        rig_run(rig);
        for (uint32_t n = 0; n < rig->server.count; n++) {
            struct rig_stream *s = rig->server.streams[n];
            if (s == NULL || s->s.in != GW_HALF_DONE || s->s.out != GW_HALF_IDLE)
                continue;
            rig_take(s, 10000);
            rig_field(s, &s->out_trailers, "x-end", "1");
            s->s.out_trailers = &s->out_trailers;
            if (gw_pipe_write(&s->out_pipe, "0123456789", 10) == 10)
                rig_respond(s, 200, true);
            if (i == 3)
                rig->server.codec->ops->reset(rig->server.codec, &s->s, GW_H2_CANCEL);
        }
        rig_run(rig);
        if (i == 4)
            rig_detach(rig->client.streams[0]);
    }
    rig->server.codec->ops->drain(rig->server.codec, true);
    rig_run(rig);
    return true;
}

START_TEST(every_allocation_may_fail)
{
    static struct rig rig;
    uint64_t k = 1;
    for (; k < 2000; k++) {
        (void)whole_story(&rig, k);
        bool any = rig.client.alloc.failed > 0 || rig.server.alloc.failed > 0;
        rig_fini(&rig);
        if (!any)
            break;
    }
    ck_assert_uint_gt(k, 10);
    ck_assert_uint_lt(k, 2000);
}
END_TEST

static Suite *h2_suite(void)
{
    Suite *s = suite_create("h2");
    check_add_loop(s, a_get, 0, 20);
    check_add(s, secrets_enter_no_table);
    check_add_loop(s, long_bodies, 0, 10);
    check_add(s, backpressure);
    check_add(s, no_growth_without_memory);
    check_add_loop(s, trailers_both_ways, 0, 12);
    check_add(s, trailers_only);
    check_add_loop(s, informational, 0, 3);
    check_add_loop(s, without_a_body, 0, 3);
    check_add(s, connect_is_a_tunnel);
    check_add(s, streams_share);
    check_add_loop(s, resets, 0, 6);
    check_add_loop(s, never_sent, 0, 2);
    check_add(s, refused_by_the_owner);
    check_add(s, as_many_as_allowed);
    check_add_loop(s, too_large_a_head, 0, 3);
    check_add(s, drain_of_a_server);
    check_add(s, goaway_refuses_later_streams);
    check_add_loop(s, drain_of_a_client, 0, 2);
    check_add(s, the_peer_is_gone);
    check_add(s, every_allocation_may_fail);
    return s;
}

CHECK_MAIN(h2_suite, h2_frames_suite, h2_parts_suite)
