/* http/key.c: finding things by name in a request. Nothing is decoded: what is written in two ways has two
 * keys, as it has for whoever looks at the request behind us. */

#include "http/key.h"

#include "base/nearest.h"
#include "http/check.h"
#include "http/pair.h"
#include "http/target.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- what a configuration says --- */

static const struct word {
    const char *word;
    bool has_name;
} words[GW_KEY_END] = { { "", false },
#define WORD(id, word, has_name) { word, has_name },
                        GW_KEYS(WORD)
#undef WORD
};

static gw_str word_of(gw_str text)
{
    size_t end = gw_str_find(text, ':'), sign = gw_str_find(text, '=');
    return gw_str_slice(text, 0, end < sign ? end : sign);
}

static uint32_t find_word(gw_str word)
{
    for (uint32_t on = GW_KEY_NONE + 1; on < GW_KEY_END; on++)
        if (gw_str_eq(word, gw_cstr(words[on].word)))
            return on;
    return GW_KEY_NONE;
}

/* Parameters are written in targets: there is less that they cannot be. A label is the host's own word. */
static bool is_name(uint32_t on, gw_str name)
{
    if (on == GW_KEY_LABEL)
        return name.len > 0;
    if (on != GW_KEY_QUERY)
        return gw_is_token(name);
    return name.len > 0 && gw_target_is_query(name) && gw_str_find(name, '&') == name.len;
}

gw_status gw_key_parse(gw_str text, bool may_have_value, struct gw_key *out)
{
    gw_str word = word_of(text), rest = gw_str_slice(text, word.len, text.len);
    size_t sign = gw_str_find(rest, '=');
    gw_str name = gw_str_slice(rest, 0, sign), value = { "", 0 };
    uint32_t on = find_word(word);
    if (on == GW_KEY_NONE)
        return GW_EINVAL;
    if (sign < rest.len) {
        value = gw_str_slice(rest, sign + 1, rest.len);
        if (!may_have_value || value.len == 0 || on == GW_KEY_GIVEN)
            return GW_EINVAL;
    }
    if (name.len > 0 && !words[on].has_name)
        return GW_EINVAL;
    if (name.len > 0)
        name = gw_str_slice(name, 1, name.len);
    if (words[on].has_name && !is_name(on, name))
        return GW_EINVAL;
    *out = (struct gw_key){ .on = on, .name = name, .value = value };
    if (on == GW_KEY_HEADER || on == GW_KEY_METADATA)
        out->field = gw_field_find_id(name);
    return GW_OK;
}

void gw_key_say_wrong(gw_str text, bool may_have_value, struct gw_text *out)
{
    struct gw_nearest nearest;
    gw_text_cstr(out,
                 "not a key; it is client, path, given, or a name behind header:, cookie:, query:, "
                 "metadata: or label:");
    if (may_have_value)
        gw_text_cstr(out, ", and may end in =VALUE");
    if (find_word(word_of(text)) != GW_KEY_NONE)
        return;
    gw_nearest_init(&nearest, word_of(text));
    for (uint32_t on = GW_KEY_NONE + 1; on < GW_KEY_END; on++)
        gw_nearest_offer(&nearest, gw_cstr(words[on].word));
    gw_nearest_say(&nearest, out);
}

bool gw_key_is_same(const struct gw_key *a, const struct gw_key *b)
{
    bool is_field = a->on == GW_KEY_HEADER || a->on == GW_KEY_METADATA;
    return a->on == b->on &&
           (is_field ? gw_str_eq_nocase(a->name, b->name) : gw_str_eq(a->name, b->name));
}

/* --- what a request has --- */

uint64_t gw_key_hash(gw_str text)
{
    return XXH64(text.len > 0 ? text.ptr : "", text.len, 0);
}

static gw_str without_padding(gw_str value)
{
    while (value.len > 0 && value.ptr[value.len - 1] == '=')
        value.len--;
    return value;
}

/* The next line that is not empty; false: none. */
static bool next_line(const struct gw_fields *fields, struct gw_key_part *p, gw_str *out)
{
    for (const struct gw_field *f; (f = gw_fields_next(fields, &p->next)) != NULL;) {
        if (f->id != p->field)
            continue;
        if (f->id == GW_FIELD_UNKNOWN && !gw_str_eq_nocase(f->name, p->name))
            continue;
        *out = p->is_binary ? without_padding(f->value) : f->value;
        if (out->len > 0)
            return true;
    }
    return false;
}

static bool find_field(const struct gw_key *key, const struct gw_fields *fields,
                       struct gw_key_part *out)
{
    struct gw_key_part behind;
    gw_str other;
    out->field = key->field;
    out->name = key->name;
    out->is_binary = key->on == GW_KEY_METADATA && gw_str_ends(key->name, GW_STR("-bin"));
    if (!next_line(fields, out, &out->text))
        return false;
    behind = *out;
    if (next_line(fields, &behind, &other))
        out->lines = fields;
    return true;
}

static bool find_given(const struct gw_key_source *from, struct gw_key_part *out)
{
    if (from->given == NULL)
        return false;
    out->is_hash = true;
    out->hash = *from->given;
    return true;
}

bool gw_key_find(const struct gw_key *key, const struct gw_key_source *from,
                 struct gw_key_part *out)
{
    const struct gw_message *m = from->request;
    *out = (struct gw_key_part){ .lines = NULL };
    switch (key->on) {
    case GW_KEY_CLIENT:
        out->text = from->client(from->ctx);
        break;
    case GW_KEY_HEADER:
    case GW_KEY_METADATA:
        return find_field(key, &m->fields, out);
    case GW_KEY_COOKIE:
        out->text = gw_pair_cookie(&m->fields, key->name);
        break;
    case GW_KEY_PATH:
        out->text = m->path;
        break;
    case GW_KEY_QUERY:
        out->text = gw_pair_find(m->query, '&', key->name);
        break;
    case GW_KEY_IDENTITY:
        out->text = from->identity(from->ctx);
        break;
    case GW_KEY_SERVER_NAME:
        out->text = from->server_name(from->ctx);
        break;
    case GW_KEY_LABEL:
        out->text = from->label(from->ctx, key->name);
        break;
    default:
        return find_given(from, out);
    }
    return out->text.len > 0;
}

bool gw_key_fits(const struct gw_key *key, const struct gw_key_part *part)
{
    return key->value.len == 0 || (part->lines == NULL && gw_str_eq(part->text, key->value));
}

uint64_t gw_key_mix(const struct gw_key_part *part, uint64_t seed)
{
    struct gw_key_part at;
    gw_str line;
    if (part->is_hash)
        return seed == 0 ? part->hash : XXH64(&part->hash, sizeof part->hash, seed);
    seed = XXH64(part->text.ptr, part->text.len, seed);
    if (part->lines == NULL)
        return seed;
    at = *part;
    while (next_line(at.lines, &at, &line))
        seed = XXH64(line.ptr, line.len, seed);
    return seed;
}

bool gw_key_first(const struct gw_key *keys, uint32_t len, const struct gw_key_source *from,
                  uint64_t *out, uint32_t *which)
{
    struct gw_key_part part;
    for (uint32_t i = 0; i < len; i++) {
        if (!gw_key_find(&keys[i], from, &part))
            continue;
        *out = gw_key_mix(&part, 0);
        *which = i;
        return true;
    }
    return false;
}
