/* config/builder.c: takes parts, copies them, and checks each by itself. Checks across parts are in
 * config/check.c; the tables are made in config/freeze.c. */

#include "config/builder.h"

#include "base/assert.h"
#include "base/spec.h"
#include "config/affinity.h"
#include "config/balancing.h"
#include "config/check.h"
#include "config/dns.h"
#include "config/freeze.h"
#include "config/guards.h"
#include "config/keys.h"
#include "config/limiter.h"
#include "config/retry.h"
#include "config/value.h"
#include "guard/retry_budget.h"
#include "gw_features.h"
#include "http/forwarded.h"
#include "os/env.h"
#include "tls/settings.h"

#define MAGIC 0x6777626cu

/* An id is a kind and a number from 1, so that none passes for one of another kind. */
enum {
    KIND_LISTENER = 0,
    KIND_CLUSTER = 1,
    KIND_ENDPOINT = 2,
    KIND_ROUTE = 3,
    KIND_FILTER = 4,
    KIND_LIMITER = 5,
    KIND_BALANCER = 6
};
#define KIND_SHIFT 24u

static gw_id make_id(uint32_t kind, const struct gw_draft *draft)
{
    GW_ASSERT(draft->index + 1 < 1u << KIND_SHIFT);
    return draft->is_bad ? 0 : (kind << KIND_SHIFT) + draft->index + 1;
}

static bool is_usable(const struct gw_builder *b)
{
    return b != NULL && b->magic == MAGIC;
}

gw_status gw_builder_new(const gw_env *env, gw_builder **out)
{
    gw_env own = { .size = sizeof own };
    if (out == NULL)
        return GW_EINVAL;
    if (env != NULL && gw_spec_copy(&own, sizeof own, env) != GW_OK)
        return GW_EINVAL;
    if ((own.allocator.alloc == NULL) != (own.allocator.release == NULL))
        return GW_EINVAL;
    gw_os_env_fill(&own);
    gw_config *config = gw_config_new(&own.allocator);
    if (config == NULL)
        return GW_ENOMEM;
    gw_builder *b = gw_heap_zalloc(&config->heap, sizeof *b);
    if (b == NULL) {
        gw_config_unref(config);
        return GW_ENOMEM;
    }
    b->magic = MAGIC;
    b->config = config;
    gw_store_init(&b->store, &config->heap);
    *out = b;
    return GW_OK;
}

void gw_builder_free(gw_builder *b)
{
    if (!is_usable(b))
        return;
    gw_config *config = b->config;
    gw_store_fini(&b->store);
    b->magic = 0;
    gw_heap_release(&config->heap, b, sizeof *b);
    gw_config_unref(config);
}

bool gw_builder_is_faulty(const struct gw_builder *b)
{
    return b->has_no_memory || b->part_faults.len > 0 || b->check_faults.len > 0;
}

/* --- taking parts --- */

/* Every spec with a mark begins with size and mark. */
static uint32_t mark_of(const void *spec)
{
    uint32_t head[2] = { 0, 0 };
    if (spec != NULL)
        memcpy(head, spec, sizeof head[0]);
    if (head[0] >= sizeof head)
        memcpy(head, spec, sizeof head);
    return head[1];
}

struct room {
    size_t size;  /* of a draft */
    uint32_t max; /* of drafts  */
};

/* Appends a draft; NULL: no memory, or there are as many as may be. */
static void *add_draft(struct gw_part *part, struct gw_drafts *drafts, struct room room,
                       uint32_t mark)
{
    struct gw_builder *b = part->builder;
    b->is_checked = false;
    part->faults = &b->part_faults;
    if (drafts->len == room.max) {
        struct gw_draft none = { .index = room.max, .mark = mark };
        part->draft = &none;
        struct gw_text text = gw_fault_begin(part, NULL, GW_ELIMIT);
        gw_text_cstr(&text, "there are too many; at most ");
        gw_text_u64(&text, room.max);
        part->draft = NULL;
        return NULL;
    }
    struct gw_draft *draft = gw_store_take(&b->store, 1, room.size);
    if (draft == NULL) {
        b->has_no_memory = true;
        return NULL;
    }
    draft->index = drafts->len++;
    draft->mark = mark;
    if (drafts->last != NULL)
        drafts->last->next = draft;
    else
        drafts->first = draft;
    drafts->last = draft;
    part->draft = draft;
    return draft;
}

