/* A layer on its way in, from the bytes that come to a tree, a record and a node in the stage of an ingest. */
#ifndef NC_STORE_INCOMING_H
#define NC_STORE_INCOMING_H

#include "store/ingest.h"
#include "store/record.h"

struct nc_incoming {
	struct nc_ingest *ingest;
	const struct nc_layer_in *in;
	const char *parent;		/* NULL: none */
	struct nc_tree_hooks hooks;	/* parent_ready, where the parent may still be on its way */
	char id[NC_HEX_ID];		/* the caller's to find out */
	char built[NC_HEX_ID];		/* what it is built as: id, or another that takes the place of what id has */
	char below[NC_HEX_ID];		/* the tree that its own lies on; "": none */
	int dir;			/* of the node, in the stage */
	bool keeps;			/* its blob */
	int kept;			/* the file of that; -1: it lies in one already */
	struct nc_tree *tree;
	bool sealed;
	struct nc_record *record;	/* NULL: the driver keeps the tar */
	uint64_t size;			/* of the files' content */
	struct nc_digest diff_id, blob;
	uint64_t flat_size, blob_size;
	enum nc_codec codec;
};

/* Both are borrowed. */
struct nc_incoming nc_incoming_of(struct nc_ingest *ingest, const struct nc_layer_in *in);
void nc_incoming_release(struct nc_incoming *layer);

/* Whether it can be what is asked for; has_layer: there is a blob. */
int nc_incoming_check(const struct nc_incoming *layer, bool has_layer, struct nacre_error *err);

/* Of these, stream is taken. */

/* Reads the blob to its end and compares it with what was promised. copy: a descriptor that gets it as it comes, plain too. */
int nc_incoming_spool(struct nc_incoming *layer, struct nc_reader **stream, int copy, struct nacre_error *err);
/* The same for one that is there; a blob that was not kept with it is kept now. */
int nc_incoming_compare(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err);
/* Into the stage: tree, record, blob and node. In two parts: what needs the ingest, and what another thread may do. */
int nc_incoming_prepare(struct nc_incoming *layer, struct nacre_error *err);
int nc_incoming_carry(struct nc_incoming *layer, struct nc_reader **stream, struct nacre_error *err);
/* A node without a layer into the stage. */
int nc_incoming_bare(struct nc_incoming *layer, struct nacre_error *err);
/* As if it had never come; after an exchange that is what was there before. */
void nc_incoming_undo(struct nc_incoming *layer);

#endif
