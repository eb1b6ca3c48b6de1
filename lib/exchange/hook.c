/* exchange/hook.c: see hook.h. */

#include "exchange/hook.h"

bool gw_hook_obey(struct gw_exchange *x, gw_verdict verdict)
{
    if (verdict == GW_NEXT || verdict == GW_WAIT)
        return true;
    gw_exchange_check_verdict(x, verdict);
    gw_exchange_fail(x, GW_BY_HOST, GW_REASON_host_abort, GW_ECANCELED);
    return false;
}

bool gw_hook_note_written(struct gw_exchange *x, struct gw_pipe *p, bool *is_full)
{
    bool was_refused = gw_pipe_was_refused(p);

    if (was_refused && gw_pipe_len(p) == 0 && !p->is_ended) {
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_no_memory, GW_ENOMEM);
        return false;
    }
    *is_full = was_refused || gw_pipe_space(p) < p->size / 2;
    return true;
}
