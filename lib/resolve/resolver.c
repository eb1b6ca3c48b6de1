/* resolve/resolver.c: drives the watches of all clusters that ask DNS: what they want to know goes to an
 * asker, its answers back to them, and what follows into force. What is asked when is known by lib/dns, how
 * by lib/adapters/cares.c.
 *
 * One epoll set holds a descriptor that others write to (a new configuration, or the end), a timer, and the
 * sets of the askers: a host's loop watches that alone. */
#define _GNU_SOURCE
#include <gw/resolver.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cares.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/spec.h"
#include "config/snapshot.h"
#include "resolve/changes.h"
#include "worker/engine.h"

enum { RETRY_MS = 1000 };

/* Whoever asks the same servers has the same one. */
struct asker {
    struct asker *next;
    struct gw_asker *asker;
    gw_str servers; /* of gw_heap_copy */
    uint32_t users;
};
/* A cluster. */
struct watched {
    struct watched *next;
    uint32_t id;
    uint32_t cluster; /* its index in the configuration */
    bool is_kept;     /* the configuration has it still */
    bool is_in_force; /* set is: else whatever was there before stays until there is one */
    gw_nanos retry_at;
    gw_str name; /* of gw_heap_copy */
    struct asker *asker;
    struct gw_dns_watch watch;
    struct gw_dns_set set;
};
/* What others call to wake the resolver; it may outlive it (worker/waker.h). */
struct bell {
    gw_allocator allocator;
    int fd;
};

struct gw_resolver {
    gw_engine *engine;
    struct gw_heap heap;
    struct gw_log log;
    int set, timer;
    struct bell *bell;
    atomic_bool is_stopped;
    gw_config *config; /* whose clusters are watched; one reference; NULL: none yet */
    struct watched *watched;
    struct asker *askers;
    uint32_t last_id;
    gw_nanos now;
    struct gw_dns_answer answer; /* being read; large for a stack */
    gw_endpoint_spec specs[GW_DNS_ENDPOINTS_MAX];
};

static gw_nanos read_clock(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (gw_nanos)t.tv_sec * 1000000000u + (gw_nanos)t.tv_nsec;
}

static struct watched *find_id(const gw_resolver *r, uint32_t id)
{
    struct watched *w = r->watched;

    while (w != NULL && w->id != id)
        w = w->next;
    return w;
}

/* ---- answers ---- */

static void hear(void *ctx, uint64_t tag, const uint8_t *bytes, size_t len, const char *why)
{
    gw_resolver *r = ctx;
    struct watched *w = find_id(r, (uint32_t)(tag >> 32));
    const struct gw_dns_question *q = w == NULL ? NULL
                                                : gw_dns_watch_find(&w->watch, (uint32_t)tag);
    struct gw_dns_question before;

    if (q == NULL)
        return; /* nobody wants to know any more */
    before = *q;
    if (bytes != NULL)
        gw_dns_answer_read(bytes, len, &q->name, q->type, &r->answer);
    else
        gw_dns_answer_fail(&r->answer, why);
    gw_dns_watch_tell(&w->watch, before.id, r->now, &r->answer);
    if (r->answer.result == GW_DNS_FOUND && q->failures > 0)
        gw_dns_answer_fail(&r->answer, "there is no memory");
    gw_dns_say_told(&r->log, r->now, w->name, &before, q, r->answer.why);
}

/* ---- askers ---- */

static void drop_asker(gw_resolver *r, struct asker *a)
{
    struct asker **at = &r->askers;

    if (--a->users > 0)
        return;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    gw_asker_free(a->asker);
    gw_heap_release_str(&r->heap, a->servers);
    gw_heap_release(&r->heap, a, sizeof *a);
}

static gw_status watch_fd(const gw_resolver *r, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    return epoll_ctl(r->set, EPOLL_CTL_ADD, fd, &e) == 0 ? GW_OK : GW_ESTATE;
}

static gw_status make_asker(gw_resolver *r, gw_str servers, struct asker *a)
{
    gw_status status = gw_heap_copy(&r->heap, servers, &a->servers);

    if (status != GW_OK)
        return status;
    status = gw_asker_new(&r->heap, a->servers, hear, r, &a->asker);
    if (status == GW_OK) {
        status = watch_fd(r, gw_asker_fd(a->asker));
        if (status == GW_OK)
            return GW_OK;
        gw_asker_free(a->asker);
    }
    gw_heap_release_str(&r->heap, a->servers);
    return status;
}

