#include "transport/archive_save.h"

#include "io/fd.h"
#include "tar/write.h"
#include "transport/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes into the member that is open. */
struct member_writer {
	struct nc_writer base;
	struct nc_archive_out *out;
};

struct nc_archive_out {
	char *path;			/* for messages */
	struct nc_outplace place;
	struct nc_outfile file;		/* fd -1 when written to directly */
	int direct;			/* -1 when there is a file */
	struct nc_writer *writer;
	struct nc_tar_writer *tar;
	uint64_t left;			/* bytes that the open member still expects */
	struct member_writer member;
};

static int member_write(struct nc_writer *writer, const void *bytes, size_t len, struct nacre_error *err)
{
	struct nc_archive_out *out = ((struct member_writer *)writer)->out;
	if (len > out->left)
		return nc_fail(err, NACRE_E_BADDATA, 0, "more bytes come than were announced");
	out->left -= len;
	return nc_tar_writer_data(out->tar, bytes, len, err);
}

static int member_finish(struct nc_writer *writer, struct nacre_error *err)
{
	return 0;
}

static void member_close(struct nc_writer *writer)
{
}

static const struct nc_writer_ops member_ops = { member_write, member_finish, member_close };

static int open_output(struct nc_archive_out *out, struct nacre_error *err)
{
	struct stat st;
	if (!strcmp(out->path, "-")) {
		out->direct = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return out->direct < 0 ? nc_fail(err, NACRE_E_IO, errno, "open standard output") : 0;
	}
	if (stat(out->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		out->direct = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return out->direct < 0 ? nc_fail(err, NACRE_E_IO, errno, "open '%s'", out->path) : 0;
	}
	int code = nc_outplace_open(out->path, &out->place, err);
	return code < 0 ? code : nc_outfile_open(out->place.dir, &out->file, err);
}

int nc_archive_out_open(const char *path, struct nc_archive_out **ret, struct nacre_error *err)
{
	struct nc_archive_out *out = nc_zalloc(sizeof *out);
	if (!out)
		return nc_nomem(err);
	out->direct = out->file.fd = out->place.dir = -1;
	out->member = (struct member_writer){ { &member_ops }, out };
	out->path = nc_strdup(path);
	int code = out->path ? open_output(out, err) : nc_nomem(err);
	if (code >= 0)
		code = out->direct >= 0 ? nc_writer_fd(out->direct, false, path, &out->writer, err)
					: nc_writer_fd_early(out->file.fd, false, path, &out->writer, err);
	if (code >= 0)
		code = nc_tar_writer_new(out->writer, &out->tar, err);
	if (code < 0) {
		nc_archive_out_free(out);
		return nc_wrap(err, code, "write '%s'", path);
	}
	*ret = out;
	return 0;
}

void nc_archive_out_free(struct nc_archive_out *out)
{
	if (!out)
		return;
	nc_tar_writer_free(out->tar);
	nc_writer_close(out->writer);
	nc_outfile_release(&out->file);
	nc_outplace_release(&out->place);
	nc_fd_release(&out->direct);
	free(out->path);
	free(out);
}

int nc_archive_out_begin(struct nc_archive_out *out, const char *name, uint64_t size, struct nc_writer **ret_writer,
			 struct nacre_error *err)
{
	if (out->left)
		return nc_fail(err, NACRE_E_BADDATA, 0, "%llu bytes fewer come than were announced",
			       (unsigned long long)out->left);
	const struct nc_entry entry = {
		.type = NC_ENTRY_FILE, .name = name, .name_len = strlen(name), .link = "", .mode = 0644,
		.size = size, .stored = size, .mtime = { .sec = nc_output_time() },
	};
	int code = nc_tar_writer_entry(out->tar, &entry, err);
	if (code < 0)
		return code;
	out->left = size;
	*ret_writer = &out->member.base;
	return 0;
}

int nc_archive_out_bytes(struct nc_archive_out *out, const char *name, const void *bytes, size_t len,
			 struct nacre_error *err)
{
	struct nc_writer *writer = NULL;
	int code = nc_archive_out_begin(out, name, len, &writer, err);
	return code < 0 ? code : nc_writer_write(writer, bytes, len, err);
}

int nc_archive_out_stream(struct nc_archive_out *out, const char *name, uint64_t size, struct nc_reader *reader,
			  struct nacre_error *err)
{
	struct nc_writer *writer = NULL;
	int code = nc_archive_out_begin(out, name, size, &writer, err);
	return code < 0 ? code : nc_copy_stream(reader, writer, NULL, err);
}

int nc_archive_out_commit(struct nc_archive_out *out, struct nacre_error *err)
{
	struct nc_writer *none;
	int code = out->left ? nc_archive_out_begin(out, "", 0, &none, err) : 0;
	if (code >= 0)
		code = nc_tar_writer_finish(out->tar, err);
	if (code >= 0)
		code = nc_writer_finish(out->writer, err);
	if (code >= 0 && out->direct >= 0 && close(nc_fd_give(&out->direct)) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "close '%s'", out->path);
	if (code < 0 || out->file.fd < 0)
		return code;
	code = nc_outfile_publish(&out->file, out->place.name, true, true, err);
	if (code >= 0 && fsync(out->place.dir) < 0)
		code = nc_fail(err, NACRE_E_IO, errno, "sync the directory of '%s'", out->path);
	return code;
}

struct nc_spool nc_archive_out_spool(const struct nc_archive_out *out, struct nacre_store *store)
{
	return (struct nc_spool){ store, out->place.dir };
}
