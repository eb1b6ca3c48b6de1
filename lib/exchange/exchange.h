/* exchange/exchange.h: one request and its response, from the first byte of the head to on_end: two
 * streams, two pipes, a route, a cause. Private to lib/exchange and lib/worker.
 *
 * The request pipe is filled by the client's stream and emptied by the upstream's (or an origin); the
 * response pipe the other way. Codecs fill and empty; the exchange decides, and passes the word from
 * one stream to the other: bytes came (advance the target), room came back (advance the source).
 */
#ifndef GW_EXCHANGE_EXCHANGE_H
#define GW_EXCHANGE_EXCHANGE_H

#include "base/prng.h"
#include "config/bounds.h"
#include "exchange/binding.h"
#include "exchange/call.h"
#include "exchange/recorder.h"
#include "exchange/show.h"
#include "exchange/states.h"
#include "exchange/wait.h"
#include "link/pool.h"

/* Room for the heads and trailers of a gRPC call, or of a small request: no block is needed for them. */
enum { GW_EXCHANGE_CELL = 1536 };

struct gw_exchanges;

/* Who of an exchange may wait, each for itself: its hooks run one at a time. */
enum gw_asked_id {
    GW_ASKED_REQUEST = 0, /* filters, about the head            */
    GW_ASKED_REQUEST_BODY,
    GW_ASKED_RESPONSE, /* filters, about the head, then the body */
    GW_ASKED_ORIGIN,
    GW_ASKED_CALL, /* who made the request, if that was the host */
    GW_ASKED_COUNT
};
struct gw_asked {
    struct gw_wait *wait;   /* a ticket is out, or its letter is on the way */
    struct gw_stage *stage; /* of whom is asked about a body              */
    gw_nanos since;         /* waiting: since when                          */
    uint8_t hook;           /* which hooks are asked, one filter after the other */
    uint8_t at;             /* how many of them were: of the response, from the last one down */
    bool is_waiting;
    bool is_short; /* no memory for a ticket: to wait without one is not the host's mistake */
};

/* What gw_exchange_reply has made, until the verdict is known. In the arena. */
struct gw_reply_text;

/* What gw_exchange_serve was given: until the verdict is known, and from then on. */
struct gw_served {
    gw_origin origin; /* with the filter's ctx */
    uint32_t filter;
};

/* How long the client has been waited for that gives or takes a body: a wait costs its time, each byte
 * brings a little back (gw_listener_spec.body_rate). So a byte now and then does not do. */
struct gw_patience {
    gw_nanos spent; /* of the wait, less what bytes were worth         */
    gw_nanos from;  /* running: the wait from then on is not counted yet */
    uint64_t seen;  /* bytes that were counted                         */
    bool is_running, was_running;
};

enum { GW_HOOK_AT_NONE = UINT8_MAX }; /* an origin's or a caller's: no filter's */

