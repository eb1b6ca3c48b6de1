/* adapters/yaml_none.c: a build without libyaml reads no files, and says so. */

#include <gw/yaml.h>

#include "base/spec.h"
#include "base/text.h"

gw_status gw_yaml_load(const gw_env *env, gw_str text, gw_yaml_extend_fn *extend, void *ctx,
                       gw_yaml_settings *settings, gw_limits *limits, gw_config **out,
                       gw_yaml_error *err)
{
    gw_yaml_error own = { .size = sizeof own, .status = GW_EUNSUPPORTED };
    struct gw_text message;
    (void)env;
    (void)text;
    (void)extend;
    (void)ctx;
    (void)settings;
    (void)limits;
    (void)out;
    gw_text_init(&message, own.text, sizeof own.text);
    gw_text_cstr(&message, "this build reads no YAML: it was made without libyaml");
    if (err != NULL && gw_spec_fill(err, &own, sizeof own) != GW_OK)
        return GW_EINVAL;
    return GW_EUNSUPPORTED;
}
