/* shares.h: which part of its keys each endpoint of consistent hash has, and what a new file moves. */
#ifndef GW_PROGRAM_SHARES_H
#define GW_PROGRAM_SHARES_H

#include <gw/config.h>

/* To stdout. old NULL: there is nothing to compare with. False: no memory. */
bool shares_print(const gw_config *config, const gw_config *old);
/* The same as a JSON array, to free; NULL: no memory. */
char *shares_json(const gw_config *config, const gw_config *old);

#endif
