/* load.h: a configuration file, read and checked; for "run" and "check" alike. */
#ifndef GW_PROGRAM_LOAD_H
#define GW_PROGRAM_LOAD_H

#include "commands.h"

#include <gw/yaml.h>

struct loaded {
    gw_config *config;
    gw_yaml_settings settings;
    gw_limits limits;
};

/* Returns an exit code. EXIT_FINE: out is set; its config is the caller's. EXIT_CONFIG: error says
 * where and why. EXIT_FAILED: the file cannot be read; why was said. */
int load_file(const char *path, struct loaded *out, gw_yaml_error *error);
/* FILE:LINE:COLUMN: where: text. */
void load_say_error(const char *path, const gw_yaml_error *error);
/* The number of workers: what the file says, or one a core. */
uint32_t load_workers(const struct loaded *loaded);
/* How long requests in flight may take to finish. */
uint32_t load_drain_ms(const struct loaded *loaded);

#endif
