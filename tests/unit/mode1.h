/* unit/mode1.h: a host in mode 1 for tests of the whole machine: no socket; what the library sends lies
 * in buffers, what peers say is put in by hand. */
#ifndef UNIT_MODE1_H
#define UNIT_MODE1_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <gw/gw.h>

#include "alloc.h"
#include "worker/worker.h"

enum { MODE1_LINKS = 256, MODE1_OUT = 1 << 20 };

struct mode1_link {
    gw_link *link; /* NULL: closed */
    bool is_upstream;
    bool is_shutdown;
    bool is_broken; /* sends fail */
    bool is_slow;   /* takes only what mode1_drip says */
    char *out;      /* what the library sent, zero-terminated */
    size_t out_len;
    char *back; /* what came back with it; NULL: it did not */
    size_t back_len;
};

struct mode1 {
    struct test_alloc alloc;
    gw_engine *engine;
    gw_worker *worker;
    gw_nanos now;
    struct mode1_link links[MODE1_LINKS];
    int count;
    bool refuse;                   /* connects fail */
    const char *refused, *ignored; /* so do those to that address; are never answered */
    gw_log_fn *log;
    void *log_ctx;
    uint32_t log_level;
    gw_panic_fn *panic;
    void *panic_ctx;
    const gw_worker_spec *spec; /* of the worker; NULL: all defaults */
    gw_entropy_fn *entropy;     /* NULL: the system's */
    uint32_t workers;           /* that there may be; 0: this one     */
};

static inline void mode1_start(struct mode1 *h, gw_config *config, const gw_limits *limits)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);

    env.allocator = h->alloc.allocator;
    env.log = h->log;
    env.log_ctx = h->log_ctx;
    env.log_level = h->log_level;
    env.panic = h->panic;
    env.panic_ctx = h->panic_ctx;
    if (h->entropy != NULL)
        env.entropy = h->entropy;
    engine.env = &env;
    engine.limits = limits;
    engine.workers_max = h->workers;
    if (h->spec != NULL)
        worker = *h->spec;
    worker.seed = 1;
    h->now = 1000000000;
    ck_assert_int_eq(gw_engine_new(&engine, &h->engine), GW_OK);
    ck_assert_int_eq(gw_engine_apply(h->engine, config, NULL), GW_OK);
    gw_config_unref(config);
    ck_assert_int_eq(gw_worker_new(h->engine, &worker, &h->worker), GW_OK);
}

static inline void mode1_stop(struct mode1 *h)
{
    gw_worker_free(h->worker);
    gw_engine_free(h->engine);
    for (int i = 0; i < h->count; i++)
        free(h->links[i].out), free(h->links[i].back);
    test_alloc_fini(&h->alloc);
}

static inline struct mode1_link *mode1_find(struct mode1 *h, gw_link *link)
{
    for (int i = 0; i < h->count; i++)
        if (h->links[i].link == link)
            return &h->links[i];
    for (int i = 0; h->count == MODE1_LINKS && i < MODE1_LINKS; i++) {
        struct mode1_link *l = &h->links[i]; /* of many upstreams one that is closed is forgotten */
        if (l->link != NULL || !l->is_upstream)
            continue;
        *l = (struct mode1_link){ .link = link, .out = l->out, .back = l->back };
        memset(l->out, 0, MODE1_OUT);
        return l;
    }
    ck_assert_int_lt(h->count, MODE1_LINKS);
    h->links[h->count] = (struct mode1_link){ .link = link, .out = calloc(1, MODE1_OUT) };
    return &h->links[h->count++];
}

static inline struct mode1_link *mode1_accept(struct mode1 *h, const char *listener)
{
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_link *link;

    spec.listener = gw_cstr(listener);
    ck_assert_int_eq(gw_worker_accept(h->worker, &spec, &link), GW_OK);
    return mode1_find(h, link);
}

