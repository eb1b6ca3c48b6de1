/* sim/main.c: the command line of the simulator.
 *
 *     sim                      200 seeds from 1; each first one of ten twice: the same hash must come
 *     sim --seed 1729 --trace  replay one, saying what happens
 *     sim --seed 7 --fail 12 --ever   the 12th allocation fails, and with --ever all after it
 *     sim --seeds 5000 --from 1000
 *     sim --minutes 10         as many as fit
 *     sim --alloc 7            a seed's allocations fail one after the other (a sweep); --io the same
 *                              for operations of the backend; --dense: each one, not only the first
 *                              and then ever fewer
 *     sim --stalled --seeds 400   worlds in which clients stall, and nothing else is wrong: the four
 *                              shapes in turn, every other one at the smallest pool that is legal
 *     sim --tls --seeds 100    TLS is wolfSSL's instead of the stub's, in every world
 */

#include "sim.h"

#include <signal.h>
#include <time.h>

/* An assertion of the library traps, and whoever runs us may lose patience: the seed is said first. */
static const struct sim *running;

static void die(int number)
{
    if (running != NULL)
        fprintf(stderr,
                "seed %llu, time %.3f ms: signal %d\n  replay: sim%s%s --seed %llu --trace\n",
                (unsigned long long)running->seed, (double)running->now / 1e6, number,
                running->is_stall_asked ? " --stalled" : "", running->is_tls_asked ? " --tls" : "",
                (unsigned long long)running->seed);
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_signals(void)
{
    static const int numbers[] = { SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGTERM, SIGXCPU };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], die);
}

struct options {
    uint64_t from, seeds, minutes;
    bool is_tracing, is_dense, is_stalled, is_tls, for_ever;
    uint64_t alloc_seed, io_seed, fail;
};

static uint64_t run_one(uint64_t seed, const struct options *o, uint64_t fail_alloc, bool for_ever,
                        uint64_t fail_io, bool *reached)
{
    struct sim *sim = calloc(1, sizeof *sim);
    uint64_t hash;

    sim->is_tracing = o->is_tracing;
    sim->is_stall_asked = o->is_stalled;
    sim->is_tls_asked = o->is_tls;
    sim->fail_alloc_at = fail_alloc;
    sim->fail_alloc_on = for_ever;
    sim->fail_io_at = fail_io;
    running = sim;
    sim_run(sim, seed);
    running = NULL;
    hash = sim->hash;
    *reached = sim->allocations_failed > 0 || sim->io_failed > 0;
    free(sim);
    return hash;
}

static int sweep(const struct options *o)
{
    bool reached = true;
    uint64_t k, points = 0;

    /* Every point where worlds begin, then ever fewer of those that are alike. */
    for (k = 1; reached; k += o->is_dense ? 1 : 1 + k / 64) {
        points++;
        if (o->alloc_seed != 0) {
            bool ever;
            run_one(o->alloc_seed, o, k, false, 0, &reached);
            run_one(o->alloc_seed, o, k, true, 0, &ever);
        } else {
            run_one(o->io_seed, o, 0, false, k, &reached);
        }
    }
    printf("%llu points of failure reached\n", (unsigned long long)points - 1);
    return 0;
}

static int run_seeds(const struct options *o)
{
    time_t until = time(NULL) + (time_t)o->minutes * 60;
    uint64_t n = 0;
    bool reached;

    for (; o->minutes > 0 ? time(NULL) < until : n < o->seeds; n++) {
        uint64_t seed = o->from + n;
        uint64_t hash = run_one(seed, o, o->fail, o->for_ever, 0, &reached);
        if (n % 10 == 0 && run_one(seed, o, o->fail, o->for_ever, 0, &reached) != hash) {
            fprintf(stderr, "seed %llu: two runs, two hashes\n", (unsigned long long)seed);
            return 1;
        }
    }
    printf("%llu seeds from %llu: all as it must be\n", (unsigned long long)n,
           (unsigned long long)o->from);
    return 0;
}

static uint64_t number(const char *text)
{
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    struct options o = { .from = 1, .seeds = 200 };

    catch_signals();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            o.is_tracing = true;
            continue;
        }
        if (strcmp(argv[i], "--dense") == 0) {
            o.is_dense = true;
            continue;
        }
        if (strcmp(argv[i], "--stalled") == 0) {
            o.is_stalled = true;
            continue;
        }
        if (strcmp(argv[i], "--tls") == 0) {
            o.is_tls = true;
            continue;
        }
        if (strcmp(argv[i], "--ever") == 0) {
            o.for_ever = true;
            continue;
        }
        uint64_t n = number(argv[i + 1]);
        if (strcmp(argv[i], "--seed") == 0) {
            o.from = n;
            o.seeds = 1;
        } else if (strcmp(argv[i], "--fail") == 0) {
            o.fail = n;
        } else if (strcmp(argv[i], "--from") == 0) {
            o.from = n;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            o.seeds = n;
        } else if (strcmp(argv[i], "--minutes") == 0) {
            o.minutes = n;
        } else if (strcmp(argv[i], "--alloc") == 0) {
            o.alloc_seed = n;
        } else if (strcmp(argv[i], "--io") == 0) {
            o.io_seed = n;
        } else {
            fprintf(stderr, "sim: what is %s? See the head of tests/sim/main.c\n", argv[i]);
            return 2;
        }
        i++;
    }
    return o.alloc_seed != 0 || o.io_seed != 0 ? sweep(&o) : run_seeds(&o);
}
