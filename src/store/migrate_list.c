#include "store/migrate.h"

#include <stdlib.h>
#include <string.h>

enum { UNSEEN, ON_THE_WAY, DONE };

void nc_moves_release(struct nc_moves *moves)
{
	for (size_t i = 0; i < moves->count; i++)
		free(moves->list[i].damage);
	free(moves->list);
	free(moves->order);
	*moves = (struct nc_moves){ 0 };
}

struct gathering {
	struct nacre_store *store;
	struct nc_moves *moves;
};

static int set_damage(struct nc_move *move, const char *reason, struct nacre_error *err)
{
	if (move->damage)
		return 0;
	move->damage = nc_strdup(reason);
	return move->damage ? 0 : nc_nomem(err);
}

/* A node that cannot be read matters when it has a tree. */
static int fill_damaged(struct nacre_store *store, struct nc_move *move, const struct nacre_error *why,
			struct nacre_error *err)
{
	int code = store->driver->ops->has(store->driver, move->id, err);
	move->tree = code > 0;
	return code < 0 ? code : set_damage(move, why->msg, err);
}

static int fill(struct nacre_store *store, struct nc_move *move, struct nacre_error *err)
{
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	struct nacre_error why = { 0 };
	int code = nc_node_look_brief(store, move->id, &facts, &why);
	if (code == NACRE_E_NOMEM || code == NACRE_E_IO) {
		if (err)
			*err = why;
		return code;
	}
	if (code < 0)
		return fill_damaged(store, move, &why, err);
	memcpy(move->parent, facts.parent, NC_HEX_ID);
	strcpy(move->diff_id, facts.diff_id);
	move->tree = facts.kind & NC_NODE_LAYER;
	move->size = facts.size > 0 ? (uint64_t)facts.size : 0;
	if (move->tree && facts.size < 0)
		code = store->driver->ops->usage(store->driver, move->id, &move->size, err);
	return code == NACRE_E_NOTFOUND ? set_damage(move, "its tree is missing", err) : code;
}

static int add(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct gathering *self = ctx;
	struct nc_moves *moves = self->moves;
	if (!nc_id_valid(name))
		return 0;
	struct nc_move *more = nc_grown(moves->list, moves->count, &moves->cap, sizeof *more);
	if (!more)
		return nc_nomem(err);
	moves->list = more;
	struct nc_move *move = &moves->list[moves->count++];
	*move = (struct nc_move){ .state = UNSEEN };
	memcpy(move->id, name, NC_HEX_ID);
	return fill(self->store, move, err);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct nc_move *)a)->id, ((const struct nc_move *)b)->id, NC_HEX_ID);
}

struct nc_move *nc_moves_find(const struct nc_moves *moves, const char *id)
{
	struct nc_move key;
	memcpy(key.id, id, NC_HEX_ID);
	return moves->count ? bsearch(&key, moves->list, moves->count, sizeof key, by_id) : NULL;
}

/* Its parent is in order already, or there is none that could be. */
static int settle(struct nc_moves *moves, struct nc_move *move, struct nacre_error *err)
{
	struct nc_move *parent = *move->parent ? nc_moves_find(moves, move->parent) : NULL;
	int code = 0;
	if (*move->parent && !parent)
		code = set_damage(move, "its parent is missing", err);
	else if (parent && parent->state != DONE)
		code = set_damage(move, "it is its own ancestor", err);
	else if (parent && parent->damage)
		code = set_damage(move, "its parent is damaged", err);
	if (parent && parent->state == DONE)
		move->below = parent->tree ? parent : parent->below;
	move->whole = move->size + (move->below ? move->below->whole : 0);
	move->state = DONE;
	moves->order[moves->ordered++] = move;
	return code;
}

/* From the node up to the first that is in order, and back. */
static int put_in_order(struct nc_moves *moves, struct nc_move **way, struct nc_move *move, struct nacre_error *err)
{
	size_t depth = 0;
	for (; move && move->state == UNSEEN; move = *move->parent ? nc_moves_find(moves, move->parent) : NULL) {
		move->state = ON_THE_WAY;
		way[depth++] = move;
	}
	int code = 0;
	while (code == 0 && depth)
		code = settle(moves, way[--depth], err);
	return code;
}

int nc_moves_list(struct nacre_store *store, struct nc_moves *ret, struct nacre_error *err)
{
	struct gathering gathering = { .store = store, .moves = ret };
	int code = store->graph < 0 ? 0 : nc_dir_each(store->graph, add, &gathering, err);
	if (code < 0 || !ret->count)
		return code;
	qsort(ret->list, ret->count, sizeof *ret->list, by_id);
	NC_AUTO_FREE struct nc_move **way = nc_realloc_array(NULL, ret->count, sizeof *way);
	ret->order = nc_realloc_array(NULL, ret->count, sizeof *ret->order);
	if (!way || !ret->order)
		return nc_nomem(err);
	for (size_t i = 0; code == 0 && i < ret->count; i++)
		code = put_in_order(ret, way, &ret->list[i], err);
	return code;
}
