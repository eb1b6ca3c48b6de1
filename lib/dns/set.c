/* dns/set.c: from what the questions of a cluster hold to its endpoints (RFC 2782). */

#include <string.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"
#include "dns/watch.h"

enum { WEIGHT_MAX = 65535, PARTS_MAX = 1 << 20 };

/* ---- one after the other, as many as there is room for ---- */

struct maker {
    struct gw_dns_set set;
    uint32_t weight, priority; /* of those that are made now  */
    uint16_t port;
    const struct gw_dns_name *target; /* NULL: the cluster's own name */
    uint32_t of;                      /* the target's addresses       */
};

static size_t write_address(const struct gw_dns_ip *ip, enum gw_dns_type type, uint16_t port,
                            char out[GW_ADDRESS_TEXT_MAX])
{
    gw_address address = { .kind = type == GW_DNS_TYPE_A ? GW_ADDRESS_IPV4 : GW_ADDRESS_IPV6,
                           .port = port };

    memcpy(address.ip, ip->bytes, sizeof address.ip);
    return gw_address_format(&address, out);
}

static void write_name(const struct maker *m, struct gw_dns_endpoint *e)
{
    struct gw_text text;

    gw_text_init(&text, e->name, sizeof e->name);
    if (m->target != NULL) {
        gw_text_str(&text, gw_dns_name_text(m->target));
        gw_text_cstr(&text, ":");
        gw_text_u64(&text, m->port);
    }
    if (m->target != NULL && m->of > 1)
        gw_text_cstr(&text, "/");
    if (m->target == NULL || m->of > 1)
        gw_text_str(&text, (gw_str){ e->address, e->address_len });
    e->name_len = (uint16_t)(text.at - text.start);
}

static void make(struct maker *m, const struct gw_dns_ip *ip, enum gw_dns_type type)
{
    char address[GW_ADDRESS_TEXT_MAX];
    struct gw_dns_endpoint *e = &m->set.list[m->set.len];
    size_t len;

    if (m->set.len == m->set.room) {
        m->set.left_out++;
        return;
    }
    len = write_address(ip, type, m->port, address);
    GW_ASSERT(len > 0 && len <= sizeof e->address);
    memcpy(e->address, address, len);
    e->address_len = (uint16_t)len;
    e->weight = m->weight;
    e->priority = m->priority;
    write_name(m, e);
    m->set.len++;
}

static bool is_of(const struct gw_dns_question *q, const struct gw_dns_name *name)
{
    return q->type != GW_DNS_TYPE_SRV &&
           gw_str_eq(gw_dns_name_text(&q->name), gw_dns_name_text(name));
}

/* All addresses of a name. */
static void make_all(struct maker *m, const struct gw_dns_watch *w, const struct gw_dns_name *name)
{
    for (const struct gw_dns_question *q = w->questions; q != NULL; q = q->next)
        for (uint32_t i = 0; i < q->len && is_of(q, name); i++)
            make(m, &q->ips[i], q->type);
}

static uint32_t count_addresses(const struct gw_dns_watch *w, const struct gw_dns_name *name)
{
    uint32_t n = 0;

    for (const struct gw_dns_question *q = w->questions; q != NULL; q = q->next)
        n += is_of(q, name) ? q->len : 0;
    return n;
}

/* ---- weights of SRV ---- */

/* The targets of one priority. */
struct level {
    uint32_t first, end;
    uint32_t zeros, weight_max; /* of those that have addresses */
    uint64_t parts; /* into which a weight can be divided evenly by each number of addresses */
};

static uint64_t divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct level measure(const struct gw_dns_watch *w, const uint32_t *counts, uint32_t first)
{
    const struct gw_dns_question *srv = w->questions;
    struct level l = { .first = first, .end = first, .parts = 1 };

    while (l.end < srv->len && srv->targets[l.end].priority == srv->targets[first].priority) {
        uint32_t n = counts[l.end], weight = srv->targets[l.end].weight;
        l.end++;
        if (n == 0)
            continue;
        l.zeros += weight == 0;
        l.weight_max = weight > l.weight_max ? weight : l.weight_max;
        if (l.parts <= PARTS_MAX)
            l.parts = l.parts / divisor(l.parts, n) * n;
    }
    if (l.parts > PARTS_MAX)
        l.parts = PARTS_MAX;
    return l;
}

