/* tls/hello.c: see the header. Two walks over the same bytes. The first follows the heads of the records
 * and finds out whether all of the message is there: it is short, and the one that is done again when
 * more came. The second reads the message, across records and slices, a byte at a time: it is read once.
 *
 * Strict: a vector ends where its length says, nothing stands behind the message in its record, no
 * extension is there twice. What stands in extensions that mean nothing here is not looked at. A name
 * that is an address in text (RFC 6066 3 allows none) is taken for no name at all: it is what some
 * clients send, and no certificate or route can be chosen by it.
 */
#include "tls/hello.h"

#include <string.h>

#include "base/address.h"
#include "base/text.h"

enum {
    HANDSHAKE = 22,
    CLIENT_HELLO = 1,
    RECORD_HEAD = 5,
    MESSAGE_HEAD = 4,
    RECORD_MAX = 1 << 14,
    METHOD_MAX = 20,    /* of HTTP/1; the longest one registered has 17 letters */
    EXTENSIONS_MAX = 64 /* clients send twenty; each is held against all before it */
};

/* ---- bytes of a chain, one after the other ---- */

struct cursor {
    const struct gw_slice *slice;
    size_t at;   /* in the slice */
    size_t left; /* in the chain */
};

static struct cursor begin(const struct gw_chain *chain)
{
    return (struct cursor){ .slice = chain->first, .left = chain->len };
}

static void settle(struct cursor *c)
{
    while (c->left > 0 && c->at == c->slice->len) {
        c->slice = c->slice->next;
        c->at = 0;
    }
}

/* Only where one is left. */
static uint8_t next(struct cursor *c)
{
    settle(c);
    c->left--;
    return c->slice->ptr[c->at++];
}

/* n <= left. */
static void skip(struct cursor *c, size_t n)
{
    c->left -= n;
    while (n > 0) {
        size_t here = c->slice->len - c->at;
        if (n <= here) {
            c->at += n;
            return;
        }
        n -= here;
        c->slice = c->slice->next;
        c->at = 0;
    }
}

/* ---- who is it that speaks? ---- */

static bool is_method(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_';
}

/* "GET ", and the preface of HTTP/2, which begins as a request with "PRI ". */
static enum gw_tls_hello_fault read_http(struct cursor c)
{
    size_t n = 0;

    while (c.left > 0 && n <= METHOD_MAX) {
        uint8_t byte = next(&c);
        if (byte == ' ' && n > 0)
            return GW_TLS_HELLO_HTTP;
        if (!is_method(byte))
            return GW_TLS_HELLO_NOT_TLS;
        n++;
    }
    return n > METHOD_MAX ? GW_TLS_HELLO_NOT_TLS : GW_TLS_HELLO_MORE;
}

/* A CLIENT-HELLO of SSL 2: two bytes of length, its type, the version. */
static enum gw_tls_hello_fault read_ssl2(struct cursor c)
{
    uint8_t major;

    if (c.left >= 3) {
        skip(&c, 2);
        if (next(&c) != CLIENT_HELLO)
            return GW_TLS_HELLO_NOT_TLS;
        if (c.left >= 2) {
            major = next(&c);
            return major == 3 || (major == 0 && next(&c) == 2) ? GW_TLS_HELLO_OLD
                                                               : GW_TLS_HELLO_NOT_TLS;
        }
    }
    return GW_TLS_HELLO_MORE;
}

/* ---- is all of it there? ---- */

struct frame {
    struct cursor wire;
    size_t at;      /* bytes of the wire behind us                      */
    size_t got;     /* of the message                                   */
    uint32_t total; /* bytes of the message; known once its head is got */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* WHOLE: a head with its length. */
static enum gw_tls_hello_fault walk_head(struct frame *f, size_t *len)
{
    uint8_t head[RECORD_HEAD] = { HANDSHAKE, 3 };
    size_t n = least(f->wire.left, RECORD_HEAD);

