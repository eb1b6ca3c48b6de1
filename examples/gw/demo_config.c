/* demo_config.c: the two configurations of the demo, made with the C builder. What a file can say,
 * C can say: this is the gateway's as YAML,
 *
 *     listeners: [ { name: edge, address: "127.0.0.1:8080" } ]
 *     clusters:
 *       - { name: echo, protocol: h1, endpoints: [ { address: ... }, { address: ... } ] }
 *       - { name: greeter, protocol: h2, endpoints: [ { address: ... }, { address: ... } ] }
 *       - { name: nobody, protocol: h2, endpoints: [ { address: ... } ] }
 *     routes:
 *       - { name: echo, match: { prefix: /echo }, cluster: echo }
 *       - { name: greeter, match: { prefix: /helloworld.Greeter/ }, cluster: greeter }
 *       - { name: nobody, match: { prefix: /nobody }, cluster: nobody }
 *       - { name: welcome, match: { exact: / }, respond: { status: 200, body: ... } }
 *
 * and every other path is answered by the library: there is no route.
 */
#include "demo_config.h"
#include "echo.h"
#include "greeter.h"
#include "say.h"

const char *const demo_upstream_names[DEMO_UPSTREAMS] = { "echo-1", "echo-2", "greeter-1",
                                                          "greeter-2" };
enum { ECHO_1 = 0, ECHO_2 = 1, GREETER_1 = 2, GREETER_2 = 3 };

/* Calls that add need no check each: build reports the first that failed. */
static gw_config *build(gw_builder *builder)
{
    gw_config *config = NULL;
    gw_config_error error = GW_SPEC(gw_config_error);
    if (gw_builder_build(builder, &config, &error) == GW_OK)
        return config;
    say("the demo's configuration is refused: %s: %s; please report this", error.where, error.text);
    return NULL;
}

static gw_builder *begin(void)
{
    gw_builder *builder = NULL;
    if (gw_builder_new(NULL, &builder) != GW_OK)
        say("no memory for a configuration");
    return builder;
}

static void add_listener(gw_builder *builder, const char *name, const char *address,
                         uint32_t protocols)
{
    gw_listener_spec spec = GW_SPEC(gw_listener_spec);
    spec.name = gw_cstr(name);
    spec.address = gw_cstr(address);
    spec.protocols = protocols;
    (void)gw_builder_listener(builder, &spec);
}

static gw_id add_cluster(gw_builder *builder, const char *name, uint32_t protocols,
                         const gw_origin *origin)
{
    gw_cluster_spec spec = GW_SPEC(gw_cluster_spec);
    spec.name = gw_cstr(name);
    spec.protocols = protocols;
    spec.origin = origin;
    return gw_builder_cluster(builder, &spec);
}

static void add_endpoint(gw_builder *builder, gw_id cluster, const char *name, const char *address)
{
    gw_endpoint_spec spec = GW_SPEC(gw_endpoint_spec);
    spec.name = gw_cstr(name);
    spec.address = gw_cstr(address);
    (void)gw_builder_endpoint(builder, cluster, &spec);
}

static void add_route(gw_builder *builder, const char *name, const char *prefix)
{
    gw_route_spec spec = GW_SPEC(gw_route_spec);
    spec.name = gw_cstr(name);
    spec.path = gw_cstr(prefix);
    spec.cluster = gw_cstr(name); /* each cluster has one route, of its name */
    (void)gw_builder_route(builder, &spec);
}

static void add_welcome(gw_builder *builder)
{
    gw_route_spec spec = GW_SPEC(gw_route_spec);
    spec.name = gw_cstr("welcome");
    spec.match = GW_MATCH_EXACT;
    spec.path = gw_cstr("/");
    spec.reply_code = 200;
    spec.reply_type = gw_cstr("text/plain");
    spec.reply_body = gw_cstr("This is gw demo. Try /echo/anything, POST to /echo, or\n"
                              "the gRPC service helloworld.Greeter.\n");
    (void)gw_builder_route(builder, &spec);
}

gw_config *demo_config_upstreams(const struct demo *demo)
{
    gw_builder *builder = begin();
    if (builder == NULL)
        return NULL;
    for (size_t i = 0; i < demo_upstreams(demo); i++)
        add_listener(builder, demo_upstream_names[i], "",
                     i < GREETER_1 ? GW_PROTO_H1 : GW_PROTO_H2);
    (void)add_cluster(builder, "echo", 0, echo_origin());
    (void)add_cluster(builder, "greeter", 0, greeter_origin());
    add_route(builder, "echo", "/echo");
    add_route(builder, "greeter", "/helloworld.Greeter");
    return build(builder);
}

static void add_greeters(gw_builder *builder, const struct demo *demo)
{
    gw_id greeter = add_cluster(builder, "greeter", GW_PROTO_H2, NULL);
    add_endpoint(builder, greeter, demo_upstream_names[GREETER_1], demo->addresses[GREETER_1]);
    add_endpoint(builder, greeter, demo_upstream_names[GREETER_2], demo->addresses[GREETER_2]);
    add_route(builder, "greeter", "/helloworld.Greeter");
}

gw_config *demo_config_gateway(const struct demo *demo, bool is_logged)
{
    gw_builder *builder = begin();
    if (builder == NULL)
        return NULL;
    uint32_t best = demo->has_h2 ? GW_PROTO_H2 : GW_PROTO_H1;
    add_listener(builder, "edge", demo->address, GW_PROTO_H1 | best);
    gw_id echo = add_cluster(builder, "echo", GW_PROTO_H1, NULL);
    add_endpoint(builder, echo, demo_upstream_names[ECHO_1], demo->addresses[ECHO_1]);
    add_endpoint(builder, echo, demo_upstream_names[ECHO_2], demo->addresses[ECHO_2]);
    add_route(builder, "echo", "/echo");
    gw_id nobody = add_cluster(builder, "nobody", best, NULL);
    add_endpoint(builder, nobody, "nobody", demo->deaf_address);
    add_route(builder, "nobody", "/nobody");
    if (demo->has_h2)
        add_greeters(builder, demo);
    add_welcome(builder);
    gw_filter filter = access_log_filter();
    if (is_logged)
        (void)gw_builder_filter(builder, &filter);
    return build(builder);
}
