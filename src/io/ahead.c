#include "io/ahead.h"

#include "io/failure.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Blocks under way between the threads. Enough that neither waits for the other's every block, few enough that they are still
 * in the cache when they are read. */
#define BLOCKS 8
/* What is not longer is not worth a thread. */
#define ALONE_BYTES ((uint64_t)512 * 1024)

struct block {
	const void *bytes;
	size_t len;
};

/* Something to be told to a progress by the thread that reads. */
struct told {
	struct told *next;
	const struct nacre_progress *progress;
	enum nacre_event event;
	uint64_t current, total;
	char *id, *what;
};

/* Blocks are numbered as they come: those below got were read, those below given were lent, those below done are no longer
 * used, those below hashed are in the hash. A block's place is free for another when it is both done and hashed. Hashing takes
 * longest and only one can hash, so that whoever has time reads and hashes: the hash should never have to wait. */
struct ahead {
	struct nc_reader base;
	struct nc_reader *upstream;	/* the helper's and the caller's in turns: of whom reads */
	struct nc_hash *hash;
	uint64_t *count;
	pthread_t helper;
	enum { ALONE, TRY, HELPED, OVER } state;
	struct nacre_error failure;	/* of who reads, until it ended */
	atomic_bool unwanted;

	pthread_mutex_t lock;		/* for all below */
	pthread_cond_t changed;		/* never both wait */
	struct block blocks[BLOCKS];
	uint64_t got, given, done, hashed;
	uint64_t read_time, hash_time;	/* nanoseconds so far: the helper does first what takes longer */
	bool reading;			/* somebody reads block got */
	bool hashing;			/* somebody hashes block hashed */
	bool ended;			/* nothing more comes */
	struct told *first_told, **last_told;
};

static _Thread_local struct ahead *here;

bool nc_ahead_here(void)
{
	return here;
}

