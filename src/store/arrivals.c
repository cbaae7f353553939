/* Layers of one image that come side by side, each on a thread of a crew: what needs the ingest is done by the thread that asks,
 * before (incoming.h: prepare) and after (they join the plan, lowest first). The one below may still be on its way when a layer
 * begins; who has to know what is in it waits. The lowest failure is the one that is told, and what lies above it goes. */
#include "store/incoming.h"

#include "io/crew.h"
#include "io/failure.h"

#include <stdlib.h>
#include <string.h>

/* A layer on its way on a thread of the crew. */
struct arrival {
	struct nc_job job;
	struct nc_crew *crew;
	struct nc_incoming layer;
	struct nc_layer_in in;
	char parent[NC_HEX_ID];
	struct nc_reader *stream;
	size_t number;			/* the caller's */
	struct arrival *lower;		/* the layer below, unless it has arrived; under the crew's lock */
	struct arrival *next;
};

struct nc_arrivals {
	struct nc_crew crew;
	unsigned most, count;
	struct arrival *first, **last;	/* lowest first */
	struct arrival *failed;
};

static int wait_for_lower(void *ctx, struct nacre_error *err)
{
	struct arrival *self = ctx;
	struct nc_crew *crew = self->crew;
	nc_crew_lock(crew);
	while (self->lower && self->lower->job.state != NC_JOB_OVER && !nc_aside_unwanted())
		nc_crew_wait(crew);
	bool there = !self->lower || (self->lower->job.state == NC_JOB_OVER && self->lower->job.code == 0);
	nc_crew_unlock(crew);
	return there ? 0 : nc_fail(err, NACRE_E_CANCELLED, 0, "the layer below did not come");
}

static int carry_arrival(struct nc_job *job, struct nacre_error *err)
{
	struct arrival *self = (struct arrival *)job;
	int code = nc_incoming_carry(&self->layer, &self->stream, err);
	nc_reader_close(NC_GIVE(self->stream));
	nc_fd_release(&self->layer.kept);
	return code;
}

/* More need more memory each, and the disk is one. */
static unsigned most_arrivals(const struct nc_ingest *ingest)
{
	const struct nacre_store *store = ingest->store;
	unsigned processors = nc_processors();
	if (!nc_store_threads(store) || !store->driver->ops->patient || processors < 2)
		return 0;
	return processors < 4 ? 2 : 3;
}

static int open_arrivals(struct nc_ingest *ingest, struct nacre_error *err)
{
	if (ingest->arrivals)
		return 0;
	ingest->arrivals = nc_zalloc(sizeof *ingest->arrivals);
	if (!ingest->arrivals)
		return nc_nomem(err);
	ingest->arrivals->most = most_arrivals(ingest);
	ingest->arrivals->last = &ingest->arrivals->first;
	nc_crew_init(&ingest->arrivals->crew, ingest->arrivals->most);
	return 0;
}

static struct arrival *find_arrival(const struct nc_arrivals *arrivals, const char *id)
{
	struct arrival *found = arrivals->first;
	while (found && strcmp(found->layer.id, id ? id : "") != 0)
		found = found->next;
	return found;
}

static struct arrival *arrival_new(struct nc_ingest *ingest, const struct nc_layer_in *in, size_t number)
{
	struct arrival *self = nc_zalloc(sizeof *self);
	if (!self)
		return NULL;
	self->in = *in;
	self->number = number;
	self->job.run = carry_arrival;
	self->crew = &ingest->arrivals->crew;
	if (in->parent && *in->parent) {
		memcpy(self->parent, in->parent, NC_HEX_ID);
		self->in.parent = self->parent;
	}
	self->layer = nc_incoming_of(ingest, &self->in);
	self->layer.hooks = (struct nc_tree_hooks){ .parent_ready = wait_for_lower, .parent_ctx = self };
	return self;
}

/* Its thread is over, or it never had one. */
static void arrival_free(struct arrival *self)
{
	nc_reader_close(self->stream);
	nc_incoming_release(&self->layer);
	free(self);
}

/* 1 when there is no need for it, or it is to be mended. */
static int look_up(struct arrival *self, struct nacre_error *err)
{
	struct nc_incoming *layer = &self->layer;
	int code = nc_incoming_check(layer, self->stream, err);
	if (code == 0)
		code = nc_node_chain_id(layer->parent, layer->in->diff_id, layer->id, err);
	if (code == 0)
		code = nc_ingest_has(layer->ingest, layer->id, err);
	memcpy(layer->built, layer->id, NC_HEX_ID);
	return code ? code : nc_ingest_held(layer->ingest, layer->id)->state == NC_HELD_DAMAGED;
}

