/* exchange/identity.c: whom a request is from, and what its upstream is told of that (docs/identity.md):
 * X-Forwarded-For, -Proto, -Host, -Port or Forwarded, X-Forwarded-Client-Cert, and Via.
 *
 * What clients say of themselves is taken off when the head is here, before any hook sees it, unless the
 * listener trusts the peer; then as much of it stays as was written by who is trusted. What this gateway
 * knows is added when the request leaves. */

#include "base/assert.h"
#include "exchange/exchange.h"
#include "http/forwarded.h"

/* Fields that are added to those of the client, which may have as many as fields_max alone. */
enum { ADDED_MAX = 6 };

#define BIT(id) (UINT64_C(1) << GW_FIELD_##id)
static const uint64_t x_forwarded = BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) |
                                    BIT(X_FORWARDED_HOST) | BIT(X_FORWARDED_PORT);

static bool is_trusted(const struct gw_link *link, const struct gw_trust *trust)
{
    gw_address address = { .kind = 0 };
    gw_str ip;

    if (trust->hops == 0 && trust->prefixes_len == 0)
        return false;
    ip = gw_link_peer_ip(link);
    if (ip.len == 0 && gw_str_starts(gw_link_peer(link), GW_STR("unix:")))
        address.kind = GW_ADDRESS_UNIX;
    else if (gw_ip_parse(ip, &address) != GW_OK)
        address.kind = 0;
    return gw_trust_has(trust, &address, 0);
}

/* Those with numbers by their bits, which says for most requests that there are none; the others by
 * name, and with '_' whoever sent them: nobody means that well. */
static void drop_fields(struct gw_fields *f, uint64_t bits, bool is_all)
{
    bool has_known = (f->seen & bits) != 0;

    for (uint32_t i = 0; i < f->count; i++) {
        struct gw_field *field = &f->at[i];
        if (field->id != GW_FIELD_UNKNOWN) {
            if (has_known && (bits >> field->id & 1) != 0)
                field->is_dropped = 1;
        } else if ((field->name.ptr[0] | 0x20) == 'x' && gw_is_forwarded_name(field->name) &&
                   (is_all || gw_str_find(field->name, '_') < field->name.len)) {
            field->is_dropped = 1;
        }
    }
}

static gw_status concatenate(struct gw_arena *arena, const gw_str *parts, size_t n, gw_str *out)
{
    size_t len = 0;
    char *at;

    for (size_t i = 0; i < n; i++)
        len += parts[i].len;
    at = gw_arena_alloc(arena, len);
    if (at == NULL)
        return GW_ENOMEM;
    *out = (gw_str){ at, len };
    for (size_t i = 0; i < n; i++)
        if (parts[i].len > 0) {
            memcpy(at, parts[i].ptr, parts[i].len);
            at += parts[i].len;
        }
    return GW_OK;
}

/* With ", " between them. */
static gw_status join(struct gw_arena *arena, const gw_str *from, uint32_t n, gw_str *out)
{
    gw_str parts[2 * GW_FORWARDED_HOPS_MAX];

    GW_ASSERT(n > 0 && n <= GW_FORWARDED_HOPS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        parts[2 * i] = from[i];
        parts[2 * i + 1] = GW_STR(", ");
    }
    return concatenate(arena, parts, 2 * (size_t)n - 1, out);
}

/* One field of what is believed takes the place of all that came. */
static gw_status keep_believed(struct gw_exchange *x, enum gw_field_id id)
{
    struct gw_fields *f = &x->request.fields;
    gw_str believed[GW_FORWARDED_HOPS_MAX], value;
    struct gw_hops hops;
    uint32_t n;

    if (gw_fields_find(f, id) == NULL)
        return GW_OK;
    gw_hops_read(f, id, &hops);
    n = gw_hops_believe(&hops, id, &x->listener->trust, &x->client);
    gw_fields_drop(f, id);
    if (n == 0)
        return GW_OK;
    for (uint32_t i = 0; i < n; i++)
        believed[i] = hops.at[n - 1 - i];
    if (join(&x->arena, believed, n, &value) != GW_OK)
        return GW_ENOMEM;
    return gw_fields_add(
        f, id, id == GW_FIELD_FORWARDED ? GW_STR("Forwarded") : GW_STR("X-Forwarded-For"), value);
}

static const struct gw_via *via_of(const struct gw_exchange *x)
{
    return x->listener->via.name.len > 0 ? &x->listener->via : &x->of->via;
}

