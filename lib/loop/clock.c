/* loop/clock.c: GW_LOOP_ONE_FD: a timer among what the poller watches, so that its descriptor alone
 * tells a foreign loop all there is to tell. The timer is only ever set to earlier: deadlines move on
 * with each request, and one that rings too early costs an empty turn, not a system call a request.
 */
#define _GNU_SOURCE
#include "loop/loop.h"

#include <errno.h>
#ifdef __linux__
#include <sys/timerfd.h>
#include <unistd.h>

gw_status gw_clock_hang(struct gw_loop *loop)
{
    if (gw_loop_fd(loop) < 0)
        return GW_EUNSUPPORTED;
    struct gw_watch *w = gw_watch_new(loop, GW_WATCH_CLOCK, -1);
    if (w == NULL)
        return GW_ENOMEM;
    w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->fd < 0)
        return gw_socket_status(errno);
    gw_status status = loop->poller->add(loop, w);
    if (status != GW_OK)
        return status;
    loop->clock = w->fd;
    gw_clock_set(loop);
    return GW_OK;
}

void gw_clock_set(struct gw_loop *loop)
{
    if (loop->clock < 0 || loop->in_turn)
        return;
    gw_nanos due = gw_loop_due(loop);
    if (due >= loop->rings_at)
        return;
    gw_nanos at = due == 0 ? 1 : due; /* 0 would be off */
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at / 1000000000u),
                                             .tv_nsec = (long)(at % 1000000000u) } };
    if (timerfd_settime(loop->clock, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        loop->rings_at = due;
}

/* It is not read: the next setting makes it unreadable, and readable again in its time. */
void gw_clock_heard(struct gw_loop *loop)
{
    loop->rings_at = UINT64_MAX;
}

#else

gw_status gw_clock_hang(struct gw_loop *loop)
{
    (void)loop;
    return GW_EUNSUPPORTED;
}

void gw_clock_set(struct gw_loop *loop)
{
    (void)loop;
}

void gw_clock_heard(struct gw_loop *loop)
{
    (void)loop;
}

#endif
