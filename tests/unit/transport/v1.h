/* Images of 2015 made for the tests of this room. */
#ifndef NC_TESTS_TRANSPORT_V1_H
#define NC_TESTS_TRANSPORT_V1_H

#include "room.h"

#include "image/config.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static inline const char *json_of(const char *id, const char *parent)
{
	static char texts[4][1024];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	snprintf(text, sizeof texts[0],
		 "{\"id\":\"%s\"%s%s%s,\"created\":\"2015-06-01T00:00:00Z\",\"container_config\":{\"Cmd\":[\"/bin/"
		 "sh\"]},"
		 "\"docker_version\":\"1.7.1\",\"config\":{\"Env\":[\"A=b\"]},\"architecture\":\"amd64\",\"os\":"
		 "\"linux\"}",
		 id, *parent ? ",\"parent\":\"" : "", parent, *parent ? "\"" : "");
	return text;
}

static inline void pack_node(struct pack *pack, const char *id, const char *parent, const struct bytes *layer)
{
	char name[128];
	snprintf(name, sizeof name, "%s/", id);
	pack_entry(pack, NC_ENTRY_DIR, name, "", NULL, 0);
	snprintf(name, sizeof name, "%s/VERSION", id);
	pack_text(pack, name, "1.0");
	snprintf(name, sizeof name, "%s/json", id);
	pack_text(pack, name, json_of(id, parent));
	snprintf(name, sizeof name, "%s/layer.tar", id);
	if (layer)
		pack_bytes(pack, name, layer->data, layer->len);
}

/* The config that Docker 1.10 makes of the chain A, B. */
static inline struct bytes config_of_chain(const struct bytes *a, const struct bytes *b)
{
	const char *first = json_of(ID_A, ""), *second = json_of(ID_B, ID_A);
	const struct nc_v1_layer layers[] = { { first, strlen(first), a->digest },
					      { second, strlen(second), b->digest } };
	char *config;
	size_t len;
	assert_done(nc_config_from_v1(layers, 2, &config, &len, &err));
	struct bytes bytes = bytes_of(config, len);
	free(config);
	return bytes;
}

#endif
