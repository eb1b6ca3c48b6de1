/* proto/clock.c: the monotonic clock of this program, and of every library in it: it stands still until
 * a script says otherwise. A timer's descriptor becomes readable by it. */

#include "proto.h"

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static gw_nanos now;
static int timer = -1; /* the last one that was set; its gateway is the only one */
static gw_nanos rings_at;

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (id == CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, id, out);
    out->tv_sec = (time_t)(now / 1000000000u);
    out->tv_nsec = (long)(now % 1000000000u);
    return 0;
}

static void set_timer(void)
{
    struct itimerspec when = { .it_value.tv_nsec = rings_at <= now ? 1 : 0 };

    if (timer >= 0)
        (void)syscall(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, &when, NULL);
    if (rings_at <= now)
        timer = -1;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    (void)flags; /* absolute: there is no other user */
    (void)old;
    timer = fd;
    rings_at = (gw_nanos)when->it_value.tv_sec * 1000000000u + (gw_nanos)when->it_value.tv_nsec;
    set_timer();
    return 0;
}

void proto_clock_set(gw_nanos at)
{
    if (at < now)
        timer = -1; /* another script begins */
    now = at;
    set_timer();
}
