/* link/link.h: one connection to one peer: wire chains, an optional TLS engine, a codec, and what is
 * wanted of the backend. Link = transport connection. It must not know of routes or exchanges: those
 * are told through `struct gw_link_above`.
 *
 *   CONNECTING -> OPEN -> ENDING -> LINGERING -> CLOSING -> (closed report) -> freed at the reap
 *    -> SECURING ->    -> RETURNING ------------>
 *
 * Reports of the host only record and put the link on a list; gw_link_read and gw_link_write, called
 * by the step, do the work.
 */
#ifndef GW_LINK_LINK_H
#define GW_LINK_LINK_H

#include <gw/io.h>
#include <gw/limits.h>
#include <gw/worker.h>

#include "base/log.h"
#include "base/misuse.h"
#include "base/stats.h"
#include "base/timer.h"
#include "base/trace.h"
#include "http/codec.h"
#include "tls/provider.h"

enum { GW_PROTO_ALL = GW_PROTO_H1 | GW_PROTO_H2 | GW_PROTO_TLS | GW_PROTO_TCP };
enum { GW_LINK_ROOMS_MAX = 8, GW_LINK_SPANS_MAX = 64 };
/* Who waits for memory asks again after this: the allocator may have refused. */
#define GW_LINK_STARVING_NS GW_MS(10)

/* A timer that knows what to do. */
struct gw_alarm {
    struct gw_timer timer;
    void (*ring)(struct gw_alarm *alarm);
};

enum gw_link_phase {
    GW_LINK_CONNECTING = 1,
    GW_LINK_SECURING, /* client: connected, and shaking hands under its engine               */
    GW_LINK_OPEN,
    GW_LINK_ENDING,    /* what lies in tx leaves, then FIN                                    */
    GW_LINK_LINGERING, /* FIN is out: read and drop until the peer ends, bounded              */
    GW_LINK_RETURNING, /* it is or will be the host's again; waits for the report               */
    GW_LINK_CLOSING    /* close was or will be asked of the backend; waits for the report      */
};

struct gw_ceiling;
struct gw_slot;
struct gw_upstream;
struct gw_binding;
struct gw_listener_conf;

/* The engine side of a link under TLS: the clear chains. */
struct gw_link_tls {
    struct gw_tls_engine *engine;
    struct gw_chain in, out;
    bool is_told;      /* its handshake is over, and the facts are known */
    const char *fault; /* static: what was wrong with the peer but for its records; NULL: nothing */
    bool is_fault_told;
    bool is_dry;     /* all that could be opened was */
    bool is_ended;   /* close_notify came                          */
    bool is_closing; /* ours was asked for: nothing comes after it */
};

/* Of a link that can go back to the host: the head of the request that is not claimed yet. */
struct gw_link_kept {
    struct gw_chain head;
    struct gw_reserve reserve; /* with the slot */
};

/* What is known of both ends: facts.c. */
struct gw_link_facts;

enum gw_link_age {
    GW_AGE_NONE = 0, /* its time has not begun yet: until is how long it will be   */
    GW_AGE_YOUNG,    /* until: when it will take no more requests                  */
    GW_AGE_OLD,      /* it takes none; until: when what it has begun is to be over */
    GW_AGE_LATE      /* it is; until: when it is closed, whatever                  */
};

/* Small, since most links of a machine with many are idle. What only a busy one needs is elsewhere: the
 * codec of an HTTP/1 client is made at the first byte of a request and given back when all is answered
 * (gw_conn_rest), and rooms are lent from the question for them to the report. */
