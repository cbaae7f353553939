/* A new node with a random ID, as Docker of 2015 made images: nothing about it follows from its content. */
#include "store/ingest.h"

#include "image/config.h"
#include "image/manifest.h"

#include <string.h>
#include <time.h>

/* Of an ID that people see. */
#define SHORT_ID 12

bool nc_id_like_number(const char *id)
{
	return strspn(id, "0123456789") >= SHORT_ID;
}

int nc_id_random(char *ret, struct nacre_error *err)
{
	int code;
	do
		code = nc_random_hex(ret, NC_HEX_ID - 1, err);
	while (code == 0 && nc_id_like_number(ret));	/* its short form would be taken for a number */
	return code;
}

/* What the description says; the size is known when the layer is in. */
static int describe(const void *ctx, uint64_t size, struct nc_buf *ret, struct nacre_error *err)
{
	struct nc_v1_new facts = *(const struct nc_v1_new *)ctx;
	facts.size = size;
	return nc_v1_image_make(ret, &facts, err);
}

static int check_options(const struct nacre_create_options *options, struct nacre_error *err)
{
	if (options->parent && !nc_id_valid(options->parent))
		return nc_fail(err, NACRE_E_INVALID, 0, "parent '%.100s' is not an ID", options->parent);
	if (options->container && !nc_id_valid(options->container))
		return nc_fail(err, NACRE_E_INVALID, 0, "container '%.100s' is not an ID: 64 lowercase hex digits",
			       options->container);
	if (options->container && !options->container_config)
		return nc_fail(err, NACRE_E_INVALID, 0, "container %.12s comes without its config",
			       options->container);
	if (options->created_nsec > 999999999)
		return nc_fail(err, NACRE_E_INVALID, 0, "%u nanoseconds are more than a second",
			       (unsigned)options->created_nsec);
	return 0;
}

static void fill_facts(struct nc_v1_new *facts, const struct nacre_create_options *options,
		       const struct nc_platform *host, const char *id)
{
	*facts = (struct nc_v1_new){
		.id = id, .parent = options->parent, .comment = options->comment, .container = options->container,
		.container_config = options->container_config, .author = options->author,
		.config = options->config, .architecture = options->architecture ? options->architecture
										 : host->architecture,
		.os = options->os ? options->os : host->os, .created_sec = options->created,
		.created_nsec = options->created_nsec,
	};
	struct timespec now;
	if (!options->created && !options->created_nsec && clock_gettime(CLOCK_REALTIME, &now) == 0) {
		facts->created_sec = now.tv_sec;
		facts->created_nsec = (uint32_t)now.tv_nsec;
	}
}

static int create(struct nacre_store *store, int fd, const struct nacre_create_options *options,
		  const struct nc_v1_new *facts, struct nacre_error *err)
{
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	NC_AUTO_BUF struct nc_buf trial = NC_BUF_INIT(NC_DOCUMENT_MAX);
	struct nc_layer_in in = { .parent = facts->parent, .blob_size = UINT64_MAX, .id = facts->id,
				  .describe = describe, .describe_ctx = facts, .progress = &options->progress };
	struct nc_reader *stream = NULL;
	struct nc_layer_out out;
	/* what cannot be described is refused before a byte of the layer is read */
	int code = describe(facts, 0, &trial, err);
	if (code == 0)
		code = nc_ingest_begin(store, &ingest, err);
	if (code == 0 && fd >= 0)
		code = nc_reader_fd_watched(fd, false, "layer", options->progress.cancel, &stream, err);
	if (code == 0)
		code = nc_ingest_layer(ingest, &in, stream, &out, err);
	if (code > 0)		/* 256 random bits have come before */
		return nc_fail(err, NACRE_E_EXISTS, 0, "node %s is there already", facts->id);
	return code < 0 ? code : nc_ingest_commit(ingest, err);
}

int nacre_node_create(struct nacre_store *store, int fd, const struct nacre_create_options *options, char *ret_id,
		      struct nacre_error *err)
{
	struct nacre_create_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	if (mine.parent && !*mine.parent)
		mine.parent = NULL;
	char id[NC_HEX_ID], version[64] = "nacre ";
	struct nc_platform host;
	struct nc_v1_new facts;
	nc_platform_host(&host);
	strncat(version, nacre_version(), sizeof version - strlen(version) - 1);
	int code = check_options(&mine, err);
	if (code == 0)
		code = nc_id_random(id, err);
	if (code < 0)
		return code;
	fill_facts(&facts, &mine, &host, id);
	facts.version = version;
	code = create(store, fd, &mine, &facts, err);
	if (code == 0)
		memcpy(ret_id, id, NC_HEX_ID);
	return code;
}
