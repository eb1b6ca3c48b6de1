/* sim/sim_clock.c: a binary heap of events, by time and then by order of making. */

#include "sim.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event t = *a;

    *a = *b;
    *b = t;
}

void sim_at(struct sim *sim, gw_nanos delay, enum sim_what what, uint32_t who, uint32_t turn,
            uint64_t n)
{
    uint32_t i = sim->events_len++;

    SIM_CHECK(sim, i < SIM_EVENTS_MAX, "too many events");
    sim->events[i] = (struct sim_event){ sim->now + delay, ++sim->order, what, who, turn, n };
    while (i > 0 && is_before(&sim->events[i], &sim->events[(i - 1) / 2])) {
        swap(&sim->events[i], &sim->events[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

gw_nanos sim_when(const struct sim *sim)
{
    return sim->events_len == 0 ? GW_NEVER : sim->events[0].when;
}

bool sim_next(struct sim *sim, struct sim_event *out)
{
    uint32_t i = 0;

    if (sim->events_len == 0)
        return false;
    *out = sim->events[0];
    sim->events[0] = sim->events[--sim->events_len];
    for (;;) {
        uint32_t least = i, left = 2 * i + 1;
        if (left < sim->events_len && is_before(&sim->events[left], &sim->events[least]))
            least = left;
        if (left + 1 < sim->events_len && is_before(&sim->events[left + 1], &sim->events[least]))
            least = left + 1;
        if (least == i)
            return true;
        swap(&sim->events[i], &sim->events[least]);
        i = least;
    }
}
