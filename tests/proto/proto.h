/* proto/proto.h: protocol scripts: a conversation between one client, the gateway and its upstream, in
 * words that hold for every protocol; see the head of runner.c for the words.
 *
 *   runner.c         the command line: which modes, which shapes, which cuts
 *   script.c         a file becomes lines of words; lines are played and compared
 *   talk.c           what the words mean to the peers (codecs of their own, tests/sim/sim_peer.c)
 *   host.c           the host that takes connections back
 *   filter.c         the filter that does something with bodies
 *   over_sim.c       the world of simulated wires: every cut of every message
 *   over_sockets.c   the world of real ones: loopback
 *   modes.c          each way to have libgw in a program: bytes, an own backend, each loop, nested ones
 *   mode_*.c         those that are more than a line
 *   clock.c          the time of all of them: it passes when a script says so
 *   log.c            what happened, in a form that is the same in every mode
 */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include <setjmp.h>
#include <stdarg.h>

#include "../sim/sim.h"

enum { PROTO_WORDS = 16, PROTO_CALLS = 16, PROTO_TEXT = 400000 };

struct proto_line {
    int number;
    int words;
    gw_str word[PROTO_WORDS]; /* zero-terminated; quotes and escapes are resolved */
};

/* One message pair as a script sees it, at one end. */
struct proto_call {
    struct sim_call *call; /* NULL: over, or not yet there */
    uint32_t status;       /* client: 0: none yet          */
    uint32_t infos;        /* client: 1xx seen             */
    char head[4096];       /* "name: value\n" of each field, lower case names */
    char method[32], path[512];
    char trailers[1024];
    char *body;
    size_t body_len;
    bool has_head, is_whole, is_cut;
    uint32_t peer_code;
};

struct proto_end { /* what on_end said */
    gw_cause cause;
    uint32_t code;
};

struct proto;

/* One way to have libgw in a program. */
struct proto_mode {
    const char *name;
    bool has_sockets;     /* the peers have sockets of their own; else simulated wires */
    uint32_t kind, flags; /* of a built-in loop: GW_LOOP_* */
    /* The engine is there; makes p->sim.worker. False: this mode is not there, or not here. */
    bool (*start)(struct proto *p);
    /* With sockets: a port of loopback on which the next connection is taken; what is due, waiting at
     * most so long for more; no more connections. Else: a step, and what it asked for. */
    uint16_t (*listen)(struct proto *p);
    void (*turn)(struct proto *p, int wait_ms);
    void (*unlisten)(struct proto *p);
    /* With sockets: the host hands over one of its own. */
    void (*adopt)(struct proto *p, int fd, const gw_accept_spec *spec);
    void (*stop)(struct proto *p); /* the worker is freed */
};

enum { PROTO_LOG = 65536, PROTO_OBJECTS = 64, PROTO_CODES = 4 };

struct proto_object { /* a link or an exchange, as traced */
    uint64_t id, in, out;
    bool has_ended; /* its writing side */
    char kind;      /* 'c'lient's link, 'u'pstream's link, 'x': exchange */
    size_t len;
    char text[1024];
};

struct proto {
    struct sim sim; /* first: the peers' world */
    const char *name;
    const struct proto_mode *mode;
    void *of_mode;      /* what the mode keeps */
    bool stops_reading; /* the client takes nothing */
    bool refuses;       /* connects fail            */
    gw_loop *loop;
    gw_listener *listening;
    int upstream_socket;
    struct proto_object objects[PROTO_OBJECTS];
    int objects_len;
    char *log; /* PROTO_LOG; NULL: nobody wants it */
    struct proto_call client[PROTO_CALLS], upstream[PROTO_CALLS];
    int clients, upstreams;
    struct sim_wire *client_wire, *upstream_wire; /* the last ones */
    struct proto_end ends[PROTO_CALLS];
    int ends_len, ends_read;
    char address[64];
    gw_listener_spec listener;
    gw_cluster_spec cluster;
    gw_breaker_spec breaker; /* cluster's, or none */
    gw_fallback_spec fallback;
    gw_affinity_spec affinity;
    gw_route_spec route, host_route;
    gw_limiter_spec limiter; /* of both routes, where it has tokens or a ceiling */
    gw_retry_spec retry;
    uint32_t codes[PROTO_CODES];
    gw_limits limits;
    const char *shape;
    bool returns; /* what no route claims goes back to the host */
    int host_fd;  /* over sockets: what did; -1 */
    char host_peer[64], host_local[64];
    gw_verdict verdict; /* of the filter */
    /* Of the one that sees bodies, by GW_SIDE_*. */
    uint32_t deeds[3], whole_max;
    gw_str filter_route;
    gw_ticket ticket;
    char seen[3][512];
    size_t seen_len[3];
    bool aborts_body; /* ... for a response's */
    /* A sweep: something fails at some point. What cannot be done then is passed over, and what is
     * expected is not looked for; see over_sim.c. */
    bool is_sweeping, is_stepping;
    jmp_buf next_line;
};

