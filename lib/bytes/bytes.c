/* bytes/bytes.c: mode 1: what changed, told one link at a time, when the host asks. */

#include <gw/bytes.h>

#include "base/spec.h"
#include "link/conn.h"
#include "worker/worker.h"

bool gw_bytes_next(gw_worker *w, gw_notice *out)
{
    gw_notice own = GW_SPEC(gw_notice);
    struct gw_list *node;

    /* A notice is told once: who cannot take it is not given it. */
    if (w == NULL || out == NULL || out->size < sizeof out->size || gw_misuse_is_stray(&w->misuse))
        return false;
    node = gw_list_pop_front(&w->links.notices);
    if (node == NULL)
        return false;
    own.link = GW_CONTAINER(node, struct gw_link, notice);
    own.want = gw_conn_want(own.link);
    own.link->told_want = (uint8_t)own.want;
    own.user = own.link->user;
    return gw_spec_fill(out, &own, sizeof own) == GW_OK;
}