static inline void mode1_take(struct mode1_link *l)
{
    gw_const_span spans[8];
    size_t n;

    /* All of it: what is still wanted is not told again. */
    while ((n = gw_link_unsent(l->link, spans, 8)) > 0) {
        size_t len = 0;
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_lt(l->out_len + spans[i].len, MODE1_OUT);
            memcpy(l->out + l->out_len, spans[i].ptr, spans[i].len);
            l->out_len += spans[i].len;
            len += spans[i].len;
        }
        gw_link_sent(l->link, len, GW_OK);
    }
}

static inline void mode1_connect(struct mode1 *h, gw_link *link)
{
    gw_destination d = GW_SPEC(gw_destination);
    bool is_refused = h->refuse;

    ck_assert_int_eq(gw_link_get_destination(link, &d), GW_OK);
    if (h->refused != NULL && gw_str_eq(d.address, gw_cstr(h->refused)))
        is_refused = true;
    if (h->ignored == NULL || !gw_str_eq(d.address, gw_cstr(h->ignored)))
        gw_link_connected(link, is_refused ? GW_EREFUSED : GW_OK, NULL);
}

/* The host takes a connection back. */
static inline void mode1_take_back(struct mode1_link *l)
{
    gw_const_span spans[64];
    size_t n = gw_link_unread(l->link, spans, 64), len = 0;

    ck_assert_uint_gt(n, 0);
    ck_assert_uint_le(n, 64);
    for (size_t i = 0; i < n; i++)
        len += spans[i].len;
    free(l->back);
    l->back = malloc(len + 1);
    l->back_len = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(l->back + l->back_len, spans[i].ptr, spans[i].len);
        l->back_len += spans[i].len;
    }
    l->back[len] = '\0';
    gw_link_closed(l->link);
    l->link = NULL;
}

/* Steps until nothing is wanted but reading. */
static inline void mode1_pump(struct mode1 *h)
{
    gw_notice notice = GW_SPEC(gw_notice);

    for (int round = 0; round < 1000; round++) {
        bool any = false;
        while (gw_worker_step(h->worker, h->now) == GW_AGAIN)
            ;
        while (gw_bytes_next(h->worker, &notice)) {
            struct mode1_link *l = mode1_find(h, notice.link);
            any = true;
            if ((notice.want & GW_WANT_CONNECT) != 0) {
                l->is_upstream = true;
                mode1_connect(h, l->link);
            }
            if ((notice.want & GW_WANT_WRITE) != 0 && l->is_broken)
                gw_link_sent(l->link, 0, GW_ERESET);
            else if ((notice.want & GW_WANT_WRITE) != 0 && !l->is_slow)
                mode1_take(l);
            if ((notice.want & GW_WANT_SHUTDOWN) != 0) {
                l->is_shutdown = true;
                gw_link_sent(l->link, 0, GW_EOF);
            }
            if ((notice.want & GW_WANT_RETURN) != 0)
                mode1_take_back(l);
            if ((notice.want & GW_WANT_CLOSE) != 0) {
                gw_link_closed(l->link);
                l->link = NULL;
            }
        }
        if (!any && gw_worker_step(h->worker, h->now) == GW_OK)
            return;
    }
    ck_abort_msg("the machine does not come to rest");
}

/* The peer of a slow link takes up to n bytes. */
static inline void mode1_drip(struct mode1 *h, struct mode1_link *l, size_t n)
{
    gw_const_span span;

    while (n > 0 && l->link != NULL && gw_link_unsent(l->link, &span, 1) > 0) {
        size_t len = span.len < n ? span.len : n;
        ck_assert_uint_lt(l->out_len + len, MODE1_OUT);
        memcpy(l->out + l->out_len, span.ptr, len);
        l->out_len += len;
        n -= len;
        gw_link_sent(l->link, len, GW_OK);
    }
    mode1_pump(h);
}

