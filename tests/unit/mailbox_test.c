/* unit/mailbox_test.c: many threads put, one takes: nothing is lost, nothing comes twice, each
 * sender's order is kept, and a wake-up goes out whenever the box was empty. */

#include "check_main.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "base/mailbox.h"

enum { SENDERS = 4, LETTERS = 20000 };
struct post {
    struct gw_letter letter;
    int sender, number;
};
struct sender {
    struct gw_mailbox *box;
    struct post *posts;
    _Atomic int *wakes;
};

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < LETTERS; i++)
        if (gw_mailbox_put(sender->box, &sender->posts[i].letter))
            ++*sender->wakes;
    return NULL;
}

START_TEST(many_senders)
{
    static struct post posts[SENDERS][LETTERS];
    struct gw_mailbox box;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    _Atomic int wakes = 0;
    int next[SENDERS] = { 0 }, got = 0, takes = 0;
    gw_mailbox_init(&box);
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < LETTERS; i++)
            posts[s][i] = (struct post){ .sender = s, .number = i };
        senders[s] = (struct sender){ &box, posts[s], &wakes };
        ck_assert_int_eq(pthread_create(&threads[s], NULL, send_all, &senders[s]), 0);
    }
    while (got < SENDERS * LETTERS) {
        struct gw_letter *letter = gw_mailbox_take(&box);
        takes += letter != NULL;
        if (letter == NULL)
            sched_yield();
        for (; letter != NULL; got++) {
            struct post *post = (struct post *)(void *)letter; /* the first member */
            letter = letter->next;
            ck_assert_int_eq(post->number, next[post->sender]);
            next[post->sender]++;
        }
    }
    for (int s = 0; s < SENDERS; s++)
        ck_assert_int_eq(pthread_join(threads[s], NULL), 0);
    ck_assert_ptr_null(gw_mailbox_take(&box));
    ck_assert_int_eq(wakes, takes); /* one for each time that it went from empty to not empty */
}
END_TEST

START_TEST(one_thread)
{
    struct gw_mailbox box;
    struct gw_letter a, b, c;
    gw_mailbox_init(&box);
    ck_assert_ptr_null(gw_mailbox_take(&box));
    ck_assert(gw_mailbox_put(&box, &a));
    ck_assert(!gw_mailbox_put(&box, &b));
    ck_assert(!gw_mailbox_put(&box, &c));
    ck_assert_ptr_eq(gw_mailbox_take(&box), &a);
    ck_assert_ptr_eq(a.next, &b);
    ck_assert_ptr_eq(b.next, &c);
    ck_assert_ptr_null(c.next);
    ck_assert_ptr_null(gw_mailbox_take(&box));
    ck_assert(gw_mailbox_put(&box, &b)); /* a letter may be sent again */
    ck_assert_ptr_eq(gw_mailbox_take(&box), &b);
    ck_assert_ptr_null(b.next);
}
END_TEST

static Suite *mailbox_suite(void)
{
    Suite *suite = suite_create("mailbox");
    check_add(suite, one_thread);
    check_add(suite, many_senders);
    return suite;
}

CHECK_MAIN(mailbox_suite)
