/* worker/step.c: the only place where anything happens.
 *
 *   1. mailbox  adopt a new binding; answers from other threads
 *   2. time     what is due
 *   3. read     links with input: engine, codec
 *   4. run      exchanges, each until it waits
 *   5. write    links with output: codec, engine, one send each
 *   6. reap     free what ended
 *
 * 3 to 5 go round until nothing is left to do or the budget is spent: lists are first in, first out, and
 * what is put on them meanwhile waits for the next round, so that nobody starves.
 */

#include "base/assert.h"
#include "h2/codec.h"
#include "worker/worker.h"

static void take_mail(gw_worker *w)
{
    gw_worker_adopt(w);
    if (GW_UNLIKELY(atomic_load_explicit(&w->seat->is_called, memory_order_relaxed)) &&
        atomic_exchange(&w->seat->is_called, false))
        gw_places_called(&w->upstreams);
    gw_exchanges_take_letters(&w->exchanges);
}

static void ring_alarms(gw_worker *w, gw_nanos now)
{
    struct gw_timer *timer;

    gw_wheel_advance(&w->wheel, now);
    while ((timer = gw_wheel_pop(&w->wheel)) != NULL) {
        struct gw_alarm *alarm = GW_CONTAINER(timer, struct gw_alarm, timer);
        alarm->ring(alarm);
    }
}

/* One round over a list: only what was on it at the beginning. Returns what is left of the budget. */
static uint32_t round_of(struct gw_list *list, uint32_t budget, void (*act)(struct gw_list *node))
{
    struct gw_list batch, *node;

    gw_list_init(&batch);
    gw_list_splice(&batch, list);
    while (budget > 0 && (node = gw_list_pop_front(&batch)) != NULL) {
        act(node);
        budget--;
    }
    gw_list_splice(&batch, list); /* what the budget did not reach keeps its place in front */
    gw_list_splice(list, &batch);
    return budget;
}

static void read_link(struct gw_list *node)
{
    gw_link_read(GW_CONTAINER(node, struct gw_link, readable));
}

static void run_exchange(struct gw_list *node)
{
    gw_exchange_run(GW_CONTAINER(node, struct gw_exchange, run));
}

static void run_probe(struct gw_list *node)
{
    gw_probe_run(gw_probe_of_run(node));
}

static void write_link(struct gw_list *node)
{
    gw_link_write(GW_CONTAINER(node, struct gw_link, dirty));
}

static bool has_work(const gw_worker *w)
{
    return !gw_list_is_empty(&w->links.readable) || !gw_list_is_empty(&w->links.dirty) ||
           !gw_list_is_empty(&w->exchanges.runnable) ||
           !gw_list_is_empty(&w->exchanges.probes.runnable) || w->pool.back != NULL;
}

/* ---- drain ---- */

enum { DRAIN_FAREWELL_MS = 1000 };

static void begin_drain(gw_worker *w)
{
    w->is_drain_begun = true;
    w->drain_until = w->links.now + GW_MS(w->drain_grace_ms);
    gw_probes_stop(&w->exchanges);
    for (struct gw_list *node = w->links.all.next, *next; node != &w->links.all; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, all);
        next = node->next;
        if (!link->is_client)
            gw_link_drain(link);
    }
}

/* Exchanges end; what tells the clients so has a moment to leave. */
static void end_drain(gw_worker *w)
{
    w->exchanges.is_closing = true;
    for (struct gw_list *node = w->links.all.next, *next; node != &w->links.all; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, all);
        next = node->next;
        if (!link->is_client)
            gw_link_finish_drain(link);
    }
    for (struct gw_list *node = w->exchanges.all.next, *next; node != &w->exchanges.all;
         node = next) {
        struct gw_exchange *x = GW_CONTAINER(node, struct gw_exchange, all);
        next = node->next;
        gw_exchange_fail(x, GW_BY_GATEWAY, GW_REASON_draining, GW_ECANCELED);
        gw_exchange_wake(x);
    }
}

static gw_nanos farewell_until(const gw_worker *w)
{
    return w->drain_until + GW_MS(DRAIN_FAREWELL_MS);
}

