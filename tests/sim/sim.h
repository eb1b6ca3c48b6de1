/* sim/sim.h: the world around one worker: virtual time, wires that delay, cut and break, peers that
 * speak both protocols, and what must be true of all that happens. One seed is one world: the same seed
 * gives the same events, byte for byte.
 *
 *   main.c        the command line
 *   sim.c         a seed becomes a world; the main loop
 *   sim_swarm.c   which sizes and which faults a seed gets (a part of them only: swarm testing)
 *   sim_memory.c  the gateway's memory, counted, and that of its peers
 *   sim_clock.c   what happens when: a heap of events; time moves only to the next one
 *   sim_net.c     the gw_io_ops: wires
 *   sim_peer.c    a peer's connection: a codec of its own, an engine if the world has one
 *   sim_client.c  clients: requests by plan, bodies, early leave
 *   sim_origin.c  upstreams: answers by plan, and every way of not answering
 *   sim_host.c    the host in front of which the gateway stands: what no route claims is its own
 *   sim_reload.c  configurations, and new ones while everything goes on
 *   sim_filter.c  filters that look, copy, hold, wait, answer
 *   sim_adversary.c  raw bytes that are meant to do harm
 *   sim_caller.c  calls of the host's own, to an origin of its own
 *   sim_oracle.c  what each request must have come to
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gw/gw.h>

#include "base/prng.h"
#include "base/timer.h"
#include "buf/pipe.h"
#include "h1/h1.h"
#include "h2/codec.h"
#include "http/codec.h"
#include "raw/raw.h"
#include "tls/provider.h"
#include "tls/stub.h"

/* After an early answer more of a body than this ends an HTTP/1 connection, and with it what the client
 * has already sent behind it. */
enum { SIM_SKIPPED_MAX = 60000 };
enum { SIM_SMALL_BLOCK = 2048 }; /* bytes, in a small pool */
enum { SIM_CONFIGS_MAX = 64, SIM_CALLERS_MAX = 8 };
enum { SIM_CALLS_MAX = 64, SIM_WIRES_MAX = 512, SIM_CLIENTS_MAX = 8, SIM_EVENTS_MAX = 65536 };

struct sim;
struct sim_wire;
struct sim_peer;

#define SIM_CHECK(sim, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail((sim), __FILE__, __LINE__, #condition, __VA_ARGS__);                          \
    } while (0)

/* ---- plans: what one request is to be, and what is done to it ---- */

enum sim_fault {
    SIM_FAULT_NONE = 0,
    SIM_CLIENT_LEAVES,  /* the client resets its stream or connection on its way          */
    SIM_ORIGIN_RESETS,  /* the upstream resets the stream or connection at some byte      */
    SIM_ORIGIN_CLOSES,  /* it ends the connection at some byte                            */
    SIM_ORIGIN_SILENT,  /* it never answers                                               */
    SIM_ORIGIN_GARBAGE, /* it sends bytes that are no HTTP                                */
    SIM_ORIGIN_REFUSES, /* HTTP/2: REFUSED_STREAM                                         */
    SIM_FAULT_COUNT
};

struct sim_plan {
    uint32_t id;
    enum sim_fault fault;
    bool stalls;       /* the client does not read the response before all others are done        */
    bool is_hosts;     /* no route claims it: its connection goes back, and the host answers      */
    bool is_behind;    /* its connection has another that stalls, and one request at a time       */
    uint64_t fault_at; /* body byte of the response (or request) where it strikes; 0: at once */
    uint64_t request_len, response_len;
    bool request_unknown, response_unknown; /* no Content-Length                             */
    bool request_trailers, response_trailers;
    bool leaves_late;   /* the client that leaves counts the bytes of the response */
    bool answers_early; /* the upstream does not wait for the request's end               */
    bool has_info;      /* a 103 comes first                                              */
    uint32_t status;
    gw_nanos think; /* before the upstream answers                                    */
    const char *method;
    /* What was seen. */
    uint32_t config;  /* by which one it began */
    int begun, ended; /* hooks                                                          */
    gw_cause cause;
    int origin_seen;     /* how often an upstream began to process it: refusals do not count */
    int host_seen;       /* how often the host answered it                          */
    uint64_t origin_got; /* body bytes there                                               */
    bool origin_whole;
    bool is_handled, is_replied; /* by a filter that does things: seen, answered */
    bool is_excused; /* something shared broke under it                                */
    uint32_t origin_wire, origin_turn; /* where an upstream saw it last                       */
    bool fault_struck;
    bool client_done, client_whole, client_cut;
    uint32_t client_status;
    uint64_t client_got;
    uint32_t client_infos;
    bool client_trailers;
};

