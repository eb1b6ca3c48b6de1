/* dns/watch.c: the questions of a cluster; its endpoints are made in dns/set.c. */

#include "dns/watch.h"

#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/timer.h"

static bool is_same(const struct gw_dns_name *a, const struct gw_dns_name *b)
{
    return gw_str_eq(gw_dns_name_text(a), gw_dns_name_text(b));
}

/* Behind all that there are. */
static gw_status add(struct gw_dns_watch *w, const struct gw_dns_name *name, enum gw_dns_type type,
                     gw_nanos now)
{
    struct gw_dns_question **last = &w->questions, *q;
    gw_status status = gw_dns_question_new(w->heap, name, type, now, &q);

    if (status != GW_OK)
        return status;
    q->id = ++w->last_id;
    q->is_kept = true;
    while (*last != NULL)
        last = &(*last)->next;
    *last = q;
    return GW_OK;
}

/* What is asked already goes on being asked. */
static gw_status want(struct gw_dns_watch *w, const struct gw_dns_name *name, enum gw_dns_type type,
                      gw_nanos now)
{
    for (struct gw_dns_question *q = w->questions; q != NULL; q = q->next)
        if (q->type == type && is_same(&q->name, name)) {
            q->is_kept = true;
            return GW_OK;
        }
    return add(w, name, type, now);
}

static gw_status want_addresses(struct gw_dns_watch *w, const struct gw_dns_name *name,
                                gw_nanos now)
{
    gw_status status = GW_OK;

    if (w->plan.has_a)
        status = want(w, name, GW_DNS_TYPE_A, now);
    if (status == GW_OK && w->plan.has_aaaa)
        status = want(w, name, GW_DNS_TYPE_AAAA, now);
    return status;
}

gw_status gw_dns_watch_init(struct gw_dns_watch *w, struct gw_heap *heap,
                            const struct gw_dns_plan *plan, uint64_t seed, gw_nanos now)
{
    gw_status status;

    *w = (struct gw_dns_watch){ .heap = heap, .prng = { seed }, .plan = *plan };
    if (plan->is_srv)
        status = add(w, &plan->name, GW_DNS_TYPE_SRV, now);
    else
        status = want_addresses(w, &plan->name, now);
    if (status != GW_OK)
        gw_dns_watch_fini(w);
    return status;
}

void gw_dns_watch_fini(struct gw_dns_watch *w)
{
    struct gw_dns_question *next;

    for (struct gw_dns_question *q = w->questions; q != NULL; q = next) {
        next = q->next;
        gw_dns_question_free(w->heap, q);
    }
    w->questions = NULL;
}

bool gw_dns_watch_is_for(const struct gw_dns_watch *w, const struct gw_dns_plan *plan)
{
    return is_same(&w->plan.name, &plan->name) && w->plan.is_srv == plan->is_srv &&
           w->plan.has_a == plan->has_a && w->plan.has_aaaa == plan->has_aaaa &&
           w->plan.port == plan->port;
}

/* ---- asking ---- */

const struct gw_dns_question *gw_dns_watch_ask(struct gw_dns_watch *w, gw_nanos now)
{
    for (struct gw_dns_question *q = w->questions; q != NULL; q = q->next)
        if (!q->is_asked && q->due <= now) {
            gw_dns_question_ask(q, now);
            return q;
        }
    return NULL;
}

static struct gw_dns_question *find(const struct gw_dns_watch *w, uint32_t id)
{
    struct gw_dns_question *q = w->questions;

    while (q != NULL && q->id != id)
        q = q->next;
    return q != NULL && q->is_asked ? q : NULL;
}

const struct gw_dns_question *gw_dns_watch_find(const struct gw_dns_watch *w, uint32_t id)
{
    return find(w, id);
}

/* ---- targets of SRV ---- */

static void drop_targets(struct gw_dns_watch *w)
{
    struct gw_dns_question **at = &w->questions->next;

    while (*at != NULL) {
        struct gw_dns_question *q = *at;
        if (q->is_kept) {
            at = &q->next;
            continue;
        }
        *at = q->next;
        gw_dns_question_free(w->heap, q);
    }
}

/* A target that there is no memory for is added when the names are asked for again: soon. */
static void change_targets(struct gw_dns_watch *w, gw_nanos now)
{
    struct gw_dns_question *srv = w->questions;
    gw_status status = GW_OK;

    for (struct gw_dns_question *q = srv->next; q != NULL; q = q->next)
        q->is_kept = false;
    for (uint32_t i = 0; i < srv->len && status == GW_OK; i++)
        status = want_addresses(w, &srv->targets[i].name, now);
    w->has_no_memory = status != GW_OK;
    if (status == GW_OK)
        drop_targets(w);
    else if (!srv->is_asked)
        srv->due = now + w->plan.times.retry;
}

void gw_dns_watch_tell(struct gw_dns_watch *w, uint32_t id, gw_nanos now,
                       const struct gw_dns_answer *answer)
{
    struct gw_dns_question *q = find(w, id);
    bool is_first, is_new;

    if (q == NULL)
        return;
    is_first = !q->is_told;
    is_new = gw_dns_question_tell(q, w->heap, now, &w->plan.times, &w->prng, answer);
    w->is_new |= is_new || is_first;
    if (q->type == GW_DNS_TYPE_SRV && (is_new || w->has_no_memory))
        change_targets(w, now);
}

void gw_dns_watch_tick(struct gw_dns_watch *w, gw_nanos now)
{
    for (struct gw_dns_question *q = w->questions; q != NULL; q = q->next) {
        if (!gw_dns_question_tick(q, w->heap, now))
            continue;
        w->is_new = true;
        if (q->type == GW_DNS_TYPE_SRV)
            change_targets(w, now);
    }
}

/* ---- waiting ---- */

/* When nobody waits for its first answer any more; 0: it was told. */
static gw_nanos patience(const struct gw_dns_question *q)
{
    if (q->is_told)
        return 0;
    return q->asked_at == 0 ? GW_NEVER : q->asked_at + GW_MS(GW_DNS_PATIENCE_MS);
}

bool gw_dns_watch_is_ready(const struct gw_dns_watch *w, gw_nanos now)
{
    bool has_any = false;

    for (const struct gw_dns_question *q = w->questions; q != NULL; q = q->next) {
        has_any |= q->is_told;
        if (patience(q) > now)
            return false;
    }
    return has_any;
}

gw_nanos gw_dns_watch_due(const struct gw_dns_watch *w, gw_nanos now)
{
    gw_nanos due = GW_NEVER;

    for (const struct gw_dns_question *q = w->questions; q != NULL; q = q->next) {
        gw_nanos own = gw_dns_question_due(q), until = patience(q);
        due = own < due ? own : due;
        if (w->is_new && until > now && until < due)
            due = until;
    }
    return due;
}
