/* config/dns.c: see the header. */

#include "config/dns.h"

#include "base/address.h"
#include "base/assert.h"
#include "base/spec.h"
#include "gw_features.h"

enum {
    DAY_MS = 86400000,
    PORT_MAX = 65535,
    PORT_OF_DNS = 53,
    TTL_MIN_MS = 5000,
    TTL_MAX_MS = 300000,
    RETRY_MS = 1000,
    RETRY_MAX_MS = 60000,
    STALE_MS = DAY_MS,
    EMPTY_MS = 30000
};
#define TYPES_ALL ((uint32_t)(GW_DNS_A | GW_DNS_AAAA | GW_DNS_SRV))

/* A number, its range, and what 0 means; off: GW_OFF is fine, and is 0 from then on. */
struct range {
    uint32_t least, most, normal;
    bool may_be_off;
};

static void complete(const struct gw_part *part, const char *field, uint32_t *n, struct range range)
{
    if (*n == 0) {
        *n = range.normal;
    } else if (*n == GW_OFF && range.may_be_off) {
        *n = 0;
    } else if (*n < range.least || *n > range.most) {
        gw_fault_add_range(part, field, range.least, range.most, range.may_be_off);
    }
}

static void take_times(const struct gw_part *part, gw_dns_spec *own)
{
    /* A cap that nobody gave follows. */
    uint32_t ttl_cap = own->ttl_min_ms > TTL_MAX_MS ? own->ttl_min_ms : TTL_MAX_MS;
    uint32_t retry_cap = own->retry_ms > RETRY_MAX_MS ? own->retry_ms : RETRY_MAX_MS;
    uint32_t ttl_least = own->ttl_max_ms != 0 && own->ttl_max_ms < TTL_MIN_MS ? own->ttl_max_ms
                                                                              : TTL_MIN_MS;

    complete(part, "dns.ttl_min_ms", &own->ttl_min_ms,
             (struct range){ 10, DAY_MS, ttl_least, false });
    complete(part, "dns.ttl_max_ms", &own->ttl_max_ms,
             (struct range){ 10, 7 * DAY_MS, ttl_cap, false });
    complete(part, "dns.retry_ms", &own->retry_ms, (struct range){ 10, DAY_MS, RETRY_MS, false });
    complete(part, "dns.retry_max_ms", &own->retry_max_ms,
             (struct range){ 10, DAY_MS, retry_cap, false });
    complete(part, "dns.stale_ms", &own->stale_ms, (struct range){ 1, 7 * DAY_MS, STALE_MS, true });
    complete(part, "dns.empty_ms", &own->empty_ms, (struct range){ 1, DAY_MS, EMPTY_MS, true });
    if (own->ttl_max_ms < own->ttl_min_ms)
        gw_fault_add(part, "dns.ttl_max_ms", GW_EINVAL, "it is less than the least");
    if (own->retry_max_ms < own->retry_ms)
        gw_fault_add(part, "dns.retry_max_ms", GW_EINVAL, "it is less than the base");
}

/* ---- servers ---- */

/* "10.0.0.1", "10.0.0.1:53", "::1", "[::1]:53" */
static bool parse_server(gw_str text, gw_address *out)
{
    if (gw_ip_parse(text, out) != GW_OK && (gw_address_parse(text, out) != GW_OK || out->port == 0))
        return false;
    if (out->kind != GW_ADDRESS_IPV4 && out->kind != GW_ADDRESS_IPV6)
        return false;
    if (out->port == 0)
        out->port = PORT_OF_DNS;
    return true;
}

static void take_servers(const struct gw_part *part, gw_dns_spec *own)
{
    struct gw_store *store = &part->builder->config->store;
    size_t n = own->servers == NULL ? 0 : own->servers_len;
    gw_str *copy;
    gw_address address;
    char field[GW_ELEMENT_MAX];

    if (own->servers == NULL && own->servers_len > 0)
        gw_fault_add(part, "dns.servers", GW_EINVAL, "the list has a length and is NULL");
    if (n > GW_DNS_SERVERS_MAX) {
        gw_fault_add(part, "dns.servers", GW_ELIMIT, "the list is too long; at most 8");
        n = 0;
    }
    copy = gw_store_take(store, n, sizeof *copy);
    for (size_t i = 0; i < n && copy != NULL; i++)
        if (gw_store_copy(store, own->servers[i], &copy[i]) != GW_OK)
            copy = NULL;
    if (copy == NULL)
        part->builder->has_no_memory = true;
    own->servers = copy;
    own->servers_len = copy == NULL ? 0 : n;
    for (size_t i = 0; i < own->servers_len; i++)
        if (!parse_server(copy[i], &address))
            gw_fault_add_value(part, gw_fault_element(field, "dns.servers", i, ""), copy[i],
                               "no address of a name server; write 10.0.0.1 or 10.0.0.1:53");
}

/* ---- the whole ---- */

