/* unit/random_test.c: random messages, valid by construction: what one side writes the other reads
 * as it was meant, however the bytes are cut; and what comes out of random bytes is never both. */

#include "h1_test.h"

static uint64_t below(struct gw_prng *prng, uint64_t n)
{
    return gw_prng_below(prng, n);
}

static void pick(struct gw_prng *prng, const char *from, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = from[below(prng, strlen(from))];
    out[len] = '\0';
}

static const char token_bytes[] = "!#$%&'*+-.^_`|~0189azAZ";
static const char value_bytes[] = "\"(),/:;<=>?@[\\]{} \tazAZ09\x80\xff~!";
static const char path_bytes[] = "abcXYZ019-_~!$&'()*+,;=:@/";

struct model {
    char method[16], path[64], query[64], body[3000];
    char names[8][16], values[8][64], trailer_names[4][16], trailer_values[4][64];
    bool has_query;
    unsigned fields, trailers, code;
    enum gw_body_kind kind;
    size_t body_len;
};

static void random_field(struct gw_prng *prng, char *name, char *value)
{
    name[0] = 'x'; /* none that we know */
    pick(prng, token_bytes, 1 + below(prng, 12), name + 1);
    pick(prng, value_bytes, below(prng, 40), value);
    gw_str trimmed = gw_str_trim(gw_cstr(value));
    memmove(value, trimmed.ptr, trimmed.len);
    value[trimmed.len] = '\0';
}

static void random_model(struct gw_prng *prng, struct model *m, bool is_request)
{
    static const char *const methods[] = {
        "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "X!"
    };
    static const unsigned codes[] = { 200, 201, 206, 204, 304, 404, 500, 599 };
    memset(m, 0, sizeof *m);
    strcpy(m->method, methods[below(prng, 7)]);
    m->path[0] = '/';
    pick(prng, path_bytes, below(prng, 30), m->path + 1);
    m->has_query = below(prng, 2) == 0;
    if (m->has_query)
        pick(prng, path_bytes, below(prng, 30), m->query);
    m->fields = (unsigned)below(prng, 8);
    for (unsigned i = 0; i < m->fields; i++)
        random_field(prng, m->names[i], m->values[i]);
    m->code = codes[below(prng, 8)];
    m->kind = (enum gw_body_kind)below(prng, 3);
    if (!is_request && !gw_response_has_body(gw_method_of(gw_cstr(m->method)), m->code))
        m->kind = GW_BODY_NONE;
    m->body_len = m->kind == GW_BODY_NONE ? 0 : below(prng, 8) == 0 ? 0 : below(prng, 2900);
    for (size_t i = 0; i < m->body_len; i++)
        m->body[i] = (char)('!' + below(prng, 90));
    if (m->kind == GW_BODY_UNKNOWN)
        m->trailers = (unsigned)below(prng, 4);
    for (unsigned i = 0; i < m->trailers; i++)
        random_field(prng, m->trailer_names[i], m->trailer_values[i]);
}

/* The out half of a pair as the model says. */
static void load(struct pair *p, const struct model *m, bool is_request)
{
    struct gw_message *h = &p->out_head;
    h->kind = is_request ? GW_MESSAGE_REQUEST : GW_MESSAGE_RESPONSE;
    if (is_request) {
        h->method_text = gw_cstr(m->method);
        h->method = (uint8_t)gw_method_of(h->method_text);
        h->authority = GW_STR("host:80");
        h->path = gw_cstr(m->path);
        h->query = m->has_query ? gw_cstr(m->query) : (gw_str){ NULL, 0 };
        p->stream.request_method = h->method;
    } else {
        h->code = (uint16_t)m->code;
    }
    h->body = (uint8_t)m->kind;
    h->length = m->body_len;
    for (unsigned i = 0; i < m->fields; i++)
        must(gw_fields_add_copy(&h->fields, gw_cstr(m->names[i]), gw_cstr(m->values[i])));
    for (unsigned i = 0; i < m->trailers; i++)
        must(gw_fields_add_copy(&p->out_trailers.fields, gw_cstr(m->trailer_names[i]),
                                gw_cstr(m->trailer_values[i])));
    p->stream.out_head = h;
    p->stream.out_trailers = &p->out_trailers;
}

