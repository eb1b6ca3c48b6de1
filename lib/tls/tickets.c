/* tls/tickets.c: keys of tickets are drawn, found and forgotten. */

#include "tls/tickets.h"

#include <string.h>

#include "base/wipe.h"

/* Clocks of a fleet, and of a machine that is set, may be so far apart: seconds. */
enum { SKEW = 60 };

void gw_tickets_init(struct gw_tickets *t, const gw_env *env)
{
    memset(t, 0, sizeof *t);
    t->env = env;
    atomic_flag_clear(&t->is_taken);
}

void gw_tickets_fini(struct gw_tickets *t)
{
    gw_wipe(t->keys, sizeof t->keys);
}

uint64_t gw_tickets_now(const struct gw_tickets *t)
{
    return t->env->unix_nanos(t->env->unix_ctx) / 1000000000u;
}

static void enter(struct gw_tickets *t)
{
    while (atomic_flag_test_and_set_explicit(&t->is_taken, memory_order_acquire))
        t->env->pause(t->env->pause_ctx);
}

static void leave(struct gw_tickets *t)
{
    atomic_flag_clear_explicit(&t->is_taken, memory_order_release);
}

/* What is over, or of a time that has not come, is no key any more: nobody who gets hold of the memory
 * later reads what was said before. */
static void forget(struct gw_tickets *t, uint64_t now)
{
    for (int i = 0; i < GW_TICKETS_KEYS; i++) {
        struct gw_ticket_key *key = &t->keys[i];
        if (key->is_drawn && (now >= key->since + t->life + t->life / 2 || now + SKEW < key->since))
            gw_wipe(key, sizeof *key);
    }
}

static void draw(struct gw_tickets *t, uint64_t now)
{
    struct gw_ticket_key *key = &t->keys[0];

    memmove(&t->keys[1], &t->keys[0], (GW_TICKETS_KEYS - 1) * sizeof *t->keys);
    t->env->entropy(t->env->entropy_ctx, key->name, sizeof key->name);
    t->env->entropy(t->env->entropy_ctx, key->secret, sizeof key->secret);
    key->since = now;
    key->is_drawn = true;
}

void gw_tickets_newest(struct gw_tickets *t, uint64_t life, struct gw_ticket_key *out)
{
    uint64_t now = gw_tickets_now(t);

    enter(t);
    if (life > t->life)
        t->life = life;
    forget(t, now);
    if (!t->keys[0].is_drawn || now >= t->keys[0].since + (t->life + 1) / 2)
        draw(t, now);
    *out = t->keys[0];
    leave(t);
}

bool gw_tickets_find(struct gw_tickets *t, const uint8_t name[GW_TICKET_NAME],
                     struct gw_ticket_key *out)
{
    uint64_t now = gw_tickets_now(t);
    bool is_found = false;

    enter(t);
    forget(t, now);
    for (int i = 0; i < GW_TICKETS_KEYS && !is_found; i++) {
        is_found = t->keys[i].is_drawn && memcmp(t->keys[i].name, name, GW_TICKET_NAME) == 0;
        if (is_found)
            *out = t->keys[i];
    }
    leave(t);
    return is_found;
}
