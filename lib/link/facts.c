/* link/facts.c: what is known of both ends of a connection, as its host has said: their names, and what
 * came under TLS before it. In one piece of the heap. */

#include <string.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/spec.h"
#include "link/conn.h"

enum { NAME_MAX = 128 };

/* Text: the peer's, a zero byte, the local one's, a zero byte; and if it came under TLS: a byte that says
 * whether the peer was verified, then of each fact of TLS two bytes of length, and its text. */
struct gw_link_facts {
    uint16_t peer_len, local_len;
    uint16_t ip_at, ip_len; /* the address in peer; len 0: it is none such  */
    uint16_t port_at;       /* in local; 0: it has none                     */
    uint16_t tls_len;       /* 0: it did not come under TLS                 */
    char text[];
};

/* The facts of TLS, in this order. X(field, longest) */
#define TLS_FACTS(X)                                                                               \
    X(server_name, 255)                                                                            \
    X(alpn, 32)                                                                                    \
    X(tls_version, 32)                                                                             \
    X(cipher, 64)                                                                                  \
    X(peer_identity, 512)

enum { COUNT_LEN = sizeof(uint16_t) };

static size_t tls_size(const gw_facts *f)
{
#define SIZE(field, max) +COUNT_LEN + f->field.len
    return f->is_secure != 0 ? 1 TLS_FACTS(SIZE) : 0;
#undef SIZE
}

static size_t size_of(const struct gw_link_facts *facts)
{
    return sizeof *facts + facts->peer_len + facts->local_len + 2 + facts->tls_len;
}

/* ---- are they right? ---- */

