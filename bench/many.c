/* many ROOT DRIVER IMAGES LAYERS: fill a store with so many images, by the library's own way in, without syncs.
 *
 * Image N is bench/image:N. They share their lowest layer and have LAYERS - 1 of their own, each with one small file; so there
 * are IMAGES * LAYERS + 1 nodes. bench/scale.py measures with it. */
#include "base/buf.h"
#include "base/error.h"
#include "image/config.h"
#include "io/digest.h"
#include "io/reader.h"
#include "io/writer.h"
#include "store/inner.h"
#include "tar/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 64

static struct nacre_error err;

static void must(int code, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "many: %s: %s\n", what, err.msg);
	exit(1);
}

static void make_tar(struct nc_buf *ret, const char *name)
{
	struct nc_writer *out = NULL;
	struct nc_tar_writer *tar = NULL;
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = name, .name_len = strlen(name), .link = "", .mode = 0644,
				  .size = strlen(name), .stored = strlen(name), .mtime = { 1700000000, 0 } };
	must(nc_writer_buf(ret, &out, &err), "buffer");
	must(nc_tar_writer_new(out, &tar, &err), "tar");
	must(nc_tar_writer_entry(tar, &entry, &err), "entry");
	must(nc_tar_writer_data(tar, name, strlen(name), &err), "data");
	must(nc_tar_writer_finish(tar, &err), "tar");
	nc_tar_writer_free(tar);
	nc_writer_close(out);
}

static void bring_layer(struct nc_ingest *ingest, const char *name, char *parent, struct nc_digest *ret)
{
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(1 << 20);
	struct nc_layer_in in = { .parent = parent, .diff_id = ret, .blob_size = UINT64_MAX };
	struct nc_layer_out out;
	struct nc_reader *reader = NULL;
	char id[NC_HEX_ID];
	make_tar(&tar, name);
	must(nc_digest_of(tar.data, tar.len, ret, &err), "digest");
	must(nc_node_chain_id(parent, ret, id, &err), "chain ID");
	int there = nc_ingest_has(ingest, id, &err);
	must(there, name);
	if (!there) {
		must(nc_reader_memory(tar.data, tar.len, &reader, &err), name);
		must(nc_ingest_layer(ingest, &in, reader, &out, &err), name);
	}
	memcpy(parent, id, NC_HEX_ID);
}

static void bring_image(struct nc_ingest *ingest, unsigned number, unsigned layers)
{
	struct nc_digest diff_ids[LAYERS_MAX];
	char parent[NC_HEX_ID] = "", id[NC_HEX_ID], name[64];
	bring_layer(ingest, "base", parent, &diff_ids[0]);
	for (unsigned i = 1; i < layers; i++) {
		snprintf(name, sizeof name, "file-%u-%u", number, i);
		bring_layer(ingest, name, parent, &diff_ids[i]);
	}
	struct nc_config_new facts = { .architecture = "amd64", .os = "linux", .author = "bench",
				       .created_sec = 1700000000 + number, .diff_ids = diff_ids, .diff_id_count = layers };
	char *config = NULL;
	snprintf(name, sizeof name, "bench/image:%u", number);
	struct nc_image_in in = { .names = (const char *const[]){ name, NULL } };
	must(nc_config_make(&facts, &config, &in.config_len, &err), "config");
	in.config = config;
	must(nc_ingest_image(ingest, &in, id, &err), name);
	must(nc_ingest_commit(ingest, &err), name);
	free(config);
}

int main(int argc, char **argv)
{
	unsigned images = argc == 5 ? (unsigned)atoi(argv[3]) : 0, layers = argc == 5 ? (unsigned)atoi(argv[4]) : 0;
	if (argc != 5 || layers < 1 || layers > LAYERS_MAX) {
		fprintf(stderr, "usage: many ROOT DRIVER IMAGES LAYERS\n");
		return 2;
	}
	struct nacre_open_options options = { .size = sizeof options, .flags = NACRE_OPEN_NOSYNC, .driver = argv[2] };
	struct nacre_store *store = NULL;
	must(nacre_store_open(argv[1], &options, &store, &err), argv[1]);
	for (unsigned i = 0; i < images; i++) {
		struct nc_ingest *ingest = NULL;
		must(nc_ingest_begin(store, &ingest, &err), "begin");
		bring_image(ingest, i, layers);
		nc_ingest_free(ingest);
	}
	nacre_store_close(store);
	return 0;
}
