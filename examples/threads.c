/* threads.c: one gateway in several threads: one engine, one loop a thread, one port for all.
 *     threads 127.0.0.1:8080 upstreams.txt 4
 * upstreams.txt has an address a line. SIGHUP: it is read again; requests under way go on as they
 * began, connections stay. A file that is wrong changes nothing. SIGTERM: no new connection, what is
 * under way is finished, then it ends; a second SIGTERM: now. */
#include <err.h>
#include <gw/gw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

static struct member {
    pthread_t thread;
    gw_loop *loop;
} crew[THREADS_MAX];
static int crew_len, running; /* running: guarded by lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Each address of the file is an endpoint of the one cluster. NULL: something is wrong. */
static gw_config *configure(const char *path)
{
    gw_builder *builder;
    gw_config *config = NULL;
    gw_config_error error = GW_SPEC(gw_config_error);
    gw_listener_spec edge = { .size = sizeof edge, .name = gw_cstr("edge") };
    gw_cluster_spec app = { .size = sizeof app, .name = gw_cstr("app") };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("app") };
    FILE *file = fopen(path, "r");
    char line[256];
    if (file == NULL)
        warn("%s", path);
    if (file == NULL || gw_builder_new(NULL, &builder) != GW_OK)
        return NULL;
    gw_builder_listener(builder, &edge); /* what is wrong here and below, build reports */
    gw_builder_route(builder, &all);
    gw_id cluster = gw_builder_cluster(builder, &app);
    for (uint32_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        gw_endpoint_spec one = { .size = sizeof one, .address = gw_cstr(line), .mark = number };
        if (line[0] != '\0')
            gw_builder_endpoint(builder, cluster, &one); /* copied */
    }
    (void)fclose(file);
    if (gw_builder_build(builder, &config, &error) != GW_OK)
        warnx("%s:%u: %s: %s", path, error.mark, error.where, error.text);
    return config;
}

/* Called by the main thread before there are others, and then on SIGHUP: any thread may. */
static gw_status reload(gw_engine *engine, const char *path)
{
    gw_config *config = configure(path);
    gw_status status = config != NULL ? gw_engine_apply(engine, config, NULL) : GW_EINVAL;
    gw_config_unref(config); /* the workers have references of their own */
    return status;
}

/* A loop belongs to its thread from now on; the last one to end wakes the main thread. */
static void *run(void *member)
{
    if (gw_loop_run(((struct member *)member)->loop) != GW_OK)
        warnx("a loop has failed");
    pthread_mutex_lock(&lock);
    if (--running == 0)
        kill(getpid(), SIGUSR1);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Each loop has a listening socket of its own; the kernel shares the connections out. */
static gw_status add_member(gw_engine *engine, const char *address)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    gw_listen_spec listen = { .size = sizeof listen,
                              .flags = GW_LISTEN_REUSEPORT,
                              .address = gw_cstr(address),
                              .accept = &accept };
    gw_loop **loop = &crew[crew_len].loop;
    gw_status status = gw_loop_new(engine, &spec, loop);
    if (status != GW_OK)
        return status;
    crew_len++;
    return gw_loop_listen(*loop, &listen, NULL);
}

/* Signals are blocked in all threads; the main thread takes them here, one by one. */
static void obey(gw_engine *engine, const char *path, const sigset_t *signals)
{
    for (int number = 0, terms = 0; number != SIGUSR1;) {
        sigwait(signals, &number);
        if (number == SIGHUP) {
            bool is_new = reload(engine, path) == GW_OK;
            fprintf(stderr, "%s\n", is_new ? "reloaded" : "not reloaded: all stays as it was");
        } else if (number == SIGTERM) {
            terms++;
            for (int i = 0; i < crew_len; i++)
                if (terms > 1)
                    gw_loop_stop(crew[i].loop);
                else
                    gw_loop_drain(crew[i].loop, 10000);
            fprintf(stderr, "%s\n", terms > 1 ? "stopping" : "draining");
        }
    }
}

int main(int argc, char **argv)
{
    gw_engine *engine = NULL;
    sigset_t signals;
    int threads = argc == 4 ? atoi(argv[3]) : 0;
    if (threads < 1 || threads > THREADS_MAX)
        errx(2, "usage: threads LISTEN FILE THREADS (a numeric address, addresses, 1 to %d)",
             THREADS_MAX);
    gw_engine_spec shared = { .size = sizeof shared, .workers_max = (uint32_t)threads };
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1); /* our own: all loops have ended */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (gw_engine_new(&shared, &engine) != GW_OK || reload(engine, argv[2]) != GW_OK)
        errx(1, "it cannot start with this file");
    while (crew_len < threads)
        if (add_member(engine, argv[1]) != GW_OK)
            errx(1, "it cannot listen on %s", argv[1]);
    running = crew_len;
    for (int i = 0; i < crew_len; i++)
        if (pthread_create(&crew[i].thread, NULL, run, &crew[i]) != 0)
            errx(1, "no thread");
    fprintf(stderr, "listening on %s\n", argv[1]);
    obey(engine, argv[2], &signals);
    for (int i = 0; i < crew_len; i++) {
        pthread_join(crew[i].thread, NULL);
        gw_loop_free(crew[i].loop);
    }
    gw_engine_free(engine);
    return 0;
}