static void push_body(struct gw_prng *prng, struct world *w, const struct model *m)
{
    for (size_t at = 0; at < m->body_len;) {
        size_t n = 1 + below(prng, below(prng, 2) == 0 ? 20 : 2000);
        n = n < m->body_len - at ? n : m->body_len - at;
        n = gw_pipe_write(&w->pair.out_pipe, m->body + at, n);
        at += n;
        if (below(prng, 2) == 0 || n == 0)
            world_run(w);
    }
    must(gw_pipe_end(&w->pair.out_pipe));
    world_run(w);
}

static void expect_fields(struct text *t, const struct model *m)
{
    for (unsigned i = 0; i < m->fields; i++) {
        text_puts(t, " ");
        text_puts(t, m->names[i]);
        text_puts(t, "=");
        text_puts(t, m->values[i]);
    }
}

static void expect_body(struct text *t, const struct model *m)
{
    if (m->body_len > 0) {
        text_puts(t, " [");
        text_add(t, m->body, m->body_len);
        text_puts(t, "]");
    }
    for (unsigned i = 0; i < m->trailers; i++) {
        text_puts(t, i == 0 ? " trailers " : " ");
        text_puts(t, m->trailer_names[i]);
        text_puts(t, "=");
        text_puts(t, m->trailer_values[i]);
    }
    text_puts(t, " end\n");
}

/* How the other side logs the request. */
static void expect_request(struct text *t, const struct model *m)
{
    char length[64] = "";
    const char *kind = m->kind == GW_BODY_UNKNOWN ? "unknown" : "none";
    bool has_zero = strcmp(m->method, "POST") == 0 || strcmp(m->method, "PUT") == 0;
    if (m->kind == GW_BODY_LENGTH || (m->kind == GW_BODY_NONE && has_zero)) {
        snprintf(length, sizeof length, "length:%zu", m->body_len);
        kind = length;
    }
    text_puts(t, m->method);
    text_puts(t, " http://host:80 ");
    text_puts(t, m->path);
    if (m->has_query)
        text_puts(t, "?");
    text_puts(t, m->query);
    text_puts(t, " body=");
    text_puts(t, kind);
    text_puts(t, " Host=host:80");
    expect_fields(t, m);
    if (kind == length) {
        text_puts(t, " Content-Length=");
        text_num(t, m->body_len);
    } else if (m->kind == GW_BODY_UNKNOWN) {
        text_puts(t, " Transfer-Encoding=chunked");
    }
    expect_body(t, m);
}

static void expect_response(struct text *t, const struct model *m)
{
    bool has_body = gw_response_has_body(gw_method_of(gw_cstr(m->method)), m->code);
    text_num(t, m->code);
    text_puts(t, " body=");
    text_puts(t, !has_body ? "none" : m->kind == GW_BODY_UNKNOWN ? "unknown" : "length:");
    if (has_body && m->kind != GW_BODY_UNKNOWN)
        text_num(t, m->body_len);
    expect_fields(t, m);
    if (has_body && m->kind == GW_BODY_UNKNOWN) {
        text_puts(t, " Transfer-Encoding=chunked");
    } else if (has_body) {
        text_puts(t, " Content-Length=");
        text_num(t, m->body_len);
    }
    expect_body(t, m);
}

static void carry(struct gw_prng *prng, const struct world *from, struct world *to, size_t *at)
{
    while (*at < from->sent.len) {
        size_t n = 1 + below(prng, below(prng, 3) == 0 ? 4000 : 30);
        n = n < from->sent.len - *at ? n : from->sent.len - *at;
        world_feed(to, from->sent.at + *at, n, below(prng, 10));
        *at += n;
    }
}

