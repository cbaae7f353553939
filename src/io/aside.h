/* Threads of the library's own, beside the one that runs an operation. They take no signals, can be told that they are no longer
 * wanted, and what they have to tell is told by the thread that waits for them. */
#ifndef NC_IO_ASIDE_H
#define NC_IO_ASIDE_H

#include "base/error.h"

#include <nacre/nacre.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct nc_told;

/* What such threads share with who waits for them. */
struct nc_aside {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* by the monotonic clock */
	struct nc_told *first, **last;	/* not told yet; under the lock */
};
void nc_aside_init(struct nc_aside *aside);
void nc_aside_release(struct nc_aside *aside);	/* what was not told stays untold */

/* How many threads can run at the same time; 1 also when nobody knows. */
unsigned nc_processors(void);
/* Starts a thread; false when there can be none. */
bool nc_aside_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
/* Called by it: from now on it works for aside, until *unwanted. Both are borrowed. */
void nc_aside_work(struct nc_aside *aside, const atomic_bool *unwanted);

/* Tells what there is to tell. The lock is held, and let go meanwhile. */
void nc_aside_pass_on(struct nc_aside *aside);

/* How many bytes pass between two reports of progress. */
#define NC_PROGRESS_STEP ((uint64_t)1 << 20)
/* progress->event, for all who may be running on such a thread. progress may be NULL. */
void nc_progress_tell(const struct nacre_progress *progress, enum nacre_event event, const char *id, const char *what,
		      uint64_t current, uint64_t total);

/* Whether this is such a thread, and no longer wanted: whoever waits for bytes need not wait any longer. */
bool nc_aside_unwanted(void);
/* Whether this is such a thread; one of these. */
bool nc_aside_here(void);
bool nc_aside_works_for(const struct nc_aside *aside);

#endif