struct gw_exchange {
    uint64_t id; /* first: a free cell's first word is lost, and its magic tells who comes late */
    uint32_t magic;
    uint8_t phase;          /* gw_phase */
    uint8_t kind;           /* GW_EXCHANGE_HTTP ... */
    bool is_failed;         /* cause is set: only the farewell to the client is left      */
    bool is_discarding;     /* nobody wants the request's body: it is dropped             */
    bool is_local;          /* the response is ours (reply), no upstream feeds it         */
    bool has_response;      /* `response` holds a head (local, or received)               */
    bool is_response_whole; /* all of it is in the pipe                                   */
    bool is_down_sent;      /* the end is in the client's chain; waits for the transport  */
    bool is_flushed;        /* ... and was accepted by it                                 */
    bool is_answering;      /* the response is with its filters                           */
    bool is_route_left;     /* ... were asked where it goes; its body may be held still */
    bool is_picked;         /* an endpoint is chosen, and the filters are asked           */
    bool is_in_flight;      /* ... and counts this try                                    */
    bool is_split;          /* its cluster is one of those that share the route ...       */
    uint8_t split;          /* ... that one                                               */
    /* Guards (guards.c): what it holds of its cluster's counts, and what its try was like. */
    bool has_place, has_ticket, is_pending, is_retry, has_fallen, is_prepared;
    uint8_t ticket;        /* gw_breaker_ticket       */
    uint8_t seen, outcome; /* gw_outcome: by its head, and at its end */
    bool is_retry_forbidden;
    bool has_given_key;
    bool is_backing_off; /* PICK: not before again_at; `up` may still take in the refusal */
    uint8_t hook;        /* gw_hook */
    uint8_t hook_who;    /* gw_asked_id: of the hook that runs */
    uint8_t hook_at;     /* ... which filter's it is, or GW_HOOK_AT_NONE */
    bool is_over;        /* on_end has run: only the reap is left                     */
    /* Origin (see origin.c). */
    bool is_origin_started, is_end_shown, wants_on_read, wants_on_write, was_pipe_full;
    bool has_info;     /* a 1xx came: whoever sent it has begun to process the request */
    bool has_own_host; /* the authority is ours: the request had none                  */
    uint8_t tries;     /* endpoints picked so far                                      */
    uint8_t waiting;   /* how many of asked wait */
    uint8_t infos;     /* informational responses of an origin */
    uint8_t seen_by;   /* the response is shown to the filters before that one */
    struct gw_exchanges *of;
    struct gw_list all, run, thirsty;
    /* What was promised when it was admitted (link/slot.h): blocks of the arena, of each pipe, and of
     * its link to an upstream until it has one. */
    struct gw_reserve arena_reserve, request_reserve, response_reserve, up_reserve;
    struct gw_link *down_link, *up_link; /* down_link NULL: the host is the client: call */
    struct gw_call *call;                /* NULL: it came over a link                    */
    struct gw_waiter waiter;
    struct gw_binding *binding;
    const struct gw_listener_conf *listener;
    const struct gw_route_conf *route;
    const struct gw_cluster_conf *cluster;
    const struct gw_guards_conf *guards; /* since it has picked; NULL: none */
    const struct gw_endpoint_conf *endpoint;
    uint32_t tried[GW_RETRIES_MAX + 1]; /* indices of the endpoints, tries of them */
    struct gw_kept { /* the begin of the request's body, for a retry: see replay.c */
        char *at;
        uint32_t len, room;
        bool is_over;           /* it cannot be kept, or need not               */
        struct gw_replay *more; /* longer than what is kept at `at`; NULL: not */
    } kept;
    gw_str client; /* whom a trusted peer speaks for; empty: the peer itself */
    struct gw_asked asked[GW_ASKED_COUNT];
    uint64_t filters;     /* which are on: by index, a bit each                   */
    uint64_t filters_met; /* ... and which have been, at any time: on_end is theirs */
    const struct gw_cluster_conf *wanted; /* gw_exchange_set_cluster */
    uint64_t given_key;                   /* gw_exchange_set_hash_key */
    struct gw_label *labels;
    struct gw_limit_note *limits; /* what limiters have said of it; NULL: nothing to remember */
    /* Bodies that filters see; NULL: none. Where they come out: without filters, where they go in. */
    struct gw_shown *shown_request, *shown_response;
    struct gw_pipe *request_out, *response_out;
    uint8_t *shows; /* by filter: gw_exchange_show_body; NULL: as configured */
    gw_cause cause;
    uint32_t code; /* what the client was sent */
    uint32_t upstream_protocol;
    size_t host_bytes; /* arena bytes that hooks asked for */
    void **memory;     /* of filters, by index             */
    void *origin_memory;
    void *hook_memory;           /* of the hook that runs            */
    struct gw_reply_text *reply; /* the first of them; NULL: none */
    struct gw_served *served;    /* a filter's own origin; NULL: none */
    /* Times, and when something last moved. */
    gw_nanos started, routed, sent, answered, ended;
    gw_nanos waited;        /* since when the hook or the connection is waited for  */
    gw_nanos client_in;     /* the client gave body bytes                           */
    gw_nanos client_out;    /* the client took body bytes                           */
    gw_nanos again_at;      /* backing off: until then */
    gw_nanos upstream_in;   /* the upstream gave                                    */
    gw_nanos upstream_out;  /* the upstream took body bytes                         */
    gw_nanos grpc_deadline; /* GW_NEVER: none */
    gw_nanos latency;       /* of this try: from its request to its head */
    gw_nanos refused_until; /* by a breaker: then it may be asked again  */
    struct gw_patience giving, taking;
    uint32_t link_sent; /* bytes of the client's connection, when looked */
    struct gw_alarm alarm;
    /* What is above is zero at first; what follows has beginnings of its own. */
    struct gw_stream down, up;
    struct gw_message request, response, request_trailers, response_trailers;
    struct gw_pipe request_pipe, response_pipe;
    struct gw_arena arena;
    _Alignas(16) char cell[GW_EXCHANGE_CELL]; /* first memory of the arena */
};

