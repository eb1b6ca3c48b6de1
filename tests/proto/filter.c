/* proto/filter.c: the filter of a script that sees bodies: what it does with those of each side
 * ("config body SIDE DEED..."):
 *
 *     shows      lets them pass, and remembers them
 *     uppers     every byte by another; their length stays
 *     doubles    every byte twice: their length is announced no more
 *     holds      whole: head and body stay until the end, and the head then has "x-held: LENGTH"
 *     fills      a body that is held and empty gets "filled"
 *     waits      at the first bytes, until "filter resumes"
 *     stuck      takes nothing
 *     trailer    "x-filter: 1" at the end
 *     aborts     at the first bytes
 *     replies    403 at the end
 *
 * It is on everywhere, or ("config body only ROUTE") on one route. */

#include "proto.h"

enum deed {
    SHOWS = 1,
    UPPERS = 2,
    DOUBLES = 4,
    HOLDS = 8,
    FILLS = 16,
    WAITS = 32,
    STUCK = 64,
    TRAILER = 128,
    ABORTS = 256,
    REPLIES = 512
};

static const struct {
    const char *word;
    enum deed deed;
} words[] = {
    { "shows", SHOWS },   { "uppers", UPPERS },   { "doubles", DOUBLES }, { "holds", HOLDS },
    { "fills", FILLS },   { "waits", WAITS },     { "stuck", STUCK },     { "trailer", TRAILER },
    { "aborts", ABORTS }, { "replies", REPLIES },
};

struct state { /* in the exchange's memory */
    bool has_waited[3];
};

static uint32_t side_of(gw_str word)
{
    return gw_str_eq(word, gw_cstr("request"))    ? GW_SIDE_REQUEST
           : gw_str_eq(word, gw_cstr("response")) ? GW_SIDE_RESPONSE
                                                  : 0;
}

bool proto_filter_configure(struct proto *p, const struct proto_line *l)
{
    uint32_t side = l->words > 3 ? side_of(l->word[2]) : 0;

    if (l->words == 4 && gw_str_eq(l->word[2], gw_cstr("only"))) {
        p->filter_route = l->word[3];
        return true;
    }
    for (int i = 3; i < l->words && side != 0; i++) {
        uint32_t before = p->deeds[side];
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            if (gw_str_eq(l->word[i], gw_cstr(words[j].word)))
                p->deeds[side] |= words[j].deed;
        if (p->deeds[side] == before)
            return false;
    }
    return side != 0;
}

/* ---- bodies ---- */

static void remember(struct proto *p, uint32_t side, gw_const_span span)
{
    size_t room = sizeof p->seen[side] - p->seen_len[side];
    size_t n = span.len < room ? span.len : room;

    memcpy(p->seen[side] + p->seen_len[side], span.ptr, n);
    p->seen_len[side] += n;
}

static void pass(struct proto *p, uint32_t side, gw_pipe *pipe)
{
    gw_const_span span;

    while (gw_pipe_peek(pipe, &span, 1) > 0) {
        remember(p, side, span);
        if (gw_pipe_pass(pipe, span.len) != GW_OK)
            return;
    }
}

