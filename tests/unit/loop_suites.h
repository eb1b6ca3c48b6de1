/* unit/loop_suites.h: the suites of the program for lib/loop. */
#ifndef UNIT_LOOP_SUITES_H
#define UNIT_LOOP_SUITES_H

#include <check.h>

Suite *loop_suite(void);
Suite *socket_suite(void);

#endif
