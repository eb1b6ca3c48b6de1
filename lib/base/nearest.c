/* base/nearest.c: a name is near when at most half of what was written differs, and three bytes. */

#include "base/nearest.h"

void gw_nearest_init(struct gw_nearest *nearest, gw_str wanted)
{
    size_t allowed = wanted.len / 2;
    *nearest = (struct gw_nearest){ .wanted = wanted, .distance = allowed < 3 ? allowed : 3 };
}

void gw_nearest_offer(struct gw_nearest *nearest, gw_str name)
{
    if (name.len == 0)
        return;
    size_t distance = gw_text_distance(nearest->wanted, name, nearest->distance);
    if (distance > nearest->distance || (distance == nearest->distance && nearest->name.len > 0))
        return;
    nearest->distance = distance;
    nearest->name = name;
}

void gw_nearest_say(const struct gw_nearest *nearest, struct gw_text *text)
{
    if (nearest->name.len == 0)
        return;
    gw_text_cstr(text, "; did you mean \"");
    gw_text_quoted(text, nearest->name);
    gw_text_cstr(text, "\"?");
}
