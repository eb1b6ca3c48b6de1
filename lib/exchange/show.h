/* exchange/show.h: one body of an exchange on its way through the filters that see it.
 *
 *   source -> in | hook | -> in | hook | -> out -> target
 *
 * Without such filters there is none, and source and target share one pipe. */
#ifndef GW_EXCHANGE_SHOW_H
#define GW_EXCHANGE_SHOW_H

#include "buf/stage.h"

struct gw_exchange;

/* One filter's place. In the exchange's arena. */
struct gw_show_step {
    struct gw_show_step *next;
    struct gw_stage stage;
    uint64_t seen; /* of stage.in, when the hook ran last */
    uint8_t filter;
    bool is_shown; /* its body hook is called: else bytes pass by */
    bool rewrites, is_whole;
    bool wants;       /* to be called though nothing is new      */
    bool was_short;   /* ... when there is room again            */
    bool was_refused; /* ... when something has left: there was no memory */
    bool hopes;       /* ... or less room than it needs        */
    uint64_t left;    /* what had, then                        */
    bool is_last_seen, is_end_asked, is_done;
};

struct gw_shown {
    struct gw_exchange *x;
    struct gw_show_step *first;
    struct gw_pipe *source;
    struct gw_pipe out;
    struct gw_reserve reserve; /* of out */
    uint32_t side;             /* GW_SIDE_* */
    uint32_t held;             /* steps that hold all until their end has run */
    bool has_body, rewrites;
    bool is_over; /* gw_show_end */
};

/* Once it is known which filters see it: head and pipes are readied. GW_OK also if there is none; GW_ENOMEM;
 * GW_ELIMIT: it is longer than one of them may hold. */
gw_status gw_show_begin(struct gw_exchange *x, uint32_t side) GW_MUST_CHECK;
/* Calls whoever has something to do. True: the exchange is to be looked at again. */
bool gw_show_run(struct gw_exchange *x);
/* The head may go on. */
static inline bool gw_show_is_held(const struct gw_shown *s)
{
    return s != NULL && s->held > 0;
}
/* Every end hook has run, and the last byte is in out. */
static inline bool gw_show_is_done(const struct gw_shown *s)
{
    return s == NULL || s->out.is_ended;
}
/* The source could give more, and nobody else is waited for. */
bool gw_show_is_hungry(const struct gw_shown *s);
void gw_show_settle(struct gw_shown *s);
/* Nothing goes on any more: what is held is let go. NULL is fine. */
void gw_show_end(struct gw_shown *s);

#endif
