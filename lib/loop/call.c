/* loop/call.c: what other threads have a loop do, in its own thread, in the order in which each asked. */
#include "loop/loop.h"

struct call {
    struct gw_letter letter; /* first */
    void (*run)(gw_loop *loop, void *ctx);
    void *ctx;
};

gw_status gw_loop_call(gw_loop *loop, void (*run)(gw_loop *loop, void *ctx), void *ctx)
{
    if (loop == NULL || run == NULL)
        return GW_EINVAL;
    struct call *call = gw_allocator_zalloc(&loop->heap.allocator, sizeof(*call));
    if (call == NULL)
        return GW_ENOMEM;
    call->run = run;
    call->ctx = ctx;
    if (gw_mailbox_put(&loop->calls, &call->letter))
        gw_bell_ring(loop->bell);
    return GW_OK;
}

bool gw_loop_run_calls(struct gw_loop *loop)
{
    const gw_allocator *allocator = &loop->heap.allocator;
    struct gw_letter *letter = gw_mailbox_take(&loop->calls);
    bool has_any = letter != NULL;
    while (letter != NULL) {
        struct call *call = (struct call *)(void *)letter;
        letter = letter->next;
        call->run(loop, call->ctx);
        allocator->release(allocator->ctx, call, sizeof(*call));
    }
    return has_any;
}
