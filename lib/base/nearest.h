/* base/nearest.h: the name that somebody may have meant. */
#ifndef GW_BASE_NEAREST_H
#define GW_BASE_NEAREST_H

#include "base/text.h"

struct gw_nearest {
    gw_str wanted, name; /* name: empty, none is near */
    size_t distance;
};
void gw_nearest_init(struct gw_nearest *nearest, gw_str wanted);
void gw_nearest_offer(struct gw_nearest *nearest, gw_str name);
/* Appends '; did you mean "x"?', or nothing. */
void gw_nearest_say(const struct gw_nearest *nearest, struct gw_text *text);

#endif
