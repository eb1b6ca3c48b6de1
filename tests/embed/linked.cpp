// tests/embed/linked.cpp: a host in C++17: the headers are usable from there, hooks may be lambdas, and
// the names are C's.

#include <cstdio>
#include <memory>
#include <string_view>

#include <gw/gw.h>

namespace
{

template <auto free_one> struct Free {
    template <class T> void operator()(T *object) const
    {
        free_one(object);
    }
};
using Engine = std::unique_ptr<gw_engine, Free<gw_engine_free>>;
using Worker = std::unique_ptr<gw_worker, Free<gw_worker_free>>;
using Config = std::unique_ptr<gw_config, Free<gw_config_unref>>;

gw_str view(std::string_view text)
{
    return { text.data(), text.size() };
}

// A filter that answers everything, and counts ends.
Config configure(int &ends)
{
    gw_builder *builder = nullptr;
    gw_config *config = nullptr;
    if (gw_builder_new(nullptr, &builder) != GW_OK)
        return nullptr;
    auto edge = GW_SPEC(gw_listener_spec);
    edge.name = view("edge");
    auto rest = GW_SPEC(gw_route_spec);
    rest.name = view("rest");
    rest.reply_code = 404;
    auto filter = GW_SPEC(gw_filter);
    filter.name = "all";
    filter.ctx = &ends;
    filter.on_request = [](void *, gw_exchange *x) {
        auto reply = GW_SPEC(gw_reply);
        reply.code = 403;
        reply.body = view("no\n");
        return gw_exchange_reply(x, &reply) == GW_OK ? GW_REPLY : GW_ABORT;
    };
    filter.on_end = [](void *ctx, const gw_exchange *) { ++*static_cast<int *>(ctx); };
    gw_builder_listener(builder, &edge);
    gw_builder_route(builder, &rest);
    gw_builder_filter(builder, &filter);
    return Config(gw_builder_build(builder, &config, nullptr) == GW_OK ? config : nullptr);
}

} // namespace

int main()
{
    constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    int ends = 0;
    auto config = configure(ends);
    auto spec = GW_SPEC(gw_engine_spec);
    gw_engine *engine = nullptr;
    if (!config || gw_engine_new(&spec, &engine) != GW_OK)
        return 1;
    Engine keep_engine(engine);
    auto one = GW_SPEC(gw_worker_spec);
    gw_worker *worker = nullptr;
    if (gw_engine_apply(engine, config.get(), nullptr) != GW_OK ||
        gw_worker_new(engine, &one, &worker) != GW_OK)
        return 2;
    Worker keep_worker(worker);
    auto accept = GW_SPEC(gw_accept_spec);
    accept.listener = view("edge");
    accept.early = { request.data(), request.size() };
    gw_link *link = nullptr;
    gw_const_span span;
    if (gw_worker_accept(worker, &accept, &link) != GW_OK ||
        gw_worker_step(worker, 1000000000) != GW_OK || gw_link_unsent(link, &span, 1) != 1)
        return 3;
    std::string_view sent(static_cast<const char *>(span.ptr), span.len);
    if (sent.rfind("HTTP/1.1 403 ", 0) != 0)
        return 4;
    keep_worker.reset();
    if (ends != 1)
        return 5;
    std::printf("%s\n", gw_build_features());
    return 0;
}
