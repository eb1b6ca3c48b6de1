/* http/check.c: the rules of HTTP that hold whatever the protocol, and how long a body is. */

#include "http/check.h"

#include "base/assert.h"
#include "http/chars.h"
#include "http/target.h"

/* The largest length that is believed: what a signed 64-bit number can say. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

bool gw_is_token(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!gw_char_is(s.ptr[i], GW_CHAR_TOKEN))
            return false;
    return s.len > 0;
}

bool gw_is_lower_name(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((gw_char_classes[(unsigned char)s.ptr[i]] & (GW_CHAR_TOKEN | GW_CHAR_UPPER)) !=
            GW_CHAR_TOKEN)
            return false;
    return s.len > 0;
}

/* Is any of eight bytes under 0x20, or 0x7f? (Tab is, too: then one looks closer.) */
static bool has_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    uint64_t low = (word - ones * 0x20) & ~word;
    uint64_t del = word ^ ones * 0x7f;
    return ((low | ((del - ones) & ~del)) & highs) != 0;
}

static bool is_value_slowly(gw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!gw_char_is(s.ptr[i], GW_CHAR_VALUE))
            return false;
    return true;
}

/* Eight bytes a turn; the last turn looks at some twice. */
static bool has_no_control(const char *p, size_t len)
{
    uint64_t word;
    for (; len > sizeof word; p += sizeof word, len -= sizeof word) {
        memcpy(&word, p, sizeof word);
        if (has_control(word))
            return false;
    }
    memcpy(&word, p + len - sizeof word, sizeof word);
    return !has_control(word);
}

bool gw_is_field_value(gw_str s)
{
    if (s.len == 0)
        return true;
    char first = s.ptr[0], last = s.ptr[s.len - 1];
    if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
        return false;
    if (s.len >= sizeof(uint64_t) && has_no_control(s.ptr, s.len))
        return true;
    return is_value_slowly(s);
}

/* Content-Length: several that agree count as one (RFC 9110 8.6); a list in one field does not. */
static bool read_length(const struct gw_fields *f, bool *has_length, uint64_t *length)
{
    uint32_t i = 0;
    *has_length = false;
    if (gw_fields_find(f, GW_FIELD_CONTENT_LENGTH) == NULL)
        return true;
    for (const struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;) {
        uint64_t n;
        if (field->id != GW_FIELD_CONTENT_LENGTH)
            continue;
        if (gw_parse_u64(field->value, &n) != GW_OK || n > LENGTH_MAX)
            return false;
        if (*has_length && n != *length)
            return false;
        *has_length = true;
        *length = n;
    }
    return true;
}

/* Only exactly "chunked" is read. A list of known grammar that holds other codings, and chunked
 * nowhere but last, is coding_unknown; the rest is ambiguous. */
static enum gw_reason_id check_coding(const struct gw_fields *f)
{
    const struct gw_field *field = gw_fields_find(f, GW_FIELD_TRANSFER_ENCODING);
    gw_str chunked = GW_STR("chunked"), rest = field->value, element;
    if (gw_fields_count(f, GW_FIELD_TRANSFER_ENCODING) != 1)
        return GW_REASON_bad_framing;
    if (gw_str_eq_nocase(field->value, chunked))
        return GW_REASON_none;
    bool was_chunked = false, is_other = false;
    while (gw_str_next_element(&rest, &element)) {
        if (was_chunked || !gw_is_token(element))
            return GW_REASON_bad_framing;
        was_chunked = gw_str_eq_nocase(element, chunked);
        is_other = is_other || !was_chunked;
    }
    return is_other ? GW_REASON_coding_unknown : GW_REASON_bad_framing;
}

static enum gw_reason_id check_expect(const struct gw_fields *f)
{
    uint32_t i = 0;
    if (gw_fields_find(f, GW_FIELD_EXPECT) == NULL)
        return GW_REASON_none;
    for (const struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;)
        if (field->id == GW_FIELD_EXPECT && !gw_str_eq_nocase(field->value, GW_STR("100-continue")))
            return GW_REASON_expectation_unknown;
    return GW_REASON_none;
}

