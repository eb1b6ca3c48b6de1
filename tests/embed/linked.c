/* tests/embed/linked.c: the smallest host, in C99: it compiles and links wherever libgw is
 * installed. Which symbols come from the library it was linked with, it says itself. */

#include <stdio.h>
#include <string.h>

#include <gw/gw.h>

int main(void)
{
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint footprint = GW_SPEC(gw_footprint);
    if (gw_limits_footprint(&limits, NULL, &footprint) != GW_OK || footprint.total == 0)
        return 1;
    if (strcmp(gw_status_name(GW_EOF), "GW_EOF") != 0)
        return 2;
    if (gw_version() != (GW_VERSION_MAJOR << 16 | GW_VERSION_MINOR << 8 | GW_VERSION_PATCH))
        return 3;
    printf("%s\n", gw_build_features());
    return 0;
}