struct gw_reply_text {
    struct gw_reply_text *next; /* of somebody else, who waits as well */
    struct gw_message head;
    struct gw_chain body;
    gw_str type, grpc_message;
    uint32_t code, grpc_status;
    uint8_t who, filter; /* gw_asked_id, and which filter's hook has made it */
};

/* What all exchanges of a worker share. */
struct gw_exchanges {
    struct gw_links *links;
    struct gw_upstreams *upstreams;
    const gw_limits *limits;
    struct gw_log *log;
    struct gw_stats *stats;
    const struct gw_trace *trace;
    struct gw_binding *binding; /* the current one; NULL: none yet */
    struct gw_binding *old;     /* earlier ones still in use       */
    struct gw_slab slab;
    struct gw_arena_source blocks;
    struct gw_list all, runnable, dead;
    struct gw_list calls;   /* of the host's own */
    bool is_closing;        /* no more of those  */
    struct gw_list thirsty; /* a pipe of theirs waits for its own blocks to come back */
    uint32_t thirsty_since; /* the pool's returns when they were last looked at       */
    struct gw_waits waits;
    struct gw_via via; /* our name where a listener has none of its own */
    char via_text[GW_VIA_BYTES];
    uint64_t ids;
    struct gw_prng prng; /* of backoffs */
    struct gw_recorder recorder;
    struct gw_probes probes;
    uint32_t count;
    const gw_env *env; /* for its clock */
    uint64_t unix_now; /* 0: not read in this step */
};

extern const struct gw_link_above gw_exchange_above;

/* The longest piece of an exchange's arena. Pure; any thread. */
size_t gw_exchange_piece_max(const gw_limits *limits);
gw_status gw_exchanges_init(struct gw_exchanges *all) GW_MUST_CHECK;
void gw_exchanges_fini(struct gw_exchanges *all); /* ends what is left, hooks are told */
/* After the links are gone too: frees the old ones, gives back the current one, reset; NULL: none. */
struct gw_binding *gw_exchanges_leave_bindings(struct gw_exchanges *all) GW_MUST_CHECK;
/* The current configuration; takes the binding. */
void gw_exchanges_adopt(struct gw_exchanges *all, struct gw_binding *binding);
/* Letters from other threads. */
void gw_exchanges_take_letters(struct gw_exchanges *all);
void gw_exchanges_reap(struct gw_exchanges *all);
/* Blocks are free again: sources that waited for them go on. */
void gw_exchanges_feed(struct gw_exchanges *all);
/* The link's listener in the current configuration; GW_EUNKNOWN: it is no longer there. */
gw_status gw_exchange_bind_link(struct gw_exchanges *all, struct gw_link *link, gw_str listener)
    GW_MUST_CHECK;

/* For who begins one without a link: NULL: no memory, or no more than exchanges_max. It is on no list
 * before gw_exchange_begun, and until then may be released. */
struct gw_exchange *gw_exchange_new(struct gw_exchanges *all, struct gw_binding *binding,
                                    const struct gw_listener_conf *listener) GW_MUST_CHECK;
void gw_exchange_begun(struct gw_exchange *x, uint64_t link);
void gw_exchange_release(struct gw_exchange *x);
/* One user of a binding less. */
void gw_exchange_unbind(struct gw_exchanges *all, struct gw_binding *binding);

