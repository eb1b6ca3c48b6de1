/* dns/answer.c: the sections of a response one record at a time. A name in it may point to another place,
 * but only backwards; so reading one ends. */

#include "dns/answer.h"

#include <string.h>

#include "base/assert.h"
#include "base/text.h"

enum {
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    CLASS_IN = 1,
    BIT_RESPONSE = 0x8000,
    BIT_TRUNCATED = 0x0200,
    CODE_NONE = 3,
    POINTER = 0xc0
};

struct reader {
    const uint8_t *bytes;
    size_t len, at;
    bool is_bad; /* it ends too early, or a name is none */
};

static uint32_t take(struct reader *r, size_t n)
{
    uint32_t value = 0;

    if (r->is_bad || r->len - r->at < n) {
        r->is_bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        value = value << 8 | r->bytes[r->at++];
    return value;
}

static void skip(struct reader *r, size_t n)
{
    if (r->is_bad || r->len - r->at < n)
        r->is_bad = true;
    else
        r->at += n;
}

/* A label that no name of ours has is told apart from all of them by its bytes; what is too long, or has a
 * dot in a label, is no name. */
static void put_label(struct reader *r, struct gw_dns_name *out, size_t at, size_t n)
{
    size_t dot = out->len > 0 ? 1 : 0;

    if (r->len - at < n || out->len + dot + n > GW_DNS_NAME_MAX ||
        memchr(r->bytes + at, '.', n) != NULL || memchr(r->bytes + at, '\0', n) != NULL) {
        r->is_bad = true;
        return;
    }
    if (dot > 0)
        out->text[out->len] = '.';
    for (size_t i = 0; i < n; i++)
        out->text[out->len + dot + i] = gw_ascii_lower((char)r->bytes[at + i]);
    out->len = (uint8_t)(out->len + dot + n);
}

/* The root is an empty text. */
static void take_name(struct reader *r, struct gw_dns_name *out)
{
    size_t at = r->at, before = r->at;
    bool is_away = false;

    out->len = 0;
    while (!r->is_bad && at < r->len) {
        uint8_t n = r->bytes[at++];
        if ((n & POINTER) == POINTER && at < r->len) {
            size_t to = (size_t)(n & ~POINTER) << 8 | r->bytes[at++];
            if (!is_away)
                r->at = at;
            is_away = true;
            if (to >= before)
                break;
            at = before = to;
        } else if ((n & POINTER) != 0) {
            break;
        } else if (n == 0) {
            if (!is_away)
                r->at = at;
            out->text[out->len] = '\0';
            return;
        } else {
            put_label(r, out, at, n);
            at += n;
        }
    }
    r->is_bad = true;
}

static bool is_same(const struct gw_dns_name *a, const struct gw_dns_name *b)
{
    return gw_str_eq(gw_dns_name_text(a), gw_dns_name_text(b));
}

/* ---- records ---- */

struct record {
    struct gw_dns_name owner;
    uint32_t type, class, ttl;
    size_t from, to; /* its own bytes */
};

static void take_record(struct reader *r, struct record *out)
{
    size_t n;

    take_name(r, &out->owner);
    out->type = take(r, 2);
    out->class = take(r, 2);
    out->ttl = take(r, 4);
    if (out->ttl > INT32_MAX)
        out->ttl = 0; /* RFC 2181 8 */
    n = take(r, 2);
    out->from = r->at;
    skip(r, n);
    out->to = r->at;
}

/* What lies in a record must end where the record does. */
static struct reader inside(const struct reader *r, const struct record *record)
{
    return (struct reader){ .bytes = r->bytes, .len = record->to, .at = record->from };
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- what is kept: sorted, the least ones ---- */

/* Opens a place in n of max elements; false: behind all that there is room for. */
static bool open_place(struct gw_dns_answer *out, void *list, size_t each, uint32_t at,
                       uint32_t max)
{
    char *base = list;
    uint32_t n = out->len;

    if (n == max) {
        out->left_out++;
        if (at == max)
            return false;
        n--;
    }
    memmove(base + (at + 1) * each, base + at * each, (n - at) * each);
    out->len = n + 1;
    return true;
}

static bool is_of_one(const struct gw_dns_ip *ip, enum gw_dns_type type)
{
    static const struct gw_dns_ip zero;
    const uint8_t *b = ip->bytes;

    if (memcmp(b, zero.bytes, sizeof zero.bytes) == 0)
        return false;
    return type == GW_DNS_TYPE_A ? b[0] != 0 && b[0] < 224 : b[0] != 0xff;
}

static void keep_ip(struct gw_dns_answer *out, const struct gw_dns_ip *ip)
{
    uint32_t low = 0, high = out->len;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        int order = memcmp(out->ips[mid].bytes, ip->bytes, sizeof ip->bytes);
        if (order == 0)
            return;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (open_place(out, out->ips, sizeof out->ips[0], low, GW_DNS_ADDRESSES_MAX))
        out->ips[low] = *ip;
}

static void take_ip(struct reader *r, enum gw_dns_type type, struct gw_dns_answer *out)
{
    struct gw_dns_ip ip = { { 0 } };
    size_t n = type == GW_DNS_TYPE_A ? 4 : 16;

    for (size_t i = 0; i < n; i++)
        ip.bytes[i] = (uint8_t)take(r, 1);
    if (!r->is_bad && is_of_one(&ip, type))
        keep_ip(out, &ip);
}

/* Under 0: a is asked before b, or stands before it. */
static int compare_targets(const struct gw_dns_target *a, const struct gw_dns_target *b)
{
    int order = (int)a->priority - (int)b->priority;

    if (order == 0)
        order = gw_str_compare(gw_dns_name_text(&a->name), gw_dns_name_text(&b->name));
    return order != 0 ? order : (int)a->port - (int)b->port;
}

/* The same target and port again: where it is asked first, and with the greater weight. */
static bool has_better(struct gw_dns_answer *out, const struct gw_dns_target *t)
{
    for (uint32_t i = 0; i < out->len; i++) {
        struct gw_dns_target *have = &out->targets[i];
        if (have->port != t->port || !is_same(&have->name, &t->name))
            continue;
        if (have->priority == t->priority && have->weight < t->weight)
            have->weight = t->weight;
        if (have->priority <= t->priority)
            return true;
        memmove(have, have + 1, (out->len - i - 1) * sizeof *have);
        out->len--;
        return false;
    }
    return false;
}

static void take_target(struct reader *r, struct gw_dns_answer *out)
{
    struct gw_dns_target t;
    uint32_t at = 0;

    t.priority = (uint16_t)take(r, 2);
    t.weight = (uint16_t)take(r, 2);
    t.port = (uint16_t)take(r, 2);
    take_name(r, &t.name);
    if (r->is_bad || t.port == 0 || gw_dns_name_fault(gw_dns_name_text(&t.name)) != NULL)
        return; /* "." too: the service is decidedly not available */
    if (has_better(out, &t))
        return;
    while (at < out->len && compare_targets(&out->targets[at], &t) < 0)
        at++;
    if (open_place(out, out->targets, sizeof out->targets[0], at, GW_DNS_TARGETS_MAX))
        out->targets[at] = t;
}

/* ---- the answer ---- */

struct sections {
    struct reader answers; /* at the first of them */
    uint32_t answers_len, authorities_len;
};

/* Goes through the answers once, for what name has; next: what it stands for. */
static bool take_answers(const struct sections *s, const struct gw_dns_name *name,
                         enum gw_dns_type type, struct gw_dns_answer *out, struct gw_dns_name *next,
                         bool *is_alias)
{
    struct reader r = s->answers;
    struct record record;

    *is_alias = false;
    for (uint32_t i = 0; i < s->answers_len && !r.is_bad; i++) {
        struct reader in;
        take_record(&r, &record);
        if (r.is_bad || record.class != CLASS_IN || !is_same(&record.owner, name))
            continue;
        in = inside(&r, &record);
        if (record.type == TYPE_CNAME) {
            take_name(&in, next);
            *is_alias = true;
        } else if (record.type != (uint32_t)type) {
            continue;
        } else if (type == GW_DNS_TYPE_SRV) {
            take_target(&in, out);
        } else {
            take_ip(&in, type, out);
        }
        out->ttl = least(out->ttl, record.ttl);
        if (in.is_bad || in.at != in.len)
            return false;
    }
    return !r.is_bad;
}

/* How long to believe that there is nothing (RFC 2308 5): what the zone says; 0: it says nothing. */
static uint32_t take_authorities(const struct sections *s)
{
    struct reader r = s->answers;
    struct record record;

    for (uint32_t i = 0; i < s->answers_len && !r.is_bad; i++)
        take_record(&r, &record);
    for (uint32_t i = 0; i < s->authorities_len && !r.is_bad; i++) {
        struct reader in;
        struct gw_dns_name none;
        take_record(&r, &record);
        if (r.is_bad || record.type != TYPE_SOA)
            continue;
        in = inside(&r, &record);
        take_name(&in, &none);
        take_name(&in, &none);
        skip(&in, 16); /* serial, refresh, retry, expire */
        uint32_t minimum = take(&in, 4);
        return in.is_bad ? 0 : least(record.ttl, minimum > INT32_MAX ? 0 : minimum);
    }
    return 0;
}

void gw_dns_answer_fail(struct gw_dns_answer *out, const char *why)
{
    out->result = GW_DNS_FAILED;
    out->ttl = out->len = out->left_out = 0;
    out->why = why;
}

static void none(struct gw_dns_answer *out, const struct sections *s)
{
    out->result = GW_DNS_NONE;
    out->ttl = take_authorities(s);
}

/* From the name that was asked for along its aliases. */
static void follow(const struct sections *s, const struct gw_dns_name *name, enum gw_dns_type type,
                   struct gw_dns_answer *out)
{
    struct gw_dns_name at = *name, next;
    bool is_alias;

    for (uint32_t n = 0; n <= GW_DNS_ALIASES_MAX; n++) {
        if (!take_answers(s, &at, type, out, &next, &is_alias)) {
            gw_dns_answer_fail(out, "the response is malformed");
            return;
        }
        if (out->len > 0) {
            out->result = GW_DNS_FOUND;
            return;
        }
        if (!is_alias) {
            none(out, s);
            return;
        }
        at = next;
    }
    gw_dns_answer_fail(out, "too many aliases");
}

static const char *code_of(uint32_t code)
{
    static const char *const known[] = { NULL,
                                         "the server does not understand the question (FORMERR)",
                                         "the server failed (SERVFAIL)",
                                         NULL,
                                         "the server does not do that (NOTIMP)",
                                         "the server refused (REFUSED)" };

    return code < sizeof known / sizeof known[0] ? known[code] : "the server answered an error";
}

void gw_dns_answer_read(const uint8_t *bytes, size_t len, const struct gw_dns_name *name,
                        enum gw_dns_type type, struct gw_dns_answer *out)
{
    struct reader r = { .bytes = bytes, .len = len };
    struct sections s;
    struct gw_dns_name asked;
    uint32_t flags, questions, code;

    gw_dns_answer_fail(out, "the response is malformed");
    skip(&r, 2);
    flags = take(&r, 2);
    questions = take(&r, 2);
    s.answers_len = take(&r, 2);
    s.authorities_len = take(&r, 2);
    skip(&r, 2);
    take_name(&r, &asked);
    if (take(&r, 2) != (uint32_t)type || take(&r, 2) != CLASS_IN || r.is_bad || questions != 1 ||
        (flags & BIT_RESPONSE) == 0 || (flags & BIT_TRUNCATED) != 0 || !is_same(&asked, name))
        return;
    s.answers = r;
    code = flags & 0xf;
    out->ttl = UINT32_MAX;
    if (code == 0)
        follow(&s, name, type, out);
    else if (code == CODE_NONE)
        none(out, &s);
    else
        gw_dns_answer_fail(out, code_of(code));
}
