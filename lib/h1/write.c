/* h1/write.c: composes heads in one piece at the end of the chain where a block can hold them, else
 * in a chain of their own that is then moved over. */

#include "h1/write.h"

#include "base/assert.h"
#include "http/chars.h"
#include "http/check.h"

/* Where text goes: straight to memory, or through a chain. */
struct out {
    char *at, *end; /* at NULL: through the chain */
    struct gw_chain *chain;
    gw_status status;
};

static void put(struct out *o, gw_str s)
{
    if (s.len == 0)
        return;
    if (o->at != NULL) {
        GW_ASSERT(s.len <= (size_t)(o->end - o->at));
        memcpy(o->at, s.ptr, s.len);
        o->at += s.len;
    } else if (o->status == GW_OK) {
        o->status = gw_chain_write_str(o->chain, s);
    }
}

static void put_u64(struct out *o, uint64_t n)
{
    char text[GW_U64_TEXT_MAX];
    put(o, (gw_str){ text, gw_format_u64(n, text) });
}

/* The rules of head.c, from the other side: what is wrong here was let through by a setter or by
 * another codec. The cheap part always, the rest where tests ask for it. */
static void put_field(struct out *o, gw_str name, gw_str value)
{
    GW_ASSERT(gw_is_field_value(value));
    GW_ASSERT(name.len > 0);
    GW_ASSERT_SLOW(gw_is_token(name));
    if (o->at != NULL) {
        char *at = o->at;
        GW_ASSERT(name.len + value.len + 4 <= (size_t)(o->end - at));
        memcpy(at, name.ptr, name.len);
        at += name.len;
        *at++ = ':';
        *at++ = ' ';
        if (value.len > 0)
            memcpy(at, value.ptr, value.len);
        at += value.len;
        *at++ = '\r';
        *at++ = '\n';
        o->at = at;
        return;
    }
    put(o, name);
    put(o, GW_STR(": "));
    put(o, value);
    put(o, GW_STR("\r\n"));
}

/* Fields that the writer makes itself, or that are about another connection: they were taken off
 * (http/hop.h); what a host put there all the same is passed over. */
static bool is_passed_over(const struct gw_message *m, const struct gw_field *field)
{
    if (m->kind == GW_MESSAGE_TRAILERS)
        return (field->flags & (GW_FIELD_HOP | GW_FIELD_NO_TRAILER)) != 0;
    if ((field->flags & GW_FIELD_HOP) != 0)
        return field->id != GW_FIELD_TE || m->kind != GW_MESSAGE_REQUEST;
    return field->id == GW_FIELD_CONTENT_LENGTH ||
           (field->id == GW_FIELD_HOST && m->kind == GW_MESSAGE_REQUEST);
}

static void put_fields(struct out *o, const struct gw_message *m)
{
    uint32_t i = 0;
    for (const struct gw_field *field; (field = gw_fields_next(&m->fields, &i)) != NULL;)
        if (!is_passed_over(m, field))
            put_field(o, field->name, field->value);
}

static size_t size_of_fields(const struct gw_message *m)
{
    size_t size = 0;
    uint32_t i = 0;
    for (const struct gw_field *field; (field = gw_fields_next(&m->fields, &i)) != NULL;)
        size += field->name.len + field->value.len + 4;
    return size;
}

/* Connection (RFC 9110 7.6.1) names what stands beside it: Upgrade, TE. */
static void put_connection(struct out *o, const struct gw_message *m,
                           const struct gw_h1_head_spec *spec)
{
    bool has_te = m->kind == GW_MESSAGE_REQUEST && gw_fields_find(&m->fields, GW_FIELD_TE) != NULL;
    gw_str first = spec->upgrade.len > 0 ? GW_STR("upgrade")
                   : spec->is_close      ? GW_STR("close")
                   : spec->is_keep_alive ? GW_STR("keep-alive")
                                         : GW_STR("");
    if (first.len > 0 || has_te) {
        put(o, GW_STR("Connection: "));
        put(o, first);
        if (has_te)
            put(o, first.len > 0 ? GW_STR(", TE") : GW_STR("TE"));
        put(o, GW_STR("\r\n"));
    }
    if (spec->upgrade.len > 0)
        put_field(o, GW_STR("Upgrade"), spec->upgrade);
}

static void put_rest(struct out *o, const struct gw_message *m, const struct gw_h1_head_spec *spec)
{
    put_fields(o, m);
    put(o, m->lines);
    if (spec->framing == GW_H1_FRAMING_LENGTH) {
        put(o, GW_STR("Content-Length: "));
        put_u64(o, spec->length);
        put(o, GW_STR("\r\n"));
    } else if (spec->framing == GW_H1_FRAMING_CHUNKED) {
        put(o, GW_STR("Transfer-Encoding: chunked\r\n"));
    }
    put_connection(o, m, spec);
    put(o, GW_STR("\r\n"));
}

/* All that is in a head beside its own texts: the words of the first line, Content-Length with its
 * digits, Connection, Upgrade, and the longest phrase. */
enum { FIXED_BYTES = 256 };