/* ---- events ---- */

enum sim_what {
    SIM_TO_GATEWAY, /* bytes of a wire arrive at the gateway      */
    SIM_TO_PEER,    /* ... at the peer                            */
    SIM_SENT,       /* a send is complete                         */
    SIM_CONNECTED,
    SIM_CLOSED,
    SIM_PEER_RUNS,   /* a peer goes on (thinking, slow reading)    */
    SIM_CLIENT_RUNS, /* a client begins a request or a connection  */
    SIM_ADVERSARY,   /* one who wants to do harm goes on           */
    SIM_ACT,         /* the world's own deeds                      */
    SIM_HOST_RUNS,   /* the host goes on with a wire that is its own */
    SIM_RESUMES      /* an answer to a filter that waits           */
};

struct sim_event {
    gw_nanos when;
    uint64_t order; /* of two at the same time the older first */
    enum sim_what what;
    uint32_t who;  /* wire or client */
    uint32_t turn; /* of the wire: later events of a reused one are stale */
    uint64_t n;
};

/* ---- wires ---- */

struct sim_bytes { /* a growing queue of bytes */
    uint8_t *at;
    size_t from, to, room;
};

struct sim_wire {
    uint32_t index, turn;
    bool is_used;
    gw_link *link; /* NULL: the gateway's end is gone */
    struct sim_peer *peer;
    struct sim_bytes to_gateway;   /* said by the peer, on its way   */
    struct sim_bytes to_peer;      /* sent by the gateway, on its way */
    size_t arrived;                /* of to_gateway: may be read               */
    bool recv_wanted;              /* a recv is outstanding                    */
    bool peer_fin, peer_rst;       /* said by the peer             */
    bool fin_arrived, rst_arrived; /* ... and there                 */
    bool gateway_fin, gateway_gone, gone_told;
    bool delivering, was_cut;
    /* Scripts over real sockets: bytes and ends leave through these instead. */
    bool (*say)(struct sim *sim, struct sim_wire *w, const void *bytes, size_t len);
    bool (*end)(struct sim *sim, struct sim_wire *w, bool is_reset);
    int fd;
    size_t sending; /* bytes of the send that is outstanding: 0 none */
    uint64_t sent;  /* bytes that the gateway was told have left     */
    bool is_upstream;
    bool is_closing;
    bool was_faulted; /* what shares it is excused */
    bool is_blocked;  /* a send waits for the end of a stall */
    /* The host's. */
    bool is_hosts;         /* it came back */
    uint32_t host_tries;   /* to hand it over */
    struct sim_bytes host; /* read, and not consumed */
};

/* ---- peers ---- */

struct sim_call {            /* one message pair on one connection, on either side */
    struct gw_stream stream; /* first */
    struct gw_list node;
    struct sim_peer *peer;
    struct sim_plan *plan; /* an origin's: known when the head is here */
    struct gw_message in_head, in_trailers, out_head, out_trailers, info;
    struct gw_pipe in_pipe, out_pipe;
    struct gw_arena arena;
    char *memory;
    uint64_t put, got; /* body bytes */
    bool answered, is_over;
    bool is_spared; /* an origin's: the fault has struck another try of it */
    gw_nanos answer_at, wake_at;
};

struct sim_peer {
    struct sim *sim;
    struct sim_wire *wire;
    struct gw_codec *codec;
    struct gw_codec_owner owner;
    struct gw_tls_engine *engine;
    struct gw_chain wire_in, wire_out, clear_in, clear_out;
    struct gw_list calls;
    bool is_client, is_dead, saw_end, end_told, is_refused;
    bool leaves;     /* an origin's: ends the connection as soon as nothing is under way */
    uint32_t client; /* which */
};

struct sim_client {
    uint32_t protocol;
    uint32_t next, end; /* its plans */
    uint32_t at_once;   /* h2: streams; h1: pipelined requests are one after the other here */
    uint32_t refused;   /* how often its connection was not taken */
    uint32_t again[SIM_CALLS_MAX], again_len; /* refused streams, to be tried once more */
    gw_nanos again_at;
    struct sim_wire *wire;
};

struct sim_adversary {
    bool is_there, was_cut_off;
    uint32_t kind, id, rounds, turn;
    struct sim_wire *wire; /* NULL: it has not come yet */
};

enum { SIM_CLIENTS_TAKE_NOTHING = 1, SIM_UPSTREAMS_TAKE_NOTHING = 2 };