/* Copies a spec of any size; a false answer was noted. */
static bool copy_spec(const struct gw_part *part, void *own, size_t own_size, const void *spec)
{
    if (gw_spec_copy(own, own_size, spec) == GW_OK)
        return true;
    gw_fault_add(part, "size", GW_EINVAL,
                 spec == NULL ? "the spec is NULL"
                              : "start the spec as GW_SPEC(type); what this library does not know "
                                "must be zero");
    return false;
}

static void keep(const struct gw_part *part, gw_str *text)
{
    gw_str copy = { "", 0 };
    if (text->ptr == NULL)
        text->len = 0;
    if (gw_store_copy(&part->builder->config->store, *text, &copy) != GW_OK)
        part->builder->has_no_memory = true;
    *text = copy;
}

static void lower(gw_str text)
{
    char *at = (char *)(uintptr_t)text.ptr; /* our own copy */
    for (size_t i = 0; i < text.len; i++)
        at[i] = gw_ascii_lower(at[i]);
}

/* Copies a list of at most max texts; a longer one is noted, and left out. */
static void keep_list(const struct gw_part *part, const char *field, size_t max,
                      const gw_str **list, size_t *len)
{
    size_t n = *list == NULL ? 0 : *len;
    if (*list == NULL && *len > 0)
        gw_fault_add(part, field, GW_EINVAL, "the list has a length and is NULL");
    if (n > max) {
        gw_fault_add(part, field, GW_ELIMIT, "the list is too long");
        n = 0;
    }
    gw_str *copy = gw_store_take(&part->builder->config->store, n, sizeof *copy);
    if (copy == NULL) {
        part->builder->has_no_memory = true;
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = (*list)[i];
        keep(part, &copy[i]);
    }
    *list = copy;
    *len = n;
}

static void refuse_bits(const struct gw_part *part, const char *field, uint32_t bits,
                        uint32_t known)
{
    if ((bits & ~known) != 0)
        gw_fault_add(part, field, GW_EINVAL, "bits that mean nothing are set");
}

static void refuse_h2(const struct gw_part *part, uint32_t protocols)
{
    if (!GW_HAVE_H2 && (protocols & GW_PROTO_H2) != 0)
        gw_fault_add(part, "protocols", GW_EUNSUPPORTED, "this build has no HTTP/2");
}

/* What is passed through can be told from nothing else. */
static void check_protocols(const struct gw_part *part, uint32_t protocols)
{
    refuse_bits(part, "protocols", protocols, GW_PROTO_H1 | GW_PROTO_H2 | GW_PROTO_TLS);
    if ((protocols & GW_PROTO_TLS) != 0 && protocols != GW_PROTO_TLS)
        gw_fault_add(part, "protocols", GW_EINVAL, "tls stands alone: it passes all through");
}

static void take_identity(const struct gw_part *part, gw_listener_spec *spec)
{
    keep(part, &spec->via);
    keep_list(part, "trusted", GW_TRUSTED_MAX, &spec->trusted, &spec->trusted_len);
    for (size_t i = 0; i < spec->trusted_len; i++)
        gw_value_trusted(part, spec->trusted, i);
    refuse_bits(part, "flags", spec->flags, GW_LISTENER_NO_VIA);
    if (spec->via.len > 0)
        gw_value_via(part, spec->via, (spec->flags & GW_LISTENER_NO_VIA) != 0);
    if (spec->forwarded > GW_FORWARDED_RFC7239 && spec->forwarded != GW_OFF)
        gw_fault_add(part, "forwarded", GW_EINVAL, "not a way of saying it");
    if (spec->trusted_hops > GW_FORWARDED_HOPS_MAX && spec->trusted_hops != GW_OFF)
        gw_fault_add(part, "trusted_hops", GW_EINVAL, "it is from 1 to 32, or off");
}

static bool is_set(uint32_t n)
{
    return n != 0 && n != GW_OFF;
}

