/* link/slot.h: admission. What a link that works has promised to it, so that whatever others hold it
 * can go on: a block to read into and one to write into, and for a client's link also what its next
 * exchange will need. An idle link has no slot and holds no block. Who finds no slot free is not read,
 * and waits in line (docs/flow-control.md). */
#ifndef GW_LINK_SLOT_H
#define GW_LINK_SLOT_H

#include "link/link.h"

enum {
    GW_SLOT_LINK = 2,     /* blocks of a link that works                                         */
    GW_SLOT_ENGINE = 6,   /* of one under an engine: its wire, its clear side, and one to pack   */
    GW_SLOT_EXCHANGE = 3, /* of an exchange: its arena and each way; and a link to an upstream   */
    GW_SLOT_EARLY = 65535 /* bytes that an HTTP/2 client may send before it knows our windows    */
};

struct gw_slot {
    struct gw_reserve in, out; /* of rx and tx, and of the engine's chains */
    struct gw_reserve kit;     /* server: for the next exchange            */
    struct gw_reserve early;   /* server: see gw_codec.early               */
};

/* Is all there that link needs for what it reads next? If not it is in line, and will be marked
 * readable. False also if there is no memory for the slot itself. */
bool gw_slot_take(struct gw_link *link);
/* Client role: with what it needs from gift, unless it has a slot. GW_ENOMEM. */
gw_status gw_slot_take_gift(struct gw_link *link, struct gw_reserve *gift) GW_MUST_CHECK;
/* The blocks for an exchange that begins now and for its link to an upstream. NULL: so many are not
 * free, or there are links in line before it. */
struct gw_reserve *gw_slot_kit(struct gw_link *link) GW_MUST_CHECK;
/* So many are asked for an exchange that no client's link brings along. */
uint32_t gw_slot_kit_blocks(const struct gw_links *links);
/* A second try takes another link: what that needs is asked for again. Benign if so many are not free: then
 * the try depends on spare blocks. */
void gw_slot_renew_gift(const struct gw_links *links, struct gw_reserve *gift);
/* What is kept for early bytes goes back when none can come any more. */
void gw_slot_trim(struct gw_link *link);
/* The link is idle: all goes back, unless something of it is still in use. */
void gw_slot_rest(struct gw_link *link);
void gw_slot_give(struct gw_link *link);
/* Links in line get their slots, first come first served: what is given back gathers until the first has
 * enough. When nothing came back for a while, who needs less may pass. */
void gw_slots_feed(struct gw_links *links);

#endif
