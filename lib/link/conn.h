/* link/conn.h: link, engine and codec tied together: how bytes move through a link. Private to
 * lib/link. */
#ifndef GW_LINK_CONN_H
#define GW_LINK_CONN_H

#include "link/link.h"

gw_status gw_conn_init(struct gw_link *link, const struct gw_link_security *security) GW_MUST_CHECK;
void gw_conn_fini(struct gw_link *link);
/* The transport is gone: every stream is told. */
void gw_conn_lost(struct gw_link *link, gw_status why);
/* Nothing is attached and nothing will be asked any more; something may still have to be said. */
bool gw_conn_is_over(const struct gw_link *link);
/* May more be received now? */
bool gw_conn_wants_read(const struct gw_link *link);
/* The level of gw/link.h. */
uint32_t gw_conn_want(const struct gw_link *link);

/* In age.c: it is made, or connected. */
void gw_link_begin_age(struct gw_link *link);
/* Its time, or its grace, is over. */
void gw_link_get_older(struct gw_link *link);

/* In facts.c. */
void gw_link_free_facts(struct gw_link *link);

/* In back.c. */
gw_status gw_link_keep_heads(struct gw_link *link) GW_MUST_CHECK;
void gw_link_forget_head(struct gw_link *link);
void gw_link_free_kept(struct gw_link *link);

/* In link.c: the end of s was written, but will never leave. */
void gw_link_tell_unsent(struct gw_link *link, struct gw_stream *s);
/* In report.c: what was lent to read into is ours again. */
void gw_link_take_back_rooms(struct gw_link *link);

/* In link.c. */
void gw_link_drain_codec(struct gw_link *link); /* gw_link_drain, after its codec has read */
/* In link.c: bytes that nobody has taken in, also the part of a record that its engine holds. */
bool gw_link_has_unread(const struct gw_link *link);
/* In link.c: one line in the log, and one in the statistics, of an engine that is over; once. */
void gw_link_tell_fault(struct gw_link *link);
/* The codec ended for what its peer made us do: logged and counted, once. */
void gw_link_calmed(struct gw_link *link);
/* The engine, if there is one, says its orderly end. True: it has said so before. */
bool gw_link_close_engine(struct gw_link *link);
void gw_link_linger(struct gw_link *link);
/* The codec is over and nobody is attached: what it has to say may not take for ever to leave. */
void gw_link_hurry(struct gw_link *link);
void gw_link_bury(struct gw_link *link);

#endif
