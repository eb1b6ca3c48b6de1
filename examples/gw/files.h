/* files.h: files that a configuration names: certificates and keys, from its own folder. */
#ifndef GW_PROGRAM_FILES_H
#define GW_PROGRAM_FILES_H

#include <gw/yaml.h>

/* A gw_yaml_read_fn; ctx: the configuration's path (a const char *). A path that is not absolute
 * is looked for beside it. */
gw_status files_read(void *ctx, gw_str path, char *out, size_t room, size_t *len, char *why);

#endif