static void check_age(const struct gw_part *part, uint32_t age_ms, uint32_t jitter, uint32_t grace)
{
    if (is_set(jitter) && jitter > GW_AGE_JITTER_MAX)
        gw_fault_add(part, "age_jitter_percent", GW_EINVAL, "it is from 1 to 90, or off");
    else if (is_set(jitter) && !is_set(age_ms))
        gw_fault_add(part, "age_jitter_percent", GW_EINVAL, "there is no age");
    if (is_set(grace) && !is_set(age_ms))
        gw_fault_add(part, "age_grace_ms", GW_EINVAL, "there is no age");
}

static void unref_tls(void *ctx, void *object)
{
    (void)ctx;
    gw_tls_unref(object);
}

/* The configuration holds a reference for as long as it lives. */
static void take_tls(struct gw_part *part, gw_tls *tls, uint32_t role)
{
    struct gw_kept_object *kept;

    if (tls == NULL)
        return;
    if (tls->role != role) {
        gw_fault_add(part, "tls", GW_EINVAL,
                     role == GW_TLS_SERVER ? "these settings are a client's"
                                           : "these settings are a server's");
        return;
    }
    kept = gw_store_take(&part->builder->config->store, 1, sizeof *kept);
    if (kept == NULL) {
        part->builder->has_no_memory = true;
        return;
    }
    *kept = (struct gw_kept_object){ NULL, gw_tls_ref(tls), NULL, unref_tls };
    *part->builder->config->kept_last = kept;
    part->builder->config->kept_last = &kept->next;
}

gw_id gw_builder_listener(gw_builder *b, const gw_listener_spec *spec)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "listeners" };
    struct gw_listener_draft *draft = add_draft(
        &part, &b->listeners, (struct room){ sizeof *draft, GW_LISTENERS_MAX }, mark_of(spec));
    if (draft == NULL || !copy_spec(&part, &draft->spec, sizeof draft->spec, spec))
        return 0;
    keep(&part, &draft->spec.name);
    keep(&part, &draft->spec.address);
    draft->draft.name = draft->spec.name;
    gw_value_name(&part, draft->spec.name, GW_NAME_MAX);
    gw_value_listener_address(&part, draft->spec.address);
    check_protocols(&part, draft->spec.protocols);
    refuse_h2(&part, draft->spec.protocols);
    if (draft->spec.body_rate > GW_BODY_RATE_MAX && draft->spec.body_rate != GW_OFF)
        gw_fault_add(&part, "body_rate", GW_EINVAL, "it is from 1 to 1,000,000, or off");
    check_age(&part, draft->spec.age_ms, draft->spec.age_jitter_percent, draft->spec.age_grace_ms);
    take_identity(&part, &draft->spec);
    take_tls(&part, draft->spec.tls, GW_TLS_SERVER);
    if (draft->spec.tls != NULL && draft->spec.protocols == GW_PROTO_TLS)
        gw_fault_add(&part, "tls", GW_EINVAL,
                     "what is passed through by protocols tls is not ended here");
    return make_id(KIND_LISTENER, &draft->draft);
}

static void keep_origin(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    const gw_origin *given = draft->spec.origin;
    if (given == NULL)
        return;
    draft->spec.origin = &draft->origin;
    if (gw_spec_copy(&draft->origin, sizeof draft->origin, given) != GW_OK) {
        gw_fault_add(part, "origin.size", GW_EINVAL, "start it as GW_SPEC(gw_origin)");
        return;
    }
    gw_str name = gw_cstr(draft->origin.name);
    keep(part, &name);
    draft->origin.name = name.ptr;
    if (draft->origin.on_request == NULL)
        gw_fault_add(part, "origin.on_request", GW_EINVAL, "an origin needs on_request");
}

static void check_retry_budget(const struct gw_part *part, const gw_cluster_spec *spec)
{
    if (spec->retry_percent > GW_RETRY_PERCENT_MAX && spec->retry_percent != GW_OFF)
        gw_fault_add(part, "retry_percent", GW_EINVAL, "it is from 1 to 1,000, or off");
}

static void keep_guards(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_guards_copy(part, draft);
    if (draft->spec.health != NULL) {
        keep(part, &draft->health.path);
        keep(part, &draft->health.host);
        keep(part, &draft->health.service);
    }
    if (draft->spec.fallback == NULL)
        return;
    keep(part, &draft->fallback.type);
    keep(part, &draft->fallback.body);
    keep(part, &draft->fallback.cluster);
    gw_guards_check_fallback(part, &draft->fallback);
}

