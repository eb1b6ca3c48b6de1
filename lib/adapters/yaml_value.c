/* adapters/yaml_value.c: reads maps by tables, and says what is wrong with a value. */

#include "adapters/yaml_value.h"

#include "base/assert.h"
#include "base/nearest.h"

/* --- faults --- */

static struct gw_text fault_at(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                               struct gw_yaml_place place, gw_status status)
{
    gw_yaml_error *err = r->err;
    struct gw_text where, text;
    err->status = status;
    err->line = place.line;
    err->column = place.column;
    gw_text_init(&where, err->where, sizeof err->where);
    gw_yaml_say_where(node, &where);
    gw_text_init(&text, err->text, sizeof err->text);
    return text;
}

/* Begins a fault at a node. The caller goes on with the text. */
static struct gw_text begin_fault(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                                  gw_status status)
{
    return fault_at(r, node, node->place, status);
}

gw_status gw_yaml_refuse(struct gw_yaml_reader *r, const struct gw_yaml_node *node, const char *why)
{
    struct gw_text text = begin_fault(r, node, GW_EINVAL);
    gw_text_cstr(&text, why);
    return GW_EINVAL;
}

gw_status gw_yaml_no_memory(struct gw_yaml_reader *r)
{
    struct gw_text text;
    r->err->status = GW_ENOMEM;
    gw_text_init(&text, r->err->text, sizeof r->err->text);
    gw_text_cstr(&text, gw_status_text(GW_ENOMEM));
    return GW_ENOMEM;
}

static void say_value(struct gw_text *text, gw_str value)
{
    enum { SHOWN = 60 };
    gw_text_cstr(text, "\"");
    gw_text_quoted(text, gw_str_slice(value, 0, value.len < SHOWN ? value.len : SHOWN));
    gw_text_cstr(text, value.len > SHOWN ? "...\"" : "\"");
}

/* "\"12x\" is not a duration; ..." */
static gw_status refuse_value(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                              const char *why)
{
    struct gw_text text = begin_fault(r, node, GW_EINVAL);
    say_value(&text, node->text);
    gw_text_cstr(&text, " is not ");
    gw_text_cstr(&text, why);
    return GW_EINVAL;
}

static gw_status refuse_later(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                              struct gw_yaml_place place, gw_str what)
{
    struct gw_text text = fault_at(r, node, place, GW_EUNSUPPORTED);
    gw_text_quoted(&text, what);
    gw_text_cstr(&text, " is not in this release");
    return GW_EUNSUPPORTED;
}

struct unit {
    const char *name;
    uint64_t factor;
};
struct amount {
    const struct unit *units;
    const char *what; /* it is not */
    const char *unit; /* of a range */
    void (*say)(struct gw_text *text, uint64_t n);
    bool may_be_quoted;
};

static gw_status refuse_range(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                              const struct gw_yaml_field *field, const struct amount *amount)
{
    struct gw_text text = begin_fault(r, node, GW_EINVAL);
    say_value(&text, node->text);
    gw_text_cstr(&text, " is out of range: it is from ");
    amount->say(&text, field->least);
    gw_text_cstr(&text, " to ");
    amount->say(&text, field->most);
    gw_text_cstr(&text, amount->unit);
    if (field->when_off != 0)
        gw_text_cstr(&text, ", or off");
    return GW_EINVAL;
}

/* --- single values --- */

static bool is_null(const struct gw_yaml_node *node)
{
    return node->kind == GW_YAML_VALUE && node->is_plain &&
           (node->text.len == 0 || gw_str_eq(node->text, GW_STR("~")) ||
            gw_str_eq(node->text, GW_STR("null")));
}

static gw_status want_kind(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                           enum gw_yaml_kind kind)
{
    static const char *const needs[] = { "", "a single value is needed here",
                                         "a list is needed here", "a map is needed here" };
    if (is_null(node))
        return gw_yaml_refuse(r, node, "the value is missing");
    return node->kind == (uint32_t)kind ? GW_OK : gw_yaml_refuse(r, node, needs[kind]);
}

