/* adapters/descriptors.c: the tree as a list, parents first; and for each list of actions the rates that
 * answer to it, the more specific ones first: a value that is named before any value. */

#include "adapters/descriptors.h"

#include "base/assert.h"

enum { ENTRIES_MAX = 8 }; /* a limiter has no more keys */

struct gw_descriptor {
    struct gw_descriptor *parent, *next;
    uint32_t depth; /* 1: at the top */
    uint32_t requests, unit_ms, is_shadow;
    gw_str key, value; /* value empty: any */
    const struct gw_yaml_node *inner;
};

struct gw_descriptor_limiter {
    struct gw_descriptor_limiter *next;
    gw_str name;
};

/* ---- the tree ---- */

static const struct gw_yaml_word units[] = {
    { "second", 1000 }, { "minute", 60000 }, { "hour", 3600000 }, { "day", 86400000 },
    { "SECOND", 1000 }, { "MINUTE", 60000 }, { "HOUR", 3600000 }, { "DAY", 86400000 },
    { "month", 0 },     { "year", 0 },       { NULL, 0 }
};
#define LATER(key)                                                                                 \
    {                                                                                              \
        (key), GW_YAML_LATER, 0, 0, 0, 0, NULL                                                     \
    }
static const struct gw_yaml_field rate_fields[] = {
    { "unit", GW_YAML_WORD, offsetof(struct gw_descriptor, unit_ms), 0, 0, 0, units },
    { "requests_per_unit", GW_YAML_COUNT, offsetof(struct gw_descriptor, requests), 1,
      UINT32_MAX - 1, 0, NULL },
    LATER("unlimited"),
    LATER("replaces"),
};
static const struct gw_yaml_table rate_table = { rate_fields,
                                                 sizeof rate_fields / sizeof rate_fields[0] };
static const struct gw_yaml_field descriptor_fields[] = {
    { "key", GW_YAML_TEXT, offsetof(struct gw_descriptor, key), 1, 64, 0, NULL },
    { "value", GW_YAML_TEXT, offsetof(struct gw_descriptor, value), 1, 64, 0, NULL },
    { "rate_limit", GW_YAML_FIELDS, 0, 0, 0, 0, &rate_table },
    { "shadow_mode", GW_YAML_TRUTH, offsetof(struct gw_descriptor, is_shadow), 0, 0, 0, NULL },
    { "descriptors", GW_YAML_NODE, offsetof(struct gw_descriptor, inner), 0, 0, 0, NULL },
};
static const struct gw_yaml_table descriptor_table = {
    descriptor_fields, sizeof descriptor_fields / sizeof descriptor_fields[0]
};

struct root {
    gw_str domain;
    const struct gw_yaml_node *inner;
};
static const struct gw_yaml_field root_fields[] = {
    { "domain", GW_YAML_TEXT, offsetof(struct root, domain), 1, 64, 0, NULL },
    { "descriptors", GW_YAML_NODE, offsetof(struct root, inner), 0, 0, 0, NULL },
};
static const struct gw_yaml_table root_table = { root_fields,
                                                 sizeof root_fields / sizeof root_fields[0] };

/* Of two rates with the same key and value only one would ever be asked. */
static bool has_rate(const struct gw_descriptors *d, const struct gw_descriptor *one)
{
    for (const struct gw_descriptor *o = d->first; o != NULL; o = o->next)
        if (o->requests > 0 && o->parent == one->parent && gw_str_eq(o->key, one->key) &&
            gw_str_eq(o->value, one->value))
            return true;
    return false;
}

