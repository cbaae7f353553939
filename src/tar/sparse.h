/* Maps of sparse files: the runs that are stored, in order, in four spellings. Private to this room.
 *
 *	old GNU		4 entries of offset 12, length 12 in the header, then blocks of 21 entries, each saying
 *			(at 504) whether another follows
 *	pax 0.0		records GNU.sparse.offset and GNU.sparse.numbytes, one pair a run
 *	pax 0.1		one record GNU.sparse.map: offset,length,offset,length…
 *	pax 1.0		decimal lines before the content: count, then offset and length of each; padded to a block */
#ifndef NC_TAR_SPARSE_H
#define NC_TAR_SPARSE_H

#include "base/error.h"
#include "tar/entry.h"

struct nc_sparse {
	struct nc_extent *extents;
	size_t count, cap;
	uint64_t stored;	/* sum of the lengths */
	uint64_t end;		/* of the last run */
};

void nc_sparse_clear(struct nc_sparse *map);	/* keeps the memory */
void nc_sparse_release(struct nc_sparse *map);
/* Runs must rise and not overlap, and end below 2^63: NACRE_E_BADDATA. */
int nc_sparse_add(struct nc_sparse *map, uint64_t offset, uint64_t length, struct nacre_error *err);
/* The whole map against the size of the file and the payload that is there. */
int nc_sparse_check(const struct nc_sparse *map, uint64_t size, uint64_t payload, struct nacre_error *err);

/* Old GNU: the entries of the header block, its real size, and whether an extension block follows (1) or not (0). */
int nc_sparse_gnu_header(struct nc_sparse *map, const unsigned char *block, uint64_t *ret_size,
			 struct nacre_error *err);
int nc_sparse_gnu_block(struct nc_sparse *map, const unsigned char *block, struct nacre_error *err);

/* pax 0.1. */
int nc_sparse_list(struct nc_sparse *map, const char *text, size_t len, struct nacre_error *err);

/* pax 1.0: bytes of the map as they come. Start with a zeroed state. */
struct nc_sparse_lines {
	uint64_t number;	/* of the line so far */
	unsigned digits;
	bool counted, half;	/* the count is known; an offset waits for its length */
	uint64_t left;		/* runs still to come */
	uint64_t offset;
};
/* Returns 1 when the map is complete (the rest of its block is padding), 0 when it goes on. */
int nc_sparse_lines_add(struct nc_sparse_lines *lines, struct nc_sparse *map, const unsigned char *bytes, size_t len,
			struct nacre_error *err);

#endif
