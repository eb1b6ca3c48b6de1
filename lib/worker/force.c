/* worker/force.c: what endpoints, breakers and ejections are taken for because the host says so. Nothing is
 * built for it: workers see it with their next pick. */

#include <gw/live.h>

#include "base/assert.h"
#include "base/spec.h"
#include "base/text.h"
#include "worker/engine.h"

#define NOW_MAX (UINT64_C(1) << 61)
/* Who calls may be late, and workers without work may have slept; but what is over for longer, or would begin
 * later, is a time of another clock. */
#define LATE_MAX GW_MS(60000)
#define AHEAD_MAX GW_MS(UINT64_C(365) * 86400000)

struct wanted {
    enum gw_force_on on;
    enum gw_force_state state;
    gw_nanos now, until;
};

static const struct row {
    uint32_t kind, state;
    enum gw_force_on on;
    enum gw_force_state as;
} rows[] = {
    { GW_KIND_ENDPOINT, GW_STATE_OPEN, GW_FORCE_ENDPOINT, GW_FORCED_OPEN },
    { GW_KIND_ENDPOINT, GW_STATE_CLOSED, GW_FORCE_ENDPOINT, GW_FORCED_CLOSED },
    { GW_KIND_ENDPOINT, 0, GW_FORCE_ENDPOINT, GW_FORCED_NOT },
    { GW_KIND_BREAKER, GW_STATE_OPEN, GW_FORCE_BREAKER, GW_FORCED_OPEN },
    { GW_KIND_BREAKER, GW_STATE_CLOSED, GW_FORCE_BREAKER, GW_FORCED_CLOSED },
    { GW_KIND_BREAKER, 0, GW_FORCE_BREAKER, GW_FORCED_NOT },
    { GW_KIND_OUTLIER, GW_STATE_EJECTED, GW_FORCE_OUTLIER, GW_FORCED_EJECTED },
    { GW_KIND_OUTLIER, GW_STATE_CLOSED, GW_FORCE_OUTLIER, GW_FORCED_CLOSED },
    { GW_KIND_OUTLIER, 0, GW_FORCE_OUTLIER, GW_FORCED_NOT },
};

static gw_status read(const gw_force_spec *given, gw_force_spec *spec, struct wanted *out)
{
    const struct row *row = NULL;

    if (gw_spec_copy(spec, sizeof *spec, given) != GW_OK)
        return GW_EINVAL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == spec->kind && rows[i].state == spec->state)
            row = &rows[i];
    if (row == NULL)
        return GW_EINVAL;
    if (row->as != GW_FORCED_NOT && (spec->for_ms == 0 || spec->for_ms > GW_FORCE_MS_MAX ||
                                     spec->now == 0 || spec->now > NOW_MAX))
        return GW_EINVAL;
    *out = (struct wanted){ row->on, row->as, spec->now, spec->now + GW_MS(spec->for_ms) };
    return GW_OK;
}

static bool is_of_another_clock(const struct wanted *w, gw_nanos newest)
{
    return newest != 0 && w->state != GW_FORCED_NOT &&
           (w->until + LATE_MAX <= newest || w->now > newest + AHEAD_MAX);
}

/* There until the longest of all has ended: of a lift the others may have been longer. */
static void note_until(struct gw_cluster_state *c, gw_nanos until)
{
    if (until > atomic_load_explicit(&c->forced_until, memory_order_relaxed))
        atomic_store_explicit(&c->forced_until, until, memory_order_relaxed);
}

/* Was it out, and is it no longer, by this word? */
static bool brings_back(const struct gw_force *f, const struct wanted *w)
{
    uint64_t was = atomic_load(&f->word);
    bool was_out = (was & 3) == GW_FORCED_OPEN || (was & 3) == GW_FORCED_EJECTED;

    return was_out && w->now < was >> 2 &&
           (w->state == GW_FORCED_NOT || w->state == GW_FORCED_CLOSED);
}

static gw_status force(const struct gw_edition_cluster *c, gw_str name, const struct wanted *w)
{
    gw_status status = GW_EUNKNOWN;

    for (uint32_t i = 0; i < c->endpoints->len; i++) {
        if (name.len > 0 && !gw_str_eq(c->endpoints->list[i].name, name))
            continue;
        struct gw_force *f = &c->states[i]->forces[w->on];
        bool is_back = brings_back(f, w);
        gw_force_set(f, w->state, w->now, w->until);
        if (is_back)
            gw_state_begin_anew(c->states[i]);
        status = GW_OK;
    }
    if (status == GW_OK && w->state != GW_FORCED_NOT)
        note_until(c->state, w->until);
    if (status == GW_OK)
        gw_state_changed(c->state);
    return status;
}

static gw_status find(const gw_engine *e, const gw_force_spec *spec,
                      const struct gw_edition_cluster **out)
{
    const struct gw_cluster_conf *conf;

    if (e->current == NULL)
        return GW_ESTATE;
    conf = gw_config_find_cluster(e->current->config, spec->cluster);
    if (conf == NULL)
        return GW_EUNKNOWN;
    *out = &e->current->clusters[conf->index];
    /* What an earlier configuration's breaker was taken for may be lifted all the same. */
    if (conf->has_origin || (spec->kind == GW_KIND_BREAKER && spec->state != 0 &&
                             (conf->guards == NULL || !conf->guards->has_breaker)))
        return GW_EINVAL;
    return GW_OK;
}

gw_status gw_engine_force(gw_engine *e, const gw_force_spec *spec)
{
    const struct gw_edition_cluster *cluster;
    gw_force_spec own = { 0 };
    struct wanted wanted;
    gw_status status;

    if (e == NULL || read(spec, &own, &wanted) != GW_OK ||
        is_of_another_clock(&wanted, gw_engine_newest(e)))
        return GW_EINVAL;
    if (wanted.now == 0)
        wanted.now = gw_engine_newest(e);
    gw_engine_enter(e);
    status = find(e, &own, &cluster);
    if (status == GW_OK)
        status = force(cluster, own.name, &wanted);
    gw_engine_leave(e);
    return status;
}