/* RFC 9112 6.3, for requests. */
static enum gw_reason_id frame_h1_request(struct gw_message *m)
{
    const struct gw_fields *f = &m->fields;
    bool has_length, has_coding = gw_fields_find(f, GW_FIELD_TRANSFER_ENCODING) != NULL;
    uint64_t length = 0;
    if (!read_length(f, &has_length, &length))
        return GW_REASON_bad_framing;
    if (has_coding && (has_length || m->is_http10))
        return GW_REASON_bad_framing;
    if (m->method == GW_METHOD_CONNECT) {
        if (has_length || has_coding)
            return GW_REASON_bad_framing;
        m->body = GW_BODY_TUNNEL;
        return GW_REASON_none;
    }
    m->body = has_coding ? GW_BODY_UNKNOWN : has_length ? GW_BODY_LENGTH : GW_BODY_NONE;
    m->length = length;
    return has_coding ? check_coding(f) : GW_REASON_none;
}

/* One Host, needed in HTTP/1.1, never malformed; what an absolute target says goes before it. */
static enum gw_reason_id check_host(struct gw_message *m)
{
    uint32_t count = gw_fields_count(&m->fields, GW_FIELD_HOST);
    if (count > 1 || (count == 0 && !m->is_http10))
        return GW_REASON_bad_host;
    if (count == 0)
        return GW_REASON_none;
    gw_str host = gw_fields_find(&m->fields, GW_FIELD_HOST)->value;
    if (!gw_authority_is_valid(host))
        return GW_REASON_bad_host;
    if (m->authority.len == 0)
        m->authority = host;
    return GW_REASON_none;
}

/* protocol-name ["/" protocol-version] (RFC 9110 7.8) */
static bool is_protocol(gw_str s)
{
    size_t slash = gw_str_find(s, '/');
    if (slash == s.len)
        return gw_is_token(s);
    return gw_is_token(gw_str_slice(s, 0, slash)) && gw_is_token(gw_str_slice(s, slash + 1, s.len));
}

/* The one protocol that Upgrade offers or has chosen; empty: none that we would speak of. */
static gw_str upgrade_of(const struct gw_message *m)
{
    gw_str none = { NULL, 0 };
    const struct gw_fields *f = &m->fields;
    const struct gw_field *field = gw_fields_find(f, GW_FIELD_UPGRADE);
    if (field == NULL || m->is_http10 || gw_fields_count(f, GW_FIELD_UPGRADE) != 1)
        return none;
    if (!is_protocol(field->value) || gw_str_eq_nocase(field->value, GW_STR("h2c")))
        return none;
    return gw_fields_has_token(f, GW_FIELD_CONNECTION, GW_STR("upgrade")) ? field->value : none;
}

enum gw_reason_id gw_check_h1_request(struct gw_message *m)
{
    m->method = (uint8_t)gw_method_of(m->method_text);
    enum gw_reason_id reason = gw_target_parse(m, m->target);
    if (reason == GW_REASON_none)
        reason = check_host(m);
    if (reason == GW_REASON_none)
        reason = frame_h1_request(m);
    if (reason != GW_REASON_none)
        return reason;
    if (m->is_http10) /* RFC 9110 10.1.1: ignored */
        gw_fields_drop(&m->fields, GW_FIELD_EXPECT);
    /* With a body in front of the new protocol one could disagree about where that begins. */
    if (m->body == GW_BODY_NONE || (m->body == GW_BODY_LENGTH && m->length == 0))
        m->protocol = upgrade_of(m);
    return check_expect(&m->fields);
}

/* A response without a body: what the framing fields may say all the same. */
static enum gw_reason_id frame_h1_empty(struct gw_message *m, bool has_coding, bool has_length,
                                        uint64_t length)
{
    m->body = GW_BODY_NONE;
    if (m->code >= 200 && m->code != 204) { /* to HEAD, or 304: as a GET would have been answered */
        m->has_length = has_length;
        m->length = length;
        return GW_REASON_none;
    }
    /* RFC 9112 6.1, RFC 9110 8.6: neither may be there. A zero is common and harmless. */
    return has_coding || length > 0 ? GW_REASON_upstream_bad_response : GW_REASON_none;
}

