/* exchange/hook.h: the way into a hook of the host's and out of it again, and what is true of an origin
 * and a caller alike when one of theirs has returned. */
#ifndef GW_EXCHANGE_HOOK_H
#define GW_EXCHANGE_HOOK_H

#include "exchange/exchange.h"

/* at: which filter's it is, or GW_HOOK_AT_NONE; memory: its own. */
static inline void gw_hook_enter(struct gw_exchange *x, enum gw_hook hook, enum gw_asked_id who,
                                 uint32_t at, void *memory)
{
    x->hook = (uint8_t)hook;
    x->hook_who = (uint8_t)who;
    x->hook_at = (uint8_t)at;
    x->hook_memory = memory;
}

/* Whose it was is known until the next one: its verdict is obeyed then. */
static inline void gw_hook_leave(struct gw_exchange *x)
{
    x->hook = GW_HOOK_NONE;
    x->hook_memory = NULL;
}

/* For the calls that only a hook may make. False: none runs, and that is noted as otherwise. */
static inline bool gw_hook_is_in(const struct gw_exchange *x, enum gw_misuse_id otherwise)
{
    if (x->hook == GW_HOOK_NONE)
        gw_misuse_note(x->of->links->misuse, otherwise);
    return x->hook != GW_HOOK_NONE;
}

/* Of an origin or a caller, who can only go on. False: the exchange has failed. */
bool gw_hook_obey(struct gw_exchange *x, gw_verdict verdict) GW_MUST_CHECK;
/* It may have written to p. *is_full: it is to be asked again when some of that has left. False: nothing
 * is in that could leave, so nobody would ever ask it again, and the exchange has failed. */
bool gw_hook_note_written(struct gw_exchange *x, struct gw_pipe *p, bool *is_full) GW_MUST_CHECK;

#endif