    if (f->at + RECORD_HEAD > GW_TLS_HELLO_MAX)
        return GW_TLS_HELLO_LONG;
    for (size_t i = 0; i < n; i++)
        head[i] = next(&f->wire);
    if (head[0] != HANDSHAKE || head[1] != 3)
        return f->at == 0 ? GW_TLS_HELLO_NOT_TLS : GW_TLS_HELLO_BROKEN;
    if (n < RECORD_HEAD)
        return GW_TLS_HELLO_MORE;
    f->at += RECORD_HEAD;
    *len = (size_t)head[3] << 8 | head[4];
    return *len == 0 || *len > RECORD_MAX ? GW_TLS_HELLO_BROKEN : GW_TLS_HELLO_WHOLE;
}

/* The type and the length of the message, which may lie in several records. */
static enum gw_tls_hello_fault walk_message_head(struct frame *f, size_t *len)
{
    while (*len > 0 && f->got < MESSAGE_HEAD) {
        uint8_t byte;
        if (f->wire.left == 0)
            return GW_TLS_HELLO_MORE;
        byte = next(&f->wire);
        if (f->got == 0 && byte != CLIENT_HELLO)
            return GW_TLS_HELLO_BROKEN;
        if (f->got > 0)
            f->total = f->total << 8 | byte;
        f->got++;
        f->at++;
        --*len;
    }
    if (f->got < MESSAGE_HEAD)
        return GW_TLS_HELLO_WHOLE;
    if (f->at + f->total > GW_TLS_HELLO_MAX)
        return GW_TLS_HELLO_LONG;
    return GW_TLS_HELLO_WHOLE;
}

static enum gw_tls_hello_fault walk_record(struct frame *f)
{
    enum gw_tls_hello_fault fault;
    size_t len;

    fault = walk_head(f, &len);
    if (fault != GW_TLS_HELLO_WHOLE)
        return fault;
    if (f->got < MESSAGE_HEAD) {
        fault = walk_message_head(f, &len);
        f->total += f->got == MESSAGE_HEAD ? MESSAGE_HEAD : 0;
    }
    if (fault != GW_TLS_HELLO_WHOLE || f->got < MESSAGE_HEAD)
        return fault;
    if (len > f->total - f->got)
        return GW_TLS_HELLO_BROKEN;
    if (f->at + len > GW_TLS_HELLO_MAX)
        return GW_TLS_HELLO_LONG;
    if (len > f->wire.left)
        return GW_TLS_HELLO_MORE;
    skip(&f->wire, len);
    f->at += len;
    f->got += len;
    return GW_TLS_HELLO_WHOLE;
}

/* Each record has one byte at least, so that it ends. */
static enum gw_tls_hello_fault walk(const struct gw_chain *wire, size_t *len)
{
    struct frame f = { .wire = begin(wire) };

