/* exchange/back.c: a request that no route claims, on a connection that the host takes back: the exchange
 * ends without an answer, and the host reads the request itself (docs/hand-over.md). */

#include "exchange/exchange.h"

bool gw_exchange_give_back(struct gw_exchange *x)
{
    struct gw_link *link = x->down_link;
    gw_status status = gw_link_may_return(link, &x->down);

    if (status == GW_EUNSUPPORTED)
        return false;
    if (status != GW_OK) {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, status);
        return true;
    }
    x->cause = (gw_cause){ GW_BY_HOST, x->phase, GW_REASON_handed_back, GW_OK };
    gw_exchange_finish(x);
    if (x->is_over) /* as ever, since no hook waits while it is routed; else it just ends */
        gw_link_return(link);
    return true;
}