static void take_name(const struct gw_part *part, gw_dns_spec *own)
{
    gw_str name = own->name.ptr == NULL ? GW_STR("") : own->name;
    const char *fault = gw_dns_name_fault(name);

    if (gw_store_copy(&part->builder->config->store, name, &own->name) != GW_OK)
        part->builder->has_no_memory = true;
    if (fault != NULL)
        gw_fault_add(part, "dns.name", GW_EINVAL, fault);
}

static void take_types(const struct gw_part *part, gw_dns_spec *own)
{
    if ((own->types & ~TYPES_ALL) != 0)
        gw_fault_add(part, "dns.types", GW_EINVAL, "bits that mean nothing are set");
    if ((own->types & (GW_DNS_A | GW_DNS_AAAA)) == 0)
        own->types |= GW_DNS_A | GW_DNS_AAAA;
    if ((own->types & GW_DNS_SRV) != 0 && own->port != 0)
        gw_fault_add(part, "dns.port", GW_EINVAL, "SRV says the port; leave it out");
    if ((own->types & GW_DNS_SRV) == 0 && (own->port == 0 || own->port > PORT_MAX))
        gw_fault_add(part, "dns.port", GW_EINVAL, "a port is needed, from 1 to 65535");
}

void gw_dns_take(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    const gw_dns_spec *given = draft->spec.dns;
    gw_dns_spec *own = &draft->dns;

    if (given == NULL)
        return;
    draft->spec.dns = own;
    if (gw_spec_copy(own, sizeof *own, given) != GW_OK) {
        gw_fault_add(part, "dns.size", GW_EINVAL, "start it as GW_SPEC(gw_dns_spec)");
        return;
    }
    if (!GW_HAVE_CARES)
        gw_fault_add(part, "dns", GW_EUNSUPPORTED,
                     "this build asks no name servers: it was made without c-ares; a cluster that "
                     "is live takes what the host finds out");
    if (own->reserved != 0)
        gw_fault_add(part, "dns.reserved", GW_EINVAL, "it has to be 0");
    if (draft->spec.origin != NULL)
        gw_fault_add(part, "dns", GW_EINVAL, "an origin has no endpoints: it is the host");
    if ((draft->spec.flags & GW_CLUSTER_LIVE) != 0)
        gw_fault_add(part, "dns", GW_EINVAL,
                     "the cluster is live: its endpoints come from calls; keep one of the two");
    take_name(part, own);
    take_types(part, own);
    take_times(part, own);
    take_servers(part, own);
}

static gw_status join_servers(const gw_dns_spec *own, struct gw_store *store, gw_str *out)
{
    char *at = gw_store_take(store, own->servers_len * (GW_ADDRESS_TEXT_MAX + 1) + 1, 1);
    size_t len = 0;

    if (at == NULL)
        return GW_ENOMEM;
    for (size_t i = 0; i < own->servers_len; i++) {
        gw_address address = { 0 };
        bool is_good = parse_server(own->servers[i], &address);
        GW_ASSERT(is_good); /* it was checked */
        if (len > 0)
            at[len++] = ',';
        len += gw_address_format(&address, at + len);
    }
    *out = (gw_str){ at, len };
    return GW_OK;
}

gw_status gw_dns_freeze(const struct gw_cluster_draft *draft, struct gw_store *store,
                        const struct gw_dns_conf **out)
{
    const gw_dns_spec *own = &draft->dns;
    struct gw_dns_conf *conf;

    *out = NULL;
    if (draft->spec.dns == NULL)
        return GW_OK;
    conf = gw_store_take(store, 1, sizeof *conf);
    if (conf == NULL)
        return GW_ENOMEM;
    conf->spec = *own;
    conf->spec.size = sizeof conf->spec;
    conf->spec.stale_ms = own->stale_ms == 0 ? GW_OFF : own->stale_ms;
    conf->spec.empty_ms = own->empty_ms == 0 ? GW_OFF : own->empty_ms;
    conf->plan = (struct gw_dns_plan){
        .is_srv = (own->types & GW_DNS_SRV) != 0,
        .has_a = (own->types & GW_DNS_A) != 0,
        .has_aaaa = (own->types & GW_DNS_AAAA) != 0,
        .port = (uint16_t)own->port,
        .times = { GW_MS(own->ttl_min_ms), GW_MS(own->ttl_max_ms), GW_MS(own->retry_ms),
                   GW_MS(own->retry_max_ms), GW_MS(own->stale_ms), GW_MS(own->empty_ms) },
    };
    gw_dns_name_set(&conf->plan.name, own->name);
    *out = conf;
    return join_servers(own, store, &conf->servers);
}

gw_status gw_config_dns(const gw_config *config, size_t i, gw_str *cluster, gw_dns_spec *out)
{
    gw_dns_spec none = GW_SPEC(gw_dns_spec);
    const struct gw_cluster_conf *c;

    if (config == NULL || out == NULL)
        return GW_EINVAL;
    if (i >= config->clusters_len)
        return GW_EUNKNOWN;
    c = &config->clusters[i];
    if (gw_spec_fill(out, c->dns == NULL ? &none : &c->dns->spec, sizeof none) != GW_OK)
        return GW_EINVAL;
    if (cluster != NULL)
        *cluster = c->name;
    return GW_OK;
}
