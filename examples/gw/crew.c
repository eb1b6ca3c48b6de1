/* crew.c: an engine and its workers, each a thread with a loop of its own. */
#include "crew.h"

#include "doors.h"
#include "say.h"
#include <gw/tls.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- making ---- */

static bool add_member(struct crew *crew, const struct crew_spec *spec)
{
    struct crew_member *member = &crew->members[crew->count];
    member->crew = crew;
    member->index = crew->count;
    member->log.log = spec->log;
    member->log.worker = crew->count + 1;
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    worker.index = crew->count + 1;
    worker.user = &member->log;
    gw_loop_spec loop = GW_SPEC(gw_loop_spec);
    loop.kind = spec->kind;
    loop.worker = &worker;
    gw_status status = gw_loop_new(crew->engine, &loop, &member->loop);
    if (status == GW_EUNSUPPORTED) {
        say("this kernel or this build does not give that backend; \"auto\" takes the best there "
            "is");
        return false;
    }
    if (status != GW_OK) {
        say("cannot make worker %u: %s; try a smaller limits.memory, or another backend",
            worker.index, gw_status_text(status));
        return false;
    }
    crew->count++;
    return true;
}

bool crew_open(struct crew *crew, const struct crew_spec *spec)
{
    *crew = (struct crew){ .notify_fd = spec->notify_fd, .notify_byte = spec->notify_byte };
    (void)pthread_mutex_init(&crew->lock, NULL); /* they cannot fail with default attributes */
    (void)pthread_cond_init(&crew->done, NULL);
    crew->is_open = true;
    gw_env env = GW_SPEC(gw_env);
    env.log = say_log;
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    engine.workers_max = spec->workers;
    engine.env = &env;
    engine.limits = spec->limits;
    gw_status status = gw_engine_new(&engine, &crew->engine);
    if (status != GW_OK) {
        say("cannot start: %s; see the limits with \"gw check\"", gw_status_text(status));
        return false;
    }
    crew->members = calloc(spec->workers, sizeof *crew->members);
    if (crew->members == NULL) {
        say("no memory for %u workers; give fewer", spec->workers);
        return false;
    }
    for (uint32_t i = 0; i < spec->workers; i++)
        if (!add_member(crew, spec))
            return false;
    return true;
}

bool crew_apply(struct crew *crew, gw_config *config)
{
    gw_config_error error = GW_SPEC(gw_config_error);
    if (gw_engine_apply(crew->engine, config, &error) == GW_OK)
        return true;
    say("the configuration is refused: %s: %s", error.where, error.text);
    return false;
}

/* What is in flight ends here, and is logged. */
static void free_member(struct crew_member *member)
{
    gw_loop_free(member->loop);
    if (member->log.log->fd >= 0)
        (void)access_log_flush(&member->log);
    uint64_t lost = member->log.dropped + access_log_waiting(&member->log);
    if (lost > 0)
        say("worker %u lost %llu lines of the access log: its reader is too slow, or gone",
            member->log.worker, (unsigned long long)lost);
}

void crew_close(struct crew *crew)
{
    if (!crew->is_open)
        return;
    for (uint32_t i = 0; i < crew->count; i++)
        free_member(&crew->members[i]);
    names_end(&crew->names);
    gw_engine_free(crew->engine);
    gw_config_unref(crew->config);
    doors_free(crew->doors);
    pthread_cond_destroy(&crew->done);
    pthread_mutex_destroy(&crew->lock);
    free(crew->members);
    *crew = (struct crew){ .notify_fd = -1 };
}

/* ---- in the workers' threads ---- */

static void do_errand(struct crew_member *member)
{
    struct crew *crew = member->crew;
    if (member->errand == NULL)
        return;
    member->errand(member, member->errand_ctx);
    pthread_mutex_lock(&crew->lock);
    member->errand = NULL;
    pthread_cond_signal(&crew->done);
    pthread_mutex_unlock(&crew->lock);
}

static void visit(gw_loop *loop, void *ctx)
{
    (void)loop;
    do_errand(ctx);
}

