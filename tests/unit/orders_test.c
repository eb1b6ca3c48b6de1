/* unit/orders_test.c: the words that several threads write, in every order.
 *
 * The sources of the mailbox, the waker and the engine are compiled into this program once more, with
 * every atomic operation a place at which another thread may come in between. A few short threads, here
 * coroutines, are then run in each order that there is, and what must hold at the end of one is checked
 * after each. The memory order of what lies between is the thread sanitizer's to see (threads_test.c). */
#define _GNU_SOURCE
#include "check_main.h"

#include <stdatomic.h>
#include <ucontext.h>

static void another_may_come(void);

/* One thread runs at a time: plain reads and writes do. */
#undef atomic_init
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_add_explicit
#define atomic_init(at, value) (*(at) = (value))
#define atomic_load(at) (another_may_come(), *(at))
#define atomic_load_explicit(at, order) atomic_load(at)
#define atomic_store(at, value) (another_may_come(), (void)(*(at) = (value)))
#define atomic_store_explicit(at, value, order) atomic_store(at, value)
#define atomic_exchange(at, value)                                                                 \
    __extension__({                                                                                \
        __auto_type old_ = (another_may_come(), *(at));                                            \
        *(at) = (value);                                                                           \
        old_;                                                                                      \
    })
#define atomic_exchange_explicit(at, value, order) atomic_exchange(at, value)
#define atomic_fetch_add_explicit(at, value, order)                                                \
    __extension__({                                                                                \
        __auto_type old_ = (another_may_come(), *(at));                                            \
        *(at) = old_ + (value);                                                                    \
        old_;                                                                                      \
    })
#define atomic_fetch_add(at, value) atomic_fetch_add_explicit(at, value, 0)
#define atomic_fetch_sub(at, value) atomic_fetch_add_explicit(at, -(unsigned)(value), 0)
#define atomic_compare_exchange_strong(at, expected, value)                                        \
    __extension__({                                                                                \
        another_may_come();                                                                        \
        bool is_it_ = *(at) == *(expected);                                                        \
        if (is_it_)                                                                                \
            *(at) = (value);                                                                       \
        else                                                                                       \
            *(expected) = *(at);                                                                   \
        is_it_;                                                                                    \
    })
#define atomic_compare_exchange_weak(at, expected, value)                                          \
    atomic_compare_exchange_strong(at, expected, value)
#define atomic_compare_exchange_strong_explicit(at, expected, value, good, bad)                    \
    atomic_compare_exchange_strong(at, expected, value)
#define atomic_compare_exchange_weak_explicit(at, expected, value, good, bad)                      \
    atomic_compare_exchange_strong(at, expected, value)

#include "../../lib/base/mailbox.c"
#include "../../lib/worker/engine.c"
#undef BUSY
#include "../../lib/worker/waker.c"

#include "alloc.h"

/* ---- threads, and all their orders ---- */

enum { THREADS_MAX = 4, STEPS_MAX = 64, STACK = 64 * 1024 };

static struct {
    ucontext_t back;
    struct {
        ucontext_t at;
        void (*run)(void);
        bool is_over;
        _Alignas(16) char stack[STACK];
    } threads[THREADS_MAX];
    int count, now; /* now -1: none of them, no orders */
    /* At each step: which of those that could go on did, and how many could. */
    int choices[STEPS_MAX], options[STEPS_MAX], len, at;
    uint64_t orders;
} world = { .now = -1 };

static void another_may_come(void)
{
    if (world.now >= 0)
        ck_assert_int_eq(swapcontext(&world.threads[world.now].at, &world.back), 0);
}

static void run_thread(void)
{
    world.threads[world.now].run();
    world.threads[world.now].is_over = true;
}

static void add_thread(void (*run)(void))
{
    int i = world.count++;
    ucontext_t *at = &world.threads[i].at;
    world.threads[i].run = run;
    world.threads[i].is_over = false;
    ck_assert_int_eq(getcontext(at), 0);
    at->uc_stack.ss_sp = world.threads[i].stack;
    at->uc_stack.ss_size = STACK;
    at->uc_link = &world.back;
    makecontext(at, run_thread, 0);
}