static void keep_affinity(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    const gw_affinity_spec *given = draft->spec.affinity;
    if (given == NULL)
        return;
    draft->spec.affinity = &draft->affinity;
    if (gw_spec_copy(&draft->affinity, sizeof draft->affinity, given) != GW_OK) {
        gw_fault_add(part, "affinity.size", GW_EINVAL, "start it as GW_SPEC(gw_affinity_spec)");
        return;
    }
    keep(part, &draft->affinity.cookie);
    keep(part, &draft->affinity.path);
    keep(part, &draft->affinity.secret);
    gw_affinity_check(part, &draft->affinity);
    if (draft->spec.origin != NULL)
        gw_fault_add(part, "affinity", GW_EINVAL, "an origin has no endpoints to come back to");
}

static bool is_one_protocol(uint32_t protocols)
{
    return protocols == 0 || protocols == GW_PROTO_H1 || protocols == GW_PROTO_H2 ||
           protocols == GW_PROTO_TCP;
}

gw_id gw_builder_cluster(gw_builder *b, const gw_cluster_spec *spec)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "clusters" };
    struct gw_cluster_draft *draft = add_draft(
        &part, &b->clusters, (struct room){ sizeof *draft, GW_CLUSTERS_MAX }, mark_of(spec));
    if (draft == NULL || !copy_spec(&part, &draft->spec, sizeof draft->spec, spec))
        return 0;
    keep(&part, &draft->spec.name);
    draft->draft.name = draft->spec.name;
    gw_value_name(&part, draft->spec.name, GW_NAME_MAX);
    keep_origin(&part, draft);
    if (!is_one_protocol(draft->spec.protocols))
        gw_fault_add(&part, "protocols", GW_EINVAL, "a cluster speaks one of h1, h2 and tcp");
    else
        refuse_h2(&part, draft->spec.protocols);
    keep(&part, &draft->spec.balancer);
    gw_balancing_take(&part, draft);
    check_retry_budget(&part, &draft->spec);
    check_age(&part, draft->spec.age_ms, draft->spec.age_jitter_percent, 0);
    refuse_bits(&part, "flags", draft->spec.flags, GW_CLUSTER_LIVE);
    keep_guards(&part, draft);
    keep_affinity(&part, draft);
    gw_dns_take(&part, draft);
    take_tls(&part, draft->spec.tls, GW_TLS_CLIENT);
    if (draft->spec.tls != NULL && draft->spec.protocols == GW_PROTO_TCP)
        gw_fault_add(&part, "tls", GW_EINVAL, "protocol tcp takes bytes as they are");
    return make_id(KIND_CLUSTER, &draft->draft);
}

static struct gw_cluster_draft *find_cluster(const struct gw_builder *b, gw_id id)
{
    uint32_t index = (id & ((1u << KIND_SHIFT) - 1)) - 1;
    if (id >> KIND_SHIFT != KIND_CLUSTER)
        return NULL;
    struct gw_draft *draft = b->clusters.first;
    if (b->clusters.last != NULL && b->clusters.last->index == index)
        draft = b->clusters.last; /* as everybody does it */
    while (draft != NULL && draft->index != index)
        draft = draft->next;
    return (struct gw_cluster_draft *)(void *)draft;
}

/* Endpoints of a cluster that was refused need no second fault. */
static gw_id refuse_orphan(struct gw_part *part, gw_id cluster, const gw_endpoint_spec *spec)
{
    struct gw_draft none = { .mark = mark_of(spec) };
    part->draft = &none;
    part->faults = &part->builder->part_faults;
    if (cluster == 0 && gw_builder_is_faulty(part->builder))
        return 0;
    gw_fault_add(part, NULL, GW_EINVAL, "its cluster is no id that gw_builder_cluster gave");
    return 0;
}

