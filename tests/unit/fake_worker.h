/* unit/fake_worker.h: a machine in place of the worker, behind the same calls, so that a backend is
 * tested against the contract of gw/io.h alone. It echoes, or relays to one address, and it asserts
 * what a backend owes: one report an operation, none without one, the last word once.
 */
#ifndef UNIT_FAKE_WORKER_H
#define UNIT_FAKE_WORKER_H

#include <gw/io.h>
#include <gw/worker.h>

#include "base/list.h"
#include "base/misuse.h"

enum { FAKE_BUFFER = 256 * 1024 };

struct gw_link {
    struct gw_list node;
    gw_worker *worker;
    void *io;
    struct gw_link *peer; /* where its bytes go; itself: an echo */
    bool is_connecting, is_connect_begun, is_open;
    bool is_recv_pending, is_send_pending, is_shutdown_pending;
    bool is_read_ended, is_shut, is_lost, is_close_begun, is_closed;
    gw_status read_status, send_status, connect_status, last_result;
    gw_span rooms[8];
    size_t rooms_len;
    size_t received, sent;
    uint32_t reads, sends;
    char peer_name[128], local_name[128];
    /* What is to be sent on this link. */
    size_t out_at, out_len;
    char out[FAKE_BUFFER];
};

struct gw_worker {
    gw_allocator allocator;
    gw_worker_spec spec;
    struct gw_list links;
    const char *target; /* relay to it; NULL: echo */
    uint32_t links_max, links_len;
    uint32_t room_bytes, rooms_max, span_bytes;
    gw_status accept_status; /* what to answer to an accept; GW_OK: take it */
    bool does_not_read;      /* asks for no bytes */
    bool is_draining;
    bool in_step;
    gw_nanos deadline, now;
    gw_status step_status;
    uint32_t steps, accepted, refused, closed;
    gw_status last_connect_status, last_read_status, last_send_status;
    void (*in_hook)(void *ctx); /* called in each step */
    void *hook_ctx;
    char listener[32];
};

/* The engine is an allocator. */
struct gw_engine {
    gw_allocator allocator;
    gw_worker *worker; /* the last one that was made on it */
};

/* Of worker/worker.h, whose structs these are not. */
const gw_allocator *gw_engine_allocator(const gw_engine *e);
void gw_worker_keep(gw_worker *w);
gw_status gw_worker_turn(gw_worker *w, gw_nanos now);
void gw_worker_end(gw_worker *w);
void gw_worker_misused(gw_worker *w, enum gw_misuse_id what);

void fake_engine_init(struct gw_engine *e);
struct gw_link *fake_first_link(gw_worker *w); /* NULL: none */

#endif