/* Readies o for size bytes at most. */
static gw_status begin(struct out *o, struct gw_chain *tx, struct gw_chain *own, size_t size)
{
    *o = (struct out){ .chain = own };
    gw_chain_init(own, tx->pool);
    if (size > tx->pool->block_bytes)
        return GW_OK;
    o->at = (char *)gw_chain_reserve(tx, size);
    if (o->at == NULL)
        return GW_ENOMEM;
    o->end = o->at + size;
    return GW_OK;
}

static gw_status end(struct out *o, struct gw_chain *tx, const char *start)
{
    if (o->at != NULL) {
        gw_chain_commit(tx, (size_t)(o->at - start));
        return GW_OK;
    }
    if (o->status == GW_OK)
        gw_chain_move_all(tx, o->chain);
    gw_chain_clear(o->chain);
    return o->status;
}

static void assert_target(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        GW_ASSERT_SLOW(gw_char_is(s.ptr[i], GW_CHAR_TARGET));
}

static void put_target(struct out *o, const struct gw_message *m)
{
    gw_str target = m->method == GW_METHOD_CONNECT ? m->authority : m->path;
    GW_ASSERT(target.len > 0);
    assert_target(target);
    put(o, target);
    if (m->query.ptr != NULL && m->method != GW_METHOD_CONNECT) {
        assert_target(m->query);
        put(o, GW_STR("?"));
        put(o, m->query);
    }
}

gw_status gw_h1_write_request(struct gw_chain *tx, const struct gw_message *m,
                              const struct gw_h1_head_spec *spec)
{
    struct gw_chain own;
    struct out o;
    size_t size = FIXED_BYTES + m->method_text.len + m->path.len + m->query.len +
                  2 * m->authority.len + spec->upgrade.len + m->lines.len + size_of_fields(m);
    gw_status status = begin(&o, tx, &own, size);
    if (status != GW_OK)
        return status;
    const char *start = o.at;
    GW_ASSERT(m->kind == GW_MESSAGE_REQUEST && gw_is_token(m->method_text));
    put(&o, m->method_text);
    put(&o, GW_STR(" "));
    put_target(&o, m);
    put(&o, GW_STR(" HTTP/1.1\r\n"));
    put_field(&o, GW_STR("Host"), m->authority);
    put_rest(&o, m, spec);
    return end(&o, tx, start);
}

gw_status gw_h1_write_response(struct gw_chain *tx, const struct gw_message *m,
                               const struct gw_h1_head_spec *spec)
{
    struct gw_chain own;
    struct out o;
    size_t size = FIXED_BYTES + spec->upgrade.len + size_of_fields(m);
    gw_status status = begin(&o, tx, &own, size);
    if (status != GW_OK)
        return status;
    const char *start = o.at;
    GW_ASSERT(m->kind == GW_MESSAGE_RESPONSE && m->code >= 100 && m->code <= 599);
    put(&o, GW_STR("HTTP/1.1 "));
    put_u64(&o, m->code);
    put(&o, GW_STR(" "));
    put(&o, gw_cstr(gw_code_phrase(m->code)));
    put(&o, GW_STR("\r\n"));
    put_rest(&o, m, spec);
    return end(&o, tx, start);
}

gw_str gw_h1_size_line(char *buffer, uint64_t len, bool has_crlf)
{
    size_t n = 0;
    GW_ASSERT(len > 0 && len <= UINT64_C(1) << 60);
    if (has_crlf) {
        buffer[n++] = '\r';
        buffer[n++] = '\n';
    }
    n += gw_format_hex_u64(len, buffer + n);
    buffer[n++] = '\r';
    buffer[n++] = '\n';
    GW_ASSERT(n <= GW_H1_SIZE_LINE_MAX);
    return (gw_str){ buffer, n };
}

void gw_h1_spare_fini(struct gw_h1_spare *f)
{
    gw_block_unref(f->block);
    f->block = NULL;
}

gw_status gw_h1_write_framing(struct gw_chain *tx, struct gw_h1_spare *f, gw_str text)
{
    if (f->block == NULL || f->block->size - f->block->used < text.len) {
        if (f->block != NULL && f->block->refs == 1) { /* all of it has left */
            f->block->used = 0;
        } else {
            struct gw_block *fresh = gw_block_take(tx->pool, tx->reserve);
            if (fresh == NULL)
                return GW_ENOMEM;
            gw_h1_spare_fini(f);
            f->block = fresh;
        }
    }
    struct gw_block *block = f->block;
    uint8_t *at = block->bytes + block->used;
    memcpy(at, text.ptr, text.len);
    gw_block_filled(block, (uint32_t)text.len);
    /* If this fails the bytes stay unused in the block, and are written again elsewhere. */
    return gw_chain_append(tx, block, at, text.len);
}

gw_status gw_h1_write_last(struct gw_chain *tx, const struct gw_message *trailers, bool has_crlf)
{
    struct gw_chain own;
    struct out o;
    size_t size = 16 + (trailers != NULL ? size_of_fields(trailers) : 0);
    gw_status status = begin(&o, tx, &own, size);
    if (status != GW_OK)
        return status;
    const char *start = o.at;
    if (has_crlf)
        put(&o, GW_STR("\r\n"));
    put(&o, GW_STR("0\r\n"));
    if (trailers != NULL) {
        GW_ASSERT(trailers->kind == GW_MESSAGE_TRAILERS);
        put_fields(&o, trailers);
    }
    put(&o, GW_STR("\r\n"));
    return end(&o, tx, start);
}