static gw_status read_text(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                           const struct gw_yaml_field *field, gw_str *out)
{
    if (node->text.len < field->least)
        return gw_yaml_refuse(r, node, "the text is empty");
    if (field->most > 0 && node->text.len > field->most)
        return gw_yaml_refuse(r, node, "the text is too long");
    *out = node->text;
    return GW_OK;
}

/* The builder knows its range, and says it. */
static bool is_builders(const struct gw_yaml_field *field)
{
    return field->least == 0 && field->when_off != 0;
}

/* 0 and off, where they mean none. */
static bool is_off(const struct gw_yaml_node *node)
{
    return gw_str_eq(node->text, GW_STR("0")) ||
           (node->is_plain && gw_str_eq(node->text, GW_STR("off")));
}

/* A number and one of the units, up to the one without a name; false: neither. */
static bool parse_amount(gw_str text, const struct unit *units, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    uint64_t n;
    gw_str unit = gw_str_slice(text, digits, text.len);
    if (gw_parse_u64(gw_str_slice(text, 0, digits), &n) != GW_OK)
        return false;
    while (units->name != NULL && !gw_str_eq(gw_cstr(units->name), unit))
        units++;
    if (units->name == NULL)
        return false;
    *out = n > UINT64_MAX / units->factor ? UINT64_MAX : n * units->factor;
    return true;
}

static const struct unit count_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit duration_units[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 }
};
static const struct unit size_units[] = {
    { "", 1 }, { "KiB", 1u << 10 }, { "MiB", 1u << 20 }, { "GiB", 1u << 30 }, { NULL, 0 }
};

static const struct amount a_count = { count_units, "a whole number", "", gw_text_u64, false };
static const struct amount a_duration = { duration_units, "a duration; write 250ms, 2s, 5m or 1h",
                                          "", gw_text_ms, true };
static const struct amount a_size = { size_units, "a size; write 65536, 64KiB or 1MiB", " bytes",
                                      gw_text_u64, true };

static gw_status read_amount(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                             const struct gw_yaml_field *field, const struct amount *amount,
                             uint64_t *out)
{
    uint64_t n;
    if (field->when_off != 0 && is_off(node)) {
        *out = field->when_off;
        return GW_OK;
    }
    bool is_fine = (node->is_plain || amount->may_be_quoted) &&
                   parse_amount(node->text, amount->units, &n);
    if (!is_fine && amount->units == duration_units && gw_str_eq(node->text, GW_STR("0")))
        return refuse_range(r, node, field, amount);
    if (!is_fine)
        return refuse_value(r, node, amount->what);
    if (n == 0 && field->when_off != 0)
        n = field->when_off;
    else if (n > field->most && is_builders(field))
        n = field->most;
    else if (n < field->least || n > field->most)
        return refuse_range(r, node, field, amount);
    *out = n;
    return GW_OK;
}

static gw_status read_small(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                            const struct gw_yaml_field *field, const struct amount *amount,
                            uint32_t *out)
{
    uint64_t n = 0;
    GW_ASSERT(field->most <= UINT32_MAX);
    gw_status status = read_amount(r, node, field, amount, &n);
    if (status == GW_OK)
        *out = (uint32_t)n;
    return status;
}

static gw_status read_truth(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                            uint32_t *out)
{
    bool is_true = gw_str_eq(node->text, GW_STR("true"));
    if (!node->is_plain || (!is_true && !gw_str_eq(node->text, GW_STR("false"))))
        return refuse_value(r, node, "true or false");
    *out = is_true;
    return GW_OK;
}

static gw_status read_word(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                           const struct gw_yaml_word *words, uint32_t *out)
{
    struct gw_nearest nearest;
    gw_nearest_init(&nearest, node->text);
    const struct gw_yaml_word *word = words;
    for (; word->word != NULL; word++) {
        if (gw_str_eq(gw_cstr(word->word), node->text))
            break;
        if (word->value != 0)
            gw_nearest_offer(&nearest, gw_cstr(word->word));
    }
    if (word->word != NULL && word->value == 0)
        return refuse_later(r, node, node->place, node->text);
    if (word->word != NULL) {
        *out = word->value;
        return GW_OK;
    }
    struct gw_text text = begin_fault(r, node, GW_EINVAL);
    say_value(&text, node->text);
    gw_text_cstr(&text, nearest.name.len > 0 ? " is unknown" : " is none of");
    gw_nearest_say(&nearest, &text); /* first: they may be too many for a line */
    gw_text_cstr(&text, nearest.name.len > 0 ? " There are" : "");
    for (word = words; word->word != NULL; word++) {
        if (word->value == 0)
            continue;
        gw_text_cstr(&text, " ");
        gw_text_cstr(&text, word->word);
    }
    return GW_EINVAL;
}

