/* Manifests and indexes: OCI image manifest and index 1.1, Docker schema 2 and manifest list. */
#ifndef NC_IMAGE_MANIFEST_H
#define NC_IMAGE_MANIFEST_H

#include "io/codec.h"
#include "io/digest.h"

#include <stdbool.h>
#include <stdint.h>

#define NC_MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define NC_MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define NC_MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define NC_MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define NC_MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define NC_MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define NC_MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define NC_MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct nc_config;

struct nc_platform {
	char os[64], architecture[64], variant[64], os_version[64];	/* "" when unsaid */
};

/* "linux/arm64/v8", "linux", "arm64"? no: os[/arch[/variant]]. NACRE_E_INVALID. */
int nc_platform_parse(const char *text, struct nc_platform *ret, struct nacre_error *err);
/* The machine's own. */
void nc_platform_host(struct nc_platform *ret);
/* "linux/arm64/v8"; room for 256 bytes. Returns ret. */
const char *nc_platform_text(const struct nc_platform *platform, char *ret);

struct nc_descriptor {
	char *media_type;	/* "" when absent */
	struct nc_digest digest;
	uint64_t size;
	bool has_platform;
	struct nc_platform platform;
	char *ref_name;		/* annotation org.opencontainers.image.ref.name, or "" */
	char *image_name;	/* annotation io.containerd.image.name, or "" */
};

enum nc_document_kind { NC_DOC_MANIFEST = 1, NC_DOC_INDEX };

/* A manifest or an index. The document's own mediaType, the one it was announced with (may be NULL or "") and its
 * fields must agree; a document with fields of both kinds, or of neither, is NACRE_E_BADDATA (B26). Schema 1 is
 * NACRE_E_UNSUPPORTED. Sizes are non-negative, digests well-formed; at most 4096 layers or 65536 manifests. */
struct nc_manifest {
	enum nc_document_kind kind;
	bool docker;			/* Docker's media types rather than OCI's */
	char *media_type;
	char *artifact_type;		/* "" when absent */
	struct nc_descriptor config;	/* MANIFEST */
	struct nc_descriptor *items;	/* MANIFEST: layers, lowest first. INDEX: manifests */
	size_t item_count;
};

int nc_manifest_parse(const char *bytes, size_t len, const char *announced, struct nc_manifest **ret,
		      struct nacre_error *err);
void nc_manifest_free(struct nc_manifest *manifest);
NC_DEFINE_CLEANUP(nc_manifest_auto, struct nc_manifest *, nc_manifest_free)

/* The best item of an index for a platform, as containerd matches: os and architecture equal, variant equal or the
 * best that the wanted one runs (arm v8 > v7 > v6 > v5; amd64 without variant is v1). Items without a platform match
 * only when they are the only one. Attestations ("unknown/unknown") never match. Returns the position, or
 * NACRE_E_NOTFOUND with the platforms that there are (at most eight). */
int nc_index_choose(const struct nc_manifest *index, const struct nc_platform *wanted, struct nacre_error *err);
/* The same for an image by itself: NACRE_E_NOTFOUND when it is for another platform. */
int nc_platform_check(const struct nc_config *config, const struct nc_platform *wanted, struct nacre_error *err);

/* Writing, in a fixed order of keys without white space. Bytes are given. items as nc_descriptor (media_type, digest,
 * size, platform, ref_name, image_name; empty ones are left out). */
int nc_manifest_make(const struct nc_manifest *manifest, char **ret, size_t *ret_len, struct nacre_error *err);
/* The layer media type for a codec, OCI or Docker. NULL where there is none. */
const char *nc_layer_media_type(bool docker, enum nc_codec codec);
/* Whether a media type is one of an image's layer; false for foreign ("nondistributable" is true) and artifacts. */
bool nc_media_type_is_layer(const char *media_type);
/* Whether it is an index's; a manifest's or an index's, or "", which may be either. */
bool nc_media_type_is_index(const char *media_type);
bool nc_media_type_is_document(const char *media_type);

#endif