static int choose(int options)
{
    ck_assert_int_lt(world.at, STEPS_MAX);
    if (world.at == world.len) {
        world.choices[world.at] = 0;
        world.len++;
    }
    world.options[world.at] = options;
    return world.choices[world.at++];
}

/* False: all are over. */
static bool step(void)
{
    int ready[THREADS_MAX], n = 0;
    for (int i = 0; i < world.count; i++)
        if (!world.threads[i].is_over)
            ready[n++] = i;
    if (n == 0)
        return false;
    world.now = ready[n == 1 ? 0 : choose(n)];
    ck_assert_int_eq(swapcontext(&world.back, &world.threads[world.now].at), 0);
    world.now = -1;
    return true;
}

static bool next_order(void)
{
    while (world.len > 0 && world.choices[world.len - 1] + 1 >= world.options[world.len - 1])
        world.len--;
    if (world.len == 0)
        return false;
    world.choices[world.len - 1]++;
    return true;
}

/* begin makes what they share and adds the threads; check looks at what has come of it. */
static uint64_t in_every_order(void (*begin)(void), void (*check)(void))
{
    world.len = 0;
    world.orders = 0;
    do {
        world.count = world.at = 0;
        begin();
        while (step())
            ;
        check();
        world.orders++;
    } while (next_order());
    return world.orders;
}

/* ---- the mailbox: nothing is lost, nothing comes twice, each sender's order stays, and there is a wake
 * for whatever lies there ---- */

static struct {
    struct gw_mailbox box;
    struct gw_letter letters[3];
    int taken[3], len;
    bool is_awake;
} post;

static void put_two(void)
{
    for (int i = 0; i < 2; i++)
        if (gw_mailbox_put(&post.box, &post.letters[i]))
            post.is_awake = true;
}

static void put_one(void)
{
    if (gw_mailbox_put(&post.box, &post.letters[2]))
        post.is_awake = true;
}

static void take_all(void)
{
    struct gw_letter *letter;
    post.is_awake = false;
    for (letter = gw_mailbox_take(&post.box); letter != NULL; letter = letter->next)
        post.taken[post.len++] = (int)(letter - post.letters);
}

static void take_twice(void)
{
    take_all();
    take_all();
}

static void begin_post(void)
{
    memset(&post, 0, sizeof post);
    gw_mailbox_init(&post.box);
    add_thread(put_two);
    add_thread(put_one);
    add_thread(take_twice);
}

static void end_post(void)
{
    int place[3] = { -1, -1, -1 };
    ck_assert(post.is_awake || post.len == 3);
    take_all();
    ck_assert_int_eq(post.len, 3);
    for (int i = 0; i < 3; i++)
        place[post.taken[i]] = i;
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(place[i], 0);
    ck_assert_int_lt(place[0], place[1]);
}

START_TEST(mailbox)
{
    ck_assert_uint_gt(in_every_order(begin_post, end_post), 300);
}
END_TEST

/* ---- the waker: whoever calls is followed by a wake, unless the worker has left; it ends once, and is
 * touched by nobody after ---- */

static struct {
    struct test_alloc alloc;
    struct gw_waker_place place;
    int wakes, dones;
    int wakes_at_call[2]; /* how many there were when each began to call */
    bool has_left, is_inside;
} ward;

static void count_wake(void *ctx)
{
    (void)ctx;
    ck_assert_int_eq(ward.dones, 0);
    ck_assert(!ward.is_inside); /* one at a time */
    ward.is_inside = true;
    another_may_come();
    ward.is_inside = false;
    ck_assert_int_eq(ward.dones, 0);
    ward.wakes++;
}

static void count_done(void *ctx)
{
    (void)ctx;
    ward.dones++;
}

static void sit(void)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    spec.wake = count_wake;
    spec.wake_done = count_done;
    ck_assert_int_eq(gw_waker_sit(&ward.place, &ward.alloc.allocator, &spec), GW_OK);
}

