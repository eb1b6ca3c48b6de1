/* unit/every.h: which calls there are, and from where each of them is made: what every_rows.c and
 * every_test.c share. */
#ifndef UNIT_EVERY_H
#define UNIT_EVERY_H

#include "parts.h"

enum hook {
    /* Of a filter. */
    REQUEST,
    ROUTE,
    UPSTREAM,
    REQUEST_BODY,
    REQUEST_END,
    RESPONSE,
    RESPONSE_BODY,
    RESPONSE_END,
    RESUME,
    END,
    /* Of an origin. */
    ORIGIN_REQUEST,
    ORIGIN_READ,
    ORIGIN_WRITE,
    ORIGIN_RESUME,
    ORIGIN_END,
    /* Of a call of the host's own. */
    CALL_WRITE,
    CALL_RESPONSE,
    CALL_READ,
    CALL_RESUME,
    CALL_END,
    /* Of no exchange, though there may be one. */
    LOG,        /* gw_env.log: an exchange fails                   */
    LOG_LAST,   /* the same, told in gw_worker_free               */
    LOG_MISUSE, /* the host has broken the contract                */
    DONE,       /* of gw_pipe_lend                                 */
    KEPT,       /* of gw_builder_keep                              */
    CHOOSE,     /* of gw_balancer                                 */
    WAKE,       /* of gw_worker_spec: what any thread may call     */
    ON_RETURN,  /* of gw_loop_spec                                 */
    /* Of a backend. */
    OP_CONNECT,
    OP_RECV,
    OP_SEND,
    OP_SHUTDOWN,
    OP_CLOSE,
    OP_GIVE_BACK,
    HOOKS
};

/* Where a call is made; what is not there is NULL. */
struct at {
    gw_exchange *x;
    gw_pipe *pipe;  /* that of the hook                    */
    gw_pipe *other; /* the other one of an origin or a call */
    gw_worker *worker;
    gw_engine *engine;
    gw_link *link;
    gw_loop *loop;
    gw_builder *builder;
    gw_config *config;
    const gw_choice *choice;
    gw_nanos now;
    bool is_closed; /* a row has: the link is gone */
    enum hook hook;
};

struct every_row {
    const char *name;
    void (*call)(struct at *at);
};
extern const struct every_row every_rows[];
extern const int every_rows_len;
bool every_is_any_threads(const char *name);

#endif
