/* Every kind of place, opened. */
#ifndef NC_TRANSPORT_PLACES_H
#define NC_TRANSPORT_PLACES_H

#include "transport/archive.h"
#include "transport/blobs.h"
#include "transport/transport.h"

/* --- sources ---------------------------------------------------------------------------------------------------- */

struct nc_source_wish {
	struct nacre_store *store;	/* may be NULL */
	struct nc_spool spool;
	const char *rest;		/* the image meant: a name, a tag, @position; "" for the only one, or all */
	bool all;			/* every image; without it there must be one alone */
	struct nc_platform platform;	/* the machine's unless asked for */
	bool platform_asked;		/* an image for another platform is then none */
	bool keep_ids;			/* v1 */
	bool plain;			/* the sink likes plain tars better */
	const struct nacre_progress *progress;
	const struct nacre_registry_options *registry;	/* may be NULL */
	bool all_platforms;		/* registries, layouts, graph: all images of an index, with it and what else it names */
	const char *name;		/* then: what it is called instead of the name that it has; NULL */
	bool resume;			/* what comes is kept in the store until all of it has arrived there */
};

/* Takes what it opens (archive, blobs), also on failure. */
int nc_docker_load_open(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			struct nacre_error *err);
int nc_docker_v1_load_open(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			   struct nacre_error *err);
int nc_oci_load_open(struct nc_archive *archive, struct nc_blobs *blobs, const struct nc_source_wish *wish,
		     struct nc_source **ret, struct nacre_error *err);
int nc_dir_load_open(struct nc_blobs *blobs, const struct nc_source_wish *wish, struct nc_source **ret,
		     struct nacre_error *err);
int nc_registry_load_open(const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err);
/* Of such a source: whom it asks first, "localhost:5000/team/app". Lent. */
const char *nc_registry_load_place(const struct nc_source *source);
int nc_graph_load_open(const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err);

/* Opens what place means. */
int nc_source_open(const struct nc_place *place, const struct nc_source_wish *wish, struct nc_source **ret,
		   struct nacre_error *err);
/* The same where wish->rest is all there is to say: NC_GRAPH or NC_REGISTRY. */
int nc_source_open_named(enum nc_transport transport, const struct nc_source_wish *wish, struct nc_source **ret,
			 struct nacre_error *err);
/* Opens a file or directory ("-": fd 0) whatever its kind. */
int nc_source_detect(const char *path, const struct nc_source_wish *wish, struct nc_source **ret,
		     struct nacre_error *err);

/* For sources: NACRE_E_AMBIGUOUS when there are several images and one alone is wanted. */
int nc_one_alone(size_t count, const struct nc_source_wish *wish, struct nacre_error *err);

/* --- sinks ------------------------------------------------------------------------------------------------------ */

struct nc_sink_wish {
	struct nacre_store *store;	/* may be NULL */
	const char *tag;		/* oci: the org.opencontainers.image.ref.name asked for; "" */
	enum nacre_compression compression;
	enum nacre_blobs blobs;
	const volatile int *cancel;	/* graph: ends waits; may be NULL */
	enum nacre_repair repair;	/* graph */
	const char *name;		/* registry: where to */
	const struct nacre_registry_options *registry;	/* may be NULL */
	const struct nacre_progress *progress;	/* registry */
};

int nc_docker_save_open(const char *path, const struct nc_sink_wish *wish, struct nc_sink **ret,
			struct nacre_error *err);
int nc_oci_save_open(const char *path, bool archive, const struct nc_sink_wish *wish, struct nc_sink **ret,
		     struct nacre_error *err);
int nc_dir_save_open(const char *path, const struct nc_sink_wish *wish, struct nc_sink **ret,
		     struct nacre_error *err);
int nc_registry_save_open(const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err);
int nc_graph_save_open(const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err);

#endif
