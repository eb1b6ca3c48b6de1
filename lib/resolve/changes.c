/* resolve/changes.c: see the header. */

#include "resolve/changes.h"

#include <string.h>

#include "base/timer.h"

static bool is_same_name(const struct gw_dns_endpoint *a, const struct gw_dns_endpoint *b)
{
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

static bool is_same(const struct gw_dns_endpoint *a, const struct gw_dns_endpoint *b)
{
    return a->weight == b->weight && a->priority == b->priority &&
           a->address_len == b->address_len && memcmp(a->address, b->address, a->address_len) == 0;
}

static const struct gw_dns_endpoint *find(const struct gw_dns_set *set,
                                          const struct gw_dns_endpoint *like)
{
    for (uint32_t i = 0; i < set->len; i++)
        if (is_same_name(&set->list[i], like))
            return &set->list[i];
    return NULL;
}

struct gw_dns_changes gw_dns_compare(const struct gw_dns_set *before, const struct gw_dns_set *now)
{
    struct gw_dns_changes c = { 0 };

    for (uint32_t i = 0; i < now->len; i++) {
        const struct gw_dns_endpoint *was = find(before, &now->list[i]);
        c.come += was == NULL;
        c.moved += was != NULL && !is_same(was, &now->list[i]);
    }
    for (uint32_t i = 0; i < before->len; i++)
        c.gone += find(now, &before->list[i]) == NULL;
    return c;
}

/* ---- lines ---- */

static void say_number(struct gw_text *t, const char *before, uint64_t n, const char *behind)
{
    gw_text_cstr(t, before);
    gw_text_u64(t, n);
    gw_text_cstr(t, behind);
}

void gw_dns_say_change(struct gw_log *log, gw_nanos now, gw_str cluster,
                       const struct gw_dns_watch *w, const struct gw_dns_set *set,
                       const struct gw_dns_changes *changes)
{
    uint32_t level = set->len == 0 ? GW_LOG_WARN : GW_LOG_INFO;
    char line[GW_LOG_LINE_MAX];
    struct gw_text t;

    if (!gw_log_wants(log, level))
        return;
    gw_text_init(&t, line, sizeof line);
    gw_text_str(&t, cluster);
    say_number(&t, ": ", set->len, set->len == 1 ? " endpoint by " : " endpoints by ");
    gw_text_str(&t, gw_dns_name_text(&w->plan.name));
    say_number(&t, ": ", changes->come, " new, ");
    gw_text_u64(&t, changes->gone);
    gw_text_cstr(&t, " gone");
    if (changes->moved > 0)
        say_number(&t, ", ", changes->moved, " changed");
    if (set->left_out > 0)
        say_number(&t, "; left out, beyond what there may be: ", set->left_out, "");
    gw_log_line(log, now, level, "dns.changed", line);
}

static const char *type_of(const struct gw_dns_question *q)
{
    return q->type == GW_DNS_TYPE_A      ? "A of "
           : q->type == GW_DNS_TYPE_AAAA ? "AAAA of "
                                         : "SRV of ";
}

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

void gw_dns_say_told(struct gw_log *log, gw_nanos now, gw_str cluster,
                     const struct gw_dns_question *before, const struct gw_dns_question *after,
                     const char *why)
{
    bool is_good = after->failures == 0;
    uint32_t level = is_good ? GW_LOG_INFO : GW_LOG_WARN;
    char line[GW_LOG_LINE_MAX];
    struct gw_text t;

    if (is_good ? before->failures == 0 : !is_power_of_two(after->failures))
        return;
    if (!gw_log_wants(log, level))
        return;
    gw_text_init(&t, line, sizeof line);
    gw_text_str(&t, cluster);
    gw_text_cstr(&t, ": ");
    gw_text_cstr(&t, type_of(after));
    gw_text_str(&t, gw_dns_name_text(&after->name));
    if (is_good) {
        say_number(&t, ": answered again, after ", before->failures,
                   before->failures == 1 ? " failure" : " failures");
    } else {
        gw_text_cstr(&t, ": ");
        gw_text_cstr(&t, why);
        if (after->failures > 1)
            say_number(&t, ", ", after->failures, " times in a row");
        if (after->held != NULL)
            gw_text_cstr(&t, "; what it had said stays");
        say_number(&t, "; asked again in ", (after->due - now) / GW_MS(1), " ms");
    }
    gw_log_line(log, now, level, is_good ? "dns.answered" : "dns.failed", line);
}
