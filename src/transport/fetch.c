/* Each fetch is a job of a crew: a thread that appends to its file (or memory) and says how much is there. Its reader, on
 * whatever thread it is read, follows. The one that is read is fetched as fast as it can be; all others wait when more lies there
 * unread than can be read while the rest comes: a pull shall be over soon after its last byte. */
#include "transport/fetch.h"

#include "base/cancel.h"
#include "io/crew.h"
#include "io/failure.h"
#include "io/turns.h"
#include "transport/remote_inner.h"
#include "transport/resume.h"

#include <stdlib.h>
#include <string.h>

/* So much may lie there unread, and half of what is still to come. Beyond it a connection is given up rather than kept waiting. */
#define UNREAD_MAX ((uint64_t)16 << 20)
#define BLOCK ((size_t)256 << 10)

struct nc_fetch {
	struct nc_job job;
	struct nc_fetches *all;
	struct nc_fetch *next;
	size_t number;
	struct nc_digest digest;
	uint64_t size;
	char id[NC_DIGEST_TEXT];
	/* the thread's, until the job is over */
	struct nc_remotes remotes;
	struct nc_reader *rest;		/* what is still to come; NULL: not asked for */
	uint64_t told;
	/* set before it has begun */
	struct nc_partial *partial;
	char *bytes;			/* instead of it */
	uint64_t old;			/* so much was there */
	/* under the lock */
	bool begun, opened;
	uint64_t have;
};

struct nc_fetches {
	struct nc_fetches_wish wish;
	struct nc_crew crew;
	/* under its lock */
	struct nc_fetch *list;		/* in the order in which they were added */
	size_t first;			/* of the remotes, the one to ask first */
	struct nc_fetch *failed;	/* the first of them; what it says ends the others */
	bool blamed;
};

/* --- fetching --------------------------------------------------------------------------------------------------- */

static bool is_cancelled(const struct nc_fetches *all)
{
	const struct nacre_progress *progress = all->wish.progress;
	return nc_aside_unwanted() || (progress && nc_cancelled(progress->cancel));
}

static void tell_bytes(struct nc_fetch *self, uint64_t have)
{
	const struct nc_fetches_wish *wish = &self->all->wish;
	if (have != self->size && have - self->told < NC_PROGRESS_STEP)
		return;
	self->told = have;
	nc_progress_tell(wish->progress, NACRE_EVENT_BYTES, self->id, wish->what, have, self->size);
}

static void publish(struct nc_fetch *self, uint64_t have)
{
	struct nc_crew *crew = &self->all->crew;
	nc_crew_lock(crew);
	self->begun = true;
	self->have = have;
	nc_crew_changed(crew);
	nc_crew_unlock(crew);
}

/* Where it goes. 0: nowhere, since somebody else is at it. */
static int open_place(struct nc_fetch *self, struct nacre_error *err)
{
	if (self->size < NC_FETCH_SMALL) {
		self->bytes = nc_alloc((size_t)self->size);
		return self->bytes ? 1 : nc_nomem(err);
	}
	int code = nc_partial_open(self->all->wish.store, &self->digest, self->size, &self->partial, err);
	if (code > 0)
		self->old = nc_partial_size(self->partial);
	return code;
}

/* The lock is held. */
static bool may_go_on(const struct nc_fetch *self)
{
	uint64_t unread = 0, to_come = 0;
	for (const struct nc_fetch *one = self->all->list; one; one = one->next) {
		unread += one->opened ? 0 : one->have;
		to_come += one->size - one->have;
	}
	return self->opened || unread < UNREAD_MAX + to_come / 2;
}

static int wait_for_turn(struct nc_fetch *self, struct nacre_error *err)
{
	struct nc_crew *crew = &self->all->crew;
	nc_crew_lock(crew);
	if (!may_go_on(self)) {
		nc_crew_unlock(crew);
		nc_reader_close(NC_GIVE(self->rest));
		nc_crew_lock(crew);
	}
	bool stop;
	while (!(stop = is_cancelled(self->all)) && !may_go_on(self))
		nc_crew_wait(crew);
	nc_crew_unlock(crew);
	return stop ? nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled") : 0;
}

/* The next bytes, kept. */
static ssize_t fetch_some(struct nc_fetch *self, uint64_t at, struct nacre_error *err)
{
	const void *bytes;
	int code = wait_for_turn(self, err);
	if (code >= 0 && !self->rest)
		code = nc_remote_blob(&self->remotes, &self->digest, self->size, at, &self->rest, err);
	if (code < 0)
		return code;
	ssize_t n = nc_reader_next(self->rest, &bytes, err);
	if (n == 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%.19s ends after %llu of %llu bytes", self->id,
			       (unsigned long long)at, (unsigned long long)self->size);
	if (n > 0 && self->bytes)
		memcpy(self->bytes + at, bytes, (size_t)n);
	else if (n > 0)
		code = nc_partial_append(self->partial, bytes, (size_t)n, err);
	return code < 0 ? code : n;
}

