#include "base/map.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct slot {
	char *key;		/* NULL: free */
	size_t len;
	uint64_t hash;
	void *value;
};

struct nc_map {
	struct slot *slots;
	size_t cap;		/* a power of two, or 0 */
	size_t count;
};

static uint64_t hash_key;
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
	if (getrandom(&hash_key, sizeof hash_key, GRND_NONBLOCK) != sizeof hash_key) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		hash_key = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uintptr_t)&now;
	}
}

uint64_t nc_map_hash(const void *key, size_t len)
{
	pthread_once(&hash_key_once, make_hash_key);
	const unsigned char *byte = key;
	uint64_t h = hash_key ^ len;
	for (size_t i = 0; i < len; i++) {
		h ^= byte[i];
		h *= 0x100000001b3u;
		h ^= h >> 29;
	}
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

struct nc_map *nc_map_new(void)
{
	return nc_zalloc(sizeof(struct nc_map));
}

void nc_map_free(struct nc_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->cap; i++)
		free(map->slots[i].key);
	free(map->slots);
	free(map);
}

/* The slot of the key, or the free slot where it belongs. The table always has a free slot. */
static struct slot *find(const struct nc_map *map, const void *key, size_t len, uint64_t hash)
{
	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct slot *slot = &map->slots[i];
		if (!slot->key || (slot->hash == hash && slot->len == len && memcmp(slot->key, key, len) == 0))
			return slot;
	}
}

static int grow(struct nc_map *map, struct nacre_error *err)
{
	size_t cap = map->cap ? map->cap * 2 : 16;
	struct slot *slots = nc_realloc_array(NULL, cap, sizeof *slots);
	if (!slots)
		return nc_nomem(err);
	memset(slots, 0, cap * sizeof *slots);
	struct nc_map bigger = { .slots = slots, .cap = cap, .count = map->count };
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].key)
			*find(&bigger, map->slots[i].key, map->slots[i].len, map->slots[i].hash) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int nc_map_set(struct nc_map *map, const void *key, size_t len, void *value, void **ret_old, struct nacre_error *err)
{
	if (map->count * 4 >= map->cap * 3) {
		int code = grow(map, err);
		if (code < 0)
			return code;
	}
	uint64_t hash = nc_map_hash(key, len);
	struct slot *slot = find(map, key, len, hash);
	void *old = NULL;
	if (slot->key) {
		old = slot->value;
	} else {
		char *copy = nc_memdup(key, len);
		if (!copy)
			return nc_nomem(err);
		*slot = (struct slot){ .key = copy, .len = len, .hash = hash };
		map->count++;
	}
	slot->value = value;
	if (ret_old)
		*ret_old = old;
	return 0;
}

void *nc_map_get(const struct nc_map *map, const void *key, size_t len)
{
	if (!map->count)
		return NULL;
	return find(map, key, len, nc_map_hash(key, len))->value;
}

void *nc_map_take(struct nc_map *map, const void *key, size_t len)
{
	if (!map->count)
		return NULL;
	struct slot *slot = find(map, key, len, nc_map_hash(key, len));
	if (!slot->key)
		return NULL;
	void *value = slot->value;
	free(slot->key);
	*slot = (struct slot){ 0 };
	map->count--;
	/* close the gap: move up every follower that could not be found across it */
	size_t gap = (size_t)(slot - map->slots);
	for (size_t i = (gap + 1) & (map->cap - 1); map->slots[i].key; i = (i + 1) & (map->cap - 1)) {
		size_t home = map->slots[i].hash & (map->cap - 1);
		if (((i - home) & (map->cap - 1)) >= ((i - gap) & (map->cap - 1))) {
			map->slots[gap] = map->slots[i];
			map->slots[i] = (struct slot){ 0 };
			gap = i;
		}
	}
	return value;
}

size_t nc_map_count(const struct nc_map *map)
{
	return map->count;
}

int nc_map_each(const struct nc_map *map, int (*fn)(void *ctx, const char *key, size_t len, void *value), void *ctx)
{
	for (size_t i = 0; i < map->cap; i++) {
		const struct slot *slot = &map->slots[i];
		int code = slot->key ? fn(ctx, slot->key, slot->len, slot->value) : 0;
		if (code != 0)
			return code;
	}
	return 0;
}
