/* doors.h: the listeners of a crew, in all its workers, through any number of configurations.
 *
 * A door is one address on which every worker listens. One whose address a new configuration has too
 * keeps its sockets. New ones are opened before anything else changes, so that a configuration whose
 * addresses cannot be had is refused as a whole. Those that are named no longer are closed last, after the
 * connections that wait in their queues were taken. All of it in the thread that the crew belongs to. */
#ifndef GW_PROGRAM_DOORS_H
#define GW_PROGRAM_DOORS_H

#include <gw/config.h>

#include <stdbool.h>

struct crew;
struct door;

/* From crew->doors to those of config. False: nothing has changed; why was said. Not yet known to the
 * workers, a new listener's connections wait until config is applied; what an old one's have asked is
 * answered before, if config is applied after. */
bool doors_change(struct crew *crew, const gw_config *config);
/* The records alone: loops close what they have. */
void doors_free(struct door *doors);

#endif
