/* adapters/yaml_tree.c: libyaml's events become nodes. The one file that knows libyaml. */

#include "adapters/yaml_tree.h"

#include <yaml.h>

#include "base/assert.h"
#include "base/map.h"

struct reader {
    yaml_parser_t parser;
    struct gw_store *store;
    struct gw_map anchors; /* names to nodes that are values */
    gw_yaml_error *err;
    gw_str text;                    /* the whole file */
    struct gw_yaml_node *root, *at; /* at: the list or map that is open; NULL: none */
    gw_str key;                     /* read, its value not yet */
    struct gw_yaml_place key_place;
    bool has_key;
    uint32_t depth, nodes, documents;
};

/* --- faults --- */

static struct gw_text fault(struct reader *r, gw_status status, struct gw_yaml_place place)
{
    gw_yaml_error *err = r->err;
    struct gw_text where, text;
    err->status = status;
    err->line = place.line;
    err->column = place.column;
    gw_text_init(&where, err->where, sizeof err->where);
    if (r->at != NULL)
        gw_yaml_say_where(r->at, &where);
    gw_text_init(&text, err->text, sizeof err->text);
    return text;
}

static gw_status refuse(struct reader *r, struct gw_yaml_place place, const char *why)
{
    struct gw_text text = fault(r, GW_EINVAL, place);
    gw_text_cstr(&text, why);
    return GW_EINVAL;
}

static gw_status no_memory(struct reader *r)
{
    struct gw_text text = fault(r, GW_ENOMEM, (struct gw_yaml_place){ 0, 0 });
    gw_text_cstr(&text, gw_status_text(GW_ENOMEM));
    return GW_ENOMEM;
}

