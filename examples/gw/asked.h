/* asked.h: which clusters' endpoints come from DNS, for "gw check". */
#ifndef GW_PROGRAM_ASKED_H
#define GW_PROGRAM_ASKED_H

#include <gw/config.h>

/* A line for each. */
void asked_print(const gw_config *config);
/* An array, to free; NULL: no memory. */
char *asked_json(const gw_config *config);

#endif
