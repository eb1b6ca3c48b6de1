/* base/timer.c: the wheel. A time is a tick, rounded up: so no timer is early, and none is more
 * than a tick late.
 *
 * A tick is read as digits of 6 bits, one a level. A timer lies in the level of the highest digit
 * in which its tick differs from the wheel's, in the slot of its own digit there: always ahead of
 * the wheel's digit. So all of a level is due before anything of the next one; when the wheel
 * reaches the first tick of a slot of a higher level, its timers fall into lower ones.
 *
 *     level      0      1        2        3        4
 *     a slot     1 ms   64 ms    4.1 s    4.4 min  4.7 h
 *
 * Two slots are special: slot [0][digit of now] holds what had passed when it was set; slot [4][0],
 * which no digit can be ahead of, holds what differs above level 4 and is looked at each 12 days.
 */

#include "base/timer.h"

#include "base/assert.h"

enum { BITS = 6, TOP = GW_WHEEL_LEVELS - 1, SPAN_BITS = BITS * GW_WHEEL_LEVELS };
_Static_assert(1 << BITS == GW_WHEEL_SLOTS, "a slot for each digit");
#define TICK_NANOS 1000000u

void gw_wheel_init(struct gw_wheel *wheel, gw_nanos now)
{
    for (uint32_t level = 0; level < GW_WHEEL_LEVELS; level++) {
        for (uint32_t slot = 0; slot < GW_WHEEL_SLOTS; slot++)
            gw_list_init(&wheel->slots[level][slot]);
        wheel->occupied[level] = 0;
    }
    gw_list_init(&wheel->due);
    wheel->tick = now / TICK_NANOS;
    wheel->count = 0;
}

void gw_timer_init(struct gw_timer *t)
{
    gw_list_init(&t->node);
    t->when = GW_NEVER;
}

static uint32_t digit(uint64_t tick, uint32_t level)
{
    return (uint32_t)(tick >> (BITS * level)) & (GW_WHEEL_SLOTS - 1);
}

static uint32_t highest_bit(uint64_t n) /* n > 0 */
{
#if defined(__GNUC__)
    return 63u - (uint32_t)__builtin_clzll(n);
#else
    uint32_t bit = 0;
    while (n >>= 1)
        bit++;
    return bit;
#endif
}

static uint32_t lowest_bit(uint64_t n) /* n > 0 */
{
    return highest_bit(n & (~n + 1));
}

static void place(struct gw_wheel *wheel, struct gw_timer *t)
{
    uint64_t tick = t->when / TICK_NANOS + (t->when % TICK_NANOS != 0);
    uint32_t level = 0, slot = digit(wheel->tick, 0);
    if (tick > wheel->tick) {
        level = highest_bit(tick ^ wheel->tick) / BITS;
        slot = level > TOP ? 0 : digit(tick, level);
        level = level > TOP ? TOP : level;
    }
    gw_list_push_back(&wheel->slots[level][slot], &t->node);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

/* Out of its slot or of the due list. The last one of a slot clears the slot's bit. */
static void displace(struct gw_wheel *wheel, struct gw_timer *t)
{
    struct gw_list *head = t->node.next;
    bool was_alone = head == t->node.prev && head != &wheel->due;
    gw_list_remove(&t->node);
    if (was_alone) {
        size_t index = (size_t)(head - &wheel->slots[0][0]);
        wheel->occupied[index / GW_WHEEL_SLOTS] &= ~((uint64_t)1 << index % GW_WHEEL_SLOTS);
    }
}

void gw_timer_set(struct gw_wheel *wheel, struct gw_timer *t, gw_nanos when)
{
    gw_timer_cancel(wheel, t);
    if (when == GW_NEVER)
        return;
    t->when = when;
    wheel->count++;
    place(wheel, t);
}

void gw_timer_cancel(struct gw_wheel *wheel, struct gw_timer *t)
{
    if (!gw_timer_is_set(t))
        return;
    GW_ASSERT(wheel->count > 0);
    displace(wheel, t);
    t->when = GW_NEVER;
    wheel->count--;
}

/* The first tick at which a slot has to be looked at; UINT64_MAX: all slots are empty. */
static uint64_t next_tick(const struct gw_wheel *wheel)
{
    for (uint32_t level = 0; level < GW_WHEEL_LEVELS; level++) {
        /* Level 0 counts its present slot: that holds what had passed. */
        uint64_t behind = ((uint64_t)(level == 0 ? 1 : 2) << digit(wheel->tick, level)) - 1;
        uint64_t ahead = wheel->occupied[level] & ~behind;
        if (ahead == 0)
            continue;
        uint64_t below = ((uint64_t)1 << (BITS * (level + 1))) - 1;
        return (wheel->tick & ~below) | (uint64_t)lowest_bit(ahead) << (BITS * level);
    }
    if (wheel->occupied[TOP] != 0) /* slot 0 alone can be left: the next turn of the whole wheel */
        return ((wheel->tick >> SPAN_BITS) + 1) << SPAN_BITS;
    return UINT64_MAX;
}

/* The wheel has just reached its tick: what lies in slots that begin here falls. */
static void turn(struct gw_wheel *wheel)
{
    for (uint32_t level = TOP; level > 0; level--) {
        uint32_t slot = digit(wheel->tick, level);
        if ((wheel->tick & (((uint64_t)1 << (BITS * level)) - 1)) != 0 ||
            (wheel->occupied[level] >> slot & 1) == 0)
            continue;
        struct gw_list falling;
        gw_list_init(&falling);
        gw_list_splice(&falling, &wheel->slots[level][slot]);
        wheel->occupied[level] &= ~((uint64_t)1 << slot);
        for (struct gw_list *node; (node = gw_list_pop_front(&falling)) != NULL;)
            place(wheel, GW_CONTAINER(node, struct gw_timer, node));
    }
}

static void collect(struct gw_wheel *wheel)
{
    uint32_t slot = digit(wheel->tick, 0);
    gw_list_splice(&wheel->due, &wheel->slots[0][slot]);
    wheel->occupied[0] &= ~((uint64_t)1 << slot);
}

void gw_wheel_advance(struct gw_wheel *wheel, gw_nanos now)
{
    uint64_t target = now / TICK_NANOS;
    if (target < wheel->tick) /* a clock that went back: slots are read from here, so stay */
        target = wheel->tick;
    for (uint64_t tick; (tick = next_tick(wheel)) <= target;) {
        wheel->tick = tick;
        turn(wheel);
        collect(wheel);
    }
    wheel->tick = target;
}

struct gw_timer *gw_wheel_pop(struct gw_wheel *wheel)
{
    struct gw_list *node = gw_list_pop_front(&wheel->due);
    if (node == NULL)
        return NULL;
    struct gw_timer *t = GW_CONTAINER(node, struct gw_timer, node);
    GW_ASSERT(wheel->count > 0);
    t->when = GW_NEVER;
    wheel->count--;
    return t;
}

gw_nanos gw_wheel_next(const struct gw_wheel *wheel)
{
    if (!gw_list_is_empty(&wheel->due))
        return wheel->tick * TICK_NANOS;
    uint64_t tick = next_tick(wheel);
    return tick > UINT64_MAX / TICK_NANOS ? GW_NEVER : tick * TICK_NANOS;
}
