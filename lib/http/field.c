/* http/field.c: fields in an array that grows in the arena; dropping marks, so that nothing moves. */

#include "http/field.h"

#include "base/assert.h"

enum { FIRST_ROOM = 8, NAME_MAX = 19, SAME_LENGTH_MAX = 4 };

static const struct known {
    gw_str name;
    uint16_t flags;
} known[] = { { { "", 0 }, 0 },
#define KNOWN(id, name, flags) { { name, sizeof(name) - 1 }, flags },
              GW_KNOWN_FIELDS(KNOWN)
#undef KNOWN
};
_Static_assert(sizeof known / sizeof known[0] == GW_FIELD_COUNT, "a row for each known field");
_Static_assert(GW_FIELD_COUNT <= 64, "gw_fields.seen has a bit for each");

/* The known names of each length: few enough to be compared one after the other. */
static const uint8_t by_length[NAME_MAX + 1][SAME_LENGTH_MAX] = {
    [2] = { GW_FIELD_TE },
    [3] = { GW_FIELD_VIA },
    [4] = { GW_FIELD_HOST, GW_FIELD_DATE },
    [5] = { GW_FIELD_ALLOW },
    [6] = { GW_FIELD_COOKIE, GW_FIELD_SERVER, GW_FIELD_EXPECT },
    [7] = { GW_FIELD_UPGRADE, GW_FIELD_TRAILER },
    [8] = { GW_FIELD_LOCATION },
    [9] = { GW_FIELD_FORWARDED },
    [10] = { GW_FIELD_CONNECTION, GW_FIELD_KEEP_ALIVE, GW_FIELD_SET_COOKIE },
    [11] = { GW_FIELD_GRPC_STATUS, GW_FIELD_RETRY_AFTER },
    [12] = { GW_FIELD_CONTENT_TYPE, GW_FIELD_GRPC_MESSAGE, GW_FIELD_GRPC_TIMEOUT,
             GW_FIELD_MAX_FORWARDS },
    [13] = { GW_FIELD_CACHE_CONTROL, GW_FIELD_AUTHORIZATION, GW_FIELD_CONTENT_RANGE },
    [14] = { GW_FIELD_CONTENT_LENGTH, GW_FIELD_HTTP2_SETTINGS },
    [15] = { GW_FIELD_X_FORWARDED_FOR },
    [16] = { GW_FIELD_CONTENT_ENCODING, GW_FIELD_PROXY_CONNECTION, GW_FIELD_X_FORWARDED_HOST,
             GW_FIELD_X_FORWARDED_PORT },
    [17] = { GW_FIELD_TRANSFER_ENCODING, GW_FIELD_X_FORWARDED_PROTO },
    [18] = { GW_FIELD_PROXY_AUTHENTICATE },
    [19] = { GW_FIELD_PROXY_AUTHORIZATION },
};

/* Bytes that differ in more than the case of a letter. known is in lower case: its letters have bit
 * 0x40, its digits and hyphens do not. */
static uint64_t differences(const char *name, const char *known_name)
{
    uint64_t a, b;
    memcpy(&a, name, sizeof a);
    memcpy(&b, known_name, sizeof b);
    return (a ^ b) & ~((b & UINT64_C(0x4040404040404040)) >> 1);
}

/* name is as long as the known one. */
static bool is_known(gw_str name, const char *known_name)
{
    size_t len = name.len;
    const char *p = name.ptr;
    if (((unsigned char)p[0] | 0x20u) != (unsigned char)known_name[0])
        return false;
    if (len < sizeof(uint64_t))
        return gw_str_eq_nocase(name, (gw_str){ known_name, len });
    for (; len > sizeof(uint64_t); len -= sizeof(uint64_t)) {
        if (differences(p, known_name) != 0)
            return false;
        p += sizeof(uint64_t);
        known_name += sizeof(uint64_t);
    }
    /* The last eight, some of them for the second time. */
    size_t back = sizeof(uint64_t) - len;
    return differences(p - back, known_name - back) == 0;
}

enum gw_field_id gw_field_find_id(gw_str name)
{
    if (name.len > NAME_MAX)
        return GW_FIELD_UNKNOWN;
    const uint8_t *ids = by_length[name.len];
    for (int i = 0; i < SAME_LENGTH_MAX && ids[i] != GW_FIELD_UNKNOWN; i++)
        if (is_known(name, known[ids[i]].name.ptr))
            return (enum gw_field_id)ids[i];
    return GW_FIELD_UNKNOWN;
}

gw_str gw_field_name(enum gw_field_id id)
{
    GW_ASSERT((unsigned)id < GW_FIELD_COUNT);
    return known[id].name;
}