static gw_status read_words(struct gw_yaml_reader *r, const struct gw_yaml_node *list,
                            const struct gw_yaml_word *words, uint32_t *out)
{
    uint32_t sum = 0;
    for (const struct gw_yaml_node *node = list->first; node != NULL; node = node->next) {
        uint32_t value = 0;
        gw_status status = want_kind(r, node, GW_YAML_VALUE);
        if (status == GW_OK)
            status = read_word(r, node, words, &value);
        if (status != GW_OK)
            return status;
        if ((sum & value) != 0)
            return gw_yaml_refuse(r, node, "the word is there twice");
        sum |= value;
    }
    if (sum == 0)
        return gw_yaml_refuse(r, list, "the list is empty; leave it out for the default");
    *out = sum;
    return GW_OK;
}

static gw_status read_texts(struct gw_yaml_reader *r, const struct gw_yaml_node *list,
                            const struct gw_yaml_field *field, struct gw_yaml_texts *out)
{
    if (list->len < field->least)
        return gw_yaml_refuse(r, list, "the list is empty; leave it out for the default");
    gw_str *at = gw_store_take(r->store, list->len, sizeof *at);
    if (at == NULL)
        return gw_yaml_no_memory(r);
    for (const struct gw_yaml_node *node = list->first; node != NULL; node = node->next) {
        gw_status status = want_kind(r, node, GW_YAML_VALUE);
        if (status != GW_OK)
            return status;
        at[node->index] = node->text;
    }
    *out = (struct gw_yaml_texts){ at, list->len };
    return GW_OK;
}

/* --- maps --- */

static enum gw_yaml_kind kind_of(const struct gw_yaml_node *node, const struct gw_yaml_field *field)
{
    if (field->type == GW_YAML_NODE)
        return (enum gw_yaml_kind)node->kind; /* whoever reads it will look */
    if (field->type == GW_YAML_FIELDS)
        return GW_YAML_MAP;
    if (field->type == GW_YAML_TEXTS || field->type == GW_YAML_WORDS)
        return GW_YAML_LIST;
    return GW_YAML_VALUE;
}

static gw_status read_field(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                            const struct gw_yaml_field *field, void *at)
{
    gw_status status = want_kind(r, node, kind_of(node, field));
    if (status != GW_OK)
        return status;
    switch (field->type) {
    case GW_YAML_TEXT:
        return read_text(r, node, field, at);
    case GW_YAML_TEXTS:
        return read_texts(r, node, field, at);
    case GW_YAML_COUNT:
        return read_small(r, node, field, &a_count, at);
    case GW_YAML_DURATION:
        return read_small(r, node, field, &a_duration, at);
    case GW_YAML_SIZE:
        return read_small(r, node, field, &a_size, at);
    case GW_YAML_LONG:
        return read_amount(r, node, field, &a_size, at);
    case GW_YAML_TRUTH:
        return read_truth(r, node, at);
    case GW_YAML_WORD:
        return read_word(r, node, field->more, at);
    case GW_YAML_WORDS:
        return read_words(r, node, field->more, at);
    case GW_YAML_NODE:
        *(const struct gw_yaml_node **)at = node;
        return GW_OK;
    case GW_YAML_FIELDS:
    case GW_YAML_LATER:
        break; /* the caller's */
    }
    return GW_OK;
}

static const struct gw_yaml_field *find_field(const struct gw_yaml_table *table, gw_str key)
{
    for (size_t i = 0; i < table->len; i++)
        if (gw_str_eq(gw_cstr(table->fields[i].key), key))
            return &table->fields[i];
    return NULL;
}

