/* adapters/cares_none.c: a build without c-ares asks no name servers, and says so. */

#include <gw/resolver.h>

gw_status gw_resolver_new(gw_engine *e, const gw_resolver_spec *spec, gw_resolver **out)
{
    (void)spec;
    return e == NULL || out == NULL ? GW_EINVAL : GW_EUNSUPPORTED;
}

int gw_resolver_fd(const gw_resolver *r)
{
    (void)r;
    return -1;
}

gw_status gw_resolver_step(gw_resolver *r)
{
    (void)r;
    return GW_EINVAL;
}

gw_status gw_resolver_run(gw_resolver *r)
{
    (void)r;
    return GW_EINVAL;
}

void gw_resolver_stop(gw_resolver *r)
{
    (void)r;
}

size_t gw_resolver_pending(const gw_resolver *r)
{
    (void)r;
    return 0;
}

void gw_resolver_free(gw_resolver *r)
{
    (void)r;
}
