/* signals.h: what happens to the process, as bytes that one thread reads in order.
 *
 * Signals come as the letters below. Other threads may put bytes of their own through
 * signals_writer; they must have been started between signals_block and signals_unblock, so that
 * signals reach the reading thread alone.
 */
#ifndef GW_PROGRAM_SIGNALS_H
#define GW_PROGRAM_SIGNALS_H

#include <stdbool.h>

enum { SIGNAL_END = 'T', SIGNAL_REOPEN = 'U', SIGNAL_RELOAD = 'H', SIGNAL_RECALL = 'R' };

/* False: no pipe could be made; it was said. Once a process. */
bool signals_open(void);
int signals_writer(void);
void signals_block(void);
void signals_unblock(void);
/* One that ends the program has come; it is to be read all the same. */
bool signals_have_end(void);
/* Waits for the next byte. */
char signals_next(void);

#endif