static void call_first(void)
{
    ward.wakes_at_call[0] = ward.wakes;
    gw_waker_call(&ward.place);
}

static void call_second(void)
{
    ward.wakes_at_call[1] = ward.wakes;
    gw_waker_call(&ward.place);
}

static void leave(void)
{
    gw_waker_leave(&ward.place);
    ward.has_left = true;
}

static void begin_ward(void)
{
    memset(&ward, 0, sizeof ward);
    test_alloc_init(&ward.alloc);
    sit();
    add_thread(call_first);
    add_thread(call_second);
}

static void end_ward(void)
{
    for (int i = 0; i < 2; i++)
        ck_assert_int_gt(ward.wakes, ward.wakes_at_call[i]);
    ck_assert_int_eq(ward.dones, 0);
    leave();
    ck_assert_int_eq(ward.dones, 1);
    test_alloc_fini(&ward.alloc);
}

static void begin_leaving_ward(void)
{
    begin_ward();
    add_thread(leave);
}

static void end_left_ward(void)
{
    ck_assert_int_eq(ward.dones, 1);
    test_alloc_fini(&ward.alloc);
}

START_TEST(waker)
{
    ck_assert_uint_gt(in_every_order(begin_ward, end_ward), 50);
    ck_assert_uint_gt(in_every_order(begin_leaving_ward, end_left_ward), 300);
}
END_TEST

/* ---- the seat: of two that apply at once the newer stays, what is displaced is freed, the worker is
 * awake while there is something for it, and the next worker finds what the last one had ---- */

static struct {
    struct test_alloc alloc;
    gw_config *config;
    struct gw_registry registry;
    struct gw_edition *edition;
    struct gw_engine_seat seat;
    struct gw_binding *made[3], *have; /* the worker's */
    bool is_awake;
} office;

static void wake_office(void *ctx)
{
    (void)ctx;
    office.is_awake = true;
}

static void seat_worker(void)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    spec.wake = wake_office;
    ck_assert_int_eq(gw_waker_sit(&office.seat.waker, &office.alloc.allocator, &spec), GW_OK);
}

static void hand_over_first(void)
{
    gw_binding_free(gw_engine_hand_over(&office.seat, office.made[0]));
}

static void hand_over_second(void)
{
    gw_binding_free(gw_engine_hand_over(&office.seat, office.made[1]));
}

/* As a worker does in a step; see gw_exchanges_adopt. */
static void adopt(void)
{
    struct gw_binding *b;
    office.is_awake = false;
    b = gw_engine_pick_up(&office.seat);
    if (b == NULL)
        return;
    if (office.have != NULL && b->generation < office.have->generation) {
        gw_binding_free(b);
        return;
    }
    gw_binding_free(office.have);
    office.have = b;
}

static void adopt_twice(void)
{
    adopt();
    adopt();
}

static void give_up_seat(void)
{
    struct gw_binding *b = office.have;
    gw_waker_leave(&office.seat.waker);
    office.have = NULL;
    if (b != NULL)
        gw_binding_free(gw_engine_hand_over(&office.seat, b));
    seat_worker(); /* the next one */
    adopt();
}

static void begin_office(void)
{
    gw_env env = GW_SPEC(gw_env);
    gw_builder *builder;
    memset(&office, 0, sizeof office);
    test_alloc_init(&office.alloc);
    env.allocator = office.alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &builder), GW_OK);
    ck_assert_int_eq(gw_builder_build(builder, &office.config, NULL), GW_OK);
    struct gw_edition_plan plan = { .config = office.config };
    gw_registry_init(&office.registry, &office.alloc.allocator, 0);
    ck_assert_int_eq(
        gw_edition_new(&office.alloc.allocator, &office.registry, &plan, &office.edition), GW_OK);
    for (uint64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(
            gw_binding_new(&office.alloc.allocator, office.edition, i, &office.made[i]), GW_OK);
        office.made[i]->generation = i < 2 ? i + 2 : 1;
    }
    office.have = office.made[2]; /* the oldest */
    seat_worker();
}