    do {
        enum gw_tls_hello_fault fault = walk_record(&f);
        if (fault != GW_TLS_HELLO_WHOLE)
            return fault;
    } while (f.got < MESSAGE_HEAD || f.got < f.total);
    *len = f.at;
    return GW_TLS_HELLO_WHOLE;
}

/* ---- what it says ---- */

struct reader {
    struct cursor wire;
    size_t record;                       /* bytes left in this record                  */
    size_t left;                         /* in the vector that is being read           */
    bool is_broken;                      /* something reached beyond it: all is 0 then */
    bool has_rsa_suite, has_ecdsa_suite; /* of 1.2                  */
    bool has_signatures;
    bool rsa, rsa_pkcs1, p256, p384, ecdsa; /* signatures; the last: any of its curves */
    bool group_p256, group_p384;
    uint16_t seen[EXTENSIONS_MAX];
    uint32_t seen_len;
};

static uint8_t read_byte(struct reader *r)
{
    if (r->record == 0) { /* of that there is one more: walk has seen it */
        uint32_t len;
        skip(&r->wire, RECORD_HEAD - 2);
        len = next(&r->wire);
        r->record = len << 8 | next(&r->wire);
    }
    r->record--;
    return next(&r->wire);
}

/* A number of n bytes. */
static uint32_t take(struct reader *r, size_t n)
{
    uint32_t value = 0;

    if (r->is_broken || r->left < n) {
        r->is_broken = true;
        r->left = 0;
        return 0;
    }
    r->left -= n;
    while (n-- > 0)
        value = value << 8 | read_byte(r);
    return value;
}

static void pass(struct reader *r, size_t n)
{
    if (r->is_broken || r->left < n) {
        r->is_broken = true;
        r->left = 0;
        return;
    }
    r->left -= n;
    while (n > 0) {
        size_t here;
        if (r->record == 0) {
            (void)read_byte(r);
            n--;
            continue;
        }
        here = least(n, r->record);
        skip(&r->wire, here);
        r->record -= here;
        n -= here;
    }
}

/* From here on left is that of a vector whose length stands in n bytes; what is left of what it lies
 * in is given back, for leave. */
static size_t enter(struct reader *r, size_t n, size_t min)
{
    size_t len = take(r, n), outer;

    if (len < min || len > r->left)
        r->is_broken = true;
    if (r->is_broken) {
        r->left = 0;
        return 0;
    }
    outer = r->left - len;
    r->left = len;
    return outer;
}

/* All of it must have been read. */
static void leave(struct reader *r, size_t outer)
{
    if (r->left != 0)
        r->is_broken = true;
    r->left = r->is_broken ? 0 : outer;
}

static void must(struct reader *r, bool is_so)
{
    if (!is_so) {
        r->is_broken = true;
        r->left = 0;
    }
}

/* ---- extensions ---- */

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Labels of 1 to 63, in all up to 253. */
static bool is_name(gw_str s)
{
    size_t label = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (!is_of_name(s.ptr[i]) || (s.ptr[i] == '.' && label == 0) || label > 63)
            return false;
        label = s.ptr[i] == '.' ? 0 : label + 1;
    }
    return label > 0 && label <= 63 && s.len <= GW_TLS_NAME_MAX;
}

static bool is_address(gw_str s)
{
    gw_address ignored;

    if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
        s = gw_str_slice(s, 1, s.len - 1);
    return gw_ip_parse(s, &ignored) == GW_OK;
}

static void read_host_name(struct reader *r, struct gw_tls_hello *out)
{
    char text[GW_TLS_NAME_MAX + 1];
    gw_str name = { text, r->left };

    must(r, r->left <= sizeof text);
    if (r->is_broken)
        return;
    for (size_t i = 0; i < name.len; i++)
        text[i] = gw_ascii_lower((char)take(r, 1));
    if (is_address(name))
        return;
    if (name.len > 1 && text[name.len - 1] == '.')
        name.len--;
    must(r, is_name(name));
    if (r->is_broken)
        return;
    memcpy(out->name, text, name.len);
    out->name[name.len] = '\0';
    out->name_len = (uint8_t)name.len;
}

/* RFC 6066 3: one name of a type at most; host_name is the only type there is. Others would have two
 * bytes of length first as well. */
static void read_names(struct reader *r, struct gw_tls_hello *out)
{
    size_t outer = enter(r, 2, 1);
    bool has_one = false;

    while (r->left > 0) {
        bool is_host_name = take(r, 1) == 0;
        size_t list = enter(r, 2, 1);
        if (is_host_name) {
            must(r, !has_one);
            has_one = true;
            read_host_name(r, out);
        } else {
            pass(r, r->left);
        }
        leave(r, list);
    }
    leave(r, outer);
}