/* They may get into a log, or into a field. */
static bool is_text(gw_str s, size_t max)
{
    if (s.len > max || (s.len > 0 && s.ptr == NULL))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool are_texts(const gw_facts *f)
{
#define IS_TEXT(field, max) &&is_text(f->field, max)
    return true TLS_FACTS(IS_TEXT);
#undef IS_TEXT
}

static bool has_tls_facts(const gw_facts *f)
{
#define LEN(field, max) +f->field.len
    return f->is_verified != 0 || 0 TLS_FACTS(LEN) > 0;
#undef LEN
}

/* What was agreed on is what is spoken (RFC 7301). 0: nothing was; UINT32_MAX: nothing that is here. */
static uint32_t protocol_of(gw_str alpn)
{
    if (alpn.len == 0)
        return 0;
    if (gw_str_eq(alpn, GW_STR("h2")))
        return GW_PROTO_H2;
    if (gw_str_eq(alpn, GW_STR("http/1.1")) || gw_str_eq(alpn, GW_STR("http/1.0")))
        return GW_PROTO_H1;
    return UINT32_MAX;
}

gw_status gw_facts_check(gw_facts *facts)
{
    uint32_t agreed = protocol_of(facts->alpn);

    if (facts->is_secure > 1 || facts->is_verified > 1 || !are_texts(facts) ||
        (facts->is_secure == 0 && has_tls_facts(facts)))
        return GW_EINVAL;
    if (agreed == UINT32_MAX || (agreed != 0 && facts->protocol != 0 && agreed != facts->protocol))
        return GW_EINVAL;
    if (agreed != 0)
        facts->protocol = agreed;
    return GW_OK;
}

/* ---- kept ---- */

/* Hosts may say what they like, also "10.0.0.1" alone. */
static void find_parts(struct gw_link_facts *facts, gw_str peer, gw_str local)
{
    gw_address address;
    bool has_port = gw_address_parse(peer, &address) == GW_OK;

    if (has_port && address.kind == GW_ADDRESS_IPV4) {
        facts->ip_len = (uint16_t)gw_str_find(peer, ':');
    } else if (has_port && address.kind == GW_ADDRESS_IPV6) {
        facts->ip_at = 1;
        facts->ip_len = (uint16_t)(gw_str_find(peer, ']') - 1);
    } else if (gw_ip_parse(peer, &address) == GW_OK) {
        facts->ip_len = (uint16_t)peer.len;
    }
    if (gw_address_parse(local, &address) != GW_OK || address.port == 0)
        return;
    for (facts->port_at = (uint16_t)local.len; local.ptr[facts->port_at - 1] != ':';)
        facts->port_at--;
}

static char *put(char *at, gw_str text)
{
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_counted(char *at, gw_str text)
{
    uint16_t len = (uint16_t)text.len;

    memcpy(at, &len, COUNT_LEN);
    return put(at + COUNT_LEN, text);
}

static void put_tls(char *at, const gw_facts *f)
{
    *at++ = (char)f->is_verified;
#define PUT(field, max) at = put_counted(at, f->field);
    TLS_FACTS(PUT)
#undef PUT
}

gw_status gw_link_set_facts(struct gw_link *link, const gw_facts *facts)
{
    struct gw_link_facts sizes = { .tls_len = 0 }, *own;

    GW_ASSERT(link->facts == NULL);
    if (!is_text(facts->peer, NAME_MAX) || !is_text(facts->local, NAME_MAX))
        return GW_EINVAL;
    sizes.peer_len = (uint16_t)facts->peer.len;
    sizes.local_len = (uint16_t)facts->local.len;
    sizes.tls_len = (uint16_t)tls_size(facts);
    own = gw_heap_zalloc(link->links->heap, size_of(&sizes));
    if (own == NULL)
        return GW_ENOMEM;
    *own = sizes;
    find_parts(own, facts->peer, facts->local);
    (void)put(put(own->text, facts->peer) + 1, facts->local);
    if (facts->is_secure != 0)
        put_tls(own->text + own->peer_len + own->local_len + 2, facts);
    link->facts = own;
    return GW_OK;
}

void gw_link_free_facts(struct gw_link *link)
{
    if (link->facts != NULL)
        gw_heap_release(link->links->heap, link->facts, size_of(link->facts));
    link->facts = NULL;
}

/* ---- asked ---- */

gw_str gw_link_peer(const struct gw_link *link)
{
    const struct gw_link_facts *facts = link->facts;

    return facts != NULL ? (gw_str){ facts->text, facts->peer_len } : (gw_str){ NULL, 0 };
}

static gw_str local_of(const struct gw_link *link)
{
    const struct gw_link_facts *facts = link->facts;

    if (facts == NULL)
        return (gw_str){ NULL, 0 };
    return (gw_str){ facts->text + facts->peer_len + 1, facts->local_len };
}

gw_str gw_link_peer_ip(const struct gw_link *link)
{
    const struct gw_link_facts *facts = link->facts;

    if (facts == NULL)
        return (gw_str){ NULL, 0 };
    return (gw_str){ facts->text + facts->ip_at, facts->ip_len };
}

gw_str gw_link_local_port(const struct gw_link *link)
{
    const struct gw_link_facts *facts = link->facts;

    if (facts == NULL || facts->port_at == 0)
        return (gw_str){ NULL, 0 };
    return gw_str_slice(local_of(link), facts->port_at, facts->local_len);
}

bool gw_link_is_secure(const struct gw_link *link)
{
    return link->tls != NULL || (link->facts != NULL && link->facts->tls_len > 0);
}

gw_status gw_link_add_facts(struct gw_link *link)
{
    struct gw_link_facts *old = link->facts;
    gw_facts facts = GW_SPEC(gw_facts);
    gw_status status;

    facts.peer = gw_link_peer(link);
    facts.local = local_of(link);
    link->tls->engine->ops->tell(link->tls->engine, &facts);
    link->facts = NULL;
    status = gw_link_set_facts(link, &facts);
    if (status != GW_OK)
        link->facts = old;
    else if (old != NULL)
        gw_heap_release(link->links->heap, old, size_of(old));
    return status;
}

static const char *get_counted(const char *at, gw_str *out)
{
    uint16_t len;

    memcpy(&len, at, COUNT_LEN);
    *out = (gw_str){ at + COUNT_LEN, len };
    return at + COUNT_LEN + len;
}

static void get_tls(const struct gw_link_facts *facts, gw_facts *out)
{
    const char *at = facts->text + facts->peer_len + facts->local_len + 2;

    out->is_verified = (uint32_t)*at++;
#define GET(field, max) at = get_counted(at, &out->field);
    TLS_FACTS(GET)
#undef GET
}

static gw_facts tls_facts(const struct gw_link *link)
{
    gw_facts own = { 0 };

    if (link->facts != NULL && link->facts->tls_len > 0)
        get_tls(link->facts, &own);
    return own;
}

gw_str gw_link_identity(const struct gw_link *link)
{
    const gw_facts own = tls_facts(link);

    return own.is_verified != 0 ? own.peer_identity : (gw_str){ NULL, 0 };
}

gw_str gw_link_server_name(const struct gw_link *link)
{
    return tls_facts(link).server_name;
}

gw_status gw_link_get_facts(const gw_link *l, gw_facts *out)
{
    gw_facts own = GW_SPEC(gw_facts);

    if (!gw_link_is_valid(l))
        return GW_EINVAL;
    own.protocol = l->protocol;
    own.peer = gw_link_peer(l);
    own.local = local_of(l);
    own.is_secure = gw_link_is_secure(l);
    if (l->facts != NULL && l->facts->tls_len > 0)
        get_tls(l->facts, &own);
    return gw_spec_fill(out, &own, sizeof own);
}