/* Bytes from the peer; pieces of at most cut bytes (0: whole). */
static inline void mode1_feed(struct mode1 *h, struct mode1_link *l, const char *bytes, size_t len,
                              size_t cut)
{
    while (len > 0 && l->link != NULL) {
        gw_span room[8];
        size_t n = gw_link_room(l->link, room, 8), part = cut == 0 || cut > len ? len : cut;
        if (n == 0)
            return;
        if (part > room[0].len)
            part = room[0].len;
        memcpy(room[0].ptr, bytes, part);
        gw_link_received(l->link, part, GW_OK);
        bytes += part;
        len -= part;
        mode1_pump(h);
    }
}

static inline uint64_t mode1_stat(const struct mode1 *h, const char *name)
{
    uint64_t values[64];
    gw_stat row = GW_SPEC(gw_stat);
    size_t n = gw_stats_read(h->worker, values, 64);

    for (size_t i = 0; i < n && gw_stats_describe(i, &row) == GW_OK; i++)
        if (strcmp(row.name, name) == 0)
            return values[i];
    ck_abort_msg("no statistic %s", name);
    return 0;
}

/* All at once, and one step: what it leads to is for the test to look at. */
static inline void mode1_step_with(struct mode1 *h, struct mode1_link *l, const char *text,
                                   gw_status result)
{
    gw_span room;
    size_t len = strlen(text);

    ck_assert_int_eq(gw_worker_step(h->worker, h->now), GW_OK);
    ck_assert_uint_eq(gw_link_room(l->link, &room, 1), 1);
    ck_assert_uint_ge(room.len, len);
    memcpy(room.ptr, text, len);
    gw_link_received(l->link, len, result);
    ck_assert_int_eq(gw_worker_step(h->worker, h->now), GW_OK);
}

static inline void mode1_say(struct mode1 *h, struct mode1_link *l, const char *text)
{
    mode1_feed(h, l, text, strlen(text), 0);
}

static inline void mode1_end(struct mode1 *h, struct mode1_link *l)
{
    gw_link_received(l->link, 0, GW_EOF);
    mode1_pump(h);
}

/* The newest upstream link that is open. */
static inline struct mode1_link *mode1_upstream(struct mode1 *h)
{
    for (int i = h->count - 1; i >= 0; i--)
        if (h->links[i].is_upstream && h->links[i].link != NULL)
            return &h->links[i];
    ck_abort_msg("no upstream connection");
    return NULL;
}

static inline void mode1_clear(struct mode1_link *l)
{
    memset(l->out, 0, l->out_len);
    l->out_len = 0;
}

static inline void mode1_pass(struct mode1 *h, gw_nanos time)
{
    h->now += time;
    mode1_pump(h);
}

/* What was heard is forgotten first. */
static inline void mode1_tell(struct mode1 *h, struct mode1_link *l, const char *text)
{
    mode1_clear(l);
    mode1_say(h, l, text);
}

/* The upstream connection that owes an answer; NULL: nobody was asked. */
static inline struct mode1_link *mode1_asked(struct mode1 *h)
{
    for (int i = 0; i < h->count; i++)
        if (h->links[i].is_upstream && h->links[i].link != NULL && h->links[i].out_len > 0)
            return &h->links[i];
    return NULL;
}

/* Everybody who owes one. */
static inline void mode1_answer_all(struct mode1 *h, const char *text)
{
    for (int i = 0; i < h->count; i++)
        if (h->links[i].is_upstream && h->links[i].link != NULL && h->links[i].out_len > 0)
            mode1_tell(h, &h->links[i], text);
}

static inline void mode1_answer(struct mode1 *h, const char *text)
{
    struct mode1_link *up = mode1_asked(h);

    ck_assert_msg(up != NULL, "nobody was asked");
    mode1_tell(h, up, text);
}

static inline bool mode1_is_at(const struct mode1_link *up, const char *address)
{
    gw_destination d = GW_SPEC(gw_destination);

    ck_assert_int_eq(gw_link_get_destination(up->link, &d), GW_OK);
    return gw_str_eq(d.address, gw_cstr(address));
}

#endif
