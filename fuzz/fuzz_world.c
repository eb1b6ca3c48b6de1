/* fuzz/fuzz_world.c: the whole machine in the simulated world of tests/sim; the input is that world's
 * randomness, so that coverage leads to whole scenarios. What must be true there must be true here.
 *
 * The first byte says what fails: 1: an allocation, 2: and all after it, 4: an operation of the backend;
 * then two bytes each say which. And what there is: 8: filters that do things, 16: a host that takes
 * connections back, 32: calls of its own to its own origin; then two bytes say what they do. All that
 * follows is drawn from, until the world is calm. */

#include "../tests/sim/sim.h"

#include "fuzz.h"

enum { WORLD_INPUT = 600, FAILS_ALLOC = 1, FAILS_FOR_EVER = 2, FAILS_IO = 4, PARTS_FROM = 3 };

static uint64_t which(struct sim *sim)
{
    return 1 + sim_draw(sim, 2000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sim *sim;
    uint32_t failures;

    if (len == 0 || len > WORLD_INPUT)
        return 0;
    sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    sim->input = bytes;
    sim->input_len = len;
    sim->is_tracing = getenv("TRACE") != NULL;
    failures = (uint32_t)sim_draw(sim, 256);
    if ((failures & FAILS_ALLOC) != 0)
        sim->fail_alloc_at = which(sim);
    sim->fail_alloc_on = (failures & FAILS_FOR_EVER) != 0;
    if ((failures & FAILS_IO) != 0)
        sim->fail_io_at = which(sim);
    sim->parts = failures >> PARTS_FROM & (SIM_WITH_FILTERS | SIM_WITH_HOST | SIM_WITH_CALLS);
    if (sim->parts != 0)
        sim->deeds = sim_draw(sim, 65536);
    sim_run(sim, 1);
    free(sim);
    return 0;
}
