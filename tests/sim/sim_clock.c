/* sim/sim_clock.c: a binary heap of events, by time and then by order of making. */

#include "sim.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void sim_at(struct sim *sim, gw_nanos delay, enum sim_what what, uint32_t who, uint32_t turn,
            uint64_t n)
{
    struct sim_event e = { sim->now + delay, ++sim->order, what, who, turn, n };
    uint32_t i = sim->events_len++;

    SIM_CHECK(sim, i < SIM_EVENTS_MAX, "too many events");
    if (i == sim->events_room) {
        sim->events_room = i == 0 ? 64 : 2 * i;
        sim->events = realloc(sim->events, sim->events_room * sizeof *sim->events);
    }
    for (; i > 0 && is_before(&e, &sim->events[(i - 1) / 2]); i = (i - 1) / 2)
        sim->events[i] = sim->events[(i - 1) / 2];
    sim->events[i] = e;
}

gw_nanos sim_when(const struct sim *sim)
{
    return sim->events_len == 0 ? GW_NEVER : sim->events[0].when;
}

bool sim_next(struct sim *sim, struct sim_event *out)
{
    struct sim_event *all = sim->events;
    uint32_t i = 0;

    if (sim->events_len == 0)
        return false;
    *out = all[0];
    sim->events_len--;
    /* What was last sinks from the top. */
    for (uint32_t least; (least = 2 * i + 1) < sim->events_len; i = least) {
        if (least + 1 < sim->events_len && is_before(&all[least + 1], &all[least]))
            least++;
        if (!is_before(&all[least], &all[sim->events_len]))
            break;
        all[i] = all[least];
    }
    all[i] = all[sim->events_len];
    return true;
}
