/* states.h: what is in force and how it is now, for programs to read. */
#ifndef GW_PROGRAM_STATES_H
#define GW_PROGRAM_STATES_H

#include <gw/engine.h>

/* A line of JSON for each state of a view, to standard error. Ends early where that cannot be written, or a
 * signal comes while nobody reads it. */
void states_print(gw_engine *engine);

#endif