static gw_status read_one(struct gw_descriptors *d, struct gw_descriptor *parent,
                          const struct gw_yaml_node *node)
{
    struct gw_descriptor *one = gw_store_take(d->reader->store, 1, sizeof *one);
    gw_status status;

    if (one == NULL)
        return gw_yaml_no_memory(d->reader);
    status = gw_yaml_read(d->reader, node, &descriptor_table, one);
    if (status != GW_OK)
        return status;
    one->parent = parent;
    one->depth = parent == NULL ? 1 : parent->depth + 1;
    if (one->key.len == 0)
        return gw_yaml_refuse(d->reader, node, "a key is needed");
    if ((one->requests == 0) != (one->unit_ms == 0))
        return gw_yaml_refuse(d->reader, gw_yaml_find(node, GW_STR("rate_limit")),
                              "unit and requests_per_unit are needed");
    if (one->depth > ENTRIES_MAX)
        return gw_yaml_refuse(d->reader, node, "the tree is too deep: at most 8");
    if (one->requests > 0 && has_rate(d, one))
        return gw_yaml_refuse(d->reader, node, "its key and value have a rate already");
    *d->last = one;
    d->last = &one->next;
    return GW_OK;
}

static gw_status read_list(struct gw_descriptors *d, struct gw_descriptor *parent,
                           const struct gw_yaml_node *list)
{
    gw_status status = GW_OK;

    if (list == NULL)
        return GW_OK;
    if (list->kind != GW_YAML_LIST)
        return gw_yaml_refuse(d->reader, list, "a list is needed here");
    for (const struct gw_yaml_node *node = list->first; node != NULL && status == GW_OK;
         node = node->next)
        status = read_one(d, parent, node);
    return status;
}

gw_status gw_descriptors_open(struct gw_descriptors *d, struct gw_yaml_reader *reader,
                              gw_builder *builder, const struct gw_yaml_node *node)
{
    struct root root = { .inner = NULL };
    gw_status status = gw_yaml_read(reader, node, &root_table, &root);

    d->reader = reader;
    d->builder = builder;
    d->last = &d->first;
    d->domain = root.domain;
    if (status == GW_OK && root.domain.len == 0)
        return gw_yaml_refuse(reader, node, "a domain is needed");
    if (status == GW_OK)
        status = read_list(d, NULL, root.inner);
    for (struct gw_descriptor *one = d->first; one != NULL && status == GW_OK; one = one->next)
        status = read_list(d, one, one->inner);
    return status;
}

/* ---- actions ---- */

/* One entry of the descriptor that they make. */
struct entry {
    gw_str key, value; /* value: known from the start; ptr NULL: the request has it */
    gw_str header;     /* ... in that field; empty: it is the client */
};
struct entries {
    struct entry at[ENTRIES_MAX];
    uint32_t len;
};

struct action {
    gw_str generic_value, generic_key, header_name, header_key;
    const struct gw_yaml_node *remote;
};
static const struct gw_yaml_field generic_fields[] = {
    { "descriptor_value", GW_YAML_TEXT, offsetof(struct action, generic_value), 1, 64, 0, NULL },
    { "descriptor_key", GW_YAML_TEXT, offsetof(struct action, generic_key), 1, 64, 0, NULL },
};
static const struct gw_yaml_table generic_table = { generic_fields, sizeof generic_fields /
                                                                        sizeof generic_fields[0] };
static const struct gw_yaml_field header_fields[] = {
    { "header_name", GW_YAML_TEXT, offsetof(struct action, header_name), 1, 64, 0, NULL },
    { "descriptor_key", GW_YAML_TEXT, offsetof(struct action, header_key), 1, 64, 0, NULL },
};
static const struct gw_yaml_table header_table = { header_fields,
                                                   sizeof header_fields / sizeof header_fields[0] };
static const struct gw_yaml_field action_fields[] = {
    { "generic_key", GW_YAML_FIELDS, 0, 0, 0, 0, &generic_table },
    { "request_headers", GW_YAML_FIELDS, 0, 0, 0, 0, &header_table },
    { "remote_address", GW_YAML_NODE, offsetof(struct action, remote), 0, 0, 0, NULL },
    LATER("header_value_match"),
    LATER("source_cluster"),
    LATER("destination_cluster"),
    LATER("metadata"),
};
static const struct gw_yaml_table action_table = { action_fields,
                                                   sizeof action_fields / sizeof action_fields[0] };