static struct gw_yaml_place place_of(yaml_mark_t mark)
{
    return (struct gw_yaml_place){ (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

/* Where a byte lies; columns count characters. */
static struct gw_yaml_place place_at(gw_str text, size_t offset)
{
    struct gw_yaml_place place = { 1, 1 };
    for (size_t i = 0; i < offset && i < text.len; i++) {
        bool is_inside = ((unsigned char)text.ptr[i] & 0xc0u) == 0x80u;
        place.column += !is_inside;
        if (text.ptr[i] == '\n')
            place = (struct gw_yaml_place){ place.line + 1, 1 };
    }
    return place;
}

/* What libyaml says, at the place where it says it. */
static gw_status refuse_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(r);
    bool is_encoding = p->error == YAML_READER_ERROR;
    struct gw_yaml_place place = is_encoding ? place_at(r->text, p->problem_offset)
                                             : place_of(p->problem_mark);
    struct gw_text text = fault(r, GW_EINVAL, place);
    gw_text_cstr(&text, p->problem != NULL ? p->problem : "not YAML");
    if (p->context != NULL) {
        gw_text_cstr(&text, ", ");
        gw_text_cstr(&text, p->context);
    }
    if (is_encoding)
        gw_text_cstr(&text, "; the file must be UTF-8");
    return GW_EINVAL;
}

/* --- nodes --- */

/* Adds a node where the reader is; NULL: no memory. */
static struct gw_yaml_node *add_node(struct reader *r, enum gw_yaml_kind kind,
                                     struct gw_yaml_place place)
{
    struct gw_yaml_node *node = gw_store_take(r->store, 1, sizeof *node);
    if (node == NULL)
        return NULL;
    r->nodes++;
    *node = (struct gw_yaml_node){ .parent = r->at,
                                   .kind = kind,
                                   .place = place,
                                   .key = r->key,
                                   .key_place = r->has_key ? r->key_place : place };
    r->has_key = false;
    r->key = (gw_str){ NULL, 0 };
    if (r->at == NULL) {
        r->root = node;
        return node;
    }
    node->index = r->at->len++;
    if (r->at->last != NULL)
        r->at->last->next = node;
    else
        r->at->first = node;
    r->at->last = node;
    return node;
}

static bool wants_key(const struct reader *r)
{
    return r->at != NULL && r->at->kind == GW_YAML_MAP && !r->has_key;
}

static gw_str view(const yaml_char_t *text, size_t len)
{
    return (gw_str){ (const char *)text, len };
}
static gw_str view_cstr(const yaml_char_t *text)
{
    return gw_cstr((const char *)text);
}

static gw_status keep_anchor(struct reader *r, const yaml_char_t *anchor, struct gw_yaml_node *node)
{
    gw_str name;
    if (anchor == NULL)
        return GW_OK;
    if (gw_store_copy(r->store, view_cstr(anchor), &name) != GW_OK ||
        gw_map_put(&r->anchors, name, node) != GW_OK)
        return no_memory(r);
    return GW_OK;
}

static gw_status read_value(struct reader *r, const yaml_event_t *event)
{
    struct gw_yaml_place place = place_of(event->start_mark);
    gw_str text = view(event->data.scalar.value, event->data.scalar.length);
    if (event->data.scalar.tag != NULL)
        return refuse(r, place, "tags are not in use here");
    if (wants_key(r)) {
        r->has_key = true;
        r->key_place = place;
        return gw_store_copy(r->store, text, &r->key) == GW_OK ? GW_OK : no_memory(r);
    }
    struct gw_yaml_node *node = add_node(r, GW_YAML_VALUE, place);
    if (node == NULL || gw_store_copy(r->store, text, &node->text) != GW_OK)
        return no_memory(r);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return keep_anchor(r, event->data.scalar.anchor, node);
}

static gw_status open_node(struct reader *r, enum gw_yaml_kind kind, const yaml_event_t *event,
                           const yaml_char_t *tag)
{
    struct gw_yaml_place place = place_of(event->start_mark);
    if (tag != NULL)
        return refuse(r, place, "tags are not in use here");
    if (wants_key(r))
        return refuse(r, place, "a key must be a single word");
    if (r->depth == GW_YAML_DEPTH_MAX)
        return refuse(r, place, "lists and maps are nested too deeply");
    struct gw_yaml_node *node = add_node(r, kind, place);
    if (node == NULL)
        return no_memory(r);
    r->depth++;
    r->at = node;
    return GW_OK;
}

static gw_status close_node(struct reader *r)
{
    GW_ASSERT(r->at != NULL && r->depth > 0);
    r->depth--;
    r->at = r->at->parent;
    return GW_OK;
}

/* Lists and maps are not kept by their anchors, so that no alias can multiply them. */
static gw_status read_alias(struct reader *r, const yaml_event_t *event)
{
    struct gw_yaml_place place = place_of(event->start_mark);
    const struct gw_yaml_node *meant = gw_map_find(&r->anchors,
                                                   view_cstr(event->data.alias.anchor));
    if (wants_key(r))
        return refuse(r, place, "an alias cannot be a key");
    if (meant == NULL)
        return refuse(r, place, "an alias may only stand for a single value that came before");
    struct gw_yaml_node *node = add_node(r, GW_YAML_VALUE, place);
    if (node == NULL)
        return no_memory(r);
    node->text = meant->text;
    node->is_plain = meant->is_plain;
    return GW_OK;
}

static gw_status begin_document(struct reader *r, const yaml_event_t *event)
{
    if (r->documents++ > 0)
        return refuse(r, place_of(event->start_mark),
                      "a file holds one document, this is the next");
    return GW_OK;
}

static gw_status read_event(struct reader *r, const yaml_event_t *event)
{
    if (r->nodes == GW_YAML_NODES_MAX)
        return refuse(r, place_of(event->start_mark), "the file has too many parts");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(r, event);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event);
    case YAML_SCALAR_EVENT:
        return read_value(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(r, GW_YAML_LIST, event, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_node(r, GW_YAML_MAP, event, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_node(r);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return GW_OK;
}

static gw_status read_events(struct reader *r)
{
    gw_status status = GW_OK;
    bool is_end = false;
    while (status == GW_OK && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return refuse_syntax(r);
        is_end = event.type == YAML_STREAM_END_EVENT;
        status = read_event(r, &event);
        yaml_event_delete(&event);
    }
    return status;
}

gw_status gw_yaml_tree_parse(struct gw_store *store, gw_str text, struct gw_yaml_node **out,
                             gw_yaml_error *err)
{
    struct reader r = { .store = store, .err = err, .text = text };
    if (text.len > GW_YAML_BYTES_MAX)
        return refuse(&r, (struct gw_yaml_place){ 0, 0 }, "the file is longer than 4 MiB");
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(&r);
    gw_map_init(&r.anchors, store->heap, 0);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    const char *start = text.ptr == NULL ? "" : text.ptr;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)start, text.len);
    gw_status status = read_events(&r);
    if (status == GW_OK && r.root == NULL)
        status = refuse(&r, (struct gw_yaml_place){ 0, 0 }, "the file is empty");
    gw_map_fini(&r.anchors);
    yaml_parser_delete(&r.parser);
    if (status == GW_OK)
        *out = r.root;
    return status;
}

void gw_yaml_say_where(const struct gw_yaml_node *node, struct gw_text *text)
{
    const struct gw_yaml_node *path[GW_YAML_DEPTH_MAX + 1];
    size_t len = 0;
    for (; node->parent != NULL; node = node->parent) {
        GW_ASSERT(len < sizeof path / sizeof path[0]);
        path[len++] = node;
    }
    for (size_t i = len; i > 0; i--) {
        if (path[i - 1]->parent->kind == GW_YAML_LIST) {
            gw_text_cstr(text, "[");
            gw_text_u64(text, path[i - 1]->index);
            gw_text_cstr(text, "]");
            continue;
        }
        if (i < len)
            gw_text_cstr(text, ".");
        gw_text_quoted(text, path[i - 1]->key);
    }
}