static void begin_applying(void)
{
    begin_office();
    add_thread(hand_over_first);
    add_thread(hand_over_second);
    add_thread(adopt);
}

static void begin_working(void)
{
    begin_office();
    hand_over_first();
    add_thread(hand_over_second);
    add_thread(adopt_twice);
}

static void begin_moving(void)
{
    begin_office();
    hand_over_first();
    add_thread(hand_over_second);
    add_thread(give_up_seat);
}

/* A worker that sleeps while something lies there would sleep on. The first turn of a new one does not
 * depend on being woken. */
static void end_office(void)
{
    ck_assert(office.is_awake || office.have->generation == 3);
    adopt();
    ck_assert_uint_eq(office.have->generation, 3);
    gw_binding_free(office.have);
    gw_waker_leave(&office.seat.waker);
    gw_edition_unref(office.edition);
    gw_registry_fini(&office.registry);
    gw_config_unref(office.config);
    test_alloc_fini(&office.alloc);
}

START_TEST(seat)
{
    ck_assert_uint_gt(in_every_order(begin_applying, end_office), 10000);
    ck_assert_uint_gt(in_every_order(begin_working, end_office), 50);
    ck_assert_uint_gt(in_every_order(begin_moving, end_office), 500);
}
END_TEST

/* ---- a ceiling of one: never two, and who found no place has one in the end, or is called ---- */

static struct {
    struct gw_ceiling ceiling;
    bool has[2], is_called;
    int leaving;
} yard;

static void want(int i)
{
    uint32_t wanted = 0;
    yard.has[i] = gw_ceiling_take(&yard.ceiling, 1);
    if (yard.has[i])
        return;
    gw_ceiling_change(&yard.ceiling.wanted, &wanted, 1);
    yard.has[i] = gw_ceiling_take(&yard.ceiling, 1);
    if (yard.has[i])
        gw_ceiling_change(&yard.ceiling.wanted, &wanted, 0);
}

static void want_first(void)
{
    want(0);
}

static void want_second(void)
{
    want(1);
}

static void give_one(void)
{
    if (gw_ceiling_give(&yard.ceiling))
        yard.is_called = true;
}

static void begin_yard(void)
{
    memset(&yard, 0, sizeof yard);
    ck_assert(gw_ceiling_take(&yard.ceiling, 1));
    add_thread(want_first);
    add_thread(want_second);
    add_thread(give_one);
}

static void end_yard(void)
{
    ck_assert(!yard.has[0] || !yard.has[1]);
    ck_assert_uint_eq(yard.ceiling.taken, yard.has[0] + yard.has[1]);
    ck_assert_uint_eq(yard.ceiling.wanted, 2 - yard.ceiling.taken);
    ck_assert(yard.is_called || yard.has[0] || yard.has[1]);
}

/* No more are given up than are wanted. */
static void leave_one(void)
{
    yard.leaving += gw_ceiling_leave(&yard.ceiling);
}

static void begin_leaving(void)
{
    memset(&yard, 0, sizeof yard);
    yard.ceiling.taken = 3;
    yard.ceiling.wanted = 2;
    for (int i = 0; i < 3; i++)
        add_thread(leave_one);
}

static void end_leaving(void)
{
    ck_assert_int_eq(yard.leaving, 2);
    ck_assert_uint_eq(yard.ceiling.leaving, 2);
}

START_TEST(ceiling)
{
    ck_assert_uint_gt(in_every_order(begin_yard, end_yard), 1000);
    ck_assert_uint_gt(in_every_order(begin_leaving, end_leaving), 100);
}
END_TEST

static Suite *orders_suite(void)
{
    Suite *s = suite_create("orders");
    check_add(s, mailbox);
    check_add(s, waker);
    check_add(s, seat);
    check_add(s, ceiling);
    return s;
}

CHECK_MAIN(orders_suite)