static gw_status get_asker(gw_resolver *r, gw_str servers, struct asker **out)
{
    gw_status status;
    struct asker *a;

    for (a = r->askers; a != NULL; a = a->next)
        if (gw_str_eq(a->servers, servers)) {
            a->users++;
            *out = a;
            return GW_OK;
        }
    a = gw_heap_zalloc(&r->heap, sizeof *a);
    if (a == NULL)
        return GW_ENOMEM;
    status = make_asker(r, servers, a);
    if (status != GW_OK) {
        gw_heap_release(&r->heap, a, sizeof *a);
        return status;
    }
    a->users = 1;
    a->next = r->askers;
    r->askers = *out = a;
    return GW_OK;
}

/* ---- which clusters ---- */

static void free_watched(gw_resolver *r, struct watched *w)
{
    gw_dns_set_fini(&w->set, &r->heap);
    gw_dns_watch_fini(&w->watch);
    drop_asker(r, w->asker);
    gw_heap_release_str(&r->heap, w->name);
    gw_heap_release(&r->heap, w, sizeof *w);
}

static gw_status fill_watched(gw_resolver *r, struct watched *w, const struct gw_cluster_conf *c)
{
    uint64_t seed = 0;
    gw_status status = get_asker(r, c->dns->servers, &w->asker);

    if (status != GW_OK)
        return status;
    r->engine->env.entropy(r->engine->env.entropy_ctx, &seed, sizeof seed);
    status = gw_dns_watch_init(&w->watch, &r->heap, &c->dns->plan, seed, r->now);
    if (status == GW_OK) {
        status = gw_heap_copy(&r->heap, c->name, &w->name);
        if (status == GW_OK)
            return GW_OK;
        gw_dns_watch_fini(&w->watch);
    }
    drop_asker(r, w->asker);
    return status;
}

static gw_status add_watched(gw_resolver *r, const struct gw_cluster_conf *c)
{
    struct watched *w = gw_heap_zalloc(&r->heap, sizeof *w);
    gw_status status = w == NULL ? GW_ENOMEM : fill_watched(r, w, c);

    if (status != GW_OK) {
        gw_heap_release(&r->heap, w, sizeof *w);
        return status;
    }
    w->id = ++r->last_id;
    w->cluster = c->index;
    w->is_kept = true;
    w->next = r->watched;
    r->watched = w;
    return GW_OK;
}

/* One that asks the same goes on, with what it knows. */
static bool keep_watched(gw_resolver *r, const struct gw_cluster_conf *c)
{
    for (struct watched *w = r->watched; w != NULL; w = w->next) {
        if (!gw_str_eq(w->name, c->name) || !gw_str_eq(w->asker->servers, c->dns->servers) ||
            !gw_dns_watch_is_for(&w->watch, &c->dns->plan))
            continue;
        w->watch.plan.times = c->dns->plan.times;
        w->cluster = c->index;
        w->is_kept = true;
        return true;
    }
    return false;
}

static void drop_others(gw_resolver *r)
{
    struct watched **at = &r->watched;

    while (*at != NULL) {
        struct watched *w = *at;
        if (w->is_kept) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        free_watched(r, w);
    }
}

/* Another configuration is in force: takes config. */
static gw_status follow(gw_resolver *r, gw_config *config)
{
    gw_status status = GW_OK;

    for (struct watched *w = r->watched; w != NULL; w = w->next)
        w->is_kept = false;
    for (uint32_t i = 0; i < config->clusters_len && status == GW_OK; i++)
        if (config->clusters[i].dns != NULL && !keep_watched(r, &config->clusters[i]))
            status = add_watched(r, &config->clusters[i]);
    if (status == GW_OK)
        drop_others(r);
    gw_config_unref(r->config);
    r->config = status == GW_OK ? config : NULL; /* else all is looked at once more */
    if (status != GW_OK)
        gw_config_unref(config);
    return status;
}

static gw_status look(gw_resolver *r)
{
    gw_config *config = gw_engine_config(r->engine);

    if (config != NULL && config != r->config)
        return follow(r, config);
    gw_config_unref(config);
    return GW_OK;
}

/* ---- into force ---- */

