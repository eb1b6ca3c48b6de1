/* buf/chain.c: slices in order. Bytes are moved by relinking slices; whatever may fail is taken
 * before anything is changed. Neighbours that touch in one block become one slice. */

#include "buf/chain.h"

#include <string.h>

#include "base/assert.h"

static uint8_t *end_of(const struct gw_slice *s)
{
    return s->ptr + s->len;
}

/* How many bytes may be written behind s. */
static size_t room_behind(const struct gw_slice *s)
{
    const struct gw_block *b = s->block;
    return end_of(s) == b->bytes + b->used && !b->is_held ? b->size - b->used : 0;
}

size_t gw_chain_tail(const struct gw_chain *c)
{
    return c->last == NULL ? 0 : room_behind(c->last);
}

static bool do_touch(const struct gw_slice *s, const struct gw_block *block, const uint8_t *ptr)
{
    return s != NULL && s->block == block && end_of(s) == ptr;
}

static void free_slice(struct gw_pool *pool, struct gw_slice *s)
{
    struct gw_block *block = s->block;
    gw_slab_give(&pool->slices, s);
    gw_block_unref(block);
}

static void link_last(struct gw_chain *c, struct gw_slice *s)
{
    s->next = NULL;
    if (c->last == NULL)
        c->first = s;
    else
        c->last->next = s;
    c->last = s;
    c->slices++;
    c->len += s->len;
}

static void link_first(struct gw_chain *c, struct gw_slice *s)
{
    s->next = c->first;
    c->first = s;
    if (c->last == NULL)
        c->last = s;
    c->slices++;
    c->len += s->len;
}

static struct gw_slice *unlink_first(struct gw_chain *c)
{
    struct gw_slice *s = c->first;
    c->first = s->next;
    if (c->first == NULL)
        c->last = NULL;
    c->slices--;
    c->len -= s->len;
    return s;
}

void gw_chain_init(struct gw_chain *c, struct gw_pool *pool)
{
    *c = (struct gw_chain){ .pool = pool };
}

void gw_chain_clear(struct gw_chain *c)
{
    while (c->first != NULL)
        free_slice(c->pool, unlink_first(c));
    GW_ASSERT(c->len == 0 && c->slices == 0);
}

gw_status gw_chain_append(struct gw_chain *c, struct gw_block *block, uint8_t *ptr, size_t len)
{
    if (len == 0)
        return GW_OK;
    GW_ASSERT(ptr >= block->bytes && len <= (size_t)(block->bytes + block->used - ptr));
    if (do_touch(c->last, block, ptr)) {
        c->last->len += len;
        c->len += len;
        return GW_OK;
    }
    struct gw_slice *s = gw_slab_take(&c->pool->slices);
    if (s == NULL)
        return GW_ENOMEM;
    *s = (struct gw_slice){ .block = gw_block_ref(block), .ptr = ptr, .len = len };
    link_last(c, s);
    GW_ASSERT_SLOW(gw_chain_check(c));
    return GW_OK;
}

/* An empty slice of an empty block; NULL: no memory. */
static struct gw_slice *fresh_slice(struct gw_chain *c)
{
    struct gw_slice *s = gw_slab_take(&c->pool->slices);
    if (s == NULL)
        return NULL;
    struct gw_block *block = gw_block_take(c->pool, c->reserve);
    if (block == NULL) {
        gw_slab_give(&c->pool->slices, s);
        return NULL;
    }
    *s = (struct gw_slice){ .block = block, .ptr = block->bytes };
    return s;
}

/* Copies as much as fits behind the chain's last slice; returns how much. */
static size_t fill_last(struct gw_chain *c, const uint8_t *bytes, size_t len)
{
    struct gw_slice *s = c->last;
    size_t room = gw_chain_tail(c);
    size_t n = len < room ? len : room;
    if (n == 0)
        return 0;
    memcpy(end_of(s), bytes, n);
    gw_block_filled(s->block, (uint32_t)n);
    s->len += n;
    c->len += n;
    return n;
}

/* The slow way of write: takes all blocks first, so that a refusal changes nothing. */
static gw_status write_blocks(struct gw_chain *c, const uint8_t *bytes, size_t len)
{
    struct gw_chain fresh = { .pool = c->pool };
    size_t room = gw_chain_tail(c);
    for (; room < len; room += c->pool->block_bytes) {
        struct gw_slice *s = fresh_slice(c);
        if (s == NULL) {
            gw_chain_clear(&fresh);
            return GW_ENOMEM;
        }
        link_last(&fresh, s);
    }
    for (;;) {
        size_t n = fill_last(c, bytes, len);
        bytes += n;
        len -= n;
        if (len == 0)
            break;
        link_last(c, unlink_first(&fresh));
    }
    GW_ASSERT(fresh.first == NULL);
    return GW_OK;
}