struct gw_link {
    void *user,
        *io; /* first: a free cell's first word is lost, and its magic tells who comes late */
    uint32_t magic;
    uint8_t phase;         /* gw_link_phase                          */
    uint8_t rooms_wish;    /* how many to lend next: grows with bulk */
    uint8_t protocols : 4; /* what may be spoken: GW_PROTO_*      */
    uint8_t protocol : 4;  /* what is; 0: not yet known           */
    uint8_t age : 7;       /* gw_link_age                         */
    bool makes_room : 1;   /* client: given up for who has no place for one */
    uint8_t told_want;     /* mode 1: the last want shown            */
    bool is_client : 1;    /* we connected                           */
    bool is_recv_pending : 1, is_send_pending : 1;
    bool is_connect_begun : 1, is_connect_reported : 1;
    bool is_read_ended : 1; /* the peer's side has ended: see read_status      */
    bool is_end_told : 1;   /* ... and the codec knows                         */
    bool is_shutdown_begun : 1, is_shutdown_asked : 1, is_shutdown_done : 1;
    bool is_close_begun : 1, is_closed : 1;
    bool is_lost : 1;       /* the transport failed: nothing can be written    */
    bool is_lost_short : 1; /* ... or memory did                              */
    bool is_moved : 1;      /* bytes were reported since the last step: active is to be set */
    bool is_fresh : 1; /* accepted, or spoke after a rest, since the last step: so is head_since */
    bool is_finishing : 1; /* the host wants no new exchange                  */
    bool is_head_late : 1; /* its deadline has passed: do not ring for it again */
    bool is_drain_due : 1; /* to be drained when its codec is not at work     */
    bool is_aborted : 1;   /* the host ended it                               */
    bool is_calmed : 1;    /* its peer made too much work: said so            */
    bool is_in_pool : 1;   /* client: linked in its upstream's list           */
    bool is_in_line : 1;   /* for a slot, or called, since head_since          */
    bool is_probe : 1;     /* client: its streams are probes'                  */
    gw_status read_status; /* why the reading side ended                      */
    gw_status broken;      /* not GW_OK: nothing more can be sent, and why    */
    gw_status connect_status;
    uint32_t requests; /* streams opened ever                  */
    uint32_t lingered; /* server: bytes dropped at the end */
    struct gw_links *links;
    struct gw_codec *codec; /* NULL: none is needed now, or the protocol is not yet known */
    struct gw_link_tls *tls;
    struct gw_slot *slot;   /* NULL: idle, or in line for one: see link/slot.h */
    struct gw_chain rx, tx; /* wire */
    struct gw_block *lent;  /* to read into: blocks held, through their next */
    struct gw_link_facts *facts;
    struct gw_list all, readable, dirty, notice;
    struct gw_list starving; /* in that list, or in line */
    struct gw_alarm alarm;
    gw_nanos active; /* last time something moved or a stream went                   */
    gw_nanos until;  /* of CONNECTING, ENDING and LINGERING; OPEN: of its age        */
    gw_nanos head_since;
    /* What is on its way to a server that drains, or from a codec that is over, is waited for until then;
     * or GW_NEVER. */
    gw_nanos final_at;
    uint64_t id;
    /* Server role. */
    struct gw_binding *binding;              /* pinned by the layer above                     */
    const struct gw_listener_conf *listener; /* of that binding's configuration */
    gw_nanos head_timeout, idle_timeout;
    /* Client role. */
    struct gw_upstream *upstream;
    union {
        struct gw_list pooled;     /* client role: node in the upstream's list       */
        struct gw_link_kept *kept; /* server role: see gw_link_kept_of               */
    } role;
};

/* NULL: it never goes back to the host. */
static inline struct gw_link_kept *gw_link_kept_of(const struct gw_link *link)
{
    return link->is_client ? NULL : link->role.kept;
}

/* The layer above, told of what happens on links. Each only notes it. */
struct gw_link_above {
    struct gw_stream *(*open)(struct gw_link *link); /* as gw_codec_owner.open */
    void (*changed)(struct gw_link *link, struct gw_stream *s);
    struct gw_message *(*new_info)(struct gw_link *link, struct gw_stream *s);
    void (*flushed)(struct gw_stream *s); /* all up to s->out_mark was accepted by the transport */
    void (*gone)(struct gw_link *link);   /* about to be freed: let go of binding and listener   */
    gw_nanos (*grace)(const struct gw_link *link); /* of its age; GW_NEVER: no end               */
    void (*hold)(struct gw_ceiling *ceiling, bool is_held); /* it lives as long as it is */
};