static void fill_specs(gw_resolver *r, const struct gw_dns_set *set)
{
    for (uint32_t i = 0; i < set->len; i++) {
        const struct gw_dns_endpoint *e = &set->list[i];
        r->specs[i] = (gw_endpoint_spec){ .size = sizeof r->specs[i],
                                          .weight = e->weight,
                                          .priority = e->priority,
                                          .name = { e->name, e->name_len },
                                          .address = { e->address, e->address_len } };
    }
}

/* Takes next, which is not in force yet. */
static gw_status put_in_force(gw_resolver *r, struct watched *w, struct gw_dns_set *next)
{
    struct gw_dns_changes changes = gw_dns_compare(&w->set, next);
    gw_status status = GW_OK;

    if (!w->is_in_force || gw_dns_is_changed(&changes)) {
        fill_specs(r, next);
        status = gw_engine_set_resolved(r->engine, r->config, w->cluster, r->specs, next->len);
    }
    if (status != GW_OK) {
        gw_dns_set_fini(next, &r->heap);
        return status;
    }
    if (gw_dns_is_changed(&changes) || next->left_out != w->set.left_out)
        gw_dns_say_change(&r->log, r->now, w->name, &w->watch, next, &changes);
    gw_dns_set_fini(&w->set, &r->heap);
    w->set = *next;
    w->is_in_force = true;
    return GW_OK;
}

static gw_status settle(gw_resolver *r, struct watched *w)
{
    struct gw_dns_set next = { 0 };
    gw_status status;

    if (!w->watch.is_new || r->now < w->retry_at || !gw_dns_watch_is_ready(&w->watch, r->now))
        return GW_OK;
    status = gw_dns_watch_set(&w->watch, &next);
    if (status == GW_OK)
        status = put_in_force(r, w, &next);
    if (status == GW_OK)
        return GW_OK;
    w->watch.is_new = true;
    if (status == GW_ESTATE)
        return GW_OK; /* a new configuration: the bell has rung */
    w->retry_at = r->now + GW_MS(RETRY_MS);
    return status;
}

/* ---- a step ---- */

static void ask(gw_resolver *r, struct watched *w)
{
    const struct gw_dns_question *q;

    while ((q = gw_dns_watch_ask(&w->watch, r->now)) != NULL)
        gw_asker_ask(w->asker->asker, q->name.text, (uint32_t)q->type,
                     (uint64_t)w->id << 32 | q->id);
}

static void earlier(gw_nanos *due, gw_nanos other)
{
    *due = other < *due ? other : *due;
}

/* A time that has passed already is read at once. */
static void set_timer(gw_resolver *r, gw_nanos due)
{
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(due / 1000000000u),
                                             .tv_nsec = (long)(due % 1000000000u) } };

    if (due == GW_NEVER)
        memset(&when, 0, sizeof when);
    (void)timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void wait_for_next(gw_resolver *r, bool is_failed)
{
    gw_nanos due = is_failed ? r->now + GW_MS(RETRY_MS) : GW_NEVER;

    for (const struct watched *w = r->watched; w != NULL; w = w->next) {
        earlier(&due, gw_dns_watch_due(&w->watch, r->now));
        if (w->watch.is_new && w->retry_at > r->now)
            earlier(&due, w->retry_at);
    }
    for (const struct asker *a = r->askers; a != NULL; a = a->next) {
        gw_nanos wait = gw_asker_wait(a->asker);
        earlier(&due, wait == UINT64_MAX ? GW_NEVER : r->now + wait);
    }
    set_timer(r, due);
}

gw_status gw_resolver_step(gw_resolver *r)
{
    gw_status status, failed = GW_OK;
    uint64_t rung;

    if (r == NULL)
        return GW_EINVAL;
    (void)!read(r->bell->fd, &rung, sizeof rung);
    r->now = read_clock();
    failed = look(r);
    for (struct asker *a = r->askers; a != NULL; a = a->next)
        gw_asker_step(a->asker);
    for (struct watched *w = r->watched; w != NULL; w = w->next) {
        gw_dns_watch_tick(&w->watch, r->now);
        ask(r, w);
        status = settle(r, w);
        failed = failed != GW_OK ? failed : status;
    }
    wait_for_next(r, failed != GW_OK);
    return failed;
}