enum gw_reason_id gw_identity_learn(struct gw_exchange *x)
{
    struct gw_fields *f = &x->request.fields;
    const struct gw_listener_conf *l = x->listener;
    bool is_rfc = l->forwarded == GW_FORWARDED_RFC7239;

    f->count_max = x->of->limits->fields_max + ADDED_MAX;
    if (gw_link_is_secure(x->down_link))
        x->request.scheme = GW_STR("https");
    if ((f->seen & BIT(VIA)) != 0 && !l->has_no_via && gw_via_has(f, via_of(x)->name))
        return GW_REASON_loop_detected;
    if (!is_trusted(x->down_link, &l->trust)) {
        drop_fields(f, x_forwarded | BIT(FORWARDED), true);
        return GW_REASON_none;
    }
    drop_fields(f, is_rfc ? x_forwarded : BIT(FORWARDED), is_rfc);
    return keep_believed(x, is_rfc ? GW_FIELD_FORWARDED : GW_FIELD_X_FORWARDED_FOR) == GW_OK
               ? GW_REASON_none
               : GW_REASON_no_memory;
}

gw_str gw_identity_client(const struct gw_exchange *x)
{
    gw_str ip = gw_link_peer_ip(x->down_link);

    if (x->client.len > 0)
        return x->client;
    return ip.len > 0 ? ip : gw_link_peer(x->down_link);
}

/* ---- what the upstream is told ---- */

static gw_str scheme_of(const struct gw_exchange *x)
{
    return gw_link_is_secure(x->down_link) ? GW_STR("https") : GW_STR("http");
}

/* Behind what is there. */
static gw_status extend(struct gw_exchange *x, enum gw_field_id id, gw_str name, gw_str value)
{
    struct gw_field *field = gw_fields_find(&x->request.fields, id);
    gw_str both[2];

    if (field == NULL)
        return gw_fields_add(&x->request.fields, id, name, value);
    both[0] = field->value;
    both[1] = value;
    return join(&x->arena, both, 2, &field->value);
}

static gw_status add_missing(struct gw_exchange *x, enum gw_field_id id, gw_str name, gw_str value)
{
    if (value.len == 0 || gw_fields_find(&x->request.fields, id) != NULL)
        return GW_OK;
    return gw_fields_add(&x->request.fields, id, name, value);
}

static gw_status add_x_forwarded(struct gw_exchange *x)
{
    gw_str ip = gw_link_peer_ip(x->down_link);
    gw_status status = GW_OK;

    if (ip.len > 0)
        status = extend(x, GW_FIELD_X_FORWARDED_FOR, GW_STR("X-Forwarded-For"), ip);
    if (status == GW_OK)
        status = add_missing(x, GW_FIELD_X_FORWARDED_PROTO, GW_STR("X-Forwarded-Proto"),
                             scheme_of(x));
    if (status == GW_OK)
        status = add_missing(x, GW_FIELD_X_FORWARDED_HOST, GW_STR("X-Forwarded-Host"),
                             x->request.authority);
    if (status == GW_OK)
        status = add_missing(x, GW_FIELD_X_FORWARDED_PORT, GW_STR("X-Forwarded-Port"),
                             gw_link_local_port(x->down_link));
    return status;
}

/* for="[::1]";host="a:80";proto=http. An authority has nothing that quotes would have to hide. */
static gw_status add_forwarded(struct gw_exchange *x)
{
    gw_str ip = gw_link_peer_ip(x->down_link), host = x->request.authority;
    bool is_ipv6 = gw_str_find(ip, ':') < ip.len;
    gw_str parts[] = {
        GW_STR("for="),
        is_ipv6 ? GW_STR("\"[") : GW_STR(""),
        ip.len > 0 ? ip : GW_STR("unknown"),
        is_ipv6 ? GW_STR("]\"") : GW_STR(""),
        host.len > 0 ? GW_STR(";host=\"") : GW_STR(""),
        host,
        host.len > 0 ? GW_STR("\"") : GW_STR(""),
        GW_STR(";proto="),
        scheme_of(x),
    };
    gw_str value;

    if (concatenate(&x->arena, parts, sizeof parts / sizeof *parts, &value) != GW_OK)
        return GW_ENOMEM;
    return extend(x, GW_FIELD_FORWARDED, GW_STR("Forwarded"), value);
}