/* What TLS of a link may be: none, the stub of tests, or that of settings. */
struct gw_link_security {
    gw_tls *tls;              /* NULL: none                              */
    gw_str name;              /* client: of whom the certificate must be */
    struct gw_tls_kept *kept; /* client: the session to be resumed */
};

/* What all links of a worker share. */
struct gw_links {
    struct gw_heap *heap;
    struct gw_pool *pool;
    struct gw_wheel *wheel;
    struct gw_log *log;
    struct gw_misuse *misuse;
    struct gw_stats *stats;
    const struct gw_trace *trace;
    struct gw_tickets *tickets; /* NULL: sessions are not resumed */
    const gw_limits *limits;
    struct gw_codec_limits server_limits, client_limits;
    struct gw_h2_shared *h2; /* NULL: no HTTP/2 */
    const gw_io_ops *ops;    /* NULL: mode 1    */
    void *io;
    gw_worker *worker;
    void (*want_step)(
        gw_worker *worker); /* the host has asked for something, perhaps between steps */
    void (*call_others)(gw_worker *worker); /* what all workers share has changed: they step */
    uint32_t workers;                       /* that there may be */
    const struct gw_link_above *above;
    void *above_ctx; /* for the layer above alone */
    gw_nanos now;
    struct gw_slab slab;
    struct gw_slab h1;    /* codecs of links that are not idle */
    struct gw_slab slots; /* likewise                          */
    struct gw_list all;
    struct gw_list readable; /* something to take in     */
    struct gw_list dirty;    /* something to give or ask */
    struct gw_list starving; /* no block was to be had: asked again when one came back, or a little
                                later (the allocator may have refused) */
    gw_nanos starving_until;
    uint32_t starving_since; /* the pool's returns when the first of them starved */
    struct gw_list line;     /* links that wait for a slot, not to be read before */
    gw_nanos line_until;     /* the first has waited for long enough; GW_NEVER: nobody waits */
    uint32_t line_since;     /* the pool's returns when that was set                        */
    struct gw_list notices;  /* mode 1: want has changed */
    struct gw_list dead;     /* closed, to be freed      */
    uint32_t count, h2_count, tls_count;
    bool has_tls_upstreams; /* or had: what is kept for an exchange is for both sides of engines */
    uint8_t *tls_scratch;   /* NULL: there was no session yet */
    uint64_t ids;
    uint64_t seed; /* of ages */
    /* Tests: every link that is made gets a stub engine of these roles. */
    bool stub_tls_server, stub_tls_client;
};

void gw_links_init(struct gw_links *links);
/* Frees every link without any report. */
void gw_links_fini(struct gw_links *links);

/* A client has connected. GW_ELIMIT, GW_ENOMEM. binding, listener and timeouts are the caller's to
 * fill after. */
gw_status gw_links_accept(struct gw_links *links, const gw_accept_spec *spec, uint32_t protocols,
                          gw_tls *tls, struct gw_link **out) GW_MUST_CHECK;
/* Begins to connect to upstream; the backend is asked in this step's write part. */
gw_status gw_links_connect(struct gw_links *links, struct gw_upstream *upstream, gw_nanos timeout,
                           struct gw_link **out) GW_MUST_CHECK;

/* Step parts: one link each. */
void gw_link_read(struct gw_link *link);
void gw_link_write(struct gw_link *link);
/* Frees what is closed and unused. */
void gw_links_reap(struct gw_links *links);
/* Blocks are free again: links that wait for one ask anew. */
void gw_links_feed(struct gw_links *links);

/* Commands on streams of this link: the codec's, and the link is put on the right lists. */
void gw_link_advance(struct gw_link *link, struct gw_stream *s);
void gw_link_reset(struct gw_link *link, struct gw_stream *s, uint32_t h2_code);
void gw_link_detach(struct gw_link *link, struct gw_stream *s);
/* gift: of who opens it; a link without a slot takes GW_SLOT_LINK blocks of it. */
gw_status gw_link_open_stream(struct gw_link *link, struct gw_stream *s, struct gw_reserve *gift)
    GW_MUST_CHECK;
