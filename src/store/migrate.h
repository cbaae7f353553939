/* Moving a store to another driver: what there is to be moved. */
#ifndef NC_STORE_MIGRATE_H
#define NC_STORE_MIGRATE_H

#include "store/inner.h"

struct nc_move {
	char id[NC_HEX_ID], parent[NC_HEX_ID];
	bool tree;		/* it has one; else it is here for what lies above it */
	char *damage;		/* why it cannot be moved; NULL: nothing is known against it. Owned */
	struct nc_move *below;	/* the next one down that has a tree; NULL: none */
	char diff_id[NC_DIGEST_TEXT];	/* "" unknown */
	uint64_t size;		/* of the files' content, its own, */
	uint64_t whole;		/* and with all below */
	bool fresh;		/* its new tree is of this run */
	unsigned char state;
};
struct nc_moves {
	struct nc_move *list;	/* by ID */
	struct nc_move **order;	/* parents first */
	size_t count, cap, ordered;
};
#define NC_AUTO_MOVES __attribute__((cleanup(nc_moves_release)))
void nc_moves_release(struct nc_moves *moves);
/* Every node of the store. Damaged ones are among them. */
int nc_moves_list(struct nacre_store *store, struct nc_moves *ret, struct nacre_error *err);
/* NULL when there is no such node. */
struct nc_move *nc_moves_find(const struct nc_moves *moves, const char *id);

#endif
