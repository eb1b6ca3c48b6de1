/* config/probe.c: each number is one row; what a kind does not know is refused where it is given. */

#include "config/probe.h"

#include <stddef.h>
#include <string.h>

#include "config/group.h"
#include "config/value.h"
#include "http/chars.h"
#include "http/target.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, SERVICE_MAX = 256, GOOD_LEAST = 200, GOOD_MOST = 299 };

#define HEALTH(name, least, most, normal, off)                                                     \
    {                                                                                              \
        "health." #name, offsetof(gw_health_spec, name), least, most, normal, off                  \
    }
static const struct gw_number rows[] = {
    HEALTH(interval_ms, 10, DAY_MS, 5000, false),
    HEALTH(unhealthy_interval_ms, 10, DAY_MS, 0, false), /* of the one above */
    HEALTH(jitter_percent, 1, 100, 10, true),
    HEALTH(timeout_ms, 1, HOUR_MS, 2000, false),
    HEALTH(rise, 1, GW_HEALTH_ROW_MAX, 2, false),
    HEALTH(fall, 1, GW_HEALTH_ROW_MAX, 3, false),
    HEALTH(port, 1, 65535, 0, false),
};

/* ---- what is good ---- */

static void add_codes(uint64_t *codes, uint64_t from, uint64_t to)
{
    for (uint64_t code = from; code <= to; code++)
        codes[(code - GW_PROBE_CODE_LEAST) / 64] |= UINT64_C(1)
                                                    << (code - GW_PROBE_CODE_LEAST) % 64;
}

/* "204" or "200-299". */
static bool parse_codes(gw_str text, uint64_t *codes)
{
    size_t dash = gw_str_find(text, '-');
    uint64_t from, to;

    if (gw_parse_u64(gw_str_slice(text, 0, dash), &from) != GW_OK)
        return false;
    to = from;
    if (dash < text.len && gw_parse_u64(gw_str_slice(text, dash + 1, text.len), &to) != GW_OK)
        return false;
    /* A 1xx is no answer yet. */
    if (from < GOOD_LEAST || from > to || to > GW_PROBE_CODE_MOST)
        return false;
    add_codes(codes, from, to);
    return true;
}

static void take_codes(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_health_spec *own = &draft->health;
    char field[GW_ELEMENT_MAX];

    if (own->expect == NULL && own->expect_len > 0)
        gw_fault_add(part, "health.expect", GW_EINVAL, "the list has a length and is NULL");
    else if (own->expect_len > GW_EXPECT_MAX)
        gw_fault_add(part, "health.expect", GW_ELIMIT, "the list is too long");
    else if (own->expect_len == 0)
        add_codes(draft->health_codes, GOOD_LEAST, GOOD_MOST);
    else
        for (size_t i = 0; i < own->expect_len; i++)
            if (!parse_codes(own->expect[i], draft->health_codes))
                gw_fault_add_value(part, gw_fault_element(field, "health.expect", i, ""),
                                   own->expect[i], "it is 200 or 200-299, from 200 to 599");
    own->expect = NULL; /* it was read */
}

/* ---- texts ---- */