static gw_status read_action(struct gw_descriptors *d, const struct gw_yaml_node *node,
                             struct entries *out)
{
    struct action a = { .remote = NULL };
    struct entry *entry = &out->at[out->len];
    gw_status status = gw_yaml_read(d->reader, node, &action_table, &a);
    int kinds = (a.generic_value.len > 0) + (a.header_name.len > 0) + (a.remote != NULL);

    if (status != GW_OK)
        return status;
    if (kinds != 1 || (a.header_name.len > 0) != (a.header_key.len > 0))
        return gw_yaml_refuse(d->reader, node,
                              "one action: generic_key with descriptor_value, request_headers with "
                              "header_name and descriptor_key, or remote_address");
    if (out->len == ENTRIES_MAX)
        return gw_yaml_refuse(d->reader, node, "too many actions: at most 8");
    out->len++;
    *entry = (struct entry){ .key = GW_STR("remote_address") };
    if (a.generic_value.len > 0) {
        entry->key = a.generic_key.len > 0 ? a.generic_key : GW_STR("generic_key");
        entry->value = a.generic_value;
    } else if (a.header_name.len > 0) {
        entry->key = a.header_key;
        entry->header = a.header_name;
    }
    return GW_OK;
}

/* One action, or { actions: [ ... ] }. */
static gw_status read_entries(struct gw_descriptors *d, const struct gw_yaml_node *node,
                              struct entries *out)
{
    const struct gw_yaml_node *list = gw_yaml_find(node, GW_STR("actions"));
    gw_status status = GW_OK;

    if (list == NULL)
        return read_action(d, node, out);
    if (list->kind != GW_YAML_LIST || list->first == NULL || node->len != 1)
        return gw_yaml_refuse(d->reader, node, "actions is a list, and stands alone");
    for (const struct gw_yaml_node *one = list->first; one != NULL && status == GW_OK;
         one = one->next)
        status = read_action(d, one, out);
    return status;
}

/* ---- limiters ---- */

/* Does it answer to the entries, naming a value where and only where a bit is set? The first entry's
 * is the highest bit. */
static bool answers(const struct gw_descriptor *one, const struct entries *e, uint32_t named)
{
    if (one->requests == 0 || one->depth != e->len)
        return false;
    for (uint32_t bit = 0; one != NULL; one = one->parent, bit++) {
        const struct entry *entry = &e->at[one->depth - 1];
        if ((one->value.len > 0) != ((named >> bit & 1) != 0) || !gw_str_eq(one->key, entry->key))
            return false;
        if (one->value.len > 0 && entry->value.ptr != NULL && !gw_str_eq(one->value, entry->value))
            return false;
    }
    return true;
}

/* "DOMAIN:key=value/key@header": the same for all routes that ask the same of the same descriptor. */
static void say_name(const struct gw_descriptors *d, const struct gw_descriptor *one,
                     const struct entries *e, struct gw_text *t)
{
    const struct gw_descriptor *path[ENTRIES_MAX];

    for (const struct gw_descriptor *at = one; at != NULL; at = at->parent)
        path[at->depth - 1] = at;
    gw_text_str(t, d->domain);
    for (uint32_t i = 0; i < e->len; i++) {
        const struct entry *entry = &e->at[i];
        gw_text_cstr(t, i == 0 ? ":" : "/");
        gw_text_str(t, path[i]->key);
        if (entry->header.len > 0) {
            gw_text_cstr(t, "@");
            gw_text_str(t, entry->header);
        }
        if (path[i]->value.len > 0 || entry->value.len > 0) {
            gw_text_cstr(t, path[i]->value.len > 0 ? "=" : "~");
            gw_text_str(t, path[i]->value.len > 0 ? path[i]->value : entry->value);
        }
    }
}

