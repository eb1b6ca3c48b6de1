/* nearest.h: the name that somebody may have meant. */
#ifndef GW_PROGRAM_NEAREST_H
#define GW_PROGRAM_NEAREST_H

#include <gw/env.h>

struct nearest {
    gw_str wanted, name; /* name: of length 0, none is near */
    size_t distance;
};

void nearest_open(struct nearest *nearest, gw_str wanted);
void nearest_offer(struct nearest *nearest, gw_str name);

#endif
