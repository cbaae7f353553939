/* Image configs: application/vnd.oci.image.config.v1+json and Docker's container.image.v1+json (the same for us),
 * and the image JSON of 2015 (seed, section 7). Exact bytes always travel beside the parsed form. */
#ifndef NC_IMAGE_CONFIG_H
#define NC_IMAGE_CONFIG_H

#include "base/buf.h"
#include "io/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct nc_history {
	char *created;		/* as it stands in the document; "" when absent */
	char *created_by, *author, *comment;	/* "" when absent */
	bool empty_layer;
};

/* Strings are never NULL; "" when absent. Owned by the struct. */
struct nc_config {
	char *architecture, *variant, *os, *os_version, *author, *created;
	int64_t created_sec;
	uint32_t created_nsec;
	struct nc_digest *diff_ids;	/* lowest layer first */
	size_t diff_id_count;
	struct nc_history *history;
	size_t history_count;
	/* what a runtime asks for; arrays end with NULL, labels are pairs key, value, key, value, NULL */
	char *user, *working_dir, *stop_signal;
	char **env, **cmd, **entrypoint, **labels, **exposed_ports, **volumes;
};

/* Any os/architecture. rootfs.type must be "layers". history may be absent; when its layers that are not empty do not
 * number as many as the diff IDs, NACRE_E_BADDATA. At most 4096 layers. */
int nc_config_parse(const char *bytes, size_t len, struct nc_config **ret, struct nacre_error *err);
void nc_config_free(struct nc_config *config);
NC_DEFINE_CLEANUP(nc_config_auto, struct nc_config *, nc_config_free)

/* Chain IDs (OCI image-spec, "Layer ChainID") for each of n diff IDs, lowest first; ret has room for n. */
int nc_chain_ids(const struct nc_digest *diff_ids, size_t n, struct nc_digest *ret, struct nacre_error *err);

/* The config that Docker 1.10 and later make of an image JSON of 2015: id, parent, Size, parent_id, layer_id, throwaway
 * go, rootfs and history come, keys sorted, values as they were (JSON of docker before 1.8.3 is decoded and encoded
 * again first). layers holds, lowest first, the image JSON of each ancestor and last the image's own, with the diff ID
 * of its layer, or a zero alg where that image has an empty layer. ret bytes are given. */
struct nc_v1_layer {
	const char *json;
	size_t json_len;
	struct nc_digest diff_id;
};
int nc_config_from_v1(const struct nc_v1_layer *layers, size_t n, char **ret, size_t *ret_len, struct nacre_error *err);

/* The fields of an image JSON of 2015 that the graph needs, read by the rules of section 7.3. */
struct nc_v1_image {
	char *id, *parent, *comment, *created, *container, *docker_version, *author, *architecture, *os;
	int64_t created_sec;
	uint32_t created_nsec;
	int64_t size;		/* -1: absent */
	char **container_cmd;	/* ends with NULL */
};
int nc_v1_image_parse(const char *bytes, size_t len, struct nc_v1_image **ret, struct nacre_error *err);
/* The same as the graph of 2015 reads it from its own disk: what trails the JSON is ignored, of equal keys the later wins.
 * ret_used (may be NULL): how many bytes the JSON takes. */
int nc_v1_image_read(const char *bytes, size_t len, struct nc_v1_image **ret, size_t *ret_used,
		     struct nacre_error *err);
/* The parent that a damaged description still names: given, NULL when it does not (or memory is short). */
char *nc_v1_parent_of(const char *bytes, size_t len);
void nc_v1_image_free(struct nc_v1_image *image);
NC_DEFINE_CLEANUP(nc_v1_image_auto, struct nc_v1_image *, nc_v1_image_free)

/* The image JSON of 2015, in the order and spelling of section 7.1 and 7.2 with its final newline, for a node of today:
 * a layer (config NULL: everything default) or an image (config's facts). Appends to buf. */
int nc_v1_image_write(struct nc_buf *buf, const char *id, const char *parent, const struct nc_config *config,
		      uint64_t size, struct nacre_error *err);

/* A new image JSON of 2015, in the same spelling. Texts may be NULL: left out. container_config and config are JSON
 * objects (container_config all default when NULL, config left out): what the encoder of 2015 did not know goes, a field
 * of a wrong type is NACRE_E_BADDATA. Appends to buf. */
struct nc_v1_new {
	const char *id, *parent, *comment, *container, *version, *author, *architecture, *os;
	const char *container_config, *config;
	int64_t created_sec;
	uint32_t created_nsec;
	uint64_t size;
};
int nc_v1_image_make(struct nc_buf *buf, const struct nc_v1_new *facts, struct nacre_error *err);

/* What import makes: a config for one layer (or none), deterministic. changes are lines of a Dockerfile: CMD ENTRYPOINT
 * ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR. */
struct nc_config_new {
	const char *architecture, *variant, *os;	/* architecture and os are required */
	const char *author, *comment, *created_by;	/* NULL: left out */
	int64_t created_sec;
	const char *const *changes;
	size_t change_count;
	const struct nc_digest *diff_ids;
	size_t diff_id_count;
};
int nc_config_make(const struct nc_config_new *facts, char **ret, size_t *ret_len, struct nacre_error *err);

/* What a commit makes of the config of the image below: changes applied, one more entry of history, and one more layer
 * or none. Fields that are not known stay; what Docker noted about a container goes. Keys are sorted, so equal input
 * gives equal bytes. ret is given. */
struct nc_config_commit {
	const char *created_by, *author, *comment;	/* NULL: left out; the image keeps its author then */
	int64_t created_sec;
	const char *const *changes;
	size_t change_count;
	const struct nc_digest *diff_id;	/* NULL: nothing was written */
};
int nc_config_commit(const char *config, size_t len, const struct nc_config_commit *facts, char **ret,
		     size_t *ret_len, struct nacre_error *err);
/* The "config" of an image JSON of 2015 with changes applied. ret is given, a JSON object. */
int nc_config_of_v1_changed(const char *json, size_t len, const char *const *changes, size_t count, char **ret,
			    struct nacre_error *err);

#endif