/* "header:NAME=VALUE" */
static gw_status say_key(struct gw_descriptors *d, const struct entry *entry, gw_str value,
                         gw_str *out)
{
    enum { KEY = 256 }; /* two texts of at most 64, and a word */
    char text[KEY];
    struct gw_text t;

    gw_text_init(&t, text, sizeof text);
    gw_text_cstr(&t, entry->header.len > 0 ? "header:" : "client");
    gw_text_str(&t, entry->header);
    gw_text_cstr(&t, value.len > 0 ? "=" : "");
    gw_text_str(&t, value);
    return gw_store_copy(d->reader->store, gw_cstr(text), out);
}

static gw_status add_limiter(struct gw_descriptors *d, const struct gw_descriptor *one,
                             const struct entries *e, gw_str name)
{
    gw_str keys[ENTRIES_MAX];
    gw_limiter_spec spec = { .size = sizeof spec,
                             .tokens = one->requests,
                             .period_ms = one->unit_ms,
                             .flags = one->is_shadow ? GW_LIMITER_SHADOW : 0,
                             .name = name,
                             .keys = keys };

    for (const struct gw_descriptor *at = one; at != NULL; at = at->parent) {
        const struct entry *entry = &e->at[at->depth - 1];
        if (entry->value.ptr != NULL)
            continue; /* the same in all requests of the route */
        if (say_key(d, entry, at->value, &keys[spec.keys_len++]) != GW_OK)
            return gw_yaml_no_memory(d->reader);
    }
    spec.flags |= spec.keys_len > 0 ? GW_LIMITER_KEYED : 0;
    (void)gw_builder_limiter(d->builder, &spec); /* faults are told by the build */
    return GW_OK;
}

/* Its name, after it was added if it is new. */
static gw_status limiter_of(struct gw_descriptors *d, const struct gw_descriptor *one,
                            const struct entries *e, gw_str *out)
{
    enum { NAME = 256 };
    char text[NAME];
    struct gw_text t;
    struct gw_descriptor_limiter *made = d->made;

    gw_text_init(&t, text, sizeof text);
    say_name(d, one, e, &t);
    while (made != NULL && !gw_str_eq(made->name, gw_cstr(text)))
        made = made->next;
    if (made == NULL) {
        made = gw_store_take(d->reader->store, 1, sizeof *made);
        if (made == NULL || gw_store_copy(d->reader->store, gw_cstr(text), &made->name) != GW_OK)
            return gw_yaml_no_memory(d->reader);
        made->next = d->made;
        d->made = made;
        *out = made->name;
        return add_limiter(d, one, e, made->name);
    }
    *out = made->name;
    return GW_OK;
}

static gw_status append(struct gw_descriptors *d, gw_str *names, gw_str name)
{
    char *at = gw_store_take(d->reader->store, names->len + name.len + 2, 1);

    if (at == NULL)
        return gw_yaml_no_memory(d->reader);
    if (names->len > 0)
        memcpy(at, names->ptr, names->len);
    at[names->len] = ' ';
    memcpy(at + names->len + 1, name.ptr, name.len);
    *names = (gw_str){ at, names->len + 1 + name.len };
    return GW_OK;
}

gw_status gw_descriptors_route(struct gw_descriptors *d, const struct gw_yaml_node *node,
                               gw_str *out)
{
    struct entries e = { .len = 0 };
    gw_status status = read_entries(d, node, &e);
    gw_str name = { NULL, 0 };

    *out = name;
    for (uint32_t named = 1u << e.len; status == GW_OK && named-- > 0;)
        for (const struct gw_descriptor *one = d->first; one != NULL; one = one->next) {
            if (!answers(one, &e, named))
                continue;
            status = limiter_of(d, one, &e, &name);
            if (status == GW_OK)
                status = append(d, out, name);
            if (status != GW_OK)
                return status;
        }
    if (status == GW_OK && out->len == 0)
        return gw_yaml_refuse(d->reader, node,
                              "no rate of the descriptors at the top answers to it");
    return status;
}