/* RFC 7301 3.1. */
static void read_alpn(struct reader *r, struct gw_tls_hello *out)
{
    size_t outer = enter(r, 2, 2);

    out->has_alpn = true;
    while (r->left > 0) {
        size_t list = enter(r, 1, 1);
        char text[8] = { 0 };
        gw_str name = { text, r->left };
        if (name.len <= sizeof text)
            for (size_t i = 0; i < name.len; i++)
                text[i] = (char)take(r, 1);
        else
            pass(r, name.len);
        if (!r->is_broken && name.len <= sizeof text) {
            out->has_h2 = out->has_h2 || gw_str_eq(name, GW_STR("h2"));
            out->has_h1 = out->has_h1 || gw_str_eq(name, GW_STR("http/1.1"));
        }
        leave(r, list);
    }
    leave(r, outer);
}

/* RFC 8446 4.2.1. What is not known, GREASE among it (RFC 8701), is passed over. */
static void read_versions(struct reader *r, struct gw_tls_hello *out)
{
    size_t outer = enter(r, 1, 2);

    out->has_1_2 = out->has_1_3 = false;
    while (r->left > 0) {
        uint32_t version = take(r, 2);
        out->has_1_2 = out->has_1_2 || version == 0x0303;
        out->has_1_3 = out->has_1_3 || version == 0x0304;
    }
    leave(r, outer);
}

/* RFC 8446 4.2.3. SHA-1 is none that we make. */
static void read_signatures(struct reader *r)
{
    size_t outer = enter(r, 2, 2);

    r->has_signatures = true;
    while (r->left > 0) {
        uint32_t scheme = take(r, 2);
        r->rsa = r->rsa || (scheme >= 0x0804 && scheme <= 0x0806); /* rsa_pss_rsae_* */
        r->rsa_pkcs1 = r->rsa_pkcs1 || scheme == 0x0401 || scheme == 0x0501 || scheme == 0x0601;
        r->p256 = r->p256 || scheme == 0x0403;
        r->p384 = r->p384 || scheme == 0x0503;
        r->ecdsa = r->ecdsa || scheme == 0x0403 || scheme == 0x0503 || scheme == 0x0603;
    }
    leave(r, outer);
}

/* signature_algorithms_cert: only that it is well formed. It is about those that signed the certificate,
 * and who has another chain should send that all the same (RFC 8446 4.4.2.2). */
static void read_signers(struct reader *r)
{
    size_t outer = enter(r, 2, 2);

    while (r->left > 0)
        (void)take(r, 2);
    leave(r, outer);
}

static void read_groups(struct reader *r)
{
    size_t outer = enter(r, 2, 2);

    while (r->left > 0) {
        uint32_t group = take(r, 2);
        r->group_p256 = r->group_p256 || group == 23;
        r->group_p384 = r->group_p384 || group == 24;
    }
    leave(r, outer);
}

enum {
    SERVER_NAME = 0,
    GROUPS = 10,
    SIGNATURES = 13,
    ALPN = 16,
    PSK = 41,
    VERSIONS = 43,
    SIGNERS = 50
};

static void note_type(struct reader *r, uint16_t type)
{
    for (uint32_t i = 0; i < r->seen_len; i++)
        must(r, r->seen[i] != type);
    must(r, r->seen_len < EXTENSIONS_MAX);
    if (!r->is_broken)
        r->seen[r->seen_len++] = type;
}

static void read_extension(struct reader *r, struct gw_tls_hello *out)
{
    uint16_t type = (uint16_t)take(r, 2);
    size_t outer = enter(r, 2, 0);

    note_type(r, type);
    must(r, type != PSK || outer == 0); /* the last one (RFC 8446 4.2.11) */
    if (r->is_broken)
        return;
    switch (type) {
    case SERVER_NAME:
        read_names(r, out);
        break;
    case GROUPS:
        read_groups(r);
        break;
    case SIGNATURES:
        read_signatures(r);
        break;
    case ALPN:
        read_alpn(r, out);
        break;
    case VERSIONS:
        read_versions(r, out);
        break;
    case SIGNERS:
        read_signers(r);
        break;
    default:
        pass(r, r->left);
    }
    leave(r, outer);
}

