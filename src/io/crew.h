/* A few threads that do jobs beside the caller's own work, in the order in which they are given. */
#ifndef NC_IO_CREW_H
#define NC_IO_CREW_H

#include "base/mem.h"
#include "io/aside.h"

#define NC_CREW_MAX 8

/* What is to be done; embedded, and given back once it is OVER. */
struct nc_job {
	int (*run)(struct nc_job *job, struct nacre_error *err);	/* on one of the threads */
	enum nc_job_state { NC_JOB_NEW, NC_JOB_WAITS, NC_JOB_RUNS, NC_JOB_OVER } state;	/* under the lock */
	int code;			/* once it is over: what run said; NACRE_E_CANCELLED when it never ran */
	struct nacre_error failure;
	atomic_bool unwanted;		/* what nc_aside_unwanted tells it */
	struct nc_job *next;
};

struct nc_hand {
	struct nc_crew *crew;
	pthread_t thread;
	struct nc_job *job;		/* NULL: none at the moment */
};

struct nc_crew {
	struct nc_aside aside;		/* its lock is for all below, and for what jobs share with others */
	unsigned most, count, idle;	/* threads: at most, so many, without a job */
	bool leaving;
	struct nc_hand hands[NC_CREW_MAX];
	struct nc_job *first;		/* that wait */
};

/* most: threads at once, NC_CREW_MAX at most; none is started before there is a job for it. */
void nc_crew_init(struct nc_crew *crew, unsigned most);
/* Ends all that is under way, and the threads. */
void nc_crew_release(struct nc_crew *crew);

/* Has a job done (borrowed until it is over). false: there can be no thread, and the job is as it was. */
bool nc_crew_give(struct nc_crew *crew, struct nc_job *job);
/* Waits until one is over: what run said. */
int nc_crew_await(struct nc_crew *crew, struct nc_job *job);
/* Ends one, and waits until it is over. One that was never given is over at once. */
void nc_crew_stop(struct nc_crew *crew, struct nc_job *job);

void nc_crew_lock(struct nc_crew *crew);
void nc_crew_unlock(struct nc_crew *crew);
/* Waits, a tenth of a second at most, for something to change. The lock is held, and let go meanwhile. Who is not one of the
 * crew tells what they have to tell. */
void nc_crew_wait(struct nc_crew *crew);
/* Something has changed; the lock is held. */
void nc_crew_changed(struct nc_crew *crew);

#endif