gw_status gw_chain_write(struct gw_chain *c, const void *bytes, size_t len)
{
    struct gw_slice *s = c->last;
    gw_status status = GW_OK;
    if (GW_LIKELY(s != NULL && len <= room_behind(s))) {
        if (len == 0)
            return GW_OK;
        memcpy(end_of(s), bytes, len);
        gw_block_filled(s->block, (uint32_t)len);
        s->len += len;
        c->len += len;
    } else if (len > 0) {
        status = write_blocks(c, bytes, len);
    }
    GW_ASSERT_SLOW(gw_chain_check(c));
    return status;
}

uint8_t *gw_chain_reserve(struct gw_chain *c, size_t len)
{
    GW_ASSERT(len <= c->pool->block_bytes);
    if (c->last != NULL && len <= room_behind(c->last))
        return end_of(c->last);
    struct gw_slice *s = fresh_slice(c);
    if (s == NULL)
        return NULL;
    link_last(c, s); /* empty until the commit */
    return s->ptr;
}

/* The last slice stayed empty. */
static void unlink_last(struct gw_chain *c)
{
    struct gw_slice *last = c->last, *before = NULL;
    for (struct gw_slice *s = c->first; s != last; s = s->next)
        before = s;
    if (before == NULL)
        c->first = NULL;
    else
        before->next = NULL;
    c->last = before;
    c->slices--;
    free_slice(c->pool, last);
}

void gw_chain_commit(struct gw_chain *c, size_t len)
{
    struct gw_slice *s = c->last;
    if (len > 0) {
        GW_ASSERT(s != NULL && len <= room_behind(s));
        gw_block_filled(s->block, (uint32_t)len);
        s->len += len;
        c->len += len;
    } else if (s != NULL && s->len == 0) {
        unlink_last(c);
    }
    GW_ASSERT_SLOW(gw_chain_check(c));
}

/* s comes to the end, or into the last slice if they touch. s is in no chain. */
static void join_last(struct gw_chain *c, struct gw_slice *s)
{
    if (do_touch(c->last, s->block, s->ptr)) {
        c->last->len += s->len;
        c->len += s->len;
        free_slice(c->pool, s);
    } else {
        link_last(c, s);
    }
}

gw_status gw_chain_move(struct gw_chain *to, struct gw_chain *from, size_t len)
{
    GW_ASSERT(to != from && to->pool == from->pool && len <= from->len);
    const struct gw_slice *split = from->first;
    size_t part = len; /* how many bytes of the slice at which the cut is */
    uint32_t whole = 0;
    for (; split != NULL && part >= split->len; split = split->next) {
        part -= split->len;
        whole++;
    }
    bool joins = whole == 0 && part > 0 && do_touch(to->last, split->block, split->ptr);
    struct gw_slice *s = NULL;
    if (part > 0 && !joins) {
        s = gw_slab_take(&from->pool->slices);
        if (s == NULL)
            return GW_ENOMEM;
    }
    for (; whole > 0; whole--)
        join_last(to, unlink_first(from));
    if (part > 0) {
        struct gw_slice *first = from->first;
        if (joins) {
            to->last->len += part;
            to->len += part;
        } else {
            *s = (struct gw_slice){ .block = gw_block_ref(first->block),
                                    .ptr = first->ptr,
                                    .len = part };
            join_last(to, s);
        }
        first->ptr += part;
        first->len -= part;
        from->len -= part;
    }
    GW_ASSERT_SLOW(gw_chain_check(to) && gw_chain_check(from));
    return GW_OK;
}

void gw_chain_move_all(struct gw_chain *to, struct gw_chain *from)
{
    GW_ASSERT(to != from && to->pool == from->pool);
    if (from->first == NULL)
        return;
    join_last(to, unlink_first(from));
    if (from->first != NULL) {
        to->last->next = from->first;
        to->last = from->last;
        to->len += from->len;
        to->slices += from->slices;
    }
    from->first = from->last = NULL;
    from->len = from->slices = 0;
    GW_ASSERT_SLOW(gw_chain_check(to));
}

void gw_chain_drop(struct gw_chain *c, size_t len)
{
    GW_ASSERT(len <= c->len);
    while (len > 0 && len >= c->first->len) {
        len -= c->first->len;
        free_slice(c->pool, unlink_first(c));
    }
    if (len > 0) {
        c->first->ptr += len;
        c->first->len -= len;
        c->len -= len;
    }
    GW_ASSERT_SLOW(gw_chain_check(c));
}

size_t gw_chain_whole(const struct gw_chain *c, size_t want)
{
    size_t n = 0;
    for (const struct gw_slice *s = c->first; s != NULL && n < want; s = s->next)
        n += s->len;
    return n;
}

size_t gw_chain_peek(const struct gw_chain *c, gw_const_span *out, size_t max)
{
    size_t n = 0;
    for (const struct gw_slice *s = c->first; s != NULL && n < max; s = s->next)
        out[n++] = (gw_const_span){ s->ptr, s->len };
    return n;
}

gw_const_span gw_chain_front(const struct gw_chain *c)
{
    return c->first == NULL ? (gw_const_span){ NULL, 0 }
                            : (gw_const_span){ c->first->ptr, c->first->len };
}