/* RFC 9112 6.3, for responses. */
static enum gw_reason_id frame_h1_response(struct gw_message *m, enum gw_method method)
{
    const struct gw_fields *f = &m->fields;
    bool has_length, has_coding = gw_fields_find(f, GW_FIELD_TRANSFER_ENCODING) != NULL;
    uint64_t length = 0;
    if (!read_length(f, &has_length, &length))
        return GW_REASON_upstream_bad_response;
    if (has_coding && (has_length || m->is_http10 || check_coding(f) != GW_REASON_none))
        return GW_REASON_upstream_bad_response;
    if (method == GW_METHOD_CONNECT && m->code >= 200 && m->code < 300) {
        m->body = GW_BODY_TUNNEL;
        return GW_REASON_none;
    }
    if (!gw_response_has_body(method, m->code))
        return frame_h1_empty(m, has_coding, has_length, length);
    m->body = has_length ? GW_BODY_LENGTH : GW_BODY_UNKNOWN;
    m->length = length;
    return GW_REASON_none;
}

enum gw_reason_id gw_check_h1_response(struct gw_message *m, enum gw_method request_method)
{
    if (m->code < 100 || m->code > 599)
        return GW_REASON_upstream_bad_response;
    enum gw_reason_id reason = frame_h1_response(m, request_method);
    if (reason != GW_REASON_none || m->code != 101)
        return reason;
    m->protocol = upgrade_of(m);
    m->body = GW_BODY_TUNNEL;
    return m->protocol.len > 0 ? GW_REASON_none : GW_REASON_upstream_bad_response;
}

/* Names, values, and what HTTP/2 forbids (RFC 9113 8.2). */
static enum gw_reason_id check_h2_fields(const struct gw_fields *f)
{
    uint32_t i = 0;
    for (const struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;) {
        if (field->name.len > 0 && field->name.ptr[0] == ':')
            return GW_REASON_bad_pseudo_field;
        bool is_ours = field->id != GW_FIELD_UNKNOWN &&
                       field->name.ptr == gw_field_name(field->id).ptr; /* the codec knew it */
        if ((!is_ours && !gw_is_lower_name(field->name)) || !gw_is_field_value(field->value))
            return GW_REASON_bad_field;
        switch (field->id) {
        case GW_FIELD_CONNECTION:
        case GW_FIELD_KEEP_ALIVE:
        case GW_FIELD_PROXY_CONNECTION:
        case GW_FIELD_TRANSFER_ENCODING:
        case GW_FIELD_UPGRADE:
            return GW_REASON_bad_connection_field;
        case GW_FIELD_TE:
            if (!gw_str_eq_nocase(field->value, GW_STR("trailers")))
                return GW_REASON_bad_connection_field;
            break;
        default:
            break;
        }
    }
    return GW_REASON_none;
}

/* "; " between the crumbs, in one field where the first one was (RFC 9113 8.2.3). */
static enum gw_reason_id join_cookies(struct gw_fields *f)
{
    uint32_t count = gw_fields_count(f, GW_FIELD_COOKIE), i = 0;
    size_t len = 0;
    if (count < 2)
        return GW_REASON_none;
    for (const struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;)
        if (field->id == GW_FIELD_COOKIE)
            len += field->value.len + 2;
    if (len > f->arena->used_max - f->arena->used)
        return GW_REASON_head_too_large;
    char *joined = gw_arena_alloc(f->arena, len), *at = joined;
    if (joined == NULL)
        return GW_REASON_no_memory;
    struct gw_field *first = gw_fields_find(f, GW_FIELD_COOKIE);
    i = 0;
    for (struct gw_field *field; (field = gw_fields_next(f, &i)) != NULL;) {
        if (field->id != GW_FIELD_COOKIE)
            continue;
        if (at != joined) {
            memcpy(at, "; ", 2);
            at += 2;
        }
        if (field->value.len > 0)
            memcpy(at, field->value.ptr, field->value.len);
        at += field->value.len;
        field->is_dropped = field != first;
    }
    first->value = (gw_str){ joined, (size_t)(at - joined) };
    return GW_REASON_none;
}

static enum gw_reason_id check_h2_authority(struct gw_message *m)
{
    uint32_t count = gw_fields_count(&m->fields, GW_FIELD_HOST);
    gw_str host = { NULL, 0 };
    if (count > 1)
        return GW_REASON_bad_host;
    if (count == 1)
        host = gw_fields_find(&m->fields, GW_FIELD_HOST)->value;
    if (m->authority.len == 0)
        m->authority = host;
    if (!gw_authority_is_valid(m->authority))
        return GW_REASON_bad_host;
    if (count == 1 && !gw_str_eq_nocase(host, m->authority))
        return GW_REASON_bad_host;
    return GW_REASON_none;
}

