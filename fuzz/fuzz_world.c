/* fuzz/fuzz_world.c: the whole machine in the simulated world of tests/sim; the input is that world's
 * randomness, so that coverage leads to whole scenarios. What must be true there must be true here. */

#include "../tests/sim/sim.h"

#include "fuzz.h"

enum { WORLD_INPUT = 4000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sim *sim;
    uint64_t seed = 0;

    if (len < sizeof seed || len > WORLD_INPUT)
        return 0;
    sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    memcpy(&seed, bytes, sizeof seed);
    sim->input = bytes + sizeof seed;
    sim->input_len = len - sizeof seed;
    sim->is_tracing = getenv("TRACE") != NULL;
    sim_run(sim, seed);
    free(sim);
    return 0;
}