gw_id gw_builder_endpoint(gw_builder *b, gw_id cluster, const gw_endpoint_spec *spec)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "endpoints" };
    struct gw_cluster_draft *into = find_cluster(b, cluster);
    if (into == NULL)
        return refuse_orphan(&part, cluster, spec);
    part.inside = &into->draft;
    uint32_t left = GW_ENDPOINTS_MAX - b->endpoints_len;
    struct gw_endpoint_draft *draft = add_draft(
        &part, &into->endpoints, (struct room){ sizeof *draft, into->endpoints.len + left },
        mark_of(spec));
    if (draft == NULL)
        return 0;
    b->endpoints_len++;
    if (!copy_spec(&part, &draft->spec, sizeof draft->spec, spec))
        return 0;
    keep(&part, &draft->spec.address);
    if (draft->spec.name.len == 0)
        draft->spec.name = draft->spec.address;
    else
        keep(&part, &draft->spec.name);
    draft->draft.name = draft->spec.name;
    gw_value_endpoint_address(&part, draft->spec.address);
    if (draft->spec.name.ptr != draft->spec.address.ptr)
        gw_value_name(&part, draft->spec.name, GW_ENDPOINT_NAME_MAX);
    if (draft->spec.weight > GW_WEIGHT_MAX && draft->spec.weight != GW_OFF)
        gw_fault_add(&part, "weight", GW_EINVAL, "it is from 1 to 65,535, or off");
    gw_balancing_check_endpoint(&part, &draft->spec);
    return make_id(KIND_ENDPOINT, &draft->draft);
}

gw_id gw_builder_balancer(gw_builder *b, const gw_balancer *balancer)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "balancers" };
    struct gw_balancer_draft *draft = add_draft(
        &part, &b->balancers, (struct room){ sizeof *draft, GW_BALANCERS_MAX }, 0);
    if (draft == NULL || !copy_spec(&part, &draft->balancer, sizeof draft->balancer, balancer))
        return 0;
    gw_str name = gw_cstr(draft->balancer.name);
    keep(&part, &name);
    draft->balancer.name = name.ptr;
    draft->draft.name = name;
    gw_value_name(&part, name, GW_NAME_MAX);
    if (draft->balancer.choose == NULL)
        gw_fault_add(&part, "choose", GW_EINVAL, "a balancer needs choose");
    if (draft->balancer.reserved != 0)
        gw_fault_add(&part, "reserved", GW_EINVAL, "it must be 0");
    return make_id(KIND_BALANCER, &draft->draft);
}

gw_id gw_builder_limiter(gw_builder *b, const gw_limiter_spec *spec)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "limiters" };
    struct gw_limiter_draft *draft = add_draft(
        &part, &b->limiters, (struct room){ sizeof *draft, GW_LIMITERS_MAX }, mark_of(spec));
    if (draft == NULL || !copy_spec(&part, &draft->spec, sizeof draft->spec, spec))
        return 0;
    keep(&part, &draft->spec.name);
    draft->draft.name = draft->spec.name;
    gw_value_name(&part, draft->spec.name, GW_NAME_MAX);
    gw_keys_take(&part, &(struct gw_keys_field){ "keys", true }, &draft->spec.keys,
                 &draft->spec.keys_len);
    refuse_bits(&part, "flags", draft->spec.flags,
                GW_LIMITER_SHADOW | GW_LIMITER_CLOSED | GW_LIMITER_FIELDS | GW_LIMITER_KEYED);
    gw_value_limiter(&part, &draft->spec);
    return make_id(KIND_LIMITER, &draft->draft);
}

static void keep_route(const struct gw_part *part, gw_route_spec *spec)
{
    keep(part, &spec->name);
    keep(part, &spec->listener);
    keep(part, &spec->host);
    lower(spec->host);
    if (spec->path.len == 0)
        spec->path = GW_STR("/");
    else
        keep(part, &spec->path);
    keep(part, &spec->cluster);
    keep(part, &spec->reply_type);
    keep(part, &spec->reply_body);
    keep_list(part, "methods", GW_METHODS_MAX, &spec->methods, &spec->methods_len);
    keep_list(part, "upgrades", GW_UPGRADES_MAX, &spec->upgrades, &spec->upgrades_len);
    keep_list(part, "limiters", GW_ROUTE_LIMITERS_MAX, &spec->limiters, &spec->limiters_len);
    for (size_t i = 0; i < spec->upgrades_len; i++)
        lower(spec->upgrades[i]);
}