/* A loop that has ended takes no visits: then its errand is done here. */
static void wait_for(struct crew_member *member)
{
    struct crew *crew = member->crew;
    pthread_mutex_lock(&crew->lock);
    while (member->errand != NULL && !member->has_ended)
        pthread_cond_wait(&crew->done, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
    do_errand(member);
}

void crew_each(struct crew *crew, void (*errand)(struct crew_member *member, void *ctx), void *ctx)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        struct crew_member *member = &crew->members[i];
        pthread_mutex_lock(&crew->lock);
        bool is_running = i < crew->started && !member->has_ended;
        member->errand = errand;
        member->errand_ctx = ctx;
        pthread_mutex_unlock(&crew->lock);
        if (!is_running) {
            do_errand(member);
            continue;
        }
        member->visit = (gw_visit){ .run = visit, .ctx = member };
        gw_loop_visit(member->loop, &member->visit);
    }
    for (uint32_t i = 0; i < crew->started; i++)
        wait_for(&crew->members[i]);
}

bool crew_configure(struct crew *crew, gw_config *config)
{
    if (!names_follow(&crew->names, crew->engine, config) ||
        (crew->started > 0 && !names_start(&crew->names)) || !doors_change(crew, config))
        return false;
    if (!crew_apply(crew, config)) {
        if (crew->config != NULL && !doors_change(crew, crew->config))
            say("and its listeners stay instead of the old ones: end the program, or mend the "
                "file");
        return false;
    }
    gw_config_unref(crew->config);
    crew->config = gw_config_ref(config);
    if (crew->started == 0)
        names_wait(&crew->names);
    return true;
}

bool crew_listen_fd(struct crew *crew, int fd, const char *listener)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    accept.listener = gw_cstr(listener);
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    spec.accept = &accept;
    gw_status status = gw_loop_listen_fd(crew->members[0].loop, fd, &spec, NULL);
    if (status == GW_OK)
        return true;
    say("cannot listen for %s: %s", listener, gw_status_text(status));
    close(fd);
    return false;
}

/* ---- running ---- */

/* One turn: wait, work, and one write of what was logged. While lines wait for a full pipe, it is
 * tried again soon. */
static void *work(void *argument)
{
    enum { RETRY_MS = 50 };
    struct crew_member *member = argument;
    bool is_flushed = true;
    gw_status status;
    do {
        status = gw_loop_run_once(member->loop, is_flushed ? -1 : RETRY_MS);
        is_flushed = member->log.log->fd < 0 || access_log_flush(&member->log);
    } while (status == GW_OK);
    member->result = status == GW_EOF ? GW_OK : status;
    gw_tls_leave_thread();
    struct crew *crew = member->crew;
    pthread_mutex_lock(&crew->lock);
    member->has_ended = true;
    pthread_cond_signal(&crew->done);
    pthread_mutex_unlock(&crew->lock);
    if (crew->notify_fd >= 0 && write(crew->notify_fd, &crew->notify_byte, 1) != 1)
        say("worker %u ended, and nobody could be told", member->log.worker);
    return NULL;
}

bool crew_start(struct crew *crew)
{
    if (!names_start(&crew->names))
        return false;
    while (crew->started < crew->count) {
        struct crew_member *member = &crew->members[crew->started];
        if (pthread_create(&member->thread, NULL, work, member) != 0) {
            say("cannot start thread %u: is there a limit on processes? (ulimit -u)",
                crew->started + 1);
            return false;
        }
        crew->started++;
    }
    return true;
}

void crew_drain(struct crew *crew, uint32_t grace_ms)
{
    for (uint32_t i = 0; i < crew->started; i++)
        if (gw_loop_drain(crew->members[i].loop, grace_ms) != GW_OK)
            gw_loop_stop(crew->members[i].loop);
}

void crew_stop(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->started; i++)
        gw_loop_stop(crew->members[i].loop);
}

bool crew_join(struct crew *crew)
{
    bool is_fine = true;
    for (uint32_t i = 0; i < crew->started; i++) {
        struct crew_member *member = &crew->members[i];
        pthread_join(member->thread, NULL);
        if (member->result != GW_OK) {
            say("worker %u failed: %s", i + 1, gw_status_text(member->result));
            is_fine = false;
        }
    }
    crew->started = 0;
    return is_fine;
}