uint16_t gw_field_flags(enum gw_field_id id)
{
    GW_ASSERT((unsigned)id < GW_FIELD_COUNT);
    return known[id].flags;
}

void gw_fields_init(struct gw_fields *f, struct gw_arena *arena, uint32_t count_max)
{
    *f = (struct gw_fields){ .arena = arena, .count_max = count_max };
}

/* Doubles the array. What is left behind dies with the arena. */
static gw_status grow(struct gw_fields *f)
{
    uint32_t room = f->room == 0 ? FIRST_ROOM : f->room * 2;
    if (room > f->count_max)
        room = f->count_max;
    if (room <= f->room)
        return GW_ELIMIT;
    size_t bytes = room * sizeof *f->at;
    if (bytes > f->arena->used_max - f->arena->used)
        return GW_ELIMIT;
    struct gw_field *at = gw_arena_alloc(f->arena, bytes);
    if (at == NULL)
        return GW_ENOMEM;
    if (f->count > 0)
        memcpy(at, f->at, f->count * sizeof *at);
    f->at = at;
    f->room = room;
    return GW_OK;
}

gw_status gw_fields_add(struct gw_fields *f, enum gw_field_id id, gw_str name, gw_str value)
{
    GW_ASSERT((unsigned)id < GW_FIELD_COUNT);
    if (f->count == f->room) {
        gw_status status = grow(f);
        if (status != GW_OK)
            return status;
    }
    f->at[f->count++] = (struct gw_field){
        .name = name, .value = value, .id = (uint16_t)id, .flags = known[id].flags
    };
    f->seen |= (uint64_t)1 << id;
    return GW_OK;
}

gw_status gw_fields_add_copy(struct gw_fields *f, gw_str name, gw_str value)
{
    enum gw_field_id id = gw_field_find_id(name);
    gw_str own_name = gw_field_name(id), own_value;
    gw_status status = GW_OK;
    if (id == GW_FIELD_UNKNOWN || !gw_str_eq(name, own_name))
        status = gw_arena_copy(f->arena, name, &own_name);
    if (status == GW_OK)
        status = gw_arena_copy(f->arena, value, &own_value);
    if (status == GW_OK)
        status = gw_fields_add(f, id, own_name, own_value);
    return status;
}

struct gw_field *gw_fields_find(const struct gw_fields *f, enum gw_field_id id)
{
    GW_ASSERT(id != GW_FIELD_UNKNOWN && (unsigned)id < GW_FIELD_COUNT);
    if ((f->seen >> id & 1) == 0)
        return NULL;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->at[i].id == id && !f->at[i].is_dropped)
            return &f->at[i];
    return NULL;
}

struct gw_field *gw_fields_find_name(const struct gw_fields *f, gw_str name)
{
    enum gw_field_id id = gw_field_find_id(name);
    if (id != GW_FIELD_UNKNOWN)
        return gw_fields_find(f, id);
    uint32_t i = 0;
    for (struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;)
        if (field->id == GW_FIELD_UNKNOWN && gw_str_eq_nocase(field->name, name))
            return field;
    return NULL;
}

uint32_t gw_fields_count(const struct gw_fields *f, enum gw_field_id id)
{
    GW_ASSERT(id != GW_FIELD_UNKNOWN && (unsigned)id < GW_FIELD_COUNT);
    uint32_t n = 0;
    if ((f->seen >> id & 1) == 0)
        return 0;
    for (uint32_t i = 0; i < f->count; i++)
        n += f->at[i].id == id && !f->at[i].is_dropped;
    return n;
}

void gw_fields_drop(struct gw_fields *f, enum gw_field_id id)
{
    GW_ASSERT(id != GW_FIELD_UNKNOWN && (unsigned)id < GW_FIELD_COUNT);
    if ((f->seen >> id & 1) == 0)
        return;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->at[i].id == id)
            f->at[i].is_dropped = 1;
    f->seen &= ~((uint64_t)1 << id);
}

struct gw_field *gw_fields_next(const struct gw_fields *f, uint32_t *i)
{
    while (*i < f->count) {
        struct gw_field *field = &f->at[(*i)++];
        if (!field->is_dropped)
            return field;
    }
    return NULL;
}

bool gw_fields_has_token(const struct gw_fields *f, enum gw_field_id id, gw_str token)
{
    if ((f->seen >> id & 1) == 0)
        return false;
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->at[i].id != id || f->at[i].is_dropped)
            continue;
        gw_str rest = f->at[i].value, element;
        while (gw_str_next_element(&rest, &element))
            if (gw_str_eq_nocase(element, token))
                return true;
    }
    return false;
}
