/* proto/script.c: a line of a script becomes words; a script is played line by line. */

#include "proto.h"

static char unescape(char **at)
{
    char *p = *at;
    char hex[3] = { 0 };

    switch (*p) {
    case 'r':
        *at = p + 1;
        return '\r';
    case 'n':
        *at = p + 1;
        return '\n';
    case 't':
        *at = p + 1;
        return '\t';
    case 'x':
        hex[0] = p[1];
        hex[1] = p[2];
        *at = p + 3;
        return (char)strtol(hex, NULL, 16);
    default:
        *at = p + 1;
        return *p;
    }
}

/* One word, in place: quotes may stand anywhere in it (body="a b"). */
static char *take_word(char *in, gw_str *out)
{
    char *to = in, *from = in;
    bool is_quoted = false;

    out->ptr = in;
    while (*from != '\0' && *from != '\n' && (is_quoted || *from != ' ')) {
        if (*from == '"') {
            is_quoted = !is_quoted;
            from++;
        } else if (*from == '\\' && is_quoted) {
            from++;
            *to++ = unescape(&from);
        } else {
            *to++ = *from++;
        }
    }
    out->len = (size_t)(to - in);
    if (*from != '\0')
        from++;
    *to = '\0';
    return from;
}

bool proto_parse_line(char *text, int number, struct proto_line *out)
{
    *out = (struct proto_line){ .number = number };
    for (;;) {
        while (*text == ' ')
            text++;
        if (*text == '\0' || *text == '\n' || (*text == '#' && out->words == 0))
            return out->words > 0;
        if (out->words == PROTO_WORDS)
            return false;
        text = take_word(text, &out->word[out->words++]);
    }
}

static bool is(gw_str word, const char *text)
{
    return gw_str_eq(word, gw_cstr(text));
}

static uint32_t milliseconds(gw_str w)
{
    double n = strtod(w.ptr, NULL);

    return (uint32_t)(strstr(w.ptr, "ms") != NULL ? n : n * 1000);
}

/* "rate N", N in 10 seconds; "ceiling N"; "shadow", "fields". */
static bool configure_limiter(struct proto *p, gw_str what, gw_str value)
{
    static gw_str name = { "few", 3 };
    uint32_t n = (uint32_t)strtoul(value.ptr, NULL, 10);

    if (is(what, "rate")) {
        p->limiter.tokens = n;
        p->limiter.period_ms = 10000;
    } else if (is(what, "ceiling"))
        p->limiter.concurrency = n;
    else if (is(what, "shadow"))
        p->limiter.flags |= GW_LIMITER_SHADOW;
    else if (is(what, "fields"))
        p->limiter.flags |= GW_LIMITER_FIELDS;
    else
        return false;
    p->route.limiters = p->host_route.limiters = &name;
    p->route.limiters_len = p->host_route.limiters_len = 1;
    return true;
}

/* Of what is retried: "config retry-on timeout", "config retry-code 503". */
static bool configure_retry(struct proto *p, gw_str what, gw_str value)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } causes[] = { { "connect", GW_RETRY_CONNECT }, { "refused", GW_RETRY_REFUSED },
                   { "reused", GW_RETRY_REUSED },   { "reset", GW_RETRY_RESET },
                   { "timeout", GW_RETRY_TIMEOUT }, { "gateway_error", GW_RETRY_GATEWAY_ERROR },
                   { "5xx", GW_RETRY_5XX } };
    uint32_t n = (uint32_t)strtoul(value.ptr, NULL, 10);

    p->route.retry = &p->retry;
    p->retry.size = sizeof p->retry;
    if (is(what, "retry-code") && p->retry.codes_len < PROTO_CODES) {
        p->codes[p->retry.codes_len++] = n;
        p->retry.codes = p->codes;
    } else if (is(what, "retry-grpc"))
        p->retry.grpc |= 1u << n;
    else if (is(what, "retry-unsafe"))
        p->retry.flags = GW_RETRY_UNSAFE;
    else if (is(what, "retry-replay"))
        p->retry.replay_bytes_max = n == 0 ? GW_OFF : n;
    else if (is(what, "try"))
        p->retry.per_try_timeout_ms = milliseconds(value);
    else if (is(what, "backoff"))
        p->retry.backoff_base_ms = is(value, "off") ? GW_OFF : milliseconds(value);
    else if (is(what, "retry-on")) {
        uint32_t before = p->retry.on;
        for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
            p->retry.on |= is(value, causes[i].word) ? causes[i].bit : 0;
        return p->retry.on != before;
    } else
        return false;
    return true;
}

