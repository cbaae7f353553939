#include "transport/blobs.h"

#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct nc_blobs {
	const struct nc_archive *archive;	/* NULL: a directory */
	int dir;
	enum nc_blobs_shape shape;
};

int nc_blobs_of_dir(int dir, enum nc_blobs_shape shape, struct nc_blobs **ret, struct nacre_error *err)
{
	int taken NC_AUTO_FD = dir;
	struct nc_blobs *blobs = nc_zalloc(sizeof *blobs);
	if (!blobs)
		return nc_nomem(err);
	blobs->dir = nc_fd_give(&taken);
	blobs->shape = shape;
	*ret = blobs;
	return 0;
}

int nc_blobs_of_archive(const struct nc_archive *archive, struct nc_blobs **ret, struct nacre_error *err)
{
	struct nc_blobs *blobs = nc_zalloc(sizeof *blobs);
	if (!blobs)
		return nc_nomem(err);
	blobs->archive = archive;
	blobs->dir = -1;
	*ret = blobs;
	return 0;
}

void nc_blobs_free(struct nc_blobs *blobs)
{
	if (!blobs)
		return;
	nc_fd_release(&blobs->dir);
	free(blobs);
}

/* Room for "blobs/sha512/" and the longest digest. */
#define BLOB_PATH (16 + NC_DIGEST_TEXT)

static void blob_path(const struct nc_blobs *blobs, const struct nc_digest *digest, char ret[BLOB_PATH])
{
	char text[NC_DIGEST_TEXT], hex[NC_DIGEST_TEXT];
	nc_digest_text(digest, text);
	nc_digest_hex(digest, hex);
	int alg = (int)strcspn(text, ":");
	if (blobs->shape == NC_BLOBS_FLAT)
		snprintf(ret, BLOB_PATH, "%s", hex);
	else
		snprintf(ret, BLOB_PATH, "blobs/%.*s/%s", alg, text, hex);
}

/* --- directories ------------------------------------------------------------------------------------------------ */

static int open_file(int dir, const char *path, int *ret_fd, uint64_t *ret_size, struct nacre_error *err)
{
	int fd NC_AUTO_FD = nc_path_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	if (fd == -ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no file '%s'", path);
	if (fd == -EXDEV || fd == -ELOOP)
		return nc_fail(err, NACRE_E_BADDATA, -fd, "'%s' leads out of the directory", path);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, -fd, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is no regular file", path);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = nc_fd_give(&fd);
	return 0;
}

static int open_in_dir(int dir, const char *path, struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	int fd NC_AUTO_FD = -1;
	int code = open_file(dir, path, &fd, ret_size, err);
	return code < 0 ? code : nc_reader_fd(nc_fd_give(&fd), true, path, ret, err);
}

/* --- both ------------------------------------------------------------------------------------------------------- */

static int open_in_archive(const struct nc_archive *archive, const char *path, struct nc_reader **ret,
			   uint64_t *ret_size, struct nacre_error *err)
{
	const struct nc_member *member;
	int code = nc_archive_find(archive, path, &member, err);
	if (code < 0)
		return code;
	*ret_size = member->size;
	return nc_archive_content(archive, member, ret, err);
}

int nc_blobs_open(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size, struct nc_reader **ret,
		  struct nacre_error *err)
{
	char path[BLOB_PATH];
	uint64_t there;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	blob_path(blobs, digest, path);
	int code = blobs->archive ? open_in_archive(blobs->archive, path, &reader, &there, err)
				  : open_in_dir(blobs->dir, path, &reader, &there, err);
	if (code < 0)
		return code;
	if (there != size)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is %llu bytes, its descriptor says %llu", path,
			       (unsigned long long)there, (unsigned long long)size);
	*ret = NC_GIVE(reader);
	return 0;
}

int nc_blobs_has(const struct nc_blobs *blobs, const struct nc_digest *digest, struct nacre_error *err)
{
	char path[BLOB_PATH];
	blob_path(blobs, digest, path);
	const struct nc_member *member;
	int fd NC_AUTO_FD = -1;
	uint64_t size;
	int code = blobs->archive ? nc_archive_find(blobs->archive, path, &member, err)
				  : open_file(blobs->dir, path, &fd, &size, err);
	return code == NACRE_E_NOTFOUND ? 0 : code < 0 ? code : 1;
}

int nc_blobs_document(const struct nc_blobs *blobs, const struct nc_digest *digest, uint64_t size, const char *what,
		      char **ret, struct nacre_error *err)
{
	char text[NC_DIGEST_TEXT];
	nc_digest_text(digest, text);
	if (size > NC_DOCUMENT_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "%s %s is %llu bytes, more than %zu", what, text,
			       (unsigned long long)size, NC_DOCUMENT_MAX);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	size_t len;
	int code = nc_blobs_open(blobs, digest, size, &reader, err);
	if (code >= 0)
		code = nc_reader_verified(NC_GIVE(reader), digest, size, &reader, err);
	if (code >= 0)
		code = nc_reader_slurp(reader, NC_DOCUMENT_MAX, ret, &len, err);
	return code < 0 ? nc_wrap(err, code, "%s %s", what, text) : 0;
}

int nc_blobs_file(const struct nc_blobs *blobs, const char *name, char **ret, size_t *ret_len,
		  struct nacre_error *err)
{
	if (blobs->archive)
		return nc_archive_document(blobs->archive, name, NC_DOCUMENT_MAX, ret, ret_len, err);
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	uint64_t size;
	int code = open_in_dir(blobs->dir, name, &reader, &size, err);
	if (code < 0)
		return code;
	if (size > NC_DOCUMENT_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "'%s' is %llu bytes, more than %zu", name,
			       (unsigned long long)size, NC_DOCUMENT_MAX);
	return nc_reader_slurp(reader, NC_DOCUMENT_MAX, ret, ret_len, err);
}
