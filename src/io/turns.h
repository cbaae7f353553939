/* The blocks that a reader fills and lends in turn: one, and several when what was lent has to last (nc_reader_keep). */
#ifndef NC_IO_TURNS_H
#define NC_IO_TURNS_H

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

struct nc_turns {
	unsigned char *first, *more;	/* first is the reader's own; more has the others, one behind the other */
	size_t size;
	unsigned count, at;
};

static inline struct nc_turns nc_turns_of(void *first, size_t size)
{
	return (struct nc_turns){ .first = first, .size = size, .count = 1 };
}

static inline unsigned char *nc_turns_next(struct nc_turns *turns)
{
	turns->at = (turns->at + 1) % turns->count;
	return turns->at ? turns->more + (turns->at - 1) * turns->size : turns->first;
}

/* What a reader's keep is to give. */
static inline int nc_turns_keep(struct nc_turns *turns, unsigned count, struct nacre_error *err)
{
	if (count <= turns->count)
		return 1;
	if (turns->more)
		return 0;
	turns->more = nc_realloc_array(NULL, count - 1, turns->size);
	if (!turns->more)
		return nc_nomem(err);
	turns->count = count;
	return 1;
}

static inline void nc_turns_release(struct nc_turns *turns)
{
	free(turns->more);
}

#endif
