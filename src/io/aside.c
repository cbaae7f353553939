#include "io/aside.h"

#include "base/mem.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Something to be told to a progress by the thread that waits. */
struct nc_told {
	struct nc_told *next;
	const struct nacre_progress *progress;
	enum nacre_event event;
	uint64_t current, total;
	char *id, *what;
};

static _Thread_local struct {
	struct nc_aside *aside;
	const atomic_bool *unwanted;
} here;

bool nc_aside_here(void)
{
	return here.aside;
}

bool nc_aside_works_for(const struct nc_aside *aside)
{
	return here.aside == aside;
}

bool nc_aside_unwanted(void)
{
	return here.aside && atomic_load_explicit(here.unwanted, memory_order_relaxed);
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

static void told_free(struct nc_told *told)
{
	free(told->id);
	free(told->what);
	free(told);
}

/* Without memory it stays untold. */
static struct nc_told *told_new(const struct nacre_progress *progress, enum nacre_event event, const char *id,
				const char *what, uint64_t current, uint64_t total)
{
	struct nc_told *told = nc_zalloc(sizeof *told);
	if (!told)
		return NULL;
	*told = (struct nc_told){ NULL, progress, event, current, total, nc_strdup(id), nc_strdup(what) };
	if (told->id && told->what)
		return told;
	told_free(told);
	return NULL;
}

void nc_progress_tell(const struct nacre_progress *progress, enum nacre_event event, const char *id, const char *what,
		      uint64_t current, uint64_t total)
{
	struct nc_aside *aside = here.aside;
	if (!progress || !progress->event)
		return;
	if (!aside) {
		progress->event(progress->ctx, event, id, what, current, total);
		return;
	}
	struct nc_told *told = told_new(progress, event, id, what, current, total);
	if (!told)
		return;
	pthread_mutex_lock(&aside->lock);
	*aside->last = told;
	aside->last = &told->next;
	pthread_cond_broadcast(&aside->changed);
	pthread_mutex_unlock(&aside->lock);
}

void nc_aside_pass_on(struct nc_aside *aside)
{
	struct nc_told *told = aside->first;
	if (!told)
		return;
	aside->first = NULL;
	aside->last = &aside->first;
	pthread_mutex_unlock(&aside->lock);
	while (told) {
		struct nc_told *next = told->next;
		nc_progress_tell(told->progress, told->event, told->id, told->what, told->current, told->total);
		told_free(told);
		told = next;
	}
	pthread_mutex_lock(&aside->lock);
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

void nc_aside_init(struct nc_aside *aside)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&aside->lock, NULL);
	pthread_cond_init(&aside->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	aside->first = NULL;
	aside->last = &aside->first;
}

void nc_aside_release(struct nc_aside *aside)
{
	while (aside->first) {
		struct nc_told *told = aside->first;
		aside->first = told->next;
		told_free(told);
	}
	pthread_cond_destroy(&aside->changed);
	pthread_mutex_destroy(&aside->lock);
}

unsigned nc_processors(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* Signals are the program's, and for its own threads. */
bool nc_aside_start(pthread_t *ret, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, before;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before))
		return false;
	bool started = pthread_create(ret, NULL, fn, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

void nc_aside_work(struct nc_aside *aside, const atomic_bool *unwanted)
{
	here.aside = aside;
	here.unwanted = unwanted;
}