static void read_extensions(struct reader *r, struct gw_tls_hello *out)
{
    size_t outer = enter(r, 2, 0);

    while (r->left > 0)
        read_extension(r, out);
    leave(r, outer);
}

/* ---- the message ---- */

static void read_suites(struct reader *r)
{
    size_t outer = enter(r, 2, 2);

    while (r->left > 0) {
        uint32_t suite = take(r, 2);
        r->has_ecdsa_suite = r->has_ecdsa_suite || suite == 0xc02b || suite == 0xc02c ||
                             suite == 0xcca9;
        r->has_rsa_suite = r->has_rsa_suite || suite == 0xc02f || suite == 0xc030 ||
                           suite == 0xcca8;
    }
    leave(r, outer);
}

/* Only by no compression can anything go on (RFC 8446 4.1.2). */
static void read_compressions(struct reader *r)
{
    size_t outer = enter(r, 1, 1);
    bool has_null = false;

    while (r->left > 0)
        has_null = take(r, 1) == 0 || has_null;
    leave(r, outer);
    must(r, has_null);
}

/* RFC 8446 4.2.3: in TLS 1.3 a scheme names the curve, in 1.2 the groups and the suites have a say. */
static void conclude(const struct reader *r, struct gw_tls_hello *out)
{
    if (out->has_1_3) {
        out->can_rsa = r->rsa;
        out->can_ecdsa_p256 = r->p256;
        out->can_ecdsa_p384 = r->p384;
        return;
    }
    out->can_rsa = r->has_rsa_suite && (!r->has_signatures || r->rsa || r->rsa_pkcs1);
    if (r->has_ecdsa_suite && (!r->has_signatures || r->ecdsa)) {
        out->can_ecdsa_p256 = r->group_p256;
        out->can_ecdsa_p384 = r->group_p384;
    }
}

static enum gw_tls_hello_fault read_message(struct reader *r, struct gw_tls_hello *out)
{
    uint32_t version;
    size_t outer;

    pass(r, 1);
    outer = enter(r, 3, 0);
    version = take(r, 2);
    out->has_1_2 = version >= 0x0303;
    pass(r, 32); /* random */
    must(r, r->left > 0);
    if (!r->is_broken) {
        size_t message = enter(r, 1, 0);
        must(r, r->left <= 32);
        out->has_session_id = r->left > 0;
        pass(r, r->left);
        leave(r, message);
    }
    read_suites(r);
    read_compressions(r);
    if (r->left > 0)
        read_extensions(r, out);
    leave(r, outer);
    if (r->is_broken || version >> 8 != 3)
        return GW_TLS_HELLO_BROKEN;
    if (version == 0x0300 || !(out->has_1_2 || out->has_1_3))
        return GW_TLS_HELLO_OLD;
    conclude(r, out);
    return GW_TLS_HELLO_WHOLE;
}

enum gw_tls_hello_fault gw_tls_hello_read(const struct gw_chain *wire, struct gw_tls_hello *out)
{
    struct reader r = { .wire = begin(wire) };
    enum gw_tls_hello_fault fault;
    size_t len = 0;
    uint8_t first;

    memset(out, 0, sizeof *out);
    if (wire->len == 0)
        return GW_TLS_HELLO_MORE;
    first = next(&r.wire);
    if (first != HANDSHAKE)
        return (first & 0x80) != 0 ? read_ssl2(begin(wire)) : read_http(begin(wire));
    fault = walk(wire, &len);
    if (fault != GW_TLS_HELLO_WHOLE)
        return fault;
    r.wire = begin(wire);
    r.left = len;
    fault = read_message(&r, out);
    if (fault == GW_TLS_HELLO_BROKEN)
        memset(out, 0, sizeof *out);
    out->len = len;
    return fault;
}
