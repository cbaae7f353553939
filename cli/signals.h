/* Ctrl-C asks the running operation to stop; a second one, half a second later or more, kills. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

void signals_install(void);
/* For nacre_progress.cancel. */
const volatile int *signals_cancel(void);
/* The signal that asked to stop, or 0. */
int signals_caught(void);

#endif