static void close_links(gw_worker *w)
{
    for (struct gw_list *node = w->links.all.next, *next; node != &w->links.all; node = next) {
        struct gw_link *link = GW_CONTAINER(node, struct gw_link, all);
        next = node->next;
        if (link->phase == GW_LINK_RETURNING)
            continue; /* the host's */
        if (w->links.now >= farewell_until(w))
            gw_link_lose(link, GW_ECANCELED);
        else if (w->links.now >= w->drain_until || (link->is_client && gw_link_is_idle(link)))
            gw_link_end(link);
    }
}

static void drain(gw_worker *w)
{
    if (!w->is_drain_begun)
        begin_drain(w);
    if (w->links.now >= w->drain_until)
        end_drain(w);
    if (w->exchanges.count == 0 || w->links.now >= farewell_until(w))
        close_links(w);
}

/* ---- the step ---- */

gw_status gw_worker_step(gw_worker *w, gw_nanos now)
{
    if (w != NULL && w->is_of_loop && !w->in_step) {
        gw_misuse_note(&w->misuse, GW_MISUSE_STEP_OF_LOOP);
        return GW_ESTATE;
    }
    return gw_worker_turn(w, now);
}

gw_status gw_worker_turn(gw_worker *w, gw_nanos now)
{
    uint32_t budget;

    if (w == NULL || gw_misuse_is_stray(&w->misuse))
        return w == NULL ? GW_EINVAL : GW_ESTATE;
    if (w->in_step) {
        gw_misuse_note(&w->misuse, GW_MISUSE_STEP_INSIDE);
        return GW_ESTATE;
    }
    w->in_step = true;
    gw_misuse_step(&w->misuse, true);
    w->exchanges.unix_now = 0;
    if (now > w->links.now)
        w->links.now = now;
    atomic_store_explicit(&w->seat->now, w->links.now, memory_order_relaxed);
    if (gw_misuse_is_due(&w->misuse))
        gw_stats_add(&w->stats, GW_STAT_HOST_MISUSES,
                     gw_misuse_say(&w->misuse, &w->log, w->links.now));
    take_mail(w);
    ring_alarms(w, w->links.now);
    if (w->is_draining)
        drain(w);
    budget = w->engine->limits.step_budget;
    do {
        budget = round_of(&w->links.readable, budget, read_link);
        budget = round_of(&w->exchanges.runnable, budget, run_exchange);
        if (GW_UNLIKELY(!gw_list_is_empty(&w->exchanges.probes.runnable)))
            budget = round_of(&w->exchanges.probes.runnable, budget, run_probe);
        budget = round_of(&w->links.dirty, budget, write_link);
        gw_exchanges_reap(&w->exchanges);
        gw_links_reap(&w->links);
        if (w->pool.back != NULL)
            gw_pool_run_done(&w->pool);
        if (w->is_drain_begun && w->exchanges.count == 0)
            close_links(w); /* nothing may come any more that would bring another step */
        gw_links_feed(&w->links);
        gw_exchanges_feed(&w->exchanges);
    } while (budget > 0 && has_work(w));
    gw_stats_add(&w->stats, GW_STAT_STEPS, 1);
    gw_stats_set(&w->stats, GW_STAT_BLOCKS_USED, w->pool.out);
    gw_stats_set(&w->stats, GW_STAT_BLOCKS_PROMISED, w->pool.promised);
    gw_stats_set(&w->stats, GW_STAT_MEMORY_USED, w->heap.used);
    gw_misuse_step(&w->misuse, false);
    w->in_step = false;
    return has_work(w) ? GW_AGAIN : GW_OK;
}

gw_nanos gw_worker_deadline(const gw_worker *w)
{
    gw_nanos next;

    if (w == NULL)
        return UINT64_MAX;
    if (has_work(w) || (w->is_draining && !w->is_drain_begun))
        return 0;
    next = gw_wheel_next(&w->wheel);
    if (!gw_list_is_empty(&w->links.starving) && w->links.starving_until < next)
        next = w->links.starving_until;
    if (w->links.line_until < next)
        next = w->links.line_until;
    if (w->is_drain_begun && w->links.count > 0) {
        gw_nanos end = w->links.now < w->drain_until ? w->drain_until : farewell_until(w);
        if (end < next && end > w->links.now)
            next = end;
    }
    return next;
}
