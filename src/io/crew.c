#include "io/crew.h"

#include <time.h>

/* How long a cancellation may go unseen. */
#define WAIT_NS 100000000l

void nc_crew_lock(struct nc_crew *crew)
{
	pthread_mutex_lock(&crew->aside.lock);
}

void nc_crew_unlock(struct nc_crew *crew)
{
	pthread_mutex_unlock(&crew->aside.lock);
}

void nc_crew_changed(struct nc_crew *crew)
{
	pthread_cond_broadcast(&crew->aside.changed);
}

void nc_crew_wait(struct nc_crew *crew)
{
	struct timespec until;
	if (crew->aside.first && !nc_aside_works_for(&crew->aside)) {
		nc_aside_pass_on(&crew->aside);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	until.tv_sec += until.tv_nsec / 1000000000l;
	until.tv_nsec %= 1000000000l;
	pthread_cond_timedwait(&crew->aside.changed, &crew->aside.lock, &until);
}

/* --- the threads ------------------------------------------------------------------------------------------------ */

static void end(struct nc_crew *crew, struct nc_job *job, int code)
{
	job->code = job->failure.code = code;
	job->state = NC_JOB_OVER;
	nc_crew_changed(crew);
}

/* The next job, once there is one; NULL when there will be none. */
static struct nc_job *take(struct nc_crew *crew)
{
	crew->idle++;
	while (!crew->first && !crew->leaving)
		pthread_cond_wait(&crew->aside.changed, &crew->aside.lock);
	crew->idle--;
	struct nc_job *job = crew->leaving ? NULL : crew->first;
	if (job) {
		crew->first = job->next;
		job->state = NC_JOB_RUNS;
	}
	return job;
}

static void *work(void *arg)
{
	struct nc_hand *hand = arg;
	struct nc_crew *crew = hand->crew;
	pthread_setname_np(pthread_self(), "nacre-crew");
	nc_crew_lock(crew);
	while ((hand->job = take(crew))) {
		struct nc_job *job = hand->job;
		nc_crew_unlock(crew);
		nc_aside_work(&crew->aside, &job->unwanted);
		int code = job->run(job, &job->failure);
		nc_crew_lock(crew);
		hand->job = NULL;
		end(crew, job, code);
	}
	nc_crew_unlock(crew);
	return NULL;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

void nc_crew_init(struct nc_crew *crew, unsigned most)
{
	*crew = (struct nc_crew){ .most = most < NC_CREW_MAX ? most : NC_CREW_MAX };
	nc_aside_init(&crew->aside);
}

void nc_crew_release(struct nc_crew *crew)
{
	nc_crew_lock(crew);
	crew->leaving = true;
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->hands[i].job)
			atomic_store(&crew->hands[i].job->unwanted, true);
	nc_crew_changed(crew);
	nc_crew_unlock(crew);
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->hands[i].thread, NULL);
	for (; crew->first; crew->first = crew->first->next)
		end(crew, crew->first, nc_fail(&crew->first->failure, NACRE_E_CANCELLED, 0, "cancelled"));
	nc_aside_release(&crew->aside);
}

/* One more thread where there is more to do than who waits for it. The lock is held. */
static void grow(struct nc_crew *crew)
{
	struct nc_hand *hand = &crew->hands[crew->count];
	unsigned waiting = 0;
	for (const struct nc_job *job = crew->first; job; job = job->next)
		waiting++;
	if (waiting < crew->idle || crew->count == crew->most)
		return;
	hand->crew = crew;
	crew->count += nc_aside_start(&hand->thread, work, hand);
}

bool nc_crew_give(struct nc_crew *crew, struct nc_job *job)
{
	nc_crew_lock(crew);
	grow(crew);
	bool can = crew->count;
	if (can) {
		struct nc_job **last = &crew->first;
		while (*last)
			last = &(*last)->next;
		job->next = NULL;
		job->state = NC_JOB_WAITS;
		*last = job;
		nc_crew_changed(crew);
	}
	nc_crew_unlock(crew);
	return can;
}

int nc_crew_await(struct nc_crew *crew, struct nc_job *job)
{
	nc_crew_lock(crew);
	while (job->state != NC_JOB_OVER)
		nc_crew_wait(crew);
	if (!nc_aside_works_for(&crew->aside))
		nc_aside_pass_on(&crew->aside);
	int code = job->code;
	nc_crew_unlock(crew);
	return code;
}

void nc_crew_stop(struct nc_crew *crew, struct nc_job *job)
{
	nc_crew_lock(crew);
	atomic_store(&job->unwanted, true);
	if (job->state == NC_JOB_WAITS) {
		struct nc_job **at = &crew->first;
		while (*at != job)
			at = &(*at)->next;
		*at = job->next;
	}
	if (job->state != NC_JOB_RUNS && job->state != NC_JOB_OVER)
		end(crew, job, nc_fail(&job->failure, NACRE_E_CANCELLED, 0, "cancelled"));
	nc_crew_changed(crew);
	nc_crew_unlock(crew);
	nc_crew_await(crew, job);
}