/* run.c: a filter's own origin answers. */
void gw_exchange_go_serve(struct gw_exchange *x);
static inline bool gw_exchange_is_to_serve(const struct gw_exchange *x)
{
    return x->served != NULL && !x->is_origin_started;
}
void gw_exchange_run(struct gw_exchange *x);
/* Blocks of its own are on their way back, that one of its pipes waits for: of a body that filters see the last
 * one. What the others lack lies between them, and moves on as soon as that one has room. */
static inline bool gw_exchange_is_short(const struct gw_exchange *x)
{
    return gw_pipe_is_short(x->request_out) || gw_pipe_is_short(x->response_out);
}
/* The magic word is right: for entry points of the public API. */
bool gw_exchange_is_valid(const struct gw_exchange *x);
void gw_exchange_wake(struct gw_exchange *x); /* on the list of runnable ones */
void gw_exchange_enter(struct gw_exchange *x, enum gw_phase phase);
/* The route of what the request says; NULL: none. */
const struct gw_route_conf *gw_exchange_match(const struct gw_exchange *x, bool *is_method_missing);
/* The same, and why. */
const struct gw_route_conf *gw_exchange_explain_match(const struct gw_exchange *x,
                                                      bool *is_method_missing,
                                                      const struct gw_route_trace *trace);
/* What its client is told if there is none. */
enum gw_reason_id gw_exchange_unrouted(const struct gw_exchange *x, bool is_method_missing);
/* Its body is longer than any may be. */
bool gw_exchange_is_too_long(const struct gw_exchange *x);
/* What its head says of who sent it, and what it is. GW_REASON_none: it may go on; else *by: whose fault. */
enum gw_reason_id gw_exchange_learn(struct gw_exchange *x, uint32_t *by);

/* end.c: the one way in which anything fails. */
void gw_exchange_fail(struct gw_exchange *x, uint32_t by, enum gw_reason_id reason,
                      gw_status status);
/* On the side of peer; but what the gateway did itself is not its fault. */
void gw_exchange_fail_cut(struct gw_exchange *x, uint32_t peer, enum gw_reason_id reason,
                          gw_status status);
void gw_exchange_finish(struct gw_exchange *x); /* -> END, as soon as no letter is on the way */
void gw_exchange_log(const struct gw_exchange *x, uint32_t level, const char *event,
                     gw_cause cause);
void gw_exchange_leave_upstream(struct gw_exchange *x, uint32_t h2_code);
/* The endpoint of its next try, another one than before if there is one; UINT32_MAX: nobody; any other that
 * there is not: the host is mistaken. */
uint32_t gw_exchange_choose(struct gw_exchange *x);
/* affinity.c: the endpoint that its client is to come back to, if it may be asked; UINT32_MAX: none. */
uint32_t gw_affinity_choose(struct gw_exchange *x);
/* The response's client is told where to come back to, if that is another one than it has said. */
void gw_affinity_tell(struct gw_exchange *x);
/* custom.c: likewise, of a cluster whose endpoints the host chooses; any number that the host may say. */
uint32_t gw_custom_choose(const struct gw_exchange *x);
/* Whom that would choose, and why: of what workers share nothing is taken. is_kept: its cookie says so. */
uint32_t gw_exchange_foresee(struct gw_exchange *x, struct gw_pick_trace *trace, bool *is_kept);
/* Where its keys are looked for. */
struct gw_key_source gw_exchange_source(const struct gw_exchange *x);
/* The hash of the first of these keys that the request has; false: it has none. */
bool gw_exchange_key(const struct gw_exchange *x, const struct gw_key *keys, uint32_t len,
                     uint64_t *out);
/* Its endpoint has done what it was asked, or failed: it counts it no more. Twice is fine. */
void gw_exchange_end_try(struct gw_exchange *x);
/* What its worker keeps for its cluster, which is no origin's. */
static inline struct gw_cluster_use *gw_exchange_use(const struct gw_exchange *x)
{
    return &x->binding->clusters[x->cluster->index];
}