/* What follows the head of s, which was held, is taken in: nobody gives it back any more. */
void gw_link_claim(struct gw_link *link, struct gw_stream *s);
/* Could it go back to the host now, with all from the head of s on? GW_EUNSUPPORTED: it never can;
 * GW_ENOMEM: that head could not be kept. */
gw_status gw_link_may_return(const struct gw_link *link, const struct gw_stream *s) GW_MUST_CHECK;
/* It does, now that s has left. */
void gw_link_return(struct gw_link *link);
/* True: all of s has left. False: above->flushed will come, or the stream is told that it is CUT. */
bool gw_link_is_flushed(struct gw_link *link, struct gw_stream *s);
/* Ends the link in order: what lies in tx leaves first. */
void gw_link_end(struct gw_link *link);
/* Ends it now; streams are CUT. */
void gw_link_lose(struct gw_link *link, gw_status why);
/* No new exchange, close when idle. What the peer has sent before it can know is still served: an HTTP/2
 * client says when it knows, and one of which nothing has come yet gets a moment. */
void gw_link_drain(struct gw_link *link);
/* Nobody accepts such links any more: as gw_link_drain, but one at rest gets a moment whatever it speaks,
 * and its next request is told that it is the last. */
void gw_link_retire(struct gw_link *link);
/* How long it is used from its first step on: drawn evenly, jitter percent more or less, by the worker's
 * seed and its number. If that was set before: to what; it has been used since. */
void gw_link_set_age(struct gw_link *link, gw_nanos age, uint32_t jitter);
void gw_link_change_age(struct gw_link *link, gw_nanos was, uint32_t was_jitter, gw_nanos age,
                        uint32_t jitter);
/* The moment is over: what has not come by now is not served. */
void gw_link_finish_drain(struct gw_link *link);
void gw_link_mark_readable(struct gw_link *link);
void gw_link_mark_dirty(struct gw_link *link);
void gw_link_mark_starving(struct gw_link *link);
/* Views of the link's: empty when nobody has said. */
gw_str gw_link_peer(const struct gw_link *link);
gw_str gw_link_peer_ip(const struct gw_link *link); /* of peer, without port; empty: not known */
gw_str gw_link_local_port(const struct gw_link *link);
bool gw_link_is_secure(const struct gw_link *link);
/* Of the client's certificate that was verified; empty: there is none. */
gw_str gw_link_identity(const struct gw_link *link);
gw_str gw_link_server_name(const struct gw_link *link); /* that it asked for */
/* For a link that has none; copied. GW_EINVAL: names that are too long. */
gw_status gw_link_set_facts(struct gw_link *link, const gw_facts *facts) GW_MUST_CHECK;
/* What its engine knows, beside what is known. GW_ENOMEM: as it was. */
gw_status gw_link_add_facts(struct gw_link *link) GW_MUST_CHECK;
/* Why its engine is over; NULL: it is not, or there is none. */
const char *gw_link_fault(const struct gw_link *link);
/* It is not connected yet, or not secured. */
static inline bool gw_link_is_connecting(const struct gw_link *link)
{
    return link->phase <= GW_LINK_SECURING;
}
/* Do they contradict themselves? What ALPN has agreed on becomes the protocol. GW_EINVAL. */
gw_status gw_facts_check(gw_facts *facts) GW_MUST_CHECK;
/* The magic word is right: for entry points of the public API. */
bool gw_link_is_valid(const gw_link *l);
/* Reports come between steps, when `now` is old: their time is that of the step that finds them. */
void gw_link_stamp(struct gw_link *link);
/* Recomputes the deadline; sets the alarm if it is nearer than the one set. */
void gw_link_rearm(struct gw_link *link);
/* Is nothing attached, pending or unsent? */
bool gw_link_is_idle(const struct gw_link *link);

#endif
