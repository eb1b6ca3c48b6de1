/* config/check.c: names that are there twice or not at all, clusters without anybody to send to,
 * routes that tie and routes that nothing can reach. */

#include "config/check.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/nearest.h"
#include "config/fault.h"
#include "route/order.h"

static struct gw_part part_of(struct gw_builder *b, const char *list, struct gw_draft *draft)
{
    return (
        struct gw_part){ .builder = b, .faults = &b->check_faults, .list = list, .draft = draft };
}

static void say_part(struct gw_text *text, const char *list, const struct gw_draft *draft)
{
    gw_text_cstr(text, list);
    gw_text_cstr(text, "[");
    gw_text_u64(text, draft->index);
    gw_text_cstr(text, "] (\"");
    gw_text_quoted(text, draft->name);
    gw_text_cstr(text, "\")");
}

/* Fills map with the drafts by name, and names the ones that come again. */
static void check_names(struct gw_part part, const struct gw_drafts *drafts, struct gw_map *map)
{
    for (struct gw_draft *d = drafts->first; d != NULL; d = d->next) {
        if (d->name.len == 0)
            continue;
        part.draft = d;
        const struct gw_draft *before = gw_map_find(map, d->name);
        if (before == NULL) {
            if (gw_map_put(map, d->name, d) != GW_OK)
                part.builder->has_no_memory = true;
            continue;
        }
        struct gw_text text = gw_fault_begin(&part, "name", GW_EINVAL);
        gw_text_cstr(&text, "the name is taken by ");
        say_part(&text, part.list, before);
    }
}

static bool has_fixed_address(const struct gw_listener_draft *listener)
{
    gw_str address = listener->spec.address;
    return address.len > 0 && !gw_str_ends(address, GW_STR(":0"));
}

static void check_listener_addresses(struct gw_builder *b)
{
    for (struct gw_draft *d = b->listeners.first; d != NULL; d = d->next) {
        struct gw_listener_draft *listener = (struct gw_listener_draft *)(void *)d;
        if (!has_fixed_address(listener))
            continue;
        for (struct gw_draft *e = b->listeners.first; e != d; e = e->next) {
            struct gw_listener_draft *before = (struct gw_listener_draft *)(void *)e;
            if (!gw_str_eq(before->spec.address, listener->spec.address))
                continue;
            struct gw_part part = part_of(b, "listeners", d);
            struct gw_text text = gw_fault_begin(&part, "address", GW_EINVAL);
            gw_text_cstr(&text, "the address is taken by ");
            say_part(&text, "listeners", e);
            break;
        }
    }
}

static void check_cluster(struct gw_builder *b, struct gw_cluster_draft *cluster)
{
    struct gw_part part = part_of(b, "clusters", &cluster->draft);
    bool has_origin = cluster->spec.origin != NULL, has_endpoints = cluster->endpoints.len > 0;
    if (has_origin && has_endpoints)
        gw_fault_add(&part, "origin", GW_EINVAL, "an origin and endpoints exclude each other");
    bool is_live = (cluster->spec.flags & GW_CLUSTER_LIVE) != 0;
    if (has_origin && is_live)
        gw_fault_add(&part, "flags", GW_EINVAL, "an origin has no endpoints that could be live");
    bool has_dns = cluster->spec.dns != NULL;
    if (has_dns && has_endpoints)
        gw_fault_add(&part, "dns", GW_EINVAL, "dns and endpoints exclude each other");
    if (!has_origin && !has_endpoints && !is_live && !has_dns)
        gw_fault_add(&part, "endpoints", GW_EINVAL,
                     "the cluster has nobody to send to: it needs endpoints, dns or an origin");
    struct gw_map names;
    gw_map_init(&names, &b->config->heap, 0);
    part.list = "endpoints";
    part.inside = &cluster->draft;
    check_names(part, &cluster->endpoints, &names);
    gw_map_fini(&names);
}

static bool has_nameless(const struct gw_drafts *drafts)
{
    const struct gw_draft *d = drafts->first;
    while (d != NULL && d->name.len > 0)
        d = d->next;
    return d != NULL;
}

