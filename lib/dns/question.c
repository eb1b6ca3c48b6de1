/* dns/question.c: see the header. */

#include "dns/question.h"

#include <string.h>

#include "base/assert.h"
#include "base/timer.h"

gw_status gw_dns_question_new(struct gw_heap *heap, const struct gw_dns_name *name,
                              enum gw_dns_type type, gw_nanos now, struct gw_dns_question **out)
{
    struct gw_dns_question *q = gw_heap_zalloc(heap, sizeof *q);

    if (q == NULL)
        return GW_ENOMEM;
    q->name = *name;
    q->type = type;
    q->due = now;
    *out = q;
    return GW_OK;
}

static size_t size_of(const struct gw_dns_question *q, uint32_t n)
{
    return n * (q->type == GW_DNS_TYPE_SRV ? sizeof *q->targets : sizeof *q->ips);
}

static bool let_go(struct gw_dns_question *q, struct gw_heap *heap)
{
    if (q->held == NULL)
        return false;
    gw_heap_release(heap, q->held, size_of(q, q->len));
    q->held = NULL;
    q->len = q->left_out = 0;
    return true;
}

void gw_dns_question_free(struct gw_heap *heap, struct gw_dns_question *q)
{
    (void)let_go(q, heap);
    gw_heap_release(heap, q, sizeof *q);
}

void gw_dns_question_ask(struct gw_dns_question *q, gw_nanos now)
{
    GW_ASSERT(!q->is_asked);
    q->is_asked = true;
    if (!q->is_told && q->asked_at == 0)
        q->asked_at = now;
}

/* ---- answers ---- */

/* Later, or never. */
static gw_nanos after(gw_nanos now, gw_nanos wait)
{
    return wait >= GW_NEVER - now ? GW_NEVER : now + wait;
}

static gw_nanos ttl_of(const struct gw_dns_answer *answer, const struct gw_dns_times *times)
{
    gw_nanos ttl = (gw_nanos)answer->ttl * 1000000000u;

    return ttl < times->ttl_min ? times->ttl_min : ttl > times->ttl_max ? times->ttl_max : ttl;
}

/* After the n-th time in a row, from 1. */
static gw_nanos backoff(uint32_t n, const struct gw_dns_times *times, struct gw_prng *prng)
{
    gw_nanos wait = times->retry;

    for (uint32_t i = 1; i < n && wait < times->retry_max; i++)
        wait *= 2;
    if (wait > times->retry_max)
        wait = times->retry_max;
    return wait - gw_prng_below(prng, wait / 2 + 1);
}

static bool is_held(const struct gw_dns_question *q, const struct gw_dns_answer *answer)
{
    if (q->held == NULL || q->len != answer->len)
        return false;
    if (q->type != GW_DNS_TYPE_SRV)
        return memcmp(q->ips, answer->ips, size_of(q, q->len)) == 0;
    for (uint32_t i = 0; i < q->len; i++) {
        const struct gw_dns_target *a = &q->targets[i], *b = &answer->targets[i];
        if (a->priority != b->priority || a->weight != b->weight || a->port != b->port ||
            a->name.len != b->name.len || memcmp(a->name.text, b->name.text, a->name.len) != 0)
            return false;
    }
    return true;
}

static gw_status hold(struct gw_dns_question *q, struct gw_heap *heap,
                      const struct gw_dns_answer *answer)
{
    size_t size = size_of(q, answer->len);
    void *held = gw_heap_alloc(heap, size);

    if (held == NULL)
        return GW_ENOMEM;
    memcpy(held, q->type == GW_DNS_TYPE_SRV ? (const void *)answer->targets : answer->ips, size);
    (void)let_go(q, heap);
    q->held = held;
    q->len = answer->len;
    return GW_OK;
}

static void fail(struct gw_dns_question *q, gw_nanos now, const struct gw_dns_times *times,
                 struct gw_prng *prng)
{
    q->failures += q->failures < UINT32_MAX;
    q->due = after(now, backoff(q->failures, times, prng));
}

static bool find(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now,
                 const struct gw_dns_times *times, struct gw_prng *prng,
                 const struct gw_dns_answer *answer)
{
    bool is_new = !is_held(q, answer);

    if (is_new && hold(q, heap, answer) != GW_OK) {
        fail(q, now, times, prng);
        return false;
    }
    q->left_out = answer->left_out;
    q->failures = q->nones = 0;
    q->due = after(now, ttl_of(answer, times));
    q->stale_until = after(q->due, times->stale);
    return is_new;
}

static bool find_none(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now,
                      const struct gw_dns_times *times, struct gw_prng *prng,
                      const struct gw_dns_answer *answer)
{
    gw_nanos over;

    q->failures = 0;
    if (q->nones == 0)
        q->none_since = now;
    q->nones += q->nones < UINT32_MAX;
    over = after(q->none_since, times->empty);
    if (q->held == NULL || now >= over) {
        q->due = after(now, ttl_of(answer, times));
        return let_go(q, heap);
    }
    q->due = after(now, backoff(q->nones, times, prng));
    if (q->due > over)
        q->due = over;
    return false;
}

bool gw_dns_question_tell(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now,
                          const struct gw_dns_times *times, struct gw_prng *prng,
                          const struct gw_dns_answer *answer)
{
    q->is_asked = false;
    q->is_told = true;
    switch (answer->result) {
    case GW_DNS_FOUND:
        return find(q, heap, now, times, prng, answer);
    case GW_DNS_NONE:
        return find_none(q, heap, now, times, prng, answer);
    case GW_DNS_FAILED:
    default:
        fail(q, now, times, prng);
        return gw_dns_question_tick(q, heap, now);
    }
}

bool gw_dns_question_tick(struct gw_dns_question *q, struct gw_heap *heap, gw_nanos now)
{
    return q->failures > 0 && now >= q->stale_until && let_go(q, heap);
}

gw_nanos gw_dns_question_due(const struct gw_dns_question *q)
{
    gw_nanos due = q->is_asked ? GW_NEVER : q->due;

    return q->failures > 0 && q->held != NULL && q->stale_until < due ? q->stale_until : due;
}