static void take_split(const struct gw_part *part, uint32_t i, const void *given,
                       struct gw_split_draft *split)
{
    char field[GW_ELEMENT_MAX];
    if (gw_spec_copy(&split->spec, sizeof split->spec, given) != GW_OK) {
        gw_fault_add(part, gw_fault_element(field, "splits", i, ".size"), GW_EINVAL,
                     "start it as GW_SPEC(gw_split_spec)");
        return;
    }
    keep(part, &split->spec.cluster);
    if (split->spec.cluster.len == 0)
        gw_fault_add(part, gw_fault_element(field, "splits", i, ".cluster"), GW_EINVAL,
                     "a cluster is needed");
    if (split->spec.weight > GW_WEIGHT_MAX && split->spec.weight != GW_OFF)
        gw_fault_add(part, gw_fault_element(field, "splits", i, ".weight"), GW_EINVAL,
                     "it is from 1 to 65,535, or off");
}

static void take_splits(const struct gw_part *part, struct gw_route_draft *draft)
{
    const gw_split_spec *given = draft->spec.splits;
    size_t n = given == NULL ? 0 : draft->spec.splits_len;
    uint32_t idle = 0;
    draft->spec.splits = NULL; /* the host's, not ours to keep */
    draft->spec.splits_len = n;
    if (n > GW_SPLITS_MAX) {
        gw_fault_add(part, "splits", GW_ELIMIT, "there are too many; at most 32");
        return;
    }
    draft->splits = gw_store_take(&part->builder->store, n, sizeof *draft->splits);
    if (draft->splits == NULL) {
        part->builder->has_no_memory = true;
        return;
    }
    draft->splits_len = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        take_split(part, i, (const char *)given + i * given->size, &draft->splits[i]);
        idle += draft->splits[i].spec.weight == GW_OFF;
    }
    if (n > 0 && idle == n)
        gw_fault_add(part, "splits", GW_EINVAL, "somebody needs a weight");
}

static void check_target(const struct gw_part *part, const gw_route_spec *spec)
{
    bool has_splits = spec->splits_len > 0, has_reply = spec->reply_code != 0;
    bool has_cluster = spec->cluster.len > 0 || has_splits;
    if (spec->cluster.len > 0 && has_splits)
        gw_fault_add(part, "splits", GW_EINVAL, "a cluster and splits exclude each other");
    if (has_cluster && has_reply)
        gw_fault_add(part, "reply_code", GW_EINVAL, "a cluster and a reply exclude each other");
    if (!has_cluster && !has_reply)
        gw_fault_add(part, "cluster", GW_EINVAL, "a cluster or a reply is needed");
    if (!has_cluster && has_reply && (spec->flags & GW_ROUTE_CONNECT) != 0)
        gw_fault_add(part, "flags", GW_EINVAL, "CONNECT needs a cluster");
    if (!has_cluster && has_reply && spec->upgrades_len > 0)
        gw_fault_add(part, "upgrades", GW_EINVAL, "an upgrade needs a cluster");
    if ((spec->flags & GW_ROUTE_NO_UPGRADE) != 0 && spec->upgrades_len > 0)
        gw_fault_add(part, "upgrades", GW_EINVAL, "the flag says that no upgrade is forwarded");
}

gw_id gw_builder_route(gw_builder *b, const gw_route_spec *spec)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "routes" };
    struct gw_route_draft *draft = add_draft(
        &part, &b->routes, (struct room){ sizeof *draft, GW_ROUTES_MAX }, mark_of(spec));
    if (draft == NULL || !copy_spec(&part, &draft->spec, sizeof draft->spec, spec))
        return 0;
    gw_route_spec *own = &draft->spec;
    keep_route(&part, own);
    draft->draft.name = own->name;
    gw_value_name(&part, own->name, GW_NAME_MAX);
    gw_value_host(&part, own->host);
    gw_value_path(&part, own->path);
    if (own->match > GW_MATCH_EXACT)
        gw_fault_add(&part, "match", GW_EINVAL, "not a way of matching");
    refuse_bits(&part, "flags", own->flags, GW_ROUTE_CONNECT | GW_ROUTE_NO_UPGRADE);
    for (size_t i = 0; i < own->methods_len; i++)
        gw_value_method(&part, own->methods, i, (own->flags & GW_ROUTE_CONNECT) != 0);
    for (size_t i = 0; i < own->upgrades_len; i++)
        gw_value_upgrade(&part, own->upgrades, i);
    gw_value_reply(&part, &(struct gw_value_reply){ .code = own->reply_code,
                                                    .type = own->reply_type,
                                                    .body = own->reply_body,
                                                    .code_field = "reply_code",
                                                    .type_field = "reply_type",
                                                    .body_field = "reply_body" });
    take_splits(&part, draft);
    gw_keys_take(&part, &(struct gw_keys_field){ "split_keys", false }, &own->split_keys,
                 &own->split_keys_len);
    if (own->split_keys_len > 0 && own->splits_len == 0)
        gw_fault_add(&part, "split_keys", GW_EINVAL, "without splits they say nothing");
    check_target(&part, own);
    gw_retry_take(&part, draft);
    if (own->retries > GW_RETRIES_MAX && own->retries != GW_OFF)
        gw_fault_add(&part, "retries", GW_EINVAL, "it is from 1 to 5, or off");
    return make_id(KIND_ROUTE, &draft->draft);
}