/* "config WORD VALUE": how this world differs from the default one. */
static bool configure(struct proto *p, const struct proto_line *l)
{
    static gw_str method;
    gw_str what = l->word[1], value = l->words > 2 ? l->word[2] : (gw_str){ "", 0 };

    if (is(what, "head"))
        p->listener.head_timeout_ms = milliseconds(value);
    else if (is(what, "body_idle"))
        p->listener.body_idle_timeout_ms = milliseconds(value);
    else if (is(what, "response"))
        p->cluster.response_timeout_ms = milliseconds(value);
    else if (is(what, "timeout"))
        p->route.request_timeout_ms = milliseconds(value);
    else if (is(what, "idle"))
        p->route.idle_timeout_ms = milliseconds(value);
    else if (is(what, "body_max"))
        p->limits.body_bytes_max = strtoull(value.ptr, NULL, 10);
    else if (is(what, "pipe"))
        p->limits.pipe_bytes_max = (uint32_t)strtoul(value.ptr, NULL, 10);
    else if (is(what, "age")) {
        p->listener.age_ms = milliseconds(value);
        p->listener.age_jitter_percent = GW_OFF;
    } else if (is(what, "age_grace"))
        p->listener.age_grace_ms = milliseconds(value);
    else if (is(what, "requests_max"))
        p->listener.requests_max = (uint32_t)strtoul(value.ptr, NULL, 10);
    else if (is(what, "upstream_age")) {
        p->cluster.age_ms = milliseconds(value);
        p->cluster.age_jitter_percent = GW_OFF;
    } else if (is(what, "connections"))
        p->cluster.connections_max = (uint32_t)strtoul(value.ptr, NULL, 10);
    else if (is(what, "tunnel_timeout"))
        p->route.tunnel_timeout_ms = milliseconds(value);
    else if (is(what, "path"))
        p->route.path = value;
    else if (is(what, "host"))
        p->route.host = value;
    else if (is(what, "connect"))
        p->route.flags |= GW_ROUTE_CONNECT;
    else if (is(what, "no_upgrade"))
        p->route.flags |= GW_ROUTE_NO_UPGRADE;
    else if (is(what, "via"))
        p->listener.via = value;
    else if (is(what, "retries"))
        p->route.retries = is(value, "off") ? GW_OFF : (uint32_t)strtoul(value.ptr, NULL, 10);
    else if (is(what, "budget")) {
        p->cluster.retry_percent = GW_OFF;
        p->cluster.retry_least = is(value, "off") ? GW_OFF : (uint32_t)strtoul(value.ptr, NULL, 10);
    } else if (is(what, "breaker")) {
        p->breaker = GW_SPEC(gw_breaker_spec);
        p->breaker.failures = (uint32_t)strtoul(value.ptr, NULL, 10);
        p->breaker.error_percent = p->breaker.jitter_percent = GW_OFF;
        p->cluster.breaker = &p->breaker;
    } else if (is(what, "fallback")) {
        p->fallback = GW_SPEC(gw_fallback_spec);
        p->fallback.code = (uint32_t)strtoul(value.ptr, NULL, 10);
        p->fallback.body = GW_STR("later");
        p->cluster.fallback = &p->fallback;
    } else if (is(what, "affinity")) {
        p->affinity = GW_SPEC(gw_affinity_spec);
        p->affinity.cookie = value;
        p->cluster.affinity = &p->affinity;
    } else if (is(what, "refuses"))
        p->refuses = true;
    else if (is(what, "returns"))
        p->returns = true;
    else if (is(what, "filter") && is(value, "aborts-body"))
        p->aborts_body = true;
    else if (is(what, "filter"))
        p->verdict = is(value, "replies") ? GW_REPLY : GW_ABORT;
    else if (is(what, "body"))
        return proto_filter_configure(p, l);
    else if (is(what, "whole_max"))
        p->whole_max = (uint32_t)strtoul(value.ptr, NULL, 10);
    else if (is(what, "method")) {
        method = value;
        p->route.methods = &method;
        p->route.methods_len = 1;
    } else
        return configure_limiter(p, what, value) || configure_retry(p, what, value);
    return true;
}

static void play_line(struct proto *p, const struct proto_line *l)
{
    const char *came;

    if (is(l->word[0], "time")) {
        proto_pass_time(p, GW_MS(milliseconds(l->word[1])));
        proto_settle(p);
        return;
    }
    if (proto_do(p, l)) {
        proto_settle(p);
        return;
    }
    came = proto_expect(p, l);
    for (int i = 0; came != NULL && p->mode->has_sockets && i < 500;
         i++) { /* what is on its way comes */
        proto_settle(p);
        came = proto_expect(p, l);
    }
    if (came != NULL)
        proto_differs(p, l, "expected otherwise", came);
    if (is(l->word[0], "end"))
        p->ends_read++;
}

void proto_play(struct proto *p, const struct proto_line *lines, int n)
{
    bool has_begun = false;

    for (int i = 0; i < n; i++) {
        const struct proto_line *l = &lines[i];
        if (is(l->word[0], "shapes") || is(l->word[0], "only"))
            continue;
        if (is(l->word[0], "config")) {
            if (has_begun || !configure(p, l))
                proto_differs(p, l, "config", "an unknown word, or too late");
            continue;
        }
        if (!has_begun)
            proto_start(p);
        has_begun = true;
        play_line(p, l);
    }
    if (p->ends_read != p->ends_len && p->ends_read > 0)
        proto_differs(p, &lines[n - 1], "the end of the script",
                      "more exchanges ended than it names");
    proto_stop(p);
}

static void sweep_line(struct proto *p, const struct proto_line *l)
{
    if (is(l->word[0], "time"))
        proto_pass_time(p, GW_MS(milliseconds(l->word[1])));
    else if (!proto_do(p, l))
        return;
    proto_settle(p);
}

/* The deeds of a script, as far as they can be done. */
void proto_sweep(struct proto *p, const struct proto_line *lines, int n, struct proto_point point)
{
    volatile int i = 0;

    while (i < n && (is(lines[i].word[0], "shapes") || is(lines[i].word[0], "only") ||
                     is(lines[i].word[0], "config"))) {
        if (is(lines[i].word[0], "config"))
            (void)configure(p, &lines[i]);
        i++;
    }
    proto_start(p);
    p->is_sweeping = true;
    p->sim.allocations = 0;
    p->sim.fail_alloc_at = point.alloc;
    p->sim.fail_alloc_on = point.for_ever;
    p->sim.fail_io_at = point.io;
    (void)setjmp(p->next_line);
    while (i < n)
        sweep_line(p, &lines[i++]);
    p->is_sweeping = false;
    p->sim.fail_alloc_at = p->sim.fail_io_at = 0;
    p->sim.fail_alloc_on = false;
}