/* Notes a verdict that there is not. */
static inline void gw_exchange_check_verdict(const struct gw_exchange *x, gw_verdict verdict)
{
    if ((uint32_t)verdict > GW_ABORT)
        gw_misuse_note(x->of->links->misuse, GW_MISUSE_VERDICT_UNKNOWN);
}

/* filters.c */
enum gw_filter_result {
    GW_FILTER_DONE,
    GW_FILTER_WAIT,
    GW_FILTER_REPLY,
    GW_FILTER_ABORT,
    GW_FILTER_NO_MEMORY
};
/* Is any filter that is on to be asked? */
static inline bool gw_filters_have(const struct gw_exchange *x, enum gw_hook hook)
{
    return GW_UNLIKELY((x->binding->config->hooks[hook] & x->filters) != 0);
}
/* Those of the route that was found are on; their memory. GW_ENOMEM. */
gw_status gw_filters_turn_on(struct gw_exchange *x) GW_MUST_CHECK;
/* The filters from asked[who].at on, until one has something else to say than GW_NEXT. */
enum gw_filter_result gw_filters_ask(struct gw_exchange *x, enum gw_asked_id who,
                                     enum gw_hook hook);
/* After a result that was not DONE or WAIT: what it means for the exchange. */
void gw_filters_obey(struct gw_exchange *x, enum gw_filter_result result);
/* One filter about a body, or its end. */
enum gw_filter_result gw_filters_show(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter,
                                      enum gw_hook hook, struct gw_stage *stage);
void gw_filters_end(struct gw_exchange *x);
/* Nobody waits any more: verdicts will come too late. */
void gw_filters_stop_waiting(struct gw_exchange *x);
void gw_filters_stop_one(struct gw_exchange *x, enum gw_asked_id who);
/* An answer has come to the hook that waits. */
void gw_exchange_resumed(struct gw_exchange *x, enum gw_asked_id who, void *answer);
/* May an answer be given by a filter's hook, now? */
bool gw_reply_may(const struct gw_exchange *x, enum gw_hook hook);
/* What gw_exchange_reply has made in a hook of that filter; NULL: nothing. */
struct gw_reply_text *gw_reply_of(const struct gw_exchange *x, enum gw_asked_id who,
                                  uint32_t filter);
/* ... is not given after all; nor what that filter was to serve. */
void gw_reply_forget(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter);
void gw_reply_forget_all(struct gw_exchange *x);
/* Zeroed memory from the arena, counted against exchange_bytes_max. */
void *gw_exchange_take_memory(struct gw_exchange *x, size_t len);

/* upstream.c: pick, connect, and what the upstream's stream says. */
/* What the response says, in its trailers or in a head that has none; 2 (unknown) where it cannot be read. */
uint32_t gw_exchange_grpc_status(const struct gw_exchange *x);
/* split.c: whose turn it is of those that share the route; what became of it, at the end. */
void gw_split_pick(struct gw_exchange *x);
/* Whose it would be, and whether its key says so; else it is only that one's turn. */
uint32_t gw_split_look(const struct gw_exchange *x, bool *is_kept);
void gw_split_count(struct gw_exchange *x);
void gw_exchange_pick(struct gw_exchange *x);    /* and asks on_upstream */
void gw_exchange_connect(struct gw_exchange *x); /* fails it if no connection could be had */
void gw_exchange_take_upstream_news(struct gw_exchange *x);

/* guards.c: what stands between a cluster and its requests; only where the cluster has guards. Before a
 * try: false: it is refused, has failed or goes elsewhere. */