/* RFC 9113 8.3.1, 8.5; RFC 8441 4. */
static enum gw_reason_id check_h2_pseudo(struct gw_message *m)
{
    gw_str http = GW_STR("http"), https = GW_STR("https");
    if (!gw_is_token(m->method_text))
        return GW_REASON_bad_pseudo_field;
    m->method = (uint8_t)gw_method_of(m->method_text);
    if (m->protocol.len > 0 &&
        (m->method != GW_METHOD_CONNECT || !gw_is_token(m->protocol) || m->authority.len == 0))
        return GW_REASON_bad_pseudo_field;
    if (m->method == GW_METHOD_CONNECT && m->protocol.len == 0) {
        if (m->scheme.len != 0 || m->target.len != 0 || m->authority.len == 0)
            return GW_REASON_bad_pseudo_field;
        m->scheme = http;
        return gw_target_parse(m, m->authority);
    }
    if (gw_str_eq_nocase(m->scheme, https))
        m->scheme = https;
    else if (gw_str_eq_nocase(m->scheme, http))
        m->scheme = http;
    else
        return GW_REASON_bad_pseudo_field;
    if (m->target.len == 0 || (m->target.ptr[0] != '/' && m->target.ptr[0] != '*'))
        return GW_REASON_bad_pseudo_field;
    return gw_target_parse(m, m->target);
}

enum gw_reason_id gw_check_h2_request(struct gw_message *m, bool is_end)
{
    bool has_length;
    uint64_t length = 0;
    enum gw_reason_id reason = check_h2_fields(&m->fields);
    if (reason == GW_REASON_none)
        reason = check_h2_pseudo(m);
    if (reason == GW_REASON_none)
        reason = check_h2_authority(m);
    if (reason == GW_REASON_none)
        reason = join_cookies(&m->fields);
    if (reason == GW_REASON_none)
        reason = check_expect(&m->fields);
    if (reason != GW_REASON_none)
        return reason;
    if (!read_length(&m->fields, &has_length, &length))
        return GW_REASON_bad_length;
    if (m->method == GW_METHOD_CONNECT) {
        m->body = GW_BODY_TUNNEL;
        return has_length ? GW_REASON_bad_length : GW_REASON_none;
    }
    if (is_end && length > 0)
        return GW_REASON_bad_length;
    m->body = has_length ? GW_BODY_LENGTH : is_end ? GW_BODY_NONE : GW_BODY_UNKNOWN;
    m->length = length;
    return GW_REASON_none;
}

enum gw_reason_id gw_check_h2_response(struct gw_message *m, enum gw_method request_method,
                                       bool is_end)
{
    bool has_length;
    uint64_t length = 0;
    /* 101 is not of HTTP/2 (RFC 9113 8.6); an informational head does not end a stream. */
    if (m->code < 100 || m->code > 599 || m->code == 101 || (m->code < 200 && is_end) ||
        check_h2_fields(&m->fields) != GW_REASON_none ||
        !read_length(&m->fields, &has_length, &length))
        return GW_REASON_upstream_bad_response;
    if (request_method == GW_METHOD_CONNECT && m->code >= 200 && m->code < 300) {
        m->body = GW_BODY_TUNNEL;
        return GW_REASON_none;
    }
    m->length = length;
    if (!gw_response_has_body(request_method, m->code)) {
        m->body = GW_BODY_NONE;
        m->has_length = has_length && m->code >= 200 && m->code != 204;
        if (!m->has_length)
            m->length = 0;
        return GW_REASON_none;
    }
    if (is_end && length > 0)
        return GW_REASON_upstream_bad_response;
    m->body = has_length ? GW_BODY_LENGTH : is_end ? GW_BODY_NONE : GW_BODY_UNKNOWN;
    return GW_REASON_none;
}

enum gw_reason_id gw_check_trailers(struct gw_message *m)
{
    for (uint32_t i = 0; i < m->fields.count; i++) {
        struct gw_field *field = &m->fields.at[i];
        if (!gw_is_token(field->name) || !gw_is_field_value(field->value))
            return GW_REASON_bad_trailers;
        if ((field->flags & (GW_FIELD_NO_TRAILER | GW_FIELD_HOP)) != 0)
            field->is_dropped = 1;
    }
    return GW_REASON_none;
}

enum gw_reason_id gw_check_h2_trailers(struct gw_message *m)
{
    if (check_h2_fields(&m->fields) != GW_REASON_none)
        return GW_REASON_bad_trailers;
    return gw_check_trailers(m);
}
