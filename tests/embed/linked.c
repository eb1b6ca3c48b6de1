/* tests/embed/linked.c: the smallest host, in C99: it compiles and links wherever libgw is installed,
 * and what it was linked with works: a request is answered, in every protocol that is there, and by a
 * configuration file where that is. What is in the library, it says itself. */

#include <stdio.h>
#include <string.h>

#include <gw/gw.h>

static gw_config *configure(void)
{
    gw_builder *builder = NULL;
    gw_config *config = NULL;
    gw_listener_spec edge = GW_SPEC(gw_listener_spec);
    gw_route_spec hello = GW_SPEC(gw_route_spec);
    if (gw_builder_new(NULL, &builder) != GW_OK)
        return NULL;
    edge.name = gw_cstr("edge");
    hello.name = gw_cstr("hello");
    hello.reply_code = 200;
    hello.reply_body = gw_cstr("hello\n");
    gw_builder_listener(builder, &edge);
    gw_builder_route(builder, &hello);
    return gw_builder_build(builder, &config, NULL) == GW_OK ? config : NULL;
}

/* Whether what is sent to a client that says this has those bytes in it, in one piece. */
static bool answers(gw_worker *w, gw_str says, gw_str has)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_link *link = NULL;
    gw_const_span spans[8];
    size_t n;
    bool is_there = false;
    accept.listener = gw_cstr("edge");
    accept.early.ptr = says.ptr;
    accept.early.len = says.len;
    if (gw_worker_accept(w, &accept, &link) != GW_OK || gw_worker_step(w, 1000000000) != GW_OK)
        return false;
    n = gw_link_unsent(link, spans, 8);
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at + has.len <= spans[i].len; at++)
            is_there = is_there || memcmp((const char *)spans[i].ptr + at, has.ptr, has.len) == 0;
    gw_link_closed(link);
    return gw_worker_step(w, 1000000000) == GW_OK && is_there;
}

static bool loads(gw_str file)
{
    gw_config *config = NULL;
    bool is_loaded = gw_yaml_load(NULL, file, NULL, NULL, NULL, NULL, &config, NULL) == GW_OK;
    gw_config_unref(config);
    return is_loaded;
}

int main(void)
{
    static const char h1[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char h2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                             "\0\0\6\1\5\0\0\0\1\x82\x84\x86\x41\1\x61";
    static const char file[] = "listeners:\n- name: edge\n  address: 127.0.0.1:80\n"
                               "routes:\n- name: all\n  respond: {status: 204}\n";
    bool has_h2 = strstr(gw_build_features(), "h2=") != NULL;
    bool has_yaml = strstr(gw_build_features(), "yaml") != NULL;
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_worker_spec one = GW_SPEC(gw_worker_spec);
    gw_engine *engine = NULL;
    gw_worker *worker = NULL;
    gw_config *config = configure();
    if (gw_version() != (GW_VERSION_MAJOR << 16 | GW_VERSION_MINOR << 8 | GW_VERSION_PATCH))
        return 1;
    if (config == NULL || gw_engine_new(&spec, &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK ||
        gw_worker_new(engine, &one, &worker) != GW_OK)
        return 2;
    if (!answers(worker, gw_cstr(h1), gw_cstr("HTTP/1.1 200 OK\r\n")))
        return 3;
    if (has_h2 != answers(worker, (gw_str){ h2, sizeof h2 - 1 }, gw_cstr("hello\n")))
        return 4;
    if (has_yaml != loads(gw_cstr(file)))
        return 5;
    gw_worker_free(worker);
    gw_engine_free(engine);
    gw_config_unref(config);
    printf("%s\n", gw_build_features());
    return 0;
}