gw_id gw_builder_filter(gw_builder *b, const gw_filter *filter)
{
    if (!is_usable(b))
        return 0;
    struct gw_part part = { .builder = b, .list = "filters" };
    struct gw_filter_draft *draft = add_draft(&part, &b->filters,
                                              (struct room){ sizeof *draft, GW_FILTERS_MAX }, 0);
    if (draft == NULL || !copy_spec(&part, &draft->filter, sizeof draft->filter, filter))
        return 0;
    gw_str name = gw_cstr(draft->filter.name);
    keep(&part, &name);
    draft->filter.name = name.ptr;
    draft->draft.name = name;
    gw_value_name(&part, name, GW_NAME_MAX);
    refuse_bits(&part, "body", draft->filter.body,
                GW_BODY_REQUEST | GW_BODY_RESPONSE | GW_BODY_REWRITES | GW_BODY_WHOLE);
    return make_id(KIND_FILTER, &draft->draft);
}

/* The index behind an id of that kind and number of drafts; UINT32_MAX: it is none. */
static uint32_t index_of(gw_id id, uint32_t kind, const struct gw_drafts *drafts)
{
    uint32_t n = id & ((1u << KIND_SHIFT) - 1);
    return id >> KIND_SHIFT == kind && n > 0 && n <= drafts->len ? n - 1 : UINT32_MAX;
}

/* Parts that were refused need no second fault. */
static gw_status refuse_id(struct gw_part *part, gw_id id, const char *text)
{
    struct gw_draft none = { .index = part->builder->uses.len };
    part->draft = &none;
    part->faults = &part->builder->part_faults;
    if (id != 0 || !gw_builder_is_faulty(part->builder))
        gw_fault_add(part, NULL, GW_EINVAL, text);
    part->draft = NULL;
    return GW_EINVAL;
}

gw_status gw_builder_use(gw_builder *b, gw_id filter, gw_id route, const gw_use_spec *use)
{
    if (!is_usable(b))
        return GW_EINVAL;
    struct gw_part part = { .builder = b, .list = "uses" };
    gw_use_spec own = GW_SPEC(gw_use_spec);
    uint32_t of = index_of(filter, KIND_FILTER, &b->filters);
    uint32_t on = index_of(route, KIND_ROUTE, &b->routes);
    if (of == UINT32_MAX)
        return refuse_id(&part, filter, "the filter is no id that gw_builder_filter gave");
    if (route != 0 && on == UINT32_MAX)
        return refuse_id(&part, route, "the route is no id that gw_builder_route gave");
    struct gw_use_draft *draft = add_draft(&part, &b->uses,
                                           (struct room){ sizeof *draft, GW_USES_MAX }, 0);
    if (draft == NULL)
        return b->has_no_memory ? GW_ENOMEM : GW_ELIMIT;
    if (!copy_spec(&part, &own, sizeof own, use))
        return GW_EINVAL;
    if (own.mode > GW_USE_OFF) {
        gw_fault_add(&part, "mode", GW_EINVAL, "not a way of using it");
        return GW_EINVAL;
    }
    draft->filter = of;
    draft->route = on;
    draft->is_off = own.mode == GW_USE_OFF;
    draft->config = own.config;
    return GW_OK;
}

