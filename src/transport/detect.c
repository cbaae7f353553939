/* Opening places to read from: by what their transport says, or by what they turn out to hold. */
#include "io/fd.h"
#include "transport/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int nc_one_alone(size_t count, const struct nc_source_wish *wish, struct nacre_error *err)
{
	if (count == 1 || wish->all)
		return 0;
	return nc_fail(err, NACRE_E_AMBIGUOUS, 0, "%zu images fit; say which one by name or as @0 to @%zu", count,
		       count - 1);
}

/* --- descriptors ------------------------------------------------------------------------------------------------ */

/* Paths given by the caller are opened as they are: they are his own. */
static int open_path(const char *path, int oflags, int *ret_fd, struct nacre_error *err)
{
	bool in = !strcmp(path, "-");
	int fd = in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, oflags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no file '%s'", path);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", in ? "standard input" : path);
	*ret_fd = fd;
	return 0;
}

static int open_archive(const char *path, int fd, const struct nc_source_wish *wish, struct nc_archive **ret,
			struct nacre_error *err)
{
	return nc_archive_open(fd, strcmp(path, "-") ? path : "standard input", &wish->spool, wish->progress, ret,
			       err);
}

/* --- kinds of archive ------------------------------------------------------------------------------------------- */

static int open_oci_archive(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			    struct nacre_error *err)
{
	struct nc_blobs *blobs;
	int code = nc_blobs_of_archive(archive, &blobs, err);
	if (code >= 0)
		return nc_oci_load_open(archive, blobs, wish, ret, err);
	nc_archive_free(archive);
	return code;
}

static bool has_v1_image(const struct nc_archive *archive)
{
	for (size_t i = 0; i < nc_archive_count(archive); i++) {
		const char *slash = strchr(nc_archive_at(archive, i)->name, '/');
		if (slash && slash - nc_archive_at(archive, i)->name == 64 && !strcmp(slash, "/json"))
			return true;
	}
	return false;
}

static bool is_oci(const struct nc_archive *archive)
{
	return nc_archive_has(archive, "index.json") || nc_archive_has(archive, "oci-layout");
}

/* Takes the archive. */
static int open_docker_archive(struct nc_archive *archive, const struct nc_source_wish *wish, struct nc_source **ret,
			       struct nacre_error *err)
{
	if (nc_archive_has(archive, "manifest.json"))
		return nc_docker_load_open(archive, wish, ret, err);
	if (nc_archive_has(archive, "repositories") || has_v1_image(archive))
		return nc_docker_v1_load_open(archive, wish, ret, err);
	if (is_oci(archive))
		return open_oci_archive(archive, wish, ret, err);
	bool root =
		nc_archive_has(archive, "etc") || nc_archive_has(archive, "bin") || nc_archive_has(archive, "usr");
	nc_archive_free(archive);
	return nc_fail(err, NACRE_E_BADDATA, 0,
		       "holds no image: neither manifest.json nor index.json nor repositories%s",
		       root ? "; it looks like a root file system, which import takes" : "");
}

/* Gives a source its label and a failure its context. */
static int label(int code, struct nc_source *source, struct nc_source **ret, const char *transport, const char *path,
		 struct nacre_error *err)
{
	if (!*transport && !strcmp(path, "-"))
		path = "standard input";
	if (code < 0)
		return nc_wrap(err, code, "%s%s", transport, path);
	size_t len = strlen(transport) + strlen(path) + 1;
	source->label = nc_alloc(len);
	if (!source->label) {
		nc_source_close(source);
		return nc_nomem(err);
	}
	snprintf(source->label, len, "%s%s", transport, path);
	*ret = source;
	return 0;
}

static int open_file_source(const char *transport, const char *path, int fd, bool docker,
			    const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err)
{
	struct nc_archive *archive;
	struct nc_source *source = NULL;
	int code = open_archive(path, fd, wish, &archive, err);
	if (code < 0)
		return code;
	code = docker ? open_docker_archive(archive, wish, &source, err)
		      : open_oci_archive(archive, wish, &source, err);
	return label(code, source, ret, transport, path, err);
}

/* fd is taken. */
static int open_dir_source(const char *transport, const char *path, int fd, bool flat,
			   const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err)
{
	struct nc_blobs *blobs;
	struct nc_source *source = NULL;
	int code = nc_blobs_of_dir(fd, flat ? NC_BLOBS_FLAT : NC_BLOBS_LAYOUT, &blobs, err);
	if (code >= 0)
		code = flat ? nc_dir_load_open(blobs, wish, &source, err)
			    : nc_oci_load_open(NULL, blobs, wish, &source, err);
	return label(code, source, ret, transport, path, err);
}

/* --- the doors -------------------------------------------------------------------------------------------------- */

int nc_source_open(const struct nc_place *place, const struct nc_source_wish *wish, struct nc_source **ret,
		   struct nacre_error *err)
{
	int fd, code;
	switch (place->transport) {
	case NC_DOCKER_ARCHIVE:
	case NC_OCI_ARCHIVE:
		code = open_path(place->where, O_RDONLY, &fd, err);
		if (code < 0)
			return code;
		return place->transport == NC_DOCKER_ARCHIVE
			       ? open_file_source("docker-archive:", place->where, fd, true, wish, ret, err)
			       : open_file_source("oci-archive:", place->where, fd, false, wish, ret, err);
	case NC_OCI_DIR:
	case NC_DIR:
		code = open_path(place->where, O_RDONLY | O_DIRECTORY, &fd, err);
		if (code < 0)
			return code;
		return place->transport == NC_DIR
			       ? open_dir_source("dir:", place->where, fd, true, wish, ret, err)
			       : open_dir_source("oci:", place->where, fd, false, wish, ret, err);
	case NC_REGISTRY:
	case NC_GRAPH:
		break;
	}
	return nc_source_open_named(place->transport, wish, ret, err);
}

int nc_source_open_named(enum nc_transport transport, const struct nc_source_wish *wish, struct nc_source **ret,
			 struct nacre_error *err)
{
	struct nc_source *source;
	bool remote = transport == NC_REGISTRY;
	int code = remote ? nc_registry_load_open(wish, &source, err) : nc_graph_load_open(wish, &source, err);
	return code < 0 ? code : label(0, source, ret, remote ? "" : "graph:", wish->rest, err);
}

static bool has_file(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int nc_source_detect(const char *path, const struct nc_source_wish *wish, struct nc_source **ret,
		     struct nacre_error *err)
{
	int fd NC_AUTO_FD = -1;
	struct stat st;
	int code = open_path(path, O_RDONLY, &fd, err);
	if (code < 0)
		return code;
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return open_file_source("", path, nc_fd_give(&fd), true, wish, ret, err);
	if (has_file(fd, "index.json") || has_file(fd, "oci-layout"))
		return open_dir_source("", path, nc_fd_give(&fd), false, wish, ret, err);
	if (has_file(fd, "manifest.json") && has_file(fd, "version"))
		return open_dir_source("", path, nc_fd_give(&fd), true, wish, ret, err);
	return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is neither an OCI layout nor a directory of the dir: transport",
		       path);
}