bool gw_guards_admit(struct gw_exchange *x);
/* Is there something of its cluster that the host may have forced? */
static inline bool gw_guards_is_forced(const struct gw_exchange *x)
{
    return x->of->links->now <
           atomic_load_explicit(&gw_exchange_use(x)->state->forced_until, memory_order_relaxed);
}
/* Those of its cluster; where it has none, NULL, but while something of it is forced. */
static inline const struct gw_guards_conf *gw_guards_of(const struct gw_exchange *x)
{
    const struct gw_guards_conf *g = x->cluster->guards;

    return GW_UNLIKELY(g == NULL && gw_guards_is_forced(x)) ? &gw_guards_none : g;
}
/* Why it would be refused, without taking anything; GW_REASON_none: it would not. */
enum gw_reason_id gw_guards_look_in(const struct gw_exchange *x);
struct gw_gate gw_guards_gate(const struct gw_exchange *x, uint32_t endpoint);
/* Why nobody can be chosen. */
enum gw_reason_id gw_guards_nobody(const struct gw_exchange *x);
/* Looks who may be asked, if that has changed. False: nobody. */
bool gw_guards_look(struct gw_exchange *x);
/* May it be asked; may it not, whoever else is there. */
bool gw_guards_may(const struct gw_exchange *x, uint32_t endpoint);
bool gw_guards_is_shut(const struct gw_exchange *x, uint32_t endpoint);
/* It was chosen: takes its breaker's leave. False: another was faster. */
bool gw_guards_take(struct gw_exchange *x, uint32_t endpoint);
/* Nobody could be chosen. */
void gw_guards_refuse_all(struct gw_exchange *x);
/* Is it asked when its turn comes, be it only because its level is in panic? */
bool gw_guards_is_asked(struct gw_exchange *x, uint32_t endpoint);
/* When it was looked last, was there an endpoint that may be asked? O(1). */
bool gw_guards_knows_one(const struct gw_exchange *x);
/* It waits for a connection, or no longer. False: it is refused. */
bool gw_guards_wait(struct gw_exchange *x);
void gw_guards_wait_no_more(struct gw_exchange *x);
/* May there be one more try? Then it has a place among the retries, until it begins, or not. */
bool gw_guards_may_retry(struct gw_exchange *x);
void gw_guards_retry_not(struct gw_exchange *x);
/* The try ends, and the next one begins. */
void gw_guards_retry(struct gw_exchange *x);
/* What its upstream says, and what went wrong with the try. */
void gw_guards_hear(struct gw_exchange *x, uint32_t news);
void gw_guards_blame(struct gw_exchange *x, enum gw_reason_id reason);
/* The try is over, and reported once. */
void gw_guards_end_try(struct gw_exchange *x);
void gw_guards_let_go(struct gw_exchange *x); /* all that it holds */
static inline const struct gw_guards_conf *gw_exchange_guards(const struct gw_exchange *x)
{
    return x->guards;
}

/* retry.c: as if nothing had been tried; what the failed try left behind is gone. */
void gw_exchange_start_over(struct gw_exchange *x);
/* run.c: may the request's Upgrade go on? */
bool gw_exchange_may_upgrade(const struct gw_exchange *x);
/* ... only if its cluster and its route let it. */
void gw_exchange_decide_upgrade(struct gw_exchange *x);

/* back.c: no route claims its request. True: its connection goes back to the host, or it has failed for
 * want of memory; false: to be answered here. */
bool gw_exchange_give_back(struct gw_exchange *x);
/* Whoever answers it has been found: what follows its head may be taken in. */
static inline void gw_exchange_claim(struct gw_exchange *x)
{
    if (x->down.is_held)
        gw_link_claim(x->down_link, &x->down);
}

bool gw_exchange_has_tried(const struct gw_exchange *x, uint32_t endpoint);
/* replay.c: body bytes have come, and may leave from now on. */
void gw_exchange_keep(struct gw_exchange *x);
/* Can all that was sent be sent again? */
bool gw_replay_may(const struct gw_exchange *x);
/* It is in the request's pipe again. False: no memory; nothing changed. */
bool gw_replay_put_back(struct gw_exchange *x) GW_MUST_CHECK;
/* The blocks that were kept for another try go back, if none can follow; in any case. */
void gw_replay_settle(struct gw_exchange *x);
void gw_replay_forget(struct gw_exchange *x);
/* retry.c: may it be sent again, though it may have been processed? */
bool gw_exchange_is_repeatable(const struct gw_exchange *x);
/* retry.c: true: the failed try is followed by another; the exchange is to pick again. */
bool gw_exchange_retry(struct gw_exchange *x, enum gw_reason_id reason);
/* ... likewise, of what the upstream has answered: its head is here. */
bool gw_exchange_retry_answer(struct gw_exchange *x);
/* Is it worth asking? */
static inline bool gw_exchange_is_refusal(const struct gw_exchange *x)
{
    return x->response.code >= GW_RETRY_CODE_LEAST ||
           (x->kind == GW_EXCHANGE_GRPC && x->route->retry->grpc != 0);
}
/* Nothing is waited for any more: the next try may begin. */
void gw_exchange_end_backoff(struct gw_exchange *x);
/* The refusal's stream has that news. */
void gw_exchange_take_refusal_news(struct gw_exchange *x, uint32_t news);