static gw_str via_element(const struct gw_exchange *x)
{
    enum gw_via_version version = x->down.is_http10 ? GW_VIA_10 : GW_VIA_11;

    if (x->down_link->codec->ops->protocol == GW_PROTO_H2)
        version = GW_VIA_20;
    return via_of(x)->element[version];
}

static char *put(char *at, gw_str text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* "name: value" CRLF, if there is a value. */
static char *put_line(char *at, gw_str name, gw_str value)
{
    if (value.len == 0)
        return at;
    at = put(put(at, name), value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* What nearly every request to HTTP/1 needs, put together in one piece, which is written as it is: it
 * costs a fourth of what fields do. All of it was checked where it came from. */
static gw_status add_lines(struct gw_exchange *x)
{
    enum { NAMES_BYTES = 128 };
    gw_str ip = gw_link_peer_ip(x->down_link), port = gw_link_local_port(x->down_link);
    gw_str host = x->request.authority;
    gw_str via = x->listener->has_no_via ? (gw_str){ NULL, 0 } : via_element(x);
    char *start = gw_arena_alloc(&x->arena, NAMES_BYTES + ip.len + host.len + port.len + via.len);
    char *at = start;

    if (start == NULL)
        return GW_ENOMEM;
    at = put_line(at, GW_STR("X-Forwarded-For: "), ip);
    at = put_line(at, GW_STR("X-Forwarded-Proto: "), scheme_of(x));
    at = put_line(at, GW_STR("X-Forwarded-Host: "), host);
    at = put_line(at, GW_STR("X-Forwarded-Port: "), port);
    at = put_line(at, GW_STR("Via: "), via);
    x->request.lines = (gw_str){ start, (size_t)(at - start) };
    return GW_OK;
}

static bool is_usual(const struct gw_exchange *x)
{
    return x->listener->forwarded == GW_FORWARDED_X && x->cluster->protocol == GW_PROTO_H1 &&
           (x->request.fields.seen & x_forwarded) == 0;
}

/* A value in quotes is whatever it may be: '"' and '\\' have a '\\' before them. */
static gw_status quote(struct gw_arena *arena, gw_str text, gw_str *out)
{
    char *start = gw_arena_alloc(arena, 2 * text.len + 2), *at = start;

    if (start == NULL)
        return GW_ENOMEM;
    *at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            *at++ = '\\';
        *at++ = text.ptr[i];
    }
    *at++ = '"';
    *out = (gw_str){ start, (size_t)(at - start) };
    return GW_OK;
}

/* Whose certificate was verified: URI="spiffe://d/x", DNS="a.test" or Subject="CN=x". */
static gw_status add_certificate(struct gw_exchange *x, gw_str who)
{
    bool is_uri = gw_str_find(who, ':') < who.len && !gw_str_starts(who, GW_STR("CN="));
    gw_str parts[2], value;

    parts[0] = gw_str_starts(who, GW_STR("CN=")) ? GW_STR("Subject=")
               : is_uri                          ? GW_STR("URI=")
                                                 : GW_STR("DNS=");
    if (quote(&x->arena, who, &parts[1]) != GW_OK ||
        concatenate(&x->arena, parts, 2, &value) != GW_OK)
        return GW_ENOMEM;
    return gw_fields_add(&x->request.fields, GW_FIELD_UNKNOWN, GW_STR("X-Forwarded-Client-Cert"),
                         value);
}

static gw_status tell_certificate(struct gw_exchange *x)
{
    gw_str who = gw_link_identity(x->down_link);

    return who.len > 0 ? add_certificate(x, who) : GW_OK;
}

gw_status gw_identity_tell(struct gw_exchange *x)
{
    const struct gw_listener_conf *l = x->listener;
    gw_status status = GW_OK;

    if (GW_UNLIKELY(gw_link_is_secure(x->down_link)) && l->forwarded != 0)
        status = tell_certificate(x);
    if (status != GW_OK)
        return status;
    if (is_usual(x))
        return add_lines(x);
    if (l->forwarded == GW_FORWARDED_X)
        status = add_x_forwarded(x);
    else if (l->forwarded == GW_FORWARDED_RFC7239)
        status = add_forwarded(x);
    if (status != GW_OK || l->has_no_via)
        return status;
    return gw_fields_add(&x->request.fields, GW_FIELD_VIA, GW_STR("Via"), via_element(x));
}
