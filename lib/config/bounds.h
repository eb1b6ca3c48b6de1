/* config/bounds.h: how much a configuration may hold; docs/configuration.md says the same. */
#ifndef GW_CONFIG_BOUNDS_H
#define GW_CONFIG_BOUNDS_H

enum {
    GW_LISTENERS_MAX = 256,
    GW_CLUSTERS_MAX = 1024,
    GW_ENDPOINTS_MAX = 65536, /* over all clusters */
    GW_ROUTES_MAX = 262144,
    GW_FILTERS_MAX = 64, /* a bit each in a word */
    GW_BALANCERS_MAX = 256,
    GW_LIMITERS_MAX = 4096,
    GW_LIMITER_TABLE_MAX = 1 << 20,
    GW_ROUTE_LIMITERS_MAX = 16, /* entries of a route */
    GW_USES_MAX = 65536,
    GW_KEEPS_MAX = 65536,
    GW_TRUSTED_MAX = 64,  /* of a listener */
    GW_METHODS_MAX = 32,  /* of a route */
    GW_UPGRADES_MAX = 16, /* of a route */
    GW_KEYS_MAX = 8,      /* of a cluster, a limiter, a route's splits */
    GW_SPLITS_MAX = 32,   /* of a route */
    GW_EXPECT_MAX = 32,   /* of a cluster's probes */
    GW_DNS_SERVERS_MAX = 8,
    GW_NAME_MAX = 128,
    GW_ENDPOINT_NAME_MAX = 400, /* a name, a slash and an address */
    GW_ADDRESS_MAX = 260,
    GW_HOST_MAX = 253,
    GW_PATH_MAX = 2048,
    GW_TOKEN_MAX = 64,
    GW_COOKIE_PATH_MAX = 255,
    GW_SECRET_MAX = 256,
    GW_REPLY_TYPE_MAX = 255,
    GW_REPLY_BODY_MAX = 65536,
    GW_WEIGHT_MAX = 65535,
    GW_BODY_RATE_MAX = 1000000,
    GW_AGE_JITTER_MAX = 90,
    GW_CONFIG_ERRORS_MAX = 64 /* that are kept; the rest says nothing new */
};

#endif