static int fetch_all(struct nc_fetch *self, struct nacre_error *err)
{
	for (uint64_t have = self->old; have < self->size;) {
		ssize_t n = fetch_some(self, have, err);
		if (n < 0)
			return (int)n;
		have += (uint64_t)n;
		/* first told, so that who has read it all has heard of it all */
		tell_bytes(self, have);
		publish(self, have);
	}
	return 0;
}

/* Bad bytes may be better elsewhere, and that is tried when they are read. Any other failure is one of the pull. */
static bool ends_all(int code)
{
	return code < 0 && code != NACRE_E_BADDATA && code != NACRE_E_DIGEST && code != NACRE_E_CANCELLED;
}

static void settle(struct nc_fetch *self, int code)
{
	struct nc_fetches *all = self->all;
	nc_crew_lock(&all->crew);
	if (self->remotes.first > all->first)
		all->first = self->remotes.first;
	if (ends_all(code) && !all->failed)
		all->failed = self;
	nc_crew_unlock(&all->crew);
}

static int run(struct nc_job *job, struct nacre_error *err)
{
	struct nc_fetch *self = (struct nc_fetch *)job;
	nc_crew_lock(&self->all->crew);
	self->remotes.first = self->remotes.last = self->all->first;
	nc_crew_unlock(&self->all->crew);
	int code = open_place(self, err);
	if (code > 0) {
		if (self->old) {
			nc_resume_note(&self->remotes, &self->digest, self->old, self->size);
			tell_bytes(self, self->old);
		}
		publish(self, self->old);
		code = fetch_all(self, err);
	}
	nc_reader_close(NC_GIVE(self->rest));
	settle(self, code);
	return code;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct follower {
	struct nc_reader base;
	struct nc_fetch *fetch;
	uint64_t at;
	struct nc_turns turns;
	unsigned char *block;
	struct nacre_error failure;	/* once it has failed */
};

/* How much there is behind at; 0 at the end. The lock is held, and let go while there is nothing. */
static int64_t wait_for_bytes(struct follower *self, struct nacre_error *err)
{
	struct nc_fetch *fetch = self->fetch;
	struct nc_fetches *all = fetch->all;
	for (;;) {
		if (all->failed && all->failed != fetch) {
			all->blamed = true;
			return nc_fail(err, NACRE_E_CANCELLED, 0, "another layer failed");
		}
		if (fetch->have > self->at)
			return (int64_t)(fetch->have - self->at);
		if (fetch->job.state == NC_JOB_OVER && fetch->job.code < 0)
			return nc_failure_tell(&fetch->job.failure, fetch->job.code, err);
		if (fetch->job.state == NC_JOB_OVER)
			return 0;
		if (is_cancelled(all))
			return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
		nc_crew_wait(&all->crew);
	}
}

static ssize_t follow(struct follower *self, const void **ret, struct nacre_error *err)
{
	struct nc_fetch *fetch = self->fetch;
	struct nc_crew *crew = &fetch->all->crew;
	nc_crew_lock(crew);
	nc_aside_pass_on(&crew->aside);
	int64_t there = wait_for_bytes(self, err);
	nc_crew_unlock(crew);
	if (there <= 0)
		return (ssize_t)there;
	if (fetch->bytes) {
		*ret = fetch->bytes + self->at;
		return (ssize_t)there;
	}
	unsigned char *block = nc_turns_next(&self->turns);
	*ret = block;
	return nc_partial_read(fetch->partial, self->at, block, there < (int64_t)BLOCK ? (size_t)there : BLOCK, err);
}

static ssize_t follower_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct follower *self = (struct follower *)reader;
	if (self->failure.code)
		return nc_failure_tell(&self->failure, self->failure.code, err);
	ssize_t n = follow(self, ret, &self->failure);
	if (n < 0)
		return nc_failure_tell(&self->failure, (int)n, err);
	self->at += (uint64_t)n;
	return n;
}

static int follower_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	struct follower *self = (struct follower *)reader;
	return self->fetch->bytes ? 1 : nc_turns_keep(&self->turns, count, err);
}

static void follower_close(struct nc_reader *reader)
{
	struct follower *self = (struct follower *)reader;
	nc_turns_release(&self->turns);
	free(self->block);
	free(self);
}