static int send_off(struct nc_arrivals *arrivals, struct arrival *self, struct nacre_error *err)
{
	struct nc_incoming *layer = &self->layer;
	self->lower = find_arrival(arrivals, layer->parent);
	int code = nc_incoming_prepare(layer, err);
	if (code < 0) {
		nc_incoming_undo(layer);
		return nc_wrap(err, code, "layer %.12s", layer->id);
	}
	/* without a single thread, all before it have arrived */
	if (!nc_crew_give(&arrivals->crew, &self->job)) {
		self->job.code = carry_arrival(&self->job, &self->job.failure);
		self->job.state = NC_JOB_OVER;
	}
	nc_ingest_expects(layer->ingest, layer->id, layer->parent, true);
	*arrivals->last = self;
	arrivals->last = &self->next;
	arrivals->count++;
	return 0;
}

static int tell_failure(struct arrival *arrival, struct nacre_error *err)
{
	int code = nc_failure_tell(&arrival->job.failure, arrival->job.code, err);
	return nc_wrap(err, code, "layer %.12s", arrival->layer.id);
}

/* What became of it. */
static int wait_for(struct nc_arrivals *arrivals, struct arrival *arrival, struct nacre_error *err)
{
	int code = nc_crew_await(&arrivals->crew, &arrival->job);
	if (code == 0)
		return 0;
	arrivals->failed = arrival;
	return tell_failure(arrival, err);
}

/* One that does not come beside the others may lie on them. */
static int wait_for_all(struct nc_arrivals *arrivals, struct nacre_error *err)
{
	int code = 0;
	for (struct arrival *at = arrivals->first; at && code == 0; at = at->next)
		code = wait_for(arrivals, at, err);
	return code;
}

static int bring_alone(struct arrival *self, struct nacre_error *err)
{
	struct nc_ingest *ingest = self->layer.ingest;
	struct nc_layer_out out;
	int code = wait_for_all(ingest->arrivals, err);
	if (code == 0)
		code = nc_ingest_layer(ingest, &self->in, NC_GIVE(self->stream), &out, err);
	return code < 0 ? code : 0;
}

int nc_ingest_layer_beside(struct nc_ingest *ingest, const struct nc_layer_in *in, struct nc_reader *blob, size_t number,
			   struct nacre_error *err)
{
	struct arrival *self = NULL;
	int code = open_arrivals(ingest, err);
	if (code == 0 && !(self = arrival_new(ingest, in, number)))
		code = nc_nomem(err);
	if (code < 0) {
		nc_reader_close(blob);
		return code;
	}
	self->stream = blob;
	int alone = ingest->arrivals->most ? look_up(self, err) : 1;
	code = alone > 0 ? bring_alone(self, err) : alone < 0 ? alone : send_off(ingest->arrivals, self, err);
	if (code == 0 && alone == 0)
		return 1;
	arrival_free(self);
	return code;
}

static int take_first(struct nc_arrivals *arrivals, size_t *ret_number, struct nacre_error *err)
{
	struct arrival *first = arrivals->first;
	struct nc_incoming *layer = &first->layer;
	int code = wait_for(arrivals, first, err);
	if (code == 0)
		code = nc_ingest_brought(layer->ingest, layer->id, layer->parent, true, err);
	if (code < 0)
		return code;
	nc_crew_lock(&arrivals->crew);
	for (struct arrival *above = first->next; above; above = above->next)
		if (above->lower == first)
			above->lower = NULL;
	nc_crew_unlock(&arrivals->crew);
	arrivals->first = first->next;
	if (!arrivals->first)
		arrivals->last = &arrivals->first;
	arrivals->count--;
	*ret_number = first->number;
	arrival_free(first);
	return 1;
}

int nc_ingest_settle(struct nc_ingest *ingest, bool all, size_t *ret_number, struct nacre_error *err)
{
	struct nc_arrivals *arrivals = ingest->arrivals;
	if (!arrivals || !arrivals->first || (!all && arrivals->count < arrivals->most))
		return 0;
	return take_first(arrivals, ret_number, err);
}

int nc_ingest_blame(const struct nc_ingest *ingest, size_t *ret_number, struct nacre_error *err)
{
	struct arrival *failed = ingest->arrivals ? ingest->arrivals->failed : NULL;
	if (!failed)
		return 0;
	*ret_number = failed->number;
	tell_failure(failed, err);
	return 1;
}

void nc_ingest_halt(struct nc_ingest *ingest)
{
	struct nc_arrivals *arrivals = NC_GIVE(ingest->arrivals);
	if (!arrivals)
		return;
	nc_crew_release(&arrivals->crew);
	while (arrivals->first) {
		struct arrival *self = arrivals->first;
		arrivals->first = self->next;
		nc_incoming_undo(&self->layer);
		nc_ingest_held(ingest, self->layer.id)->state = NC_HELD_MISSING;
		arrival_free(self);
	}
	free(arrivals);
}

