/* proto/proto.h: protocol scripts: a conversation between one client, the gateway and its upstream, in
 * words that hold for every protocol; see the head of runner.c for the words.
 *
 *   runner.c         the command line: which worlds, which shapes, which cuts
 *   script.c         a file becomes lines of words; lines are played and compared
 *   talk.c           what the words mean to the peers (codecs of their own, tests/sim/sim_peer.c)
 *   over_sim.c       the world of simulated wires: every cut of every message, time at will
 *   over_sockets.c   the world of real ones: a loop, loopback
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

struct proto {
    struct sim sim; /* first: the peers' world */
    const char *name;
    bool over_sockets;
    uint32_t loop_kind; /* GW_LOOP_*, of the world of sockets */
    bool stops_reading; /* the client takes nothing */
    bool refuses;       /* connects fail            */
    gw_loop *loop;
    int upstream_socket;
    struct proto_call client[PROTO_CALLS], upstream[PROTO_CALLS];
    int clients, upstreams;
    struct sim_wire *client_wire, *upstream_wire; /* the last ones */
    struct proto_end ends[PROTO_CALLS];
    int ends_len, ends_read;
    char address[64];
    gw_listener_spec listener;
    gw_cluster_spec cluster;
    gw_route_spec route, host_route;
    gw_limits limits;
    gw_verdict verdict; /* of the filter */
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
/* over_sim.c, over_sockets.c */
void proto_start(struct proto *p);
void proto_stop(struct proto *p);
void proto_come_to_rest(struct proto *p); /* a sweep's end: nothing fails any more, all ends */
void proto_settle(struct proto *p);       /* until nothing moves */
void proto_pass_time(struct proto *p, gw_nanos ns);
void proto_connect_client(struct proto *p);
void sock_start(struct proto *p);
void sock_connect_gateway(struct proto *p);
void sock_stop(struct proto *p);
void sock_settle(struct proto *p);
void sock_connect_client(struct proto *p);

#endif
