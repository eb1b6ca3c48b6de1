/* asked.c: which clusters' endpoints come from DNS, for "gw check". */
#include "asked.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked for one, and by which cluster; false: no more of them. */
static bool next(const gw_config *config, size_t *i, gw_str *cluster, gw_dns_spec *out)
{
    *out = GW_SPEC(gw_dns_spec);
    while (gw_config_dns(config, (*i)++, cluster, out) == GW_OK)
        if (out->name.len > 0)
            return true;
    return false;
}

static const char *type_of(const gw_dns_spec *dns)
{
    static const char *const words[8] = {
        "", "a", "aaaa", "a+aaaa", "", "srv+a", "srv+aaaa", "srv"
    };
    return words[dns->types & 7];
}

void asked_print(const gw_config *config)
{
    gw_str cluster;
    gw_dns_spec dns;
    for (size_t i = 0; next(config, &i, &cluster, &dns);) {
        printf("  cluster %.*s from DNS: %s of %.*s", (int)cluster.len, cluster.ptr, type_of(&dns),
               (int)dns.name.len, dns.name.ptr);
        if (dns.port != 0)
            printf(", port %u", dns.port);
        printf("\n");
    }
}

static size_t print_one(gw_str cluster, const gw_dns_spec *dns, char *out, size_t max)
{
    struct json j;
    json_open(&j, out, max);
    json_text(&j, "cluster", cluster, 256);
    json_text(&j, "name", dns->name, 256);
    json_text(&j, "type", gw_cstr(type_of(dns)), 16);
    if (dns->port != 0)
        json_number(&j, "port", dns->port);
    return json_close(&j);
}

char *asked_json(const gw_config *config)
{
    enum { EACH = 1024 };
    size_t n = 0, len = 0;
    gw_str cluster;
    gw_dns_spec dns;
    for (size_t i = 0; next(config, &i, &cluster, &dns);)
        n++;
    char *text = malloc(n * EACH + 3);
    if (text == NULL)
        return NULL;
    text[len++] = '[';
    for (size_t i = 0; next(config, &i, &cluster, &dns);) {
        if (len > 1)
            text[len++] = ',';
        len += print_one(cluster, &dns, text + len, EACH - 1);
    }
    memcpy(text + len, "]", 2);
    return text;
}