struct sim_swarm {
    uint32_t client_protocol[SIM_CLIENTS_MAX];
    uint32_t clients, calls;
    uint32_t upstream_protocol;
    gw_nanos latency_max;
    uint32_t piece_max;     /* bytes a delivery */
    uint32_t takes_nothing; /* scripts: sends to them never complete */
    bool is_plain;   /* scripts: what is closed ends as a socket does, else it breaks off; and whole
                      messages are read into all the room there is, else by chance */
    uint32_t cut_at; /* scripts: the first delivery of what a peer says has so many; 0: any */
    uint32_t delay_send_pct, partial_send_pct;
    uint32_t body_max;
    uint32_t fault_pct;
    uint32_t faults;     /* set of sim_fault    */
    uint32_t refuse_pct; /* connects            */
    uint32_t slow_read_pct;
    uint32_t leave_pct; /* answers after which an upstream ends its idle connection, unsaid */
    bool tls_client, tls_upstream;
    bool has_hands;
    bool small_pool;
    uint32_t hosts_pct; /* requests of HTTP/1 clients that no route claims */
    uint32_t stalled;   /* of the clients, so many have a request whose response they do not read */
    uint32_t reloads;   /* configurations applied on the way                           */
    uint32_t reload_pct;      /* steps before which one is, or is refused                    */
    uint32_t connections_max; /* to an upstream, so that requests wait for them; 0: the default */
    bool retries_all;         /* whatever the upstream did, 5xx too, but no POST               */
};

struct sim_caller { /* one call of the host's own */
    struct sim *sim;
    uint32_t number, request_len, answer_len;
    uint32_t holds; /* so many ms it reads nothing */
    gw_nanos cancel_after;
    bool lends, is_early, is_collected;
    bool is_taken, is_holding, was_cancelled, is_request_whole;
    uint64_t put, got, origin_put, origin_got; /* body bytes */
    int ended, asked, asked_ended;
    gw_exchange_id id;
    gw_ticket ticket;
    gw_cause cause;
};

enum { SIM_LENT_MAX = 1000 }; /* bytes that a host lends at once */

/* A filter that does things. */
enum { SIM_HANDS = 2, SIM_TICKETS_MAX = 1024, SIM_FILTER_STATUS = 418 };
struct sim_hand {
    struct sim *sim;
    uint32_t which, keeps;
};
struct sim_ticket {
    gw_ticket ticket;
    bool is_answered;
    uint32_t resumed;
};

struct sim_config { /* a configuration's own hooks */
    struct sim *sim;
    uint32_t index;
    gw_nanos applied_at;
};

struct sim_tls { /* of worlds over real TLS */
    gw_tls *listener, *cluster, *client, *origin;
    struct gw_tls_engine *(*engine)(struct sim_peer *peer, uint32_t protocol); /* NULL: the stub */
    uint8_t scratch[GW_TLS_SCRATCH];
};

enum { SIM_WITH_FILTERS = 1, SIM_WITH_HOST = 2, SIM_WITH_CALLS = 4 };

struct sim {
    uint64_t seed;
    bool is_stall_asked; /* the world is to be one in which clients stall */
    bool is_tls_asked;   /* TLS is wolfSSL's, and there is some             */
    struct sim_tls tls;
    struct gw_prng prng,
        extra;            /* extra: of what came later, so that worlds without it stay the same */
    struct gw_prng hosts; /* likewise: of what is the host's */
    const uint8_t
        *input; /* fuzz/fuzz_world.c: all randomness but the gateway's own; NULL: a seed's */
    size_t input_len;
    uint32_t parts; /* SIM_WITH_*: of such a world; a seed's has what it draws */
    uint64_t deeds; /* what filters and calls draw theirs from */
    bool is_broken_off;
    gw_nanos now;
    uint64_t order, steps;
    uint64_t hash;
    bool is_tracing;
    struct sim_swarm swarm;
    /* The gateway. Its memory is counted. */
    gw_allocator allocator;
    uint64_t taken;     /* body bytes that peers have taken off their pipes */
    uint64_t footprint; /* what gw_limits_footprint says of it */
    uint64_t memory, memory_peak, allocations, fail_alloc_at;
    bool fail_alloc_on;   /* for ever after ...                             */
    gw_nanos drought_end; /* ... or until memory is there again at last     */
    uint64_t allocations_failed;
    uint64_t operations, fail_io_at, io_failed;
    gw_engine *engine;
    gw_worker *worker;
    bool wake;
    /* The peers' own memory. */
    struct gw_heap heap;
    struct gw_pool pool;
    struct gw_h2_shared *h2;
    struct gw_codec_limits limits;
    struct sim_event *events;
    uint32_t events_len, events_room;
    struct sim_wire wires[SIM_WIRES_MAX];
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct sim_adversary adversary;
    struct sim_config configs[SIM_CONFIGS_MAX];
    uint32_t configs_len;
    struct sim_caller callers[SIM_CALLERS_MAX];
    uint32_t callers_len, lent_out;
    struct gw_prng calling;
    struct sim_hand hands[SIM_HANDS];
    struct sim_ticket tickets[SIM_TICKETS_MAX];
    uint32_t tickets_len;
    struct sim_plan plans[SIM_CALLS_MAX];
    uint32_t plans_len;
    bool has_struck, has_silent; /* any plan's fault; SIM_ORIGIN_SILENT */
    bool is_stalling;            /* those who stall do so now */
    uint64_t shared_broken;      /* upstream connections that a fault broke */
    uint64_t ends;               /* on_end, all exchanges */
};

