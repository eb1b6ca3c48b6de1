/* unit/worker_suites.h: the suites of the program for whole workers. */
#ifndef UNIT_WORKER_SUITES_H
#define UNIT_WORKER_SUITES_H

#include <check.h>

Suite *admission_suite(void);
Suite *contract_suite(void);
Suite *deadline_suite(void);
Suite *hooks_suite(void);
Suite *keep_suite(void);
Suite *pool_suite(void);

#endif
