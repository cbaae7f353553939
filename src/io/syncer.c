#include "io/syncer.h"

#include "base/mem.h"
#include "io/aside.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct nc_syncer {
	int fd;
	uint64_t unsynced;
	pthread_t thread;
	bool started;			/* there is a thread to be joined */
	atomic_bool running;
};

int nc_syncer_new(int fd, struct nc_syncer **ret, struct nacre_error *err)
{
	struct nc_syncer *syncer = nc_zalloc(sizeof *syncer);
	if (!syncer) {
		close(fd);
		return nc_nomem(err);
	}
	syncer->fd = fd;
	*ret = syncer;
	return 0;
}

static void *sync_it(void *arg)
{
	struct nc_syncer *syncer = arg;
	pthread_setname_np(pthread_self(), "nacre-sync");
	syncfs(syncer->fd);
	atomic_store(&syncer->running, false);
	return NULL;
}

static void wait_for_it(struct nc_syncer *syncer)
{
	if (syncer->started)
		pthread_join(syncer->thread, NULL);
	syncer->started = false;
}

void nc_syncer_wrote(struct nc_syncer *syncer, uint64_t bytes)
{
	if (!syncer)
		return;
	syncer->unsynced += bytes;
	if (syncer->unsynced < NC_SYNCER_STEP || atomic_load(&syncer->running))
		return;
	wait_for_it(syncer);
	syncer->unsynced = 0;
	atomic_store(&syncer->running, true);
	syncer->started = nc_aside_start(&syncer->thread, sync_it, syncer);
	if (!syncer->started)
		atomic_store(&syncer->running, false);
}

void nc_syncer_free(struct nc_syncer *syncer)
{
	if (!syncer)
		return;
	wait_for_it(syncer);
	close(syncer->fd);
	free(syncer);
}