_Noreturn void sim_fail(struct sim *sim, const char *file, int line, const char *what,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A gw_panic_fn. Neither the backend here nor the hooks break the contract, whatever else is done to them. */
static inline void sim_misuse(void *ctx, const char *call, const char *text)
{
    SIM_CHECK((struct sim *)ctx, false, "%s: %s", call, text);
}
/* A world made of a fuzzer's input is calm when that is used up: nothing is left to chance any more, no
 * fault strikes, bytes travel in whole pieces, and it is soon over. */
static inline bool sim_is_calm(const struct sim *sim)
{
    return sim->input != NULL && sim->input_len == 0;
}
/* As few bytes of the input as n asks for; the last number, which is no chance of less than all, when
 * there are none. */
static inline uint64_t sim_draw(struct sim *sim, uint64_t n)
{
    uint64_t drawn = 0, span = 1;

    if (sim_is_calm(sim))
        return n - 1;
    for (; span < n && span < UINT64_C(1) << 56 && sim->input_len > 0; span <<= 8, sim->input_len--)
        drawn = drawn << 8 | *sim->input++;
    return drawn % n;
}
static inline uint64_t sim_below(struct sim *sim, uint64_t n)
{
    if (n == 0)
        return 0;
    return sim->input != NULL ? sim_draw(sim, n) : gw_prng_below(&sim->prng, n);
}
static inline uint64_t sim_below_hosts(struct sim *sim, uint64_t n)
{
    return sim->input != NULL ? sim_draw(sim, n) : gw_prng_below(&sim->hosts, n);
}
static inline uint64_t sim_below_extra(struct sim *sim, uint64_t n)
{
    return sim->input != NULL ? sim_draw(sim, n) : gw_prng_below(&sim->extra, n);
}
/* Times: a byte of input is exact enough. */
enum { SIM_TIMES = 256 };
static inline gw_nanos sim_time_below(struct sim *sim, gw_nanos n)
{
    return sim->input != NULL && n > SIM_TIMES ? sim_draw(sim, SIM_TIMES) * (n / SIM_TIMES)
                                               : sim_below(sim, n);
}
/* Connections of both sides are used for a moment only. */
static inline bool sim_has_ages(const struct sim *sim)
{
    return sim->seed % 5 == 0 && sim->swarm.stalled == 0;
}
/* Upstreams are probed, some of them badly: nothing that a client sees is another for it. */
static inline bool sim_has_probes(const struct sim *sim)
{
    return sim->seed % 3 == 0;
}
static inline bool sim_chance(struct sim *sim, uint32_t percent)
{
    if (percent == 0 && sim->input != NULL)
        return false;
    return sim_below(sim, 100) < percent;
}
/* The byte at a place of a body: both ends know what must come. */
static inline uint8_t sim_byte(uint32_t id, bool is_response, uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + id * 131 + (is_response ? 77 : 0));
}

static inline uint32_t sim_plans_each(const struct sim *sim) /* a client */
{
    return (sim->plans_len + sim->swarm.clients - 1) / sim->swarm.clients;
}

/* sim_swarm.c */
void sim_tls_make(struct sim *sim);
void sim_tls_free(struct sim *sim);
gw_tls *sim_tls_of_listener(const struct sim *sim); /* NULL: none, or the stub */
gw_tls *sim_tls_of_cluster(const struct sim *sim);
void sim_swarm_pick(struct sim *sim);
void sim_plans_make(struct sim *sim);
/* sim_memory.c */
gw_allocator sim_allocator(struct sim *sim);
void sim_peers_init(struct sim *sim);
void sim_peers_fini(struct sim *sim); /* all that is left of them and of their wires */
/* sim_clock.c */
void sim_at(struct sim *sim, gw_nanos delay, enum sim_what what, uint32_t who, uint32_t turn,
            uint64_t n);