static void refuse_unknown(const struct gw_part *part, const char *field, const char *what,
                           gw_str name, const struct gw_drafts *drafts)
{
    if (part->faults->len == GW_CONFIG_ERRORS_MAX || has_nameless(drafts))
        return; /* enough is said, or the one that is meant was refused already */
    struct gw_text text = gw_fault_begin(part, field, GW_EUNKNOWN);
    gw_text_cstr(&text, "no ");
    gw_text_cstr(&text, what);
    gw_text_cstr(&text, " \"");
    gw_text_quoted(&text, gw_str_slice(name, 0, name.len < 80 ? name.len : 80));
    gw_text_cstr(&text, "\"");
    struct gw_nearest nearest;
    gw_nearest_init(&nearest, name);
    for (const struct gw_draft *d = drafts->first; d != NULL; d = d->next)
        gw_nearest_offer(&nearest, d->name);
    gw_nearest_say(&nearest, &text);
}

static void check_fallback(struct gw_builder *b, struct gw_cluster_draft *cluster,
                           const struct gw_map *clusters)
{
    struct gw_part part = part_of(b, "clusters", &cluster->draft);
    gw_str name = cluster->fallback.cluster;
    const struct gw_draft *to = gw_map_find(clusters, name);
    cluster->fallback_cluster = to == NULL ? UINT32_MAX : to->index;
    if (name.len > 0 && to == NULL)
        refuse_unknown(&part, "fallback.cluster", "cluster", name, &b->clusters);
    else if (to == &cluster->draft)
        gw_fault_add(&part, "fallback.cluster", GW_EINVAL, "it is the cluster itself");
}

static void check_balancer(struct gw_builder *b, struct gw_cluster_draft *cluster,
                           const struct gw_map *balancers)
{
    struct gw_part part = part_of(b, "clusters", &cluster->draft);
    gw_str name = cluster->spec.balancer;
    const struct gw_draft *found = gw_map_find(balancers, name);
    cluster->balancer = found == NULL ? UINT32_MAX : found->index;
    if (name.len > 0 && found == NULL)
        refuse_unknown(&part, "balancer", "balancer", name, &b->balancers);
}

/* One name of an entry. NULL: there is no such limiter. */
static const struct gw_draft *find_limiter(const struct gw_part *part, size_t entry, gw_str name,
                                           const struct gw_map *limiters)
{
    const struct gw_draft *limiter = gw_map_find(limiters, name);
    char field[GW_ELEMENT_MAX];
    if (limiter != NULL)
        return limiter;
    refuse_unknown(part, gw_fault_element(field, "limiters", entry, ""), "limiter", name,
                   &part->builder->limiters);
    return NULL;
}

static bool next_name(gw_str *rest, gw_str *name)
{
    *rest = gw_str_trim(*rest);
    size_t end = gw_str_find(*rest, ' ');
    *name = gw_str_slice(*rest, 0, end);
    *rest = gw_str_slice(*rest, end, rest->len);
    return name->len > 0;
}

static bool is_named(const struct gw_limiter_ref *refs, uint32_t n, uint32_t limiter)
{
    while (n > 0 && refs[n - 1].limiter != limiter)
        n--;
    return n > 0;
}