gw_status gw_resolver_run(gw_resolver *r)
{
    struct pollfd ready;

    if (r == NULL)
        return GW_EINVAL;
    ready = (struct pollfd){ .fd = r->set, .events = POLLIN };
    while (!atomic_load(&r->is_stopped)) {
        (void)!gw_resolver_step(r); /* what could not be done is tried again */
        if (atomic_load(&r->is_stopped))
            break;
        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return GW_ESTATE;
    }
    return GW_OK;
}

size_t gw_resolver_pending(const gw_resolver *r)
{
    size_t n = 0;

    for (const struct watched *w = r == NULL ? NULL : r->watched; w != NULL; w = w->next)
        n += !w->is_in_force;
    return n;
}

/* ---- made and freed ---- */

static void ring(void *ctx)
{
    const struct bell *bell = ctx;
    uint64_t one = 1;

    (void)!write(bell->fd, &one, sizeof one);
}

static void end_bell(void *ctx)
{
    struct bell *bell = ctx;
    gw_allocator allocator = bell->allocator;

    close(bell->fd);
    allocator.release(allocator.ctx, bell, sizeof *bell);
}

static gw_status hang_bell(gw_resolver *r)
{
    const gw_allocator *allocator = &r->engine->env.allocator;
    gw_worker_spec spec = { .size = sizeof spec, .wake = ring, .wake_done = end_bell };
    gw_status status;

    r->bell = gw_allocator_zalloc(allocator, sizeof *r->bell);
    if (r->bell == NULL)
        return GW_ENOMEM;
    *r->bell = (struct bell){ *allocator, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK) };
    status = r->bell->fd < 0 ? GW_ESTATE : watch_fd(r, r->bell->fd);
    spec.wake_ctx = r->bell;
    if (status == GW_OK)
        status = gw_waker_sit(&r->engine->resolver, allocator, &spec);
    if (status == GW_OK)
        return GW_OK;
    if (r->bell->fd >= 0)
        close(r->bell->fd);
    allocator->release(allocator->ctx, r->bell, sizeof *r->bell);
    r->bell = NULL;
    return status;
}

static gw_status open_all(gw_resolver *r)
{
    gw_status status = GW_ESTATE;

    r->set = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->set >= 0 && r->timer >= 0)
        status = watch_fd(r, r->timer);
    return status == GW_OK ? hang_bell(r) : status;
}

static struct gw_log log_of(const gw_engine *e, uint32_t level)
{
    gw_env env = e->env;
    struct gw_log log;

    if (level != 0)
        env.log_level = level;
    gw_log_init(&log, &env);
    return log;
}

gw_status gw_resolver_new(gw_engine *e, const gw_resolver_spec *spec, gw_resolver **out)
{
    gw_resolver_spec own = GW_SPEC(gw_resolver_spec);
    gw_resolver *r;
    gw_status status;

    if (e == NULL || out == NULL || (spec != NULL && gw_spec_copy(&own, sizeof own, spec) != GW_OK))
        return GW_EINVAL;
    if (atomic_exchange(&e->has_resolver, true))
        return GW_ESTATE;
    r = gw_allocator_zalloc(&e->env.allocator, sizeof *r);
    if (r == NULL) {
        atomic_store(&e->has_resolver, false);
        return GW_ENOMEM;
    }
    r->engine = e;
    r->set = r->timer = -1;
    gw_heap_init(&r->heap, &e->env.allocator, 0);
    r->log = log_of(e, own.log_level);
    status = open_all(r);
    if (status == GW_OK)
        *out = r;
    else
        gw_resolver_free(r);
    return status;
}

int gw_resolver_fd(const gw_resolver *r)
{
    return r == NULL ? -1 : r->set;
}

void gw_resolver_stop(gw_resolver *r)
{
    if (r == NULL)
        return;
    atomic_store(&r->is_stopped, true);
    ring(r->bell);
}

void gw_resolver_free(gw_resolver *r)
{
    gw_engine *e;

    if (r == NULL)
        return;
    e = r->engine;
    for (struct watched *w = r->watched; w != NULL; w = w->next)
        w->is_kept = false;
    drop_others(r);
    GW_ASSERT(r->askers == NULL && r->heap.used == 0);
    if (r->bell != NULL)
        gw_waker_leave(&e->resolver);
    if (r->timer >= 0)
        close(r->timer);
    if (r->set >= 0)
        close(r->set);
    gw_config_unref(r->config);
    e->env.allocator.release(e->env.allocator.ctx, r, sizeof *r);
    atomic_store(&e->has_resolver, false);
}
