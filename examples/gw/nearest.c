/* nearest.c: a name is near when at most half of what was written differs, and three bytes. */
#include "nearest.h"

enum { NAME_MAX_LEN = 128, NEAR = 3 };

/* Levenshtein's, a row at a time. */
static size_t distance_of(gw_str a, gw_str b)
{
    size_t row[NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b.len];
}

void nearest_open(struct nearest *nearest, gw_str wanted)
{
    size_t near = wanted.len / 2;
    *nearest = (struct nearest){ .wanted = wanted, .distance = (near < NEAR ? near : NEAR) + 1 };
}

void nearest_offer(struct nearest *nearest, gw_str name)
{
    if (name.len > NAME_MAX_LEN || nearest->wanted.len > NAME_MAX_LEN)
        return;
    size_t distance = distance_of(nearest->wanted, name);
    if (distance >= nearest->distance)
        return;
    nearest->distance = distance;
    nearest->name = name;
}