static void check_limiters(struct gw_part *part, struct gw_route_draft *route,
                           const struct gw_map *limiters)
{
    const gw_route_spec *spec = &route->spec;
    struct gw_limiter_ref *refs;
    char field[GW_ELEMENT_MAX];
    uint32_t room = 0, n = 0;
    for (size_t i = 0; i < spec->limiters_len; i++)
        room += (uint32_t)spec->limiters[i].len / 2 + 1;
    refs = gw_store_take(&part->builder->config->store, room, sizeof *refs);
    if (refs == NULL) {
        part->builder->has_no_memory = true;
        return;
    }
    for (size_t i = 0; i < spec->limiters_len; i++) {
        gw_str rest = spec->limiters[i], name;
        uint32_t first = n;
        if (gw_str_trim(rest).len == 0)
            gw_fault_add(part, gw_fault_element(field, "limiters", i, ""), GW_EINVAL,
                         "it names no limiter");
        while (next_name(&rest, &name)) {
            const struct gw_draft *limiter = find_limiter(part, i, name, limiters);
            if (limiter == NULL)
                continue;
            if (is_named(refs, n, limiter->index))
                gw_fault_add_value(part, gw_fault_element(field, "limiters", i, ""), name,
                                   "the route names it twice: each is asked once");
            refs[n] = (struct gw_limiter_ref){ limiter->index, n > first };
            n++;
        }
    }
    route->limiters = refs;
    route->limiters_len = n;
}

static void check_split(const struct gw_part *part, struct gw_route_draft *route, uint32_t i,
                        const struct gw_map *clusters)
{
    struct gw_split_draft *split = &route->splits[i];
    const struct gw_draft *cluster = gw_map_find(clusters, split->spec.cluster);
    char field[GW_ELEMENT_MAX];
    gw_fault_element(field, "splits", i, ".cluster");
    if (cluster == NULL) {
        refuse_unknown(part, field, "cluster", split->spec.cluster, &part->builder->clusters);
        return;
    }
    split->cluster = cluster->index;
    for (uint32_t j = 0; j < i; j++)
        if (route->splits[j].cluster == split->cluster)
            gw_fault_add_value(part, field, split->spec.cluster, "it has a share already");
}

static void check_route(struct gw_builder *b, struct gw_route_draft *route,
                        const struct gw_map *listeners, const struct gw_map *clusters,
                        const struct gw_map *limiters)
{
    struct gw_part part = part_of(b, "routes", &route->draft);
    const gw_route_spec *spec = &route->spec;
    const struct gw_draft *cluster = gw_map_find(clusters, spec->cluster);
    const struct gw_draft *listener = gw_map_find(listeners, spec->listener);
    route->cluster = cluster == NULL ? UINT32_MAX : cluster->index;
    route->listener = listener == NULL ? UINT32_MAX : listener->index;
    if (spec->cluster.len > 0 && cluster == NULL)
        refuse_unknown(&part, "cluster", "cluster", spec->cluster, &b->clusters);
    for (uint32_t i = 0; i < route->splits_len; i++)
        check_split(&part, route, i, clusters);
    if (spec->listener.len > 0 && listener == NULL)
        refuse_unknown(&part, "listener", "listener", spec->listener, &b->listeners);
    check_limiters(&part, route, limiters);
}

void gw_builder_rules(const struct gw_builder *b, struct gw_route_rule *out)
{
    for (const struct gw_draft *d = b->routes.first; d != NULL; d = d->next) {
        const struct gw_route_draft *route = (const struct gw_route_draft *)(const void *)d;
        const gw_route_spec *spec = &route->spec;
        out[d->index] = (struct gw_route_rule){ .host = spec->host,
                                                .path = spec->path,
                                                .is_exact = spec->match == GW_MATCH_EXACT,
                                                .takes_connect = (spec->flags & GW_ROUTE_CONNECT) !=
                                                                 0,
                                                .methods = spec->methods,
                                                .methods_len = spec->methods_len,
                                                .listener = route->listener,
                                                .priority = spec->priority,
                                                .route = d->index };
    }
}

static void refuse_tie(struct gw_builder *b, struct gw_draft **drafts, const size_t tie[2])
{
    struct gw_part part = part_of(b, "routes", drafts[tie[1]]);
    struct gw_text text = gw_fault_begin(&part, NULL, GW_EINVAL);
    gw_text_cstr(&text, "it ties with ");
    say_part(&text, "routes", drafts[tie[0]]);
    gw_text_cstr(&text, ": some requests match both; a priority tells them apart");
}

