/* tls/none.c: a build without a TLS library: settings are refused, so nothing else is ever asked. */

#include "tls/provider.h"

gw_status gw_tls_provider_open(struct gw_tls *tls, const gw_tls_spec *spec,
                               struct gw_tls_fault *fault)
{
    (void)tls;
    (void)spec;
    (void)fault;
    return GW_EUNSUPPORTED;
}

void gw_tls_provider_close(struct gw_tls *tls)
{
    (void)tls;
}

void gw_tls_provider_leave(void)
{
}

void gw_tls_kept_drop(struct gw_tls_kept *kept)
{
    (void)kept;
}

gw_status gw_tls_session_new(const struct gw_tls_session_spec *spec, struct gw_tls_engine **out)
{
    (void)spec;
    (void)out;
    return GW_EUNSUPPORTED;
}