static bool is_id(const gw_builder *b, gw_id id)
{
    switch (id >> KIND_SHIFT) {
    case KIND_LISTENER:
        return index_of(id, KIND_LISTENER, &b->listeners) != UINT32_MAX;
    case KIND_CLUSTER:
        return index_of(id, KIND_CLUSTER, &b->clusters) != UINT32_MAX;
    case KIND_ROUTE:
        return index_of(id, KIND_ROUTE, &b->routes) != UINT32_MAX;
    case KIND_FILTER:
        return index_of(id, KIND_FILTER, &b->filters) != UINT32_MAX;
    case KIND_LIMITER:
        return index_of(id, KIND_LIMITER, &b->limiters) != UINT32_MAX;
    case KIND_BALANCER:
        return index_of(id, KIND_BALANCER, &b->balancers) != UINT32_MAX;
    default:
        return false;
    }
}

gw_status gw_builder_keep(gw_builder *b, gw_id part, void *object, gw_done_fn *done, void *ctx)
{
    if (!is_usable(b) || done == NULL)
        return GW_EINVAL;
    if (!is_id(b, part) && (part != 0 || !gw_builder_is_faulty(b)))
        return GW_EINVAL;
    if (b->keeps == GW_KEEPS_MAX)
        return GW_ELIMIT;
    struct gw_kept_object *kept = gw_store_take(&b->config->store, 1, sizeof *kept);
    if (kept == NULL)
        return GW_ENOMEM;
    *kept = (struct gw_kept_object){ NULL, object, ctx, done };
    *b->config->kept_last = kept;
    b->config->kept_last = &kept->next;
    b->keeps++;
    return GW_OK;
}

/* --- reporting and building --- */

static void check_once(struct gw_builder *b)
{
    if (b->is_checked)
        return;
    b->is_checked = true;
    b->check_faults = (struct gw_faults){ .first = NULL };
    gw_check_parts(b);
}

static const gw_config_error *next_of(struct gw_faults *faults)
{
    struct gw_fault *fault = faults->unread;
    if (fault == NULL)
        return NULL;
    faults->unread = fault->next;
    return &fault->error;
}

static const gw_config_error *no_memory(struct gw_builder *b)
{
    struct gw_text text;
    gw_config_error *error = &b->spare.error;
    *error = (gw_config_error){ .size = sizeof *error, .status = GW_ENOMEM };
    gw_text_init(&text, error->text, sizeof error->text);
    gw_text_cstr(&text, gw_status_text(GW_ENOMEM));
    return error;
}

bool gw_builder_next_error(gw_builder *b, gw_config_error *out)
{
    if (!is_usable(b) || out == NULL || out->size < sizeof out->size)
        return false; /* an error is told once: who cannot take it is not given it */
    const gw_config_error *error = next_of(&b->part_faults);
    if (error == NULL) {
        check_once(b);
        error = next_of(&b->check_faults);
    }
    if (error == NULL && b->has_no_memory && !b->has_told_no_memory) {
        b->has_told_no_memory = true;
        error = no_memory(b);
    }
    return error != NULL && gw_spec_fill(out, error, sizeof *error) == GW_OK;
}

static const gw_config_error *first_error(struct gw_builder *b)
{
    if (b->has_no_memory)
        return no_memory(b);
    if (b->part_faults.first != NULL)
        return &b->part_faults.first->error;
    return b->check_faults.first == NULL ? NULL : &b->check_faults.first->error;
}

gw_status gw_builder_build(gw_builder *b, gw_config **out, gw_config_error *err)
{
    if (!is_usable(b))
        return GW_EINVAL;
    gw_config *config = NULL;
    check_once(b);
    if (!gw_builder_is_faulty(b) && gw_freeze(b) != GW_OK)
        b->has_no_memory = true;
    const gw_config_error *error = first_error(b);
    gw_status status = error == NULL ? GW_OK : error->status;
    if (error != NULL && err != NULL && gw_spec_fill(err, error, sizeof *error) != GW_OK)
        status = GW_EINVAL;
    if (out == NULL)
        status = GW_EINVAL;
    if (status == GW_OK)
        config = gw_config_ref(b->config);
    gw_builder_free(b);
    if (status == GW_OK)
        *out = config;
    return status;
}
