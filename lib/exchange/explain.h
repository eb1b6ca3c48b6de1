/* exchange/explain.h: a request's way, walked dry: by the functions that decide for those that are served.
 * The exchange belongs to whoever asks, in a world of its own, where only what workers share is real. */
#ifndef GW_EXCHANGE_EXPLAIN_H
#define GW_EXCHANGE_EXPLAIN_H

#include <gw/explain.h>

#include "exchange/exchange.h"

struct gw_explainer {
    gw_explain_fn *tell; /* may be NULL */
    void *ctx;
    uint32_t max;  /* steps that are told */
    gw_str target; /* as it came */
    bool is_apart; /* no worker's thread: of the host nobody is asked */
    struct gw_exchange *x;
    gw_explained *out; /* all zero at first; its size stays */
};

/* The request is in x, as far as it was read; fault: what was wrong with it then. */
void gw_exchange_explain(struct gw_explainer *e, enum gw_reason_id fault);

#endif
