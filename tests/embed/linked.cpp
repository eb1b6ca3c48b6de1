// tests/embed/linked.cpp: the same from C++17: the headers are usable, and the names are C's.

#include <cstdio>
#include <string_view>

#include <gw/gw.h>

int main()
{
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_engine *engine = nullptr;
    if (gw_engine_new(&spec, &engine) != GW_OK)
        return 1;
    gw_engine_free(engine);
    if (std::string_view(gw_status_name(GW_ENOMEM)) != "GW_ENOMEM")
        return 2;
    std::printf("%s\n", gw_build_features());
    return 0;
}
