/* buf/stage.h: a place between two pipes where somebody looks at a body: bytes in on one side, out on the
 * other. What is passed on waits in between for room, in order, so that who passes need not ask for it. */
#ifndef GW_BUF_STAGE_H
#define GW_BUF_STAGE_H

#include "buf/pipe.h"

struct gw_stage {
    struct gw_pipe in; /* the one that is shown; its stage is this one */
    struct gw_pipe *to;
    struct gw_reserve reserve; /* of in */
    struct gw_chain through;   /* passed on, and there was no room yet */
    int64_t owed; /* dropped, and not yet written in its place; or written, and yet to be dropped */
    bool is_open; /* the public calls may be made: its hook runs */
    bool may_rewrite; /* more or less may come out than went in: no matter what is owed */
    bool has_moved;   /* since it was opened */
    bool was_refused; /* likewise: there was no memory; something may have been lent after that */
    bool was_short;   /* ever: somebody wanted to write more than there was room for */
};

/* size: of in. */
void gw_stage_init(struct gw_stage *s, struct gw_pool *pool, size_t size, struct gw_pipe *to);
void gw_stage_fini(struct gw_stage *s);
/* Its hook is about to run: what was refused it before it may do again. */
static inline void gw_stage_open(struct gw_stage *s)
{
    s->is_open = true;
    s->has_moved = s->was_refused = s->to->is_refused = false;
}
/* What the host has passed on goes as far as there is room. True: some did. */
bool gw_stage_push(struct gw_stage *s);
/* All that is in is passed on. */
void gw_stage_pass_all(struct gw_stage *s);
/* Moves what fits from one pipe to another, as gw_pipe_push does. True: something did. */
bool gw_pipe_transfer(struct gw_pipe *to, struct gw_pipe *from);
/* Is there room behind it, if it wanted to write? */
static inline bool gw_stage_has_room(const struct gw_stage *s)
{
    return gw_chain_is_empty(&s->through) && gw_pipe_space(s->to) > 0;
}

/* For the public calls on a pipe that has a stage. */
gw_status gw_stage_drop(struct gw_stage *s, size_t len) GW_MUST_CHECK;
size_t gw_stage_room(const struct gw_stage *s);
size_t gw_stage_write(struct gw_stage *s, const void *ptr, size_t len) GW_MUST_CHECK;
gw_status gw_stage_lend(struct gw_stage *s, gw_const_span bytes, gw_done_fn *done, void *ctx,
                        void *object) GW_MUST_CHECK;

#endif