/* Each byte becomes one of another case, or two of them; as there is room. */
static void replace(gw_pipe *pipe, size_t times)
{
    char bytes[512];
    gw_const_span span;

    while (gw_pipe_peek(pipe, &span, 1) > 0) {
        size_t room = gw_pipe_room(pipe) / times, n = sizeof bytes / times, len = 0;
        n = n < room ? n : room;
        n = n < span.len ? n : span.len;
        for (size_t i = 0; i < n; i++) {
            char c = ((const char *)span.ptr)[i];
            bytes[len++] = (char)(times == 1 && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
            if (times == 2)
                bytes[len++] = c;
        }
        if (n == 0 || gw_pipe_write(pipe, bytes, len) != len || gw_pipe_drop(pipe, n) != GW_OK)
            return; /* in a sweep memory may be short; it is ended then */
    }
}

static gw_verdict on_body(struct proto *p, gw_exchange *x, gw_pipe *pipe, uint32_t side)
{
    struct state *state = gw_exchange_memory(x);
    uint32_t deeds = p->deeds[side];

    if ((deeds & ABORTS) != 0)
        return GW_ABORT;
    if ((deeds & WAITS) != 0 && !state->has_waited[side]) {
        state->has_waited[side] = true;
        p->ticket = gw_exchange_wait(x);
        return GW_WAIT; /* without a ticket that cuts it off */
    }
    if ((deeds & STUCK) != 0)
        return GW_NEXT;
    if ((deeds & (UPPERS | DOUBLES)) != 0)
        replace(pipe, (deeds & DOUBLES) != 0 ? 2 : 1);
    else
        pass(p, side, pipe);
    return GW_NEXT;
}

/* The head has not left. */
static bool tell_held(struct proto *p, gw_exchange *x, gw_pipe *pipe, uint32_t side)
{
    gw_message *head = side == GW_SIDE_REQUEST ? gw_exchange_request(x) : gw_exchange_response(x);
    char length[16];

    if (p->seen_len[side] == 0 && (p->deeds[side] & FILLS) != 0 &&
        gw_pipe_write(pipe, "filled", 6) != 6)
        return false;
    snprintf(length, sizeof length, "%zu", p->seen_len[side]);
    return gw_message_set_field(head, gw_cstr("x-held"), gw_cstr(length)) == GW_OK;
}

static gw_verdict reply(gw_exchange *x)
{
    gw_reply r = GW_SPEC(gw_reply);

    r.code = 403;
    r.body = gw_cstr("seen, and refused\n");
    return gw_exchange_reply(x, &r) == GW_OK ? GW_REPLY : GW_ABORT;
}

static gw_verdict on_body_end(struct proto *p, gw_exchange *x, gw_pipe *pipe, uint32_t side)
{
    uint32_t deeds = p->deeds[side];

    if ((deeds & HOLDS) != 0 && !tell_held(p, x, pipe, side))
        return GW_ABORT;
    if ((deeds & TRAILER) != 0 && gw_message_add_field(gw_exchange_trailers(x, side),
                                                       gw_cstr("x-filter"), gw_cstr("1")) != GW_OK)
        return GW_ABORT;
    return (deeds & REPLIES) != 0 ? reply(x) : GW_NEXT;
}

static gw_verdict on_request_body(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    return on_body(ctx, x, pipe, GW_SIDE_REQUEST);
}

static gw_verdict on_request_end(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    return on_body_end(ctx, x, pipe, GW_SIDE_REQUEST);
}

static gw_verdict on_response_body(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    return on_body(ctx, x, pipe, GW_SIDE_RESPONSE);
}

static gw_verdict on_response_end(void *ctx, gw_exchange *x, gw_pipe *pipe)
{
    return on_body_end(ctx, x, pipe, GW_SIDE_RESPONSE);
}

/* Holding and doubling may be of one side only, the other is then seen as it is. */
static gw_verdict show(struct proto *p, gw_exchange *x, uint32_t side)
{
    uint32_t deeds = p->deeds[side], body = 0;

    if (deeds == 0)
        return GW_NEXT;
    body |= side == GW_SIDE_REQUEST ? GW_BODY_REQUEST : GW_BODY_RESPONSE;
    body |= (deeds & (DOUBLES | FILLS)) != 0 ? GW_BODY_REWRITES : 0;
    body |= (deeds & HOLDS) != 0 ? GW_BODY_WHOLE : 0;
    return gw_exchange_show_body(x, body) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict on_route(void *ctx, gw_exchange *x)
{
    return show(ctx, x, GW_SIDE_REQUEST);
}

static gw_verdict on_response(void *ctx, gw_exchange *x)
{
    return show(ctx, x, GW_SIDE_RESPONSE);
}

/* ---- in a configuration ---- */

void proto_filter_add(struct proto *p, gw_builder *b, gw_id route, gw_id host_route)
{
    gw_filter filter = GW_SPEC(gw_filter);
    gw_use_spec off = GW_SPEC(gw_use_spec), on = GW_SPEC(gw_use_spec);
    gw_id id;

    if (p->deeds[GW_SIDE_REQUEST] == 0 && p->deeds[GW_SIDE_RESPONSE] == 0)
        return;
    filter.name = "bodies";
    filter.exchange_bytes = sizeof(struct state);
    filter.whole_bytes_max = p->whole_max;
    filter.ctx = p;
    filter.on_route = on_route;
    filter.on_response = on_response;
    filter.on_request_body = on_request_body;
    filter.on_request_end = on_request_end;
    filter.on_response_body = on_response_body;
    filter.on_response_end = on_response_end;
    id = gw_builder_filter(b, &filter);
    if (p->filter_route.len == 0)
        return;
    off.mode = GW_USE_OFF;
    (void)gw_builder_use(b, id, 0, &off);
    (void)gw_builder_use(b, id, gw_str_eq(p->filter_route, gw_cstr("host")) ? host_route : route,
                         &on);
}

/* ---- words ---- */

bool proto_filter_does(struct proto *p, const struct proto_line *l)
{
    if (!gw_str_eq(l->word[1], gw_cstr("resumes")))
        return false;
    SIM_CHECK(&p->sim, gw_resume(p->ticket, NULL) == GW_OK, "line %d: nobody waits", l->number);
    p->sim.wake = true;
    return true;
}

/* "filter saw SIDE TEXT" */
const char *proto_filter_expects(const struct proto *p, const struct proto_line *l)
{
    static char came[600];
    uint32_t side = side_of(l->word[2]);
    gw_str has = { p->seen[side], p->seen_len[side] };

    if (side != 0 && gw_str_eq(has, l->word[3]))
        return NULL;
    snprintf(came, sizeof came, "%.*s", (int)has.len, has.ptr);
    return came;
}
