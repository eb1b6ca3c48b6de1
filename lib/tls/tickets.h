/* tls/tickets.h: keys that seal tickets, by which sessions are resumed: the newest seals, those before it
 * open what they have sealed. All workers of an engine share one ring, and it outlives configurations. It
 * knows no cipher. */
#ifndef GW_TLS_TICKETS_H
#define GW_TLS_TICKETS_H

#include <stdatomic.h>

#include <gw/env.h>

enum { GW_TICKET_NAME = 16, GW_TICKET_SECRET = 32 };

struct gw_ticket_key {
    uint8_t name[GW_TICKET_NAME]; /* seen by all      */
    uint8_t secret[GW_TICKET_SECRET];
    uint64_t since; /* it seals: seconds of 1970 */
    bool is_drawn;
};

/* A key seals for half a life, and what it has sealed last lives for one more: so three are enough. */
enum { GW_TICKETS_KEYS = 3 };
struct gw_tickets {
    const gw_env *env;                          /* complete; outlives this             */
    atomic_flag is_taken;                       /* while a key is copied, or drawn     */
    uint64_t life;                              /* the longest that was asked: seconds */
    struct gw_ticket_key keys[GW_TICKETS_KEYS]; /* the newest first */
};

void gw_tickets_init(struct gw_tickets *t, const gw_env *env);
/* Nobody uses it. The keys are overwritten. */
void gw_tickets_fini(struct gw_tickets *t);
/* Seconds since 1970. Any thread. */
uint64_t gw_tickets_now(const struct gw_tickets *t);
/* The key that seals now, for tickets that live so long. Any thread. */
void gw_tickets_newest(struct gw_tickets *t, uint64_t life, struct gw_ticket_key *out);
/* The one of that name; false: there is none any more. Any thread. */
bool gw_tickets_find(struct gw_tickets *t, const uint8_t name[GW_TICKET_NAME],
                     struct gw_ticket_key *out);

#endif
