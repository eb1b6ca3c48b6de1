/* fuzz/fuzz_config.c: a configuration file of any bytes. What is refused says why and where inside the
 * file; what is taken answers requests; nothing is left behind. */

#include "fuzz.h"

#include <gw/yaml.h>

#include "config/snapshot.h"

static size_t answer(void *ctx, gw_str address, gw_yaml_answer *out, size_t max)
{
    (void)ctx;
    CHECK(max > 0);
    memcpy(out[0].address, "10.0.0.1:80", 12);
    return address.len % 2;
}

static void ask(const gw_config *config)
{
    static const gw_str paths[] = { { "/", 1 }, { "/v1/x", 5 }, { "*", 1 }, { "", 0 } };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        bool is_missing;
        struct gw_route_key key = { .host = { "a.example", 9 },
                                    .path = paths[i],
                                    .method = { "GET", 3 } };
        const struct gw_route_conf *route = gw_config_route(config, &key, &is_missing);
        CHECK(route == NULL || (route->index < config->routes_len && !is_missing));
    }
}

static void check_refusal(gw_str text, gw_status status, const gw_yaml_error *err)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n' || text.ptr[i] == '\r' || (text.ptr[i] & 0x80) != 0;
    CHECK(err->status == status && err->text[0] != '\0');
    CHECK(err->line <= lines + 1);
    CHECK((err->line == 0) == (err->column == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint64_t live;
    gw_env env = GW_SPEC(gw_env);
    gw_yaml_settings settings = GW_SPEC(gw_yaml_settings);
    gw_limits limits = GW_SPEC(gw_limits);
    gw_footprint footprint = GW_SPEC(gw_footprint);
    gw_yaml_error err = GW_SPEC(gw_yaml_error);
    gw_config *config = NULL;
    gw_str text = { (const char *)bytes, len };
    env.allocator = fuzz_allocator(&live);
    settings.resolve = answer;
    gw_status status = gw_yaml_load(&env, text, NULL, NULL, &settings, &limits, &config, &err);
    CHECK((status == GW_OK) == (config != NULL));
    if (status == GW_OK) {
        CHECK(gw_limits_footprint(&limits, config, &footprint) == GW_OK);
        ask(config);
        gw_config_unref(config);
    } else {
        check_refusal(text, status, &err);
    }
    CHECK(live == 0);
    return 0;
}
