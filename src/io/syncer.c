#include "io/syncer.h"

#include "base/mem.h"
#include "io/aside.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct nc_syncer {
	int fd;
	pthread_mutex_t lock;		/* of all below */
	uint64_t unsynced;
	pthread_t thread;
	bool started;			/* there is a thread to be joined */
	bool running;
};

int nc_syncer_new(int fd, struct nc_syncer **ret, struct nacre_error *err)
{
	struct nc_syncer *syncer = nc_zalloc(sizeof *syncer);
	if (!syncer) {
		close(fd);
		return nc_nomem(err);
	}
	syncer->fd = fd;
	pthread_mutex_init(&syncer->lock, NULL);
	*ret = syncer;
	return 0;
}

static void *sync_it(void *arg)
{
	struct nc_syncer *syncer = arg;
	pthread_setname_np(pthread_self(), "nacre-sync");
	syncfs(syncer->fd);
	pthread_mutex_lock(&syncer->lock);
	syncer->running = false;
	pthread_mutex_unlock(&syncer->lock);
	return NULL;
}

static void wait_for_it(struct nc_syncer *syncer)
{
	if (syncer->started)
		pthread_join(syncer->thread, NULL);
	syncer->started = false;
}

/* The lock is held; the one before is over, and joined at once. */
static void sync_aside(struct nc_syncer *syncer)
{
	wait_for_it(syncer);
	syncer->unsynced = 0;
	syncer->started = syncer->running = nc_aside_start(&syncer->thread, sync_it, syncer);
}

void nc_syncer_wrote(struct nc_syncer *syncer, uint64_t bytes)
{
	if (!syncer)
		return;
	pthread_mutex_lock(&syncer->lock);
	syncer->unsynced += bytes;
	if (syncer->unsynced >= NC_SYNCER_STEP && !syncer->running)
		sync_aside(syncer);
	pthread_mutex_unlock(&syncer->lock);
}

void nc_syncer_free(struct nc_syncer *syncer)
{
	if (!syncer)
		return;
	wait_for_it(syncer);
	close(syncer->fd);
	pthread_mutex_destroy(&syncer->lock);
	free(syncer);
}