/* limit.c: the limiters of its route. False: it has failed. */
bool gw_limit_pass(struct gw_exchange *x);
/* What the i-th name of its route's list would say; nothing is taken. In order, from 0 on with an empty one.
 * False: the request would be refused. */
struct gw_limit_sight {
    const struct gw_limiter_conf *by;
    bool was_for;  /* of those of the same entry one was for the request */
    bool is_asked; /* it is for the request */
    bool is_full, is_refusal;
    struct gw_taken taken;
    uint32_t asked_len; /* what it has asked by now */
    struct gw_limit_asked {
        const struct gw_limiter_conf *by;
        struct gw_table_key key;
    } asked[GW_ROUTE_LIMITERS_MAX];
};
bool gw_limit_look_at(const struct gw_exchange *x, uint32_t i, struct gw_limit_sight *out);
/* It is not in flight any more. */
void gw_limit_leave(struct gw_exchange *x);
/* The answer to one that was refused: the status that the limiter is to give. */
void gw_limit_row(const struct gw_exchange *x, gw_reason *row);
/* What the response says of limits. */
void gw_limit_tell(struct gw_exchange *x);

/* identity.c: whom the request is from, once its head is here. GW_REASON_none: it may go on. */
enum gw_reason_id gw_identity_learn(struct gw_exchange *x);
gw_str gw_identity_client(const struct gw_exchange *x);
gw_status gw_identity_tell(struct gw_exchange *x) GW_MUST_CHECK; /* ... to its upstream */

/* origin.c: the host as upstream. */
void gw_origin_start(struct gw_exchange *x);
void gw_origin_end(struct gw_exchange *x); /* its last hook */
void gw_origin_run(struct gw_exchange *x);
void gw_origin_resumed(struct gw_exchange *x, void *answer);
struct gw_message *gw_origin_inform(struct gw_exchange *x, uint32_t code); /* NULL: no memory */

/* relay.c: heads and bodies towards the client. */
void gw_relay_response(
    struct gw_exchange *x); /* the head in `response` has come from who answers */
/* The filters are asked about it that are before the one of that index, last first; then it goes down. */
void gw_relay_answer(struct gw_exchange *x, uint32_t before);
void gw_relay_ask(struct gw_exchange *x);  /* ... they are asked on */
void gw_relay_send(struct gw_exchange *x); /* nobody is asked about it: it goes down */
void gw_relay_down_news(struct gw_exchange *x, uint32_t news);
void gw_relay_settle(struct gw_exchange *x); /* what stays over a step pins little  */

/* reply.c: local answers. */
void gw_reply_reason(struct gw_exchange *x, enum gw_reason_id reason);
/* What that filter has made is the response; false: the exchange has failed. */
bool gw_reply_adopt(struct gw_exchange *x, enum gw_asked_id who, uint32_t filter) GW_MUST_CHECK;
void gw_reply_configured(struct gw_exchange *x, uint32_t code, gw_str type, gw_str body);
/* Who needs the body before anybody is asked must say 100 himself (RFC 9110 10.1.1). Nothing, where
 * nobody waits for it. */
void gw_reply_continue(struct gw_exchange *x);
void gw_reply_grpc_end(struct gw_exchange *x, enum gw_reason_id reason); /* trailers, head is out */

/* deadline.c */
/* How long its cluster may take to answer; GW_NEVER: as long as it likes. */
gw_nanos gw_deadline_response(const struct gw_exchange *x);
void gw_deadline_arm(struct gw_exchange *x);
void gw_deadline_ring(struct gw_alarm *alarm);

#endif
