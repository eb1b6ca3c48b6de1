/* balance/hash_key.c: finding things by name in a request. Nothing is decoded: what is written in two
 * ways has two keys, as it has for whoever looks at the request behind us. */

#include "balance/hash_key.h"

#include "http/check.h"
#include "http/pair.h"
#include "http/target.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- what a configuration says --- */

static const struct {
    const char *word;
    uint32_t on;
    bool has_name;
} words[] = {
    { "client", GW_HASH_ON_CLIENT, false }, { "header", GW_HASH_ON_HEADER, true },
    { "cookie", GW_HASH_ON_COOKIE, true },  { "path", GW_HASH_ON_PATH, false },
    { "query", GW_HASH_ON_QUERY, true },    { "metadata", GW_HASH_ON_METADATA, true },
    { "given", GW_HASH_ON_GIVEN, false },
};

/* Parameters are written in targets: there is less that they cannot be. */
static bool is_name(uint32_t on, gw_str name)
{
    if (on != GW_HASH_ON_QUERY)
        return gw_is_token(name);
    return name.len > 0 && gw_target_is_query(name) && gw_str_find(name, '&') == name.len &&
           gw_str_find(name, '=') == name.len;
}

gw_status gw_hash_key_parse(gw_str text, struct gw_hash_key *out)
{
    size_t colon = gw_str_find(text, ':');
    gw_str word = gw_str_slice(text, 0, colon), name = { "", 0 };
    if (colon < text.len)
        name = gw_str_slice(text, colon + 1, text.len);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!gw_str_eq(word, gw_cstr(words[i].word)))
            continue;
        if (words[i].has_name ? !is_name(words[i].on, name) : colon < text.len)
            return GW_EINVAL;
        *out = (struct gw_hash_key){ words[i].on, name };
        return GW_OK;
    }
    return GW_EINVAL;
}

/* --- what a request has --- */

uint64_t gw_hash_text(gw_str text)
{
    return XXH64(text.len > 0 ? text.ptr : "", text.len, 0);
}

static bool hash_text(gw_str text, uint64_t *out)
{
    *out = gw_hash_text(text);
    return text.len > 0;
}

static gw_str without_padding(gw_str value)
{
    while (value.len > 0 && value.ptr[value.len - 1] == '=')
        value.len--;
    return value;
}

/* Of several lines all count, in their order: the hash of one is the seed of the next. */
static bool hash_field(const struct gw_fields *fields, const struct gw_hash_key *key, uint64_t *out)
{
    bool is_binary = key->on == GW_HASH_ON_METADATA && gw_str_ends(key->name, GW_STR("-bin"));
    bool is_there = false;
    uint32_t i = 0;
    *out = 0;
    for (const struct gw_field *f; (f = gw_fields_next(fields, &i)) != NULL;) {
        if (!gw_str_eq_nocase(f->name, key->name))
            continue;
        gw_str value = is_binary ? without_padding(f->value) : f->value;
        if (value.len == 0)
            continue;
        *out = XXH64(value.ptr, value.len, *out);
        is_there = true;
    }
    return is_there;
}

static bool hash_one(const struct gw_hash_key *key, const struct gw_hash_source *from,
                     uint64_t *out)
{
    const struct gw_message *m = from->request;
    switch (key->on) {
    case GW_HASH_ON_CLIENT:
        return hash_text(from->client, out);
    case GW_HASH_ON_HEADER:
    case GW_HASH_ON_METADATA:
        return hash_field(&m->fields, key, out);
    case GW_HASH_ON_COOKIE:
        return hash_text(gw_pair_cookie(&m->fields, key->name), out);
    case GW_HASH_ON_PATH:
        return hash_text(m->path, out);
    case GW_HASH_ON_QUERY:
        return hash_text(gw_pair_find(m->query, '&', key->name), out);
    default:
        *out = from->given == NULL ? 0 : *from->given;
        return from->given != NULL;
    }
}

bool gw_hash_key_of(const struct gw_hash_key *keys, uint32_t len, const struct gw_hash_source *from,
                    uint64_t *out, uint32_t *which)
{
    for (uint32_t i = 0; i < len; i++) {
        uint64_t hash;
        if (!hash_one(&keys[i], from, &hash))
            continue;
        *out = hash;
        *which = i;
        return true;
    }
    return false;
}
