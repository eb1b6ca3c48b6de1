/* http/abuse.c: a token bucket as one time (GCRA), with a price list. */

#include "http/abuse.h"

static const struct {
    uint32_t micros;
    const char *text;
} prices[] = {
#define PRICE(id, cost, text) { (cost), (text) },
    GW_ABUSES(PRICE)
#undef PRICE
};
enum { KINDS = sizeof prices / sizeof *prices };

bool gw_abuse_charge(struct gw_abuse *a, enum gw_abuse_kind kind, uint32_t times, gw_nanos now)
{
    gw_nanos cost = (gw_nanos)prices[kind].micros * 1000 * times;
    gw_nanos clear = (a->clear > now ? a->clear : now) + cost;
    if (clear - now > GW_ABUSE_PATIENCE) {
        a->kind = (uint8_t)kind;
        return false;
    }
    a->clear = clear;
    return true;
}

const char *gw_abuse_text(uint32_t kind)
{
    return kind < KINDS ? prices[kind].text : "";
}