struct proto_point { /* what fails: the so manieth since the worker was made; 0: none */
    uint64_t alloc, io;
    bool for_ever; /* all allocations after it, too, until the script ends */
};

_Noreturn void proto_differs(struct proto *p, const struct proto_line *line, const char *what,
                             const char *came);
/* script.c */
bool proto_parse_line(char *text, int number, struct proto_line *out);
void proto_play(struct proto *p, const struct proto_line *lines, int n);
void proto_sweep(struct proto *p, const struct proto_line *lines, int n, struct proto_point point);
/* talk.c */
bool proto_do(struct proto *p, const struct proto_line *line); /* false: not a word of talk.c */
/* NULL: as expected; else what came instead. */
const char *proto_expect(struct proto *p, const struct proto_line *line);
gw_config *proto_config(struct proto *p);
/* modes.c */
extern const struct proto_mode *const proto_modes[]; /* the first is the simulator; NULL ends */
const struct proto_mode *proto_mode_of(const char *name);
bool proto_mode_is_there(const struct proto_mode *mode);
bool proto_is_absent(struct proto *p); /* start, of a mode that this build does not have */
gw_worker_spec proto_worker_spec(struct proto *p);
gw_loop_spec proto_loop_spec(struct proto *p, const gw_worker_spec *worker);
gw_facts proto_facts(void); /* as those of a connection over loopback */
/* A port to try. All of them are as long in HPACK, too: their digits are 3 to 9. */
uint16_t proto_port(void);
/* mode_bytes.c, mode_own.c, mode_epoll.c, mode_libuv.c, mode_libevent.c */
extern const struct proto_mode proto_bytes, proto_own, proto_in_epoll, proto_in_libuv,
    proto_in_libevent;
/* modes.c: what those that have a gw_loop share */
uint16_t loop_listen(struct proto *p);
void loop_unlisten(struct proto *p);
void loop_adopt(struct proto *p, int fd, const gw_accept_spec *spec);
bool loop_is_due(struct proto *p, int wait_ms); /* its descriptor is readable */
/* clock.c */
void proto_clock_set(gw_nanos now);
/* log.c */
gw_trace_fn proto_trace;
void proto_log_write(struct proto *p); /* into p->log */
/* host.c */
bool proto_host_does(struct proto *p, const struct proto_line *line);
const char *proto_host_expects(const struct proto *p, const struct proto_line *line);
void proto_on_return(void *ctx, gw_link *link, int fd);
bool proto_host_reads(struct proto *p); /* over sockets: something came */
void proto_host_stops(struct proto *p);
/* filter.c */
bool proto_filter_configure(struct proto *p, const struct proto_line *line);
void proto_filter_add(struct proto *p, gw_builder *b, gw_id route, gw_id host_route);
bool proto_filter_does(struct proto *p, const struct proto_line *line);
const char *proto_filter_expects(const struct proto *p, const struct proto_line *line);
/* over_sim.c, over_sockets.c */
void proto_start(struct proto *p);
void proto_stop(struct proto *p);
void proto_come_to_rest(struct proto *p); /* a sweep's end: nothing fails any more, all ends */
void proto_settle(struct proto *p);       /* until nothing moves */
void proto_pass_time(struct proto *p, gw_nanos ns);
void proto_connect_client(struct proto *p);
void sim_mode_step(struct proto *p);
void sock_start(struct proto *p);
void sock_stop(struct proto *p);
void sock_settle(struct proto *p);
void sock_connect_client(struct proto *p);

#endif