int nc_fetch_reader(struct nc_fetch *fetch, struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { follower_next, follower_close, follower_keep };
	struct follower *self = nc_zalloc(sizeof *self);
	unsigned char *block = nc_alloc(BLOCK);
	if (!self || !block) {
		free(self);
		free(block);
		return nc_nomem(err);
	}
	*self = (struct follower){ .base = { &ops }, .fetch = fetch, .turns = nc_turns_of(block, BLOCK), .block = block };
	*ret = &self->base;
	return 0;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

int nc_fetches_new(const struct nc_fetches_wish *wish, struct nc_fetches **ret, struct nacre_error *err)
{
	struct nc_fetches *fetches = nc_zalloc(sizeof *fetches);
	if (!fetches)
		return nc_nomem(err);
	fetches->wish = *wish;
	nc_crew_init(&fetches->crew, NC_REMOTE_AT_ONCE);
	*ret = fetches;
	return 0;
}

static void free_fetch(struct nc_fetch *fetch)
{
	nc_partial_close(fetch->partial);
	free(fetch->bytes);
	free(fetch);
}

void nc_fetches_free(struct nc_fetches *fetches)
{
	if (!fetches)
		return;
	nc_crew_release(&fetches->crew);
	while (fetches->list) {
		struct nc_fetch *fetch = fetches->list;
		fetches->list = fetch->next;
		free_fetch(fetch);
	}
	free(fetches);
}

/* The lock need not be held: the list changes in the thread that calls alone. */
static bool has_digest(const struct nc_fetches *fetches, const struct nc_digest *digest)
{
	for (const struct nc_fetch *fetch = fetches->list; fetch; fetch = fetch->next)
		if (nc_digest_equal(&fetch->digest, digest))
			return true;
	return false;
}

static void link_last(struct nc_fetches *fetches, struct nc_fetch *fetch, size_t first)
{
	nc_crew_lock(&fetches->crew);
	struct nc_fetch **last = &fetches->list;
	while (*last)
		last = &(*last)->next;
	*last = fetch;
	if (first > fetches->first)
		fetches->first = first;
	nc_crew_unlock(&fetches->crew);
}

static void unlink_fetch(struct nc_fetch *fetch)
{
	struct nc_fetches *all = fetch->all;
	nc_crew_lock(&all->crew);
	struct nc_fetch **at = &all->list;
	while (*at != fetch)
		at = &(*at)->next;
	*at = fetch->next;
	if (all->failed == fetch)
		all->failed = NULL;
	nc_crew_changed(&all->crew);
	nc_crew_unlock(&all->crew);
}

int nc_fetches_add(struct nc_fetches *fetches, size_t number, const struct nc_digest *digest, uint64_t size,
		   const struct nc_remotes *remotes, struct nacre_error *err)
{
	if (!size || size == UINT64_MAX || has_digest(fetches, digest))
		return 0;
	struct nc_fetch *fetch = nc_zalloc(sizeof *fetch);
	if (!fetch)
		return nc_nomem(err);
	fetch->job.run = run;
	fetch->all = fetches;
	fetch->number = number;
	fetch->digest = *digest;
	fetch->size = size;
	fetch->remotes = *remotes;
	nc_digest_text(digest, fetch->id);
	link_last(fetches, fetch, remotes->first);
	if (nc_crew_give(&fetches->crew, &fetch->job)) {
		nc_progress_tell(fetches->wish.progress, NACRE_EVENT_START, fetch->id, fetches->wish.what, 0, size);
		return 0;
	}
	unlink_fetch(fetch);
	free_fetch(fetch);
	return 0;
}

/* Waits until it has begun, or is over without that. */
static int wait_for_begin(struct nc_fetch *fetch)
{
	struct nc_crew *crew = &fetch->all->crew;
	nc_crew_lock(crew);
	fetch->opened = true;
	nc_crew_changed(crew);
	while (!fetch->begun && fetch->job.state != NC_JOB_OVER)
		nc_crew_wait(crew);
	int code = fetch->begun ? 1 : fetch->job.code;
	nc_crew_unlock(crew);
	return code;
}

int nc_fetches_open(struct nc_fetches *fetches, size_t number, struct nc_fetch **ret, struct nacre_error *err)
{
	struct nc_fetch *fetch = fetches->list;
	while (fetch && fetch->number != number)
		fetch = fetch->next;
	if (!fetch)
		return 0;
	int code = wait_for_begin(fetch);
	if (code > 0) {
		*ret = fetch;
		return 1;
	}
	if (code < 0)
		nc_failure_tell(&fetch->job.failure, code, err);
	unlink_fetch(fetch);
	free_fetch(fetch);
	return code;
}

struct nc_partial *nc_fetch_partial(const struct nc_fetch *fetch)
{
	return fetch->partial;
}

int nc_fetch_close(struct nc_fetch *fetch, bool drop, struct nc_remotes *remotes)
{
	bool from_before = fetch->old;
	nc_crew_stop(&fetch->all->crew, &fetch->job);
	unlink_fetch(fetch);
	if (fetch->remotes.first > remotes->first)
		remotes->first = fetch->remotes.first;
	remotes->last = fetch->remotes.last;
	if (drop && fetch->partial)
		nc_partial_drop(NC_GIVE(fetch->partial), NULL);
	free_fetch(fetch);
	return from_before;
}

int nc_fetches_blame(struct nc_fetches *fetches, size_t *ret_number, struct nacre_error *err)
{
	nc_crew_lock(&fetches->crew);
	struct nc_fetch *failed = fetches->blamed ? fetches->failed : NULL;
	nc_crew_unlock(&fetches->crew);
	if (!failed)
		return 0;
	nc_crew_await(&fetches->crew, &failed->job);
	*ret_number = failed->number;
	if (err)
		*err = failed->job.failure;
	return 1;
}