bool nc_ahead_unwanted(void)
{
	return here && atomic_load_explicit(&here->unwanted, memory_order_relaxed);
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

static void told_free(struct told *told)
{
	free(told->id);
	free(told->what);
	free(told);
}

/* Without memory it stays untold. */
static struct told *told_new(const struct nacre_progress *progress, enum nacre_event event, const char *id,
			     const char *what, uint64_t current, uint64_t total)
{
	struct told *told = nc_zalloc(sizeof *told);
	if (!told)
		return NULL;
	*told = (struct told){ NULL, progress, event, current, total, nc_strdup(id), nc_strdup(what) };
	if (told->id && told->what)
		return told;
	told_free(told);
	return NULL;
}

void nc_progress_tell(const struct nacre_progress *progress, enum nacre_event event, const char *id, const char *what,
		      uint64_t current, uint64_t total)
{
	if (!progress || !progress->event)
		return;
	if (!here) {
		progress->event(progress->ctx, event, id, what, current, total);
		return;
	}
	struct told *told = told_new(progress, event, id, what, current, total);
	if (!told)
		return;
	pthread_mutex_lock(&here->lock);
	*here->last_told = told;
	here->last_told = &told->next;
	pthread_cond_signal(&here->changed);
	pthread_mutex_unlock(&here->lock);
}

/* The lock is held, and let go meanwhile. */
static void pass_on(struct ahead *self)
{
	struct told *told = self->first_told;
	self->first_told = NULL;
	self->last_told = &self->first_told;
	pthread_mutex_unlock(&self->lock);
	while (told) {
		struct told *next = told->next;
		told->progress->event(told->progress->ctx, told->event, told->id, told->what, told->current, told->total);
		told_free(told);
		told = next;
	}
	pthread_mutex_lock(&self->lock);
}

/* --- the helper ------------------------------------------------------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* The lock is held, and let go meanwhile. */
static void hash_next(struct ahead *self)
{
	struct block block = self->blocks[self->hashed % BLOCKS];
	self->hashing = true;
	pthread_mutex_unlock(&self->lock);
	uint64_t began = now();
	nc_hash_add(self->hash, block.bytes, block.len);
	pthread_mutex_lock(&self->lock);
	self->hash_time += now() - began;
	self->hashed++;
	self->hashing = false;
	pthread_cond_signal(&self->changed);
}

static bool can_read(const struct ahead *self)
{
	uint64_t freed = self->done < self->hashed ? self->done : self->hashed;
	return !self->reading && !self->ended && self->got - freed < BLOCKS;
}

static bool can_hash(const struct ahead *self)
{
	return !self->hashing && self->hashed < self->got;
}

/* As hash_next. */
static void read_next(struct ahead *self)
{
	struct block block = { NULL, 0 };
	self->reading = true;
	pthread_mutex_unlock(&self->lock);
	uint64_t began = now();
	ssize_t n = nc_reader_next(self->upstream, &block.bytes, &self->failure);
	pthread_mutex_lock(&self->lock);
	self->read_time += now() - began;
	if (n > 0) {
		block.len = (size_t)n;
		self->blocks[self->got++ % BLOCKS] = block;
	} else {
		self->failure.code = (int)n;
		self->ended = true;
	}
	self->reading = false;
	pthread_cond_signal(&self->changed);
}

static void *help(void *arg)
{
	struct ahead *self = arg;
	here = self;
	pthread_setname_np(pthread_self(), "nacre-ahead");
	pthread_mutex_lock(&self->lock);
	while (!self->ended && !nc_ahead_unwanted()) {
		bool read = can_read(self), hash = can_hash(self);
		if (read && (!hash || self->read_time > self->hash_time))
			read_next(self);
		else if (hash)
			hash_next(self);
		else
			pthread_cond_wait(&self->changed, &self->lock);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* Signals are the program's, and for its own threads. */
static bool start(struct ahead *self)
{
	sigset_t all, before;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before))
		return false;
	bool started = pthread_create(&self->helper, NULL, help, self) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

static bool one_processor(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2;
}

/* Where it cannot be had it goes on without. */
static void get_help(struct ahead *self)
{
	bool can = !one_processor() && nc_reader_keep(self->upstream, BLOCKS, NULL) > 0;
	self->state = can && start(self) ? HELPED : ALONE;
}

/* --- the reader ------------------------------------------------------------------------------------------------- */

static ssize_t lend(struct ahead *self, const void **ret)
{
	pthread_mutex_lock(&self->lock);
	self->done = self->given;
	pthread_cond_signal(&self->changed);
	while (self->first_told || (self->given == self->got && !(self->ended && self->hashed == self->got))) {
		if (self->first_told)
			pass_on(self);
		else if (can_read(self))
			read_next(self);
		else if (can_hash(self))
			hash_next(self);
		else
			pthread_cond_wait(&self->changed, &self->lock);
	}
	ssize_t n = 0;
	if (self->given < self->got) {
		struct block block = self->blocks[self->given++ % BLOCKS];
		*ret = block.bytes;
		n = (ssize_t)block.len;
	}
	pthread_mutex_unlock(&self->lock);
	return n;
}

static ssize_t read_alone(struct ahead *self, const void **ret)
{
	ssize_t n = nc_reader_next(self->upstream, ret, &self->failure);
	if (n > 0)
		nc_hash_add(self->hash, *ret, (size_t)n);
	else
		self->failure.code = (int)n;
	return n;
}

static ssize_t ahead_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct ahead *self = (struct ahead *)reader;
	if (self->state == TRY && *self->count >= ALONE_BYTES)
		get_help(self);
	ssize_t n = self->state == OVER ? 0 : self->state == HELPED ? lend(self, ret) : read_alone(self, ret);
	if (n > 0) {
		*self->count += (uint64_t)n;
		return n;
	}
	if (self->state == HELPED)
		pthread_join(self->helper, NULL);
	self->state = OVER;
	return self->failure.code ? nc_failure_tell(&self->failure, self->failure.code, err) : 0;
}

static void ahead_close(struct nc_reader *reader)
{
	struct ahead *self = (struct ahead *)reader;
	pthread_mutex_lock(&self->lock);
	atomic_store_explicit(&self->unwanted, true, memory_order_relaxed);
	pthread_cond_signal(&self->changed);
	pthread_mutex_unlock(&self->lock);
	if (self->state == HELPED)
		pthread_join(self->helper, NULL);
	nc_reader_close(self->upstream);
	while (self->first_told) {
		struct told *told = self->first_told;
		self->first_told = told->next;
		told_free(told);
	}
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static const struct nc_reader_ops ahead_ops = { .next = ahead_next, .close = ahead_close };

int nc_reader_ahead(struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		    struct nacre_error *err)
{
	struct ahead *self = nc_zalloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	self->base.ops = &ahead_ops;
	self->upstream = upstream;
	self->hash = hash;
	self->count = count;
	self->state = TRY;
	self->last_told = &self->first_told;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->changed, NULL);
	*ret = &self->base;
	return 0;
}