/* One connection carries several exchanges, each way random. */
START_TEST(written_is_read)
{
    struct gw_prng prng = { (uint64_t)_i * 7919 + 1 };
    struct world client, server;
    struct text want_server = { NULL, 0, 0 }, want_client = { NULL, 0, 0 };
    size_t to_server = 0, to_client = 0;
    world_init(&client, true);
    world_init(&server, false);
    server.is_manual = true;
    for (int round = 0; round < 12; round++) {
        struct model request, response;
        random_model(&prng, &request, true);
        random_model(&prng, &response, false);
        strcpy(response.method, request.method);
        if (!gw_response_has_body(gw_method_of(gw_cstr(request.method)), response.code)) {
            response.kind = GW_BODY_NONE;
            response.body_len = response.trailers = 0;
        }
        pair_init(&client);
        load(&client.pair, &request, true);
        client.pair.stream.out = GW_HALF_HEAD;
        must(client.codec->ops->open(client.codec, &client.pair.stream));
        push_body(&prng, &client, &request);
        ck_assert_uint_eq(client.pair.stream.out, GW_HALF_DONE);
        carry(&prng, &client, &server, &to_server);
        expect_request(&want_server, &request);
        ck_assert_str_eq(server.log.at, want_server.at);
        load(&server.pair, &response, false);
        server.pair.stream.out = GW_HALF_HEAD;
        server.codec->ops->advance(server.codec, &server.pair.stream);
        push_body(&prng, &server, &response);
        ck_assert_uint_eq(server.pair.stream.out, GW_HALF_DONE);
        carry(&prng, &server, &client, &to_client);
        expect_response(&want_client, &response);
        ck_assert_str_eq(client.log.at, want_client.at);
        world_detach(&client);
        world_detach(&server);
        ck_assert(client.codec->ops->can_open(client.codec));
        ck_assert_uint_eq(server.codec->state, GW_CODEC_OPEN);
    }
    /* Nothing is allocated when nothing new is held. */
    ck_assert_uint_eq(client.pool.out, 0);
    ck_assert_uint_eq(server.pool.out, 0);
    world_fini(&client);
    world_fini(&server);
    free(want_server.at);
    free(want_client.at);
}
END_TEST

/* Valid requests with some bytes spoilt: how the input is cut never changes what is understood, and
 * memory is given back whatever it was. */
START_TEST(spoilt)
{
    static const char *const seeds[] = {
        "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n"
        "A: b\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: "
        "keep-alive\r\n\r\n0123456789"
        "GET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET http://a/../b HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGET",
    };
    static const char spoilers[] = "\r\n\t :;,\0\x7f\x80"
                                   "0aAZfx/.%%HCT1";
    struct gw_prng prng = { (uint64_t)_i + 99 };
    for (int round = 0; round < 150; round++) {
        char bytes[400];
        const char *seed = seeds[below(&prng, 3)];
        size_t len = strlen(seed);
        memcpy(bytes, seed, len);
        for (uint64_t k = 1 + below(&prng, 3); k > 0; k--) {
            size_t at = below(&prng, len);
            switch (below(&prng, 3)) {
            case 0:
                bytes[at] = spoilers[below(&prng, sizeof spoilers - 1)];
                break;
            case 1:
                memmove(bytes + at, bytes + at + 1, len - at - 1);
                len--;
                break;
            default:
                memmove(bytes + at + 1, bytes + at, len - at);
                bytes[at] = spoilers[below(&prng, sizeof spoilers - 1)];
                len++;
            }
        }
        struct world whole, cut;
        world_init(&whole, false);
        world_feed(&whole, bytes, len, 0);
        world_end(&whole, GW_EOF);
        for (int k = 0; k < 3; k++) {
            world_init(&cut, false);
            world_feed(&cut, bytes, len, k == 0 ? 1 : 1 + below(&prng, 40));
            world_end(&cut, GW_EOF);
            ck_assert_str_eq(cut.log.at, whole.log.at);
            ck_assert_str_eq(cut.sent.at, whole.sent.at);
            world_fini(&cut);
        }
        world_fini(&whole);
    }
}
END_TEST

Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    check_add_loop(suite, written_is_read, 0, 40);
    check_add_loop(suite, spoilt, 0, 12);
    return suite;
}
