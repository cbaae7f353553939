/* A hash map from byte strings to pointers. Keys are copied; values are borrowed. Hashing is keyed with a
 * random number of the process, so names chosen by a stranger cannot pile up in one bucket. */
#ifndef NC_BASE_MAP_H
#define NC_BASE_MAP_H

#include "base/error.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct nc_map;

/* NULL when there is no memory. */
struct nc_map *nc_map_new(void);
void nc_map_free(struct nc_map *map);
NC_DEFINE_CLEANUP(nc_map_auto, struct nc_map *, nc_map_free)

/* Sets key to value. ret_old (may be NULL) receives what was there, or NULL. */
int nc_map_set(struct nc_map *map, const void *key, size_t len, void *value, void **ret_old,
	       struct nacre_error *err);
/* The value, or NULL. */
void *nc_map_get(const struct nc_map *map, const void *key, size_t len);
/* Removes the key and returns its value, or NULL. */
void *nc_map_take(struct nc_map *map, const void *key, size_t len);
/* The hash that it sorts keys by, for tables of another kind. */
uint64_t nc_map_hash(const void *key, size_t len);
size_t nc_map_count(const struct nc_map *map);
/* Calls fn for each pair, in no particular order, until it returns something other than 0, and returns that.
 * The map must not change meanwhile. */
int nc_map_each(const struct nc_map *map, int (*fn)(void *ctx, const char *key, size_t len, void *value), void *ctx);

#endif