size_t gw_chain_read(const struct gw_chain *c, size_t offset, void *out, size_t len)
{
    size_t done = 0;
    for (const struct gw_slice *s = c->first; s != NULL && done < len; s = s->next) {
        if (offset >= s->len) {
            offset -= s->len;
            continue;
        }
        size_t n = s->len - offset < len - done ? s->len - offset : len - done;
        memcpy((uint8_t *)out + done, s->ptr + offset, n);
        done += n;
        offset = 0;
    }
    return done;
}

gw_status gw_chain_gather(struct gw_chain *c, size_t len, gw_const_span *out)
{
    GW_ASSERT(len <= c->len && len <= c->pool->block_bytes);
    struct gw_slice *s = c->first;
    if (s == NULL || len <= s->len) {
        *out = (gw_const_span){ s == NULL ? NULL : s->ptr, len };
        return GW_OK;
    }
    /* Behind the first slice, where that may be filled on; else into a block of its own. */
    bool is_behind = len - s->len <= room_behind(s);
    if (!is_behind) {
        s = fresh_slice(c);
        if (s == NULL)
            return GW_ENOMEM;
    }
    size_t n = len - s->len;
    gw_chain_read(c, s->len, end_of(s), n);
    gw_block_filled(s->block, (uint32_t)n);
    if (is_behind)
        unlink_first(c);
    s->len = len;
    gw_chain_drop(c, n);
    link_first(c, s);
    *out = (gw_const_span){ s->ptr, len };
    GW_ASSERT_SLOW(gw_chain_check(c));
    return GW_OK;
}

static bool has_room(const struct gw_slice *packed, size_t len)
{
    return packed != NULL && len <= room_behind(packed);
}

/* A small slice that nobody shares: its block can take the next ones, from its end on. */
static bool adopt(struct gw_slice *s)
{
    struct gw_block *b = s->block;
    if (b->refs != 1 || b->done != NULL || b->pool == NULL || b->is_held)
        return false;
    b->used = (uint32_t)(end_of(s) - b->bytes);
    b->is_packed = true;
    return true;
}

/* Puts the bytes of s behind those of packed, or into a new block. False: no memory. */
static bool pack(struct gw_chain *c, const struct gw_slice *packed, struct gw_slice *s)
{
    struct gw_block *old = s->block, *b;
    if (has_room(packed, s->len)) {
        b = gw_block_ref(packed->block);
    } else {
        b = gw_block_take(c->pool, NULL); /* what is promised is for bytes that are still to come */
        if (b == NULL)
            return false;
        b->is_packed = true;
    }
    memcpy(b->bytes + b->used, s->ptr, s->len);
    s->ptr = b->bytes + b->used;
    s->block = b;
    gw_block_filled(b, (uint32_t)s->len);
    gw_block_unref(old);
    return true;
}

void gw_chain_settle(struct gw_chain *c)
{
    struct gw_slice *packed = NULL; /* the last slice in a packed block */
    struct gw_chain settled = { .pool = c->pool, .reserve = c->reserve };
    while (c->first != NULL) {
        struct gw_slice *s = unlink_first(c);
        bool pins = s->len < s->block->size / 8 && s->len <= c->pool->block_bytes &&
                    s->block->home == NULL; /* what is reserved was packed as it came */
        if (s->block->is_packed || (pins && !has_room(packed, s->len) && adopt(s)) ||
            (pins && pack(c, packed, s)))
            packed = s;
        if (do_touch(settled.last, s->block, s->ptr) && packed == s)
            packed = settled.last;
        join_last(&settled, s);
    }
    *c = settled;
    GW_ASSERT_SLOW(gw_chain_check(c));
}

/* The chain's bytes come to the front of their block; only if nobody else views it. */
static void slide(struct gw_slice *s)
{
    struct gw_block *b = s->block;
    memmove(b->bytes, s->ptr, s->len);
    s->ptr = b->bytes;
    b->used = (uint32_t)s->len;
}

void gw_chain_pull_up(struct gw_chain *c)
{
    struct gw_slice *s = c->first;
    GW_ASSERT(c->len < c->pool->block_bytes);
    if (s == NULL)
        return;
    struct gw_block *b = s->block;
    if (s == c->last && b->refs == 1 && b->done == NULL && !b->is_held) {
        slide(s);
        return;
    }
    s = fresh_slice(c);
    if (s == NULL)
        return;
    s->len = gw_chain_read(c, 0, s->ptr, c->len);
    gw_block_filled(s->block, (uint32_t)s->len);
    gw_chain_clear(c);
    link_last(c, s);
    GW_ASSERT_SLOW(gw_chain_check(c));
}

bool gw_chain_check(const struct gw_chain *c)
{
    size_t len = 0;
    uint32_t slices = 0;
    const struct gw_slice *last = NULL;
    for (const struct gw_slice *s = c->first; s != NULL; s = s->next) {
        const struct gw_block *b = s->block;
        if (slices++ == c->slices || b->refs == 0 || b->used > b->size)
            return false;
        if (s->len == 0 || s->ptr < b->bytes || end_of(s) > b->bytes + b->used)
            return false;
        len += s->len;
        last = s;
    }
    return len == c->len && slices == c->slices && last == c->last;
}
