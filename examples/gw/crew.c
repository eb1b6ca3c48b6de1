/* crew.c: an engine and its workers, each a thread with a loop of its own. */
#include "crew.h"
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- making ---- */

static bool add_member(struct crew *crew, const struct crew_spec *spec)
{
    struct crew_member *member = &crew->members[crew->count];
    member->crew = crew;
    member->log.log = spec->log;
    member->log.worker = crew->count + 1;
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    worker.index = crew->count + 1;
    worker.user = &member->log;
    gw_loop_spec loop = GW_SPEC(gw_loop_spec);
    loop.kind = spec->kind;
    loop.worker = &worker;
    gw_status status = gw_loop_new(crew->engine, &loop, &member->loop);
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
    for (uint32_t i = 0; i < crew->count; i++)
        free_member(&crew->members[i]);
    gw_engine_free(crew->engine);
    free(crew->members);
    *crew = (struct crew){ .notify_fd = -1 };
}

/* ---- listening ---- */

static void say_cannot_listen(gw_str address, gw_status status)
{
    const char *why = status == GW_EREFUSED ? "it is taken, or not permitted"
                                            : gw_status_text(status);
    const char *next = status == GW_EREFUSED
                           ? "\"ss -ltnpx\" shows who has it; ports below 1024 need root"
                           : "give a numeric address of this machine, like 0.0.0.0:8080";
    say("cannot listen on %.*s: %s; %s", (int)address.len, address.ptr, why, next);
}

/* A unix socket has one descriptor, which all workers accept from. */
static gw_status share(gw_loop *loop, const gw_listen_spec *spec, const gw_listener *first)
{
    int fd = dup(gw_listener_fd(first));
    if (fd < 0)
        return GW_EIO;
    gw_status status = gw_loop_listen_fd(loop, fd, spec, NULL);
    if (status != GW_OK)
        close(fd);
    return status;
}

/* The first worker binds; the others take the port that it got (":0" is any), with SO_REUSEPORT. */
static gw_status listen_in_all(struct crew *crew, gw_listen_spec *spec, char *bound, size_t max)
{
    bool is_unix = spec->address.len >= 5 && memcmp(spec->address.ptr, "unix:", 5) == 0;
    gw_listener *first = NULL;
    if (crew->count > 1 && !is_unix)
        spec->flags |= GW_LISTEN_REUSEPORT;
    gw_status status = gw_loop_listen(crew->members[0].loop, spec, &first);
    if (status != GW_OK)
        return status;
    size_t len = gw_listener_address(first, bound, max);
    if (len == 0)
        return GW_EIO;
    spec->address = (gw_str){ bound, len };
    for (uint32_t i = 1; i < crew->count && status == GW_OK; i++) {
        gw_loop *loop = crew->members[i].loop;
        status = is_unix ? share(loop, spec, first) : gw_loop_listen(loop, spec, NULL);
    }
    return status;
}

static bool listen_one(struct crew *crew, const gw_listener_spec *listener)
{
    char bound[160];
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    accept.listener = listener->name;
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    spec.address = listener->address;
    spec.accept = &accept;
    gw_status status = listen_in_all(crew, &spec, bound, sizeof bound);
    if (status != GW_OK) {
        say_cannot_listen(listener->address, status);
        return false;
    }
    say("listener %.*s is on %.*s", (int)listener->name.len, listener->name.ptr,
        (int)spec.address.len, spec.address.ptr);
    return true;
}

bool crew_listen(struct crew *crew, const gw_config *config)
{
    size_t opened = 0;
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    for (size_t i = 0; gw_config_listener(config, i, &listener) == GW_OK; i++) {
        if (listener.address.len == 0)
            continue;
        if (!listen_one(crew, &listener))
            return false;
        opened++;
    }
    if (opened == 0)
        say("the configuration has no listener with an address: add one under listeners:");
    return opened != 0;
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
    } while (status == GW_OK || status == GW_AGAIN);
    member->result = status == GW_EOF ? GW_OK : status;
    const struct crew *crew = member->crew;
    if (crew->notify_fd >= 0 && write(crew->notify_fd, &crew->notify_byte, 1) != 1)
        say("worker %u ended, and nobody could be told", member->log.worker);
    return NULL;
}

bool crew_start(struct crew *crew)
{
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