bool sim_next(struct sim *sim, struct sim_event *out);
gw_nanos sim_when(const struct sim *sim); /* of the next event; GW_NEVER: none */
/* sim_net.c */
extern const gw_io_ops sim_io;
struct sim_wire *sim_wire_new(struct sim *sim);
void sim_wire_say(struct sim_wire *wire, struct sim *sim, const void *bytes, size_t len);
void sim_wire_fin(struct sim_wire *wire, struct sim *sim); /* the peer ends its side */
bool sim_wire_stalls(const struct sim *sim, const struct sim_wire *wire);
void sim_net_release(struct sim *sim);                     /* nobody stalls any more */
void sim_wire_rst(struct sim_wire *wire, struct sim *sim); /* the peer breaks it off */
/* The host answers on a wire that is its own; len 0: only what has become of the wire is told. */
void sim_wire_answer(struct sim_wire *wire, struct sim *sim, const void *bytes, size_t len);
/* sim_host.c */
void sim_host_take(struct sim *sim, struct sim_wire *wire);
void sim_host_run(struct sim *sim, struct sim_wire *wire);
/* sim_net.c */
void sim_net_event(struct sim *sim, const struct sim_event *e);
void sim_bytes_put(struct sim_bytes *b, const void *bytes, size_t len);
void sim_bytes_free(struct sim_bytes *b);
/* sim_peer.c */
struct sim_peer *sim_peer_new(struct sim *sim, struct sim_wire *wire, bool is_client,
                              uint32_t protocol);
void sim_peer_hear(struct sim_peer *peer, const void *bytes, size_t len);
void sim_peer_end(struct sim_peer *peer, gw_status why); /* the gateway ended or broke it */
void sim_peer_run(struct sim_peer *peer);                /* calls, codec, wire            */
void sim_peer_free(struct sim_peer *peer);
struct sim_call *sim_call_new(struct sim_peer *peer);
void sim_call_free(struct sim_call *call);
/* Body bytes into out_pipe as there is room; the end after len. */
void sim_call_put(struct sim_call *call, bool is_response, uint64_t len, uint64_t stop_at);
/* Its peer runs again after delay; one such event a call is enough. */
void sim_call_later(struct sim_call *call, gw_nanos delay);
/* Takes what is in in_pipe and checks it. */
void sim_call_get(struct sim_call *call, bool is_response);
/* sim_client.c, sim_origin.c */
void sim_client_run(struct sim *sim, uint32_t client);
void sim_client_news(struct sim_call *call);
void sim_client_dead(struct sim_peer *peer);
void sim_origin_news(struct sim_call *call);
void sim_origin_dead(struct sim_peer *peer);
void sim_origin_connected(struct sim *sim, struct sim_wire *wire);
/* sim_filter.c */
void sim_filter_add(struct sim *sim, gw_builder *b); /* in a world that has them */
void sim_filter_resume(struct sim *sim, uint32_t ticket);
void sim_filter_check(struct sim *sim); /* at the end */
/* sim_reload.c */
gw_config *sim_config_first(struct sim *sim);
void sim_reload(struct sim *sim);            /* another one is applied                        */
void sim_reload_in_passing(struct sim *sim); /* perhaps, before a step; half of them are bad  */
void sim_reload_check(struct sim *sim);      /* the worker has let go of what nobody needs    */
/* sim_adversary.c */
void sim_adversary_make(struct sim *sim);
void sim_adversary_run(struct sim *sim);
void sim_adversary_check(struct sim *sim);
/* sim_caller.c */
void sim_caller_make(struct sim *sim);
void sim_caller_configure(struct sim *sim, gw_builder *b);
void sim_caller_act(struct sim *sim, uint32_t what);
void sim_caller_check(struct sim *sim);
/* sim_oracle.c */
extern const gw_filter sim_filter;
struct sim_plan *sim_plan_of(struct sim *sim, const gw_exchange *x); /* NULL: of none */
void sim_oracle_step(struct sim *sim); /* what must be true after every step */
void sim_oracle_check(struct sim *sim);
bool sim_is_done(const struct sim *sim); /* every plan has come to something */
bool sim_are_others_done(
    const struct sim *sim); /* ... but those that stall, and what is behind them */
/* sim.c */
void sim_run(struct sim *sim, uint64_t seed);

#endif