static gw_status refuse_key(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                            const struct gw_yaml_table *table)
{
    struct gw_nearest nearest;
    gw_nearest_init(&nearest, node->key);
    for (size_t i = 0; i < table->len; i++)
        if (table->fields[i].type != GW_YAML_LATER)
            gw_nearest_offer(&nearest, gw_cstr(table->fields[i].key));
    struct gw_text text = fault_at(r, node, node->key_place, GW_EUNKNOWN);
    gw_text_cstr(&text, "there is no key ");
    say_value(&text, node->key);
    gw_text_cstr(&text, " here");
    gw_nearest_say(&nearest, &text);
    return GW_EUNKNOWN;
}

/* What is known of a key before its value is read; seen: a bit a row. */
static gw_status check_key(struct gw_yaml_reader *r, const struct gw_yaml_node *node,
                           const struct gw_yaml_table *table, uint32_t *seen)
{
    const struct gw_yaml_field *field = find_field(table, node->key);
    if (field == NULL)
        return refuse_key(r, node, table);
    if (field->type == GW_YAML_LATER)
        return refuse_later(r, node, node->key_place, node->key);
    uint32_t bit = 1u << (field - table->fields);
    if ((*seen & bit) != 0) {
        struct gw_text text = fault_at(r, node, node->key_place, GW_EINVAL);
        gw_text_cstr(&text, "the key is there twice");
        return GW_EINVAL;
    }
    *seen |= bit;
    return GW_OK;
}

/* A walk through nested tables needs no recursion: each level is opened in its place. */
struct level {
    const struct gw_yaml_table *table;
    const struct gw_yaml_node *next;
    uint32_t seen;
};

static gw_status read_next(struct gw_yaml_reader *r, struct level *levels, size_t *depth, void *own)
{
    struct level *level = &levels[*depth - 1];
    const struct gw_yaml_node *node = level->next;
    if (node == NULL) {
        --*depth;
        return GW_OK;
    }
    level->next = node->next;
    gw_status status = check_key(r, node, level->table, &level->seen);
    if (status != GW_OK)
        return status;
    const struct gw_yaml_field *field = find_field(level->table, node->key);
    status = read_field(r, node, field, (char *)own + field->at);
    if (status == GW_OK && field->type == GW_YAML_FIELDS)
        levels[(*depth)++] = (struct level){ .table = field->more, .next = node->first };
    return status;
}

gw_status gw_yaml_read(struct gw_yaml_reader *r, const struct gw_yaml_node *map,
                       const struct gw_yaml_table *table, void *own)
{
    enum { LEVELS = 4 };
    struct level levels[LEVELS];
    size_t depth = 1;
    gw_status status = want_kind(r, map, GW_YAML_MAP);
    levels[0] = (struct level){ .table = table, .next = map->first };
    while (status == GW_OK && depth > 0) {
        GW_ASSERT(depth < LEVELS); /* tables are ours */
        status = read_next(r, levels, &depth, own);
    }
    return status;
}

static const struct gw_yaml_node *child_of(const struct gw_yaml_node *node, gw_str key)
{
    const struct gw_yaml_node *child = node->kind == GW_YAML_MAP ? node->first : NULL;
    while (child != NULL && !gw_str_eq(child->key, key))
        child = child->next;
    return child;
}

/* Goes down one step of *path; NULL: there is no such key. */
static const struct gw_yaml_node *step(const struct gw_yaml_node *node, gw_str *path)
{
    size_t end = gw_str_find(*path, '.');
    const struct gw_yaml_node *child = child_of(node, gw_str_slice(*path, 0, end));
    *path = gw_str_slice(*path, end < path->len ? end + 1 : end, path->len);
    return child;
}

const struct gw_yaml_node *gw_yaml_find(const struct gw_yaml_node *node, gw_str path)
{
    while (path.len > 0 && node != NULL)
        node = step(node, &path);
    return node;
}

const struct gw_yaml_node *gw_yaml_follow(const struct gw_yaml_node *node, gw_str path)
{
    const struct gw_yaml_node *reached = node;
    while (path.len > 0 && node != NULL) {
        reached = node;
        node = step(node, &path);
    }
    return node == NULL ? reached : node;
}