/* What RFC 2782 gives: one of weight 0 has the chance of 1 in (sum + 1), and all of them share it. Several
 * addresses of a target share what is the target's. */
static uint64_t share(const struct level *l, uint32_t weight, uint32_t addresses)
{
    uint64_t own = weight;

    if (l->weight_max == 0 || weight == 0)
        own = 1;
    else if (l->zeros > 0 && (uint64_t)l->weight_max * l->zeros <= WEIGHT_MAX)
        own = (uint64_t)weight * l->zeros;
    return own * l->parts / addresses;
}

static void make_level(struct maker *m, const struct gw_dns_watch *w, const uint32_t *counts,
                       const struct level *l)
{
    const struct gw_dns_target *targets = w->questions->targets;
    uint64_t most = 1;

    for (uint32_t i = l->first; i < l->end; i++) {
        uint64_t own = counts[i] == 0 ? 0 : share(l, targets[i].weight, counts[i]);
        most = own > most ? own : most;
    }
    for (uint32_t i = l->first; i < l->end; i++) {
        uint64_t own = counts[i] == 0 ? 0 : share(l, targets[i].weight, counts[i]);
        if (most > WEIGHT_MAX)
            own = own * WEIGHT_MAX / most;
        m->weight = own == 0 ? 1 : (uint32_t)own;
        m->port = targets[i].port;
        m->target = &targets[i].name;
        m->of = counts[i];
        make_all(m, w, m->target);
    }
}

static void make_targets(struct maker *m, const struct gw_dns_watch *w)
{
    const struct gw_dns_question *srv = w->questions;
    uint32_t counts[GW_DNS_TARGETS_MAX];

    for (uint32_t i = 0; i < srv->len; i++)
        counts[i] = count_addresses(w, &srv->targets[i].name);
    for (uint32_t i = 0; i < srv->len;) {
        struct level l = measure(w, counts, i);
        make_level(m, w, counts, &l);
        m->priority += m->priority < GW_DNS_LEVELS - 1;
        i = l.end;
    }
}

/* ---- the whole ---- */

static uint32_t count_all(const struct gw_dns_watch *w)
{
    uint32_t n = 0;

    for (uint32_t i = 0; w->plan.is_srv && i < w->questions->len && n < GW_DNS_ENDPOINTS_MAX; i++)
        n += count_addresses(w, &w->questions->targets[i].name);
    if (!w->plan.is_srv)
        n = count_addresses(w, &w->plan.name);
    return n < GW_DNS_ENDPOINTS_MAX ? n : GW_DNS_ENDPOINTS_MAX;
}

gw_status gw_dns_watch_set(struct gw_dns_watch *w, struct gw_dns_set *set)
{
    struct maker m = { .set = { .room = count_all(w) }, .weight = 1, .port = w->plan.port };

    if (m.set.room > 0)
        m.set.list = gw_heap_zalloc(w->heap, m.set.room * sizeof *m.set.list);
    if (m.set.room > 0 && m.set.list == NULL)
        return GW_ENOMEM;
    if (w->plan.is_srv)
        make_targets(&m, w);
    else
        make_all(&m, w, &w->plan.name);
    for (const struct gw_dns_question *q = w->questions; q != NULL; q = q->next)
        m.set.left_out += q->left_out;
    gw_dns_set_fini(set, w->heap);
    *set = m.set;
    w->is_new = false;
    return GW_OK;
}

void gw_dns_set_fini(struct gw_dns_set *set, struct gw_heap *heap)
{
    gw_heap_release(heap, set->list, set->room * sizeof *set->list);
    *set = (struct gw_dns_set){ 0 };
}
