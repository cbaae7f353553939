#include "io/ahead.h"

#include "io/aside.h"
#include "io/failure.h"

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

	struct nc_aside aside;		/* its lock is for all below; never both wait */
	struct block blocks[BLOCKS];
	uint64_t got, given, done, hashed;
	uint64_t read_time, hash_time;	/* nanoseconds so far: the helper does first what takes longer */
	bool reading;			/* somebody reads block got */
	bool hashing;			/* somebody hashes block hashed */
	bool ended;			/* nothing more comes */
};

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
	pthread_mutex_unlock(&self->aside.lock);
	uint64_t began = now();
	nc_hash_add(self->hash, block.bytes, block.len);
	pthread_mutex_lock(&self->aside.lock);
	self->hash_time += now() - began;
	self->hashed++;
	self->hashing = false;
	pthread_cond_signal(&self->aside.changed);
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
	pthread_mutex_unlock(&self->aside.lock);
	uint64_t began = now();
	ssize_t n = nc_reader_next(self->upstream, &block.bytes, &self->failure);
	pthread_mutex_lock(&self->aside.lock);
	self->read_time += now() - began;
	if (n > 0) {
		block.len = (size_t)n;
		self->blocks[self->got++ % BLOCKS] = block;
	} else {
		self->failure.code = (int)n;
		self->ended = true;
	}
	self->reading = false;
	pthread_cond_signal(&self->aside.changed);
}

static void *help(void *arg)
{
	struct ahead *self = arg;
	nc_aside_work(&self->aside, &self->unwanted);
	pthread_setname_np(pthread_self(), "nacre-ahead");
	pthread_mutex_lock(&self->aside.lock);
	while (!self->ended && !nc_aside_unwanted()) {
		bool read = can_read(self), hash = can_hash(self);
		if (read && (!hash || self->read_time > self->hash_time))
			read_next(self);
		else if (hash)
			hash_next(self);
		else
			pthread_cond_wait(&self->aside.changed, &self->aside.lock);
	}
	pthread_mutex_unlock(&self->aside.lock);
	return NULL;
}

/* Where it cannot be had it goes on without. */
static void get_help(struct ahead *self)
{
	bool can = nc_processors() > 1 && nc_reader_keep(self->upstream, BLOCKS, NULL) > 0;
	self->state = can && nc_aside_start(&self->helper, help, self) ? HELPED : ALONE;
}

/* --- the reader ------------------------------------------------------------------------------------------------- */

static ssize_t lend(struct ahead *self, const void **ret)
{
	pthread_mutex_lock(&self->aside.lock);
	self->done = self->given;
	pthread_cond_signal(&self->aside.changed);
	while (self->aside.first || (self->given == self->got && !(self->ended && self->hashed == self->got))) {
		if (self->aside.first)
			nc_aside_pass_on(&self->aside);
		else if (can_read(self))
			read_next(self);
		else if (can_hash(self))
			hash_next(self);
		else
			pthread_cond_wait(&self->aside.changed, &self->aside.lock);
	}
	ssize_t n = 0;
	if (self->given < self->got) {
		struct block block = self->blocks[self->given++ % BLOCKS];
		*ret = block.bytes;
		n = (ssize_t)block.len;
	}
	pthread_mutex_unlock(&self->aside.lock);
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
	pthread_mutex_lock(&self->aside.lock);
	atomic_store_explicit(&self->unwanted, true, memory_order_relaxed);
	pthread_cond_signal(&self->aside.changed);
	pthread_mutex_unlock(&self->aside.lock);
	if (self->state == HELPED)
		pthread_join(self->helper, NULL);
	nc_reader_close(self->upstream);
	nc_aside_release(&self->aside);
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
	nc_aside_init(&self->aside);
	*ret = &self->base;
	return 0;
}

int nc_reader_counted(bool threads, struct nc_reader *upstream, struct nc_hash *hash, uint64_t *count, struct nc_reader **ret,
		      struct nacre_error *err)
{
	return hash && threads ? nc_reader_ahead(upstream, hash, count, ret, err)
			       : nc_reader_hashing(upstream, hash, count, ret, err);
}
