/* unit/limit_suites.h: the suites of one program, in several files. */
#ifndef UNIT_LIMIT_SUITES_H
#define UNIT_LIMIT_SUITES_H

#include <check.h>

Suite *limited_suite(void);

#endif