static bool is_visible(gw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

/* Whether a request can be made of it: its path is made canonical then. */
static bool is_target(const struct gw_part *part, gw_str target)
{
    struct gw_heap *heap = &part->builder->config->heap;
    gw_str path = gw_str_slice(target, 0, gw_str_find(target, '?')), canonical;
    size_t room = (path.len + 15) / 16 * 16;
    char *first = gw_heap_alloc(heap, room);
    struct gw_arena arena;
    bool is_path;

    if (first == NULL) {
        part->builder->has_no_memory = true;
        return true;
    }
    gw_arena_init(&arena, first, room, NULL, room);
    is_path = gw_target_canonical(&arena, path, &canonical) == GW_REASON_none;
    gw_arena_fini(&arena);
    gw_heap_release(heap, first, room);
    return is_path && (path.len == target.len ||
                       gw_target_is_query(gw_str_slice(target, path.len + 1, target.len)));
}

static void check_path(const struct gw_part *part, gw_str path)
{
    if (path.len == 0)
        return;
    if (path.len > GW_PATH_MAX)
        gw_fault_add_value(part, "health.path", path, "the path is too long");
    else if (path.ptr[0] != '/')
        gw_fault_add_value(part, "health.path", path, "a path begins with \"/\"");
    else if (!is_target(part, path))
        gw_fault_add_value(part, "health.path", path, "no request can have such a path");
}

static void check_texts(const struct gw_part *part, const gw_health_spec *s)
{
    bool is_http = s->kind == 0 || s->kind == GW_HEALTH_HTTP, is_grpc = s->kind == GW_HEALTH_GRPC;

    if (!is_http && s->method.len > 0)
        gw_fault_add(part, "health.method", GW_EINVAL, "it is for http alone");
    else if (s->method.len > 0 && !gw_str_eq(s->method, GW_STR("GET")) &&
             !gw_str_eq(s->method, GW_STR("HEAD")))
        gw_fault_add_value(part, "health.method", s->method, "it is GET or HEAD");
    if (!is_http && s->path.len > 0)
        gw_fault_add(part, "health.path", GW_EINVAL, "it is for http alone");
    else
        check_path(part, s->path);
    if (!is_http && s->expect_len > 0)
        gw_fault_add(part, "health.expect", GW_EINVAL, "it is for http alone");
    if (s->kind == GW_HEALTH_TCP && s->host.len > 0)
        gw_fault_add(part, "health.host", GW_EINVAL, "tcp sends none");
    else if (s->host.len > 0 && (s->host.len > GW_HOST_MAX + 6 || !gw_authority_is_valid(s->host)))
        gw_fault_add_value(part, "health.host", s->host,
                           "not a host; it is a.example or a.example:80");
    if (!is_grpc && s->service.len > 0)
        gw_fault_add(part, "health.service", GW_EINVAL, "it is for grpc alone");
    else if (s->service.len > SERVICE_MAX || !is_visible(s->service))
        gw_fault_add_value(part, "health.service", s->service,
                           "a service is printable ASCII without spaces, up to 256 bytes");
}

void gw_probe_copy(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    gw_health_spec *own = &draft->health;
    const gw_cluster_spec *spec = &draft->spec;

    if (!gw_group_take(part, "health.size", own, sizeof *own, spec->health)) {
        draft->spec.health = NULL;
        return;
    }
    draft->spec.health = own;
    if (own->kind > GW_HEALTH_GRPC)
        gw_fault_add(part, "health.kind", GW_EINVAL, "not a kind of probe");
    if (own->first > GW_HEALTH_FIRST_LEFT_OUT)
        gw_fault_add(part, "health.first", GW_EINVAL, "not a state to begin in");
    if (spec->protocols == GW_PROTO_TCP && own->kind == 0)
        own->kind = GW_HEALTH_TCP;
    if (spec->protocols == GW_PROTO_TCP && own->kind == GW_HEALTH_HTTP)
        gw_fault_add(part, "health.kind", GW_EINVAL, "the cluster speaks tcp, and not HTTP");
    if (own->kind == GW_HEALTH_GRPC && spec->protocols != GW_PROTO_H2)
        gw_fault_add(part, "health.kind", GW_EINVAL, "gRPC needs a cluster that speaks h2");
    gw_group_complete(part, rows, sizeof rows / sizeof rows[0], own);
    if (own->unhealthy_interval_ms == 0)
        own->unhealthy_interval_ms = own->interval_ms;
    check_texts(part, own);
    take_codes(part, draft);
}

/* ---- frozen ---- */

gw_status gw_probe_freeze(const struct gw_cluster_draft *draft, gw_config *config,
                          const struct gw_probe_conf **out)
{
    const gw_health_spec *s = &draft->health;
    struct gw_probe_conf *own;

    *out = NULL;
    if (draft->spec.health == NULL)
        return GW_OK;
    own = gw_store_take(&config->store, 1, sizeof *own);
    if (own == NULL)
        return GW_ENOMEM;
    *own = (struct gw_probe_conf){
        .kind = s->kind == 0 ? GW_HEALTH_HTTP : s->kind,
        .port = s->port,
        .health = { .rise = s->rise,
                    .fall = s->fall,
                    .is_untried_unhealthy = s->first == GW_HEALTH_FIRST_LEFT_OUT,
                    .interval = GW_MS(s->interval_ms),
                    .unhealthy_interval = GW_MS(s->unhealthy_interval_ms),
                    .timeout = GW_MS(s->timeout_ms),
                    .jitter = s->jitter_percent },
        .is_head = gw_str_eq(s->method, GW_STR("HEAD")),
        .path = s->path.len > 0 ? s->path : GW_STR("/"),
        .host = s->host,
        .service = s->service,
    };
    memcpy(own->codes, draft->health_codes, sizeof own->codes);
    *out = own;
    return GW_OK;
}