static void refuse_shadowed(struct gw_builder *b, struct gw_draft *draft, const struct gw_draft *by)
{
    struct gw_part part = part_of(b, "routes", draft);
    struct gw_text text = gw_fault_begin(&part, NULL, GW_EINVAL);
    gw_text_cstr(&text, "no request can reach it: ");
    say_part(&text, "routes", by);
    gw_text_cstr(&text, " has the same match and a greater priority");
}

static void judge_rules(struct gw_builder *b, struct gw_draft **drafts, struct gw_route_rule *rules,
                        uint32_t *by)
{
    size_t n = b->routes.len, tie[2] = { 0, 0 };
    gw_builder_rules(b, rules);
    for (struct gw_draft *d = b->routes.first; d != NULL; d = d->next)
        drafts[d->index] = d;
    gw_status status = gw_route_judge(&b->config->heap, rules, n, by, tie);
    if (status == GW_ENOMEM) {
        b->has_no_memory = true;
        return;
    }
    if (status != GW_OK)
        refuse_tie(b, drafts, tie);
    for (size_t i = 0; i < n; i++)
        if (by[i] != UINT32_MAX)
            refuse_shadowed(b, drafts[i], drafts[by[i]]);
}

static void check_rules(struct gw_builder *b)
{
    struct gw_heap *heap = &b->config->heap;
    size_t n = b->routes.len;
    if (n == 0)
        return;
    struct gw_draft **drafts = gw_heap_alloc(heap, n * sizeof *drafts);
    struct gw_route_rule *rules = gw_heap_alloc(heap, n * sizeof *rules);
    uint32_t *by = gw_heap_alloc(heap, n * sizeof *by);
    if (drafts != NULL && rules != NULL && by != NULL)
        judge_rules(b, drafts, rules, by);
    else
        b->has_no_memory = true;
    gw_heap_release(heap, by, n * sizeof *by);
    gw_heap_release(heap, rules, n * sizeof *rules);
    gw_heap_release(heap, drafts, n * sizeof *drafts);
}

static void check_references(struct gw_builder *b, struct gw_map *listeners,
                             struct gw_map *clusters)
{
    struct gw_map others, limiters, balancers;
    gw_map_init(&limiters, &b->config->heap, 0);
    gw_map_init(&balancers, &b->config->heap, 0);
    gw_map_init(&others, &b->config->heap, 0);
    check_names(part_of(b, "listeners", NULL), &b->listeners, listeners);
    check_names(part_of(b, "clusters", NULL), &b->clusters, clusters);
    check_names(part_of(b, "limiters", NULL), &b->limiters, &limiters);
    check_names(part_of(b, "balancers", NULL), &b->balancers, &balancers);
    check_names(part_of(b, "routes", NULL), &b->routes, &others);
    gw_map_fini(&others);
    gw_map_init(&others, &b->config->heap, 0);
    check_names(part_of(b, "filters", NULL), &b->filters, &others);
    gw_map_fini(&others);
    /* Of a part that was refused already any other fault would only follow from that. */
    for (struct gw_draft *d = b->clusters.first; d != NULL; d = d->next)
        if (!d->is_bad) {
            check_cluster(b, (struct gw_cluster_draft *)(void *)d);
            check_fallback(b, (struct gw_cluster_draft *)(void *)d, clusters);
            check_balancer(b, (struct gw_cluster_draft *)(void *)d, &balancers);
        }
    for (struct gw_draft *d = b->routes.first; d != NULL; d = d->next)
        if (!d->is_bad)
            check_route(b, (struct gw_route_draft *)(void *)d, listeners, clusters, &limiters);
    gw_map_fini(&balancers);
    gw_map_fini(&limiters);
}

void gw_check_parts(struct gw_builder *b)
{
    struct gw_map listeners, clusters;
    gw_map_init(&listeners, &b->config->heap, 0);
    gw_map_init(&clusters, &b->config->heap, 0);
    check_listener_addresses(b);
    check_references(b, &listeners, &clusters);
    gw_map_fini(&clusters);
    gw_map_fini(&listeners);
    /* Routes can only be compared when each of them says what it means. */
    if (!gw_builder_is_faulty(b))
        check_rules(b);
}
