/* A disk that remembers the order of its writes, for tests of power cuts.
 *
 *   disklog serve DIR IMAGE LOG   serves IMAGE as the file DIR/disk through /dev/fuse and appends every write, flush and
 *                                 mark to LOG, until DIR is unmounted. What is written to DIR/mark becomes a mark; the
 *                                 marks !eio-read !eio-write !eio-flush make the disk fail so from then on, !ok ends it.
 *   disklog list LOG              a line a record: index, type, offset, length or text
 *   disklog replay LOG BASE OUT K HOW SEED
 *                                 OUT becomes BASE and what the disk holds when the power is lost right after record K:
 *                                 all writes up to the last flush before that, and of the later ones, which were in
 *                                 the disk's cache: "all", "none", or "some", chosen by SEED.
 *
 * A loop device over DIR/disk turns a file system's flushes into FUSE_FSYNC, so the log holds what a block device that
 * logs its writes would. Needs root and /dev/fuse, no module and no library. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum record_type { RECORD_WRITE = 1, RECORD_FLUSH, RECORD_MARK };
struct record {
	uint32_t type, length;
	uint64_t offset;
};
#define WRITE_MAX (1u << 20)

/* What DIR holds: "disk" and "mark". */
enum node { NODE_ROOT = 1, NODE_DISK, NODE_MARK };

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static void write_all(int fd, const void *bytes, size_t len)
{
	for (const char *at = bytes; len > 0;) {
		ssize_t n = write(fd, at, len);
		if (n <= 0)
			die("write");
		at += n;
		len -= (size_t)n;
	}
}

/* --- serve ------------------------------------------------------------------------------------------------------- */

static struct {
	int fuse, image, log;
	uint64_t size;
	bool fail_read, fail_write, fail_flush;
} disk;

static void log_record(enum record_type type, uint64_t offset, const void *bytes, uint32_t len)
{
	struct record record = { .type = type, .length = len, .offset = offset };
	write_all(disk.log, &record, sizeof record);
	write_all(disk.log, bytes, len);
}

static void obey(const char *mark, size_t len)
{
	char text[32] = "";
	memcpy(text, mark, len < sizeof text - 1 ? len : sizeof text - 1);
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "!ok") == 0)
		disk.fail_read = disk.fail_write = disk.fail_flush = false;
	disk.fail_read |= strcmp(text, "!eio-read") == 0;
	disk.fail_write |= strcmp(text, "!eio-write") == 0;
	disk.fail_flush |= strcmp(text, "!eio-flush") == 0;
}

static void answer(uint64_t unique, int error, const void *bytes, size_t len)
{
	struct fuse_out_header header = { .len = (uint32_t)(sizeof header + len), .error = -error, .unique = unique };
	struct iovec parts[2] = { { &header, sizeof header }, { (void *)bytes, len } };
	if (writev(disk.fuse, parts, len ? 2 : 1) < 0 && errno != ENOENT && errno != ENODEV)
		perror("answer");
}

static void fill_attr(struct fuse_attr *attr, uint64_t node)
{
	*attr = (struct fuse_attr){ .ino = node, .nlink = 1, .blksize = 4096 };
	attr->mode = node == NODE_ROOT ? S_IFDIR | 0700 : S_IFREG | 0600;
	attr->size = node == NODE_DISK ? disk.size : 0;
	attr->blocks = attr->size / 512;
}

static void answer_init(uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = { .major = 7, .minor = in->minor < 31 ? in->minor : 31 };
	out.max_readahead = in->max_readahead;
	out.flags = in->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES);
	out.max_write = WRITE_MAX;
	out.max_pages = 256;
	out.max_background = 16;
	out.congestion_threshold = 12;
	out.time_gran = 1;
	answer(unique, 0, &out, sizeof out);
}

static void answer_lookup(uint64_t unique, const char *name)
{
	struct fuse_entry_out out = { .attr_valid = 3600, .entry_valid = 3600 };
	out.nodeid = strcmp(name, "disk") == 0 ? NODE_DISK : strcmp(name, "mark") == 0 ? NODE_MARK : 0;
	if (!out.nodeid) {
		answer(unique, ENOENT, NULL, 0);
		return;
	}
	fill_attr(&out.attr, out.nodeid);
	answer(unique, 0, &out, sizeof out);
}

static void answer_read(uint64_t unique, uint64_t node, const struct fuse_read_in *in)
{
	static char bytes[WRITE_MAX];
	ssize_t n = 0;
	if (node == NODE_DISK)
		n = disk.fail_read ? (errno = EIO, -1)
				   : pread(disk.image, bytes, in->size < WRITE_MAX ? in->size : WRITE_MAX,
					   (off_t)in->offset);
	answer(unique, n < 0 ? errno : 0, bytes, n < 0 ? 0 : (size_t)n);
}

static void answer_write(uint64_t unique, uint64_t node, const struct fuse_write_in *in)
{
	const char *bytes = (const char *)(in + 1);
	struct fuse_write_out out = { .size = in->size };
	if (node == NODE_MARK) {
		log_record(RECORD_MARK, 0, bytes, in->size);
		obey(bytes, in->size);
	} else if (disk.fail_write || pwrite(disk.image, bytes, in->size, (off_t)in->offset) != (ssize_t)in->size) {
		answer(unique, EIO, NULL, 0);
		return;
	} else {
		log_record(RECORD_WRITE, in->offset, bytes, in->size);
	}
	answer(unique, 0, &out, sizeof out);
}

/* false: the end. */
static bool serve_request(const struct fuse_in_header *header)
{
	const void *in = header + 1;
	uint64_t unique = header->unique;
	switch (header->opcode) {
	case FUSE_INIT:
		answer_init(unique, in);
		break;
	case FUSE_LOOKUP:
		answer_lookup(unique, in);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR: {
		struct fuse_attr_out out = { .attr_valid = 3600 };
		fill_attr(&out.attr, header->nodeid);
		answer(unique, 0, &out, sizeof out);
		break;
	}
	case FUSE_OPEN:
	case FUSE_OPENDIR: {
		struct fuse_open_out out = { .open_flags = header->opcode == FUSE_OPEN ? FOPEN_DIRECT_IO : 0 };
		answer(unique, 0, &out, sizeof out);
		break;
	}
	case FUSE_READ:
		answer_read(unique, header->nodeid, in);
		break;
	case FUSE_WRITE:
		answer_write(unique, header->nodeid, in);
		break;
	case FUSE_FSYNC:
		if (!disk.fail_flush)
			log_record(RECORD_FLUSH, 0, "", 0);
		answer(unique, disk.fail_flush ? EIO : 0, NULL, 0);
		break;
	case FUSE_STATFS: {
		struct fuse_statfs_out out = { .st = { .bsize = 4096, .namelen = 255 } };
		answer(unique, 0, &out, sizeof out);
		break;
	}
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
	case FUSE_READDIR:
		answer(unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_DESTROY:
		answer(unique, 0, NULL, 0);
		return false;
	case FUSE_FALLOCATE:
		answer(unique, EOPNOTSUPP, NULL, 0);
		break;
	default:
		answer(unique, ENOSYS, NULL, 0);
	}
	return true;
}

static int serve(const char *dir, const char *image, const char *log)
{
	static _Alignas(8) char request[WRITE_MAX + 65536];
	struct stat st;
	char options[128];
	if ((disk.image = open(image, O_RDWR | O_CLOEXEC)) < 0 || fstat(disk.image, &st) < 0)
		die(image);
	disk.size = (uint64_t)st.st_size;
	if ((disk.log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		die(log);
	if ((disk.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0)
		die("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", disk.fuse);
	if (mount("disklog", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		die("mount");
	for (;;) {
		ssize_t n = read(disk.fuse, request, sizeof request);
		if (n < 0 && errno != EINTR && errno != ENOENT && errno != EAGAIN)
			return errno == ENODEV ? 0 : 99;
		if (n > 0 && !serve_request((const struct fuse_in_header *)request))
			return 0;
	}
}

/* --- list and replay ---------------------------------------------------------------------------------------------- */

static bool read_record(FILE *log, struct record *record, char *bytes)
{
	return fread(record, sizeof *record, 1, log) == 1 && record->length <= WRITE_MAX &&
	       (!record->length || fread(bytes, record->length, 1, log) == 1);
}

static FILE *open_log(const char *path)
{
	FILE *log = fopen(path, "re");
	if (!log)
		die(path);
	return log;
}

static char bytes[WRITE_MAX + 1];

static int list(const char *path)
{
	FILE *log = open_log(path);
	struct record record;
	for (long i = 1; read_record(log, &record, bytes); i++) {
		bytes[record.length] = '\0';
		if (record.type == RECORD_MARK) {
			bytes[strcspn(bytes, "\n")] = '\0';
			printf("%ld\tmark\t0\t%s\n", i, bytes);
		} else {
			printf("%ld\t%s\t%llu\t%u\n", i, record.type == RECORD_WRITE ? "write" : "flush",
			       (unsigned long long)record.offset, record.length);
		}
	}
	fclose(log);
	return 0;
}

static bool toss(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 33 & 1;
}

static void copy(const char *from, const char *to)
{
	pid_t child = fork();
	int status;
	if (child == 0) {
		execlp("cp", "cp", "--sparse=always", from, to, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		die("cp");
}

static int replay(const char *path, const char *base, const char *to, long last, const char *how, uint64_t seed)
{
	FILE *log = open_log(path);
	struct record record;
	long flushed = 0;
	uint64_t coin = seed * 0x9e3779b97f4a7c15u + 88172645463325252u;
	for (long i = 1; i <= last && read_record(log, &record, bytes); i++)
		if (record.type == RECORD_FLUSH)
			flushed = i;
	rewind(log);
	copy(base, to);
	int fd = open(to, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(to);
	for (long i = 1; i <= last && read_record(log, &record, bytes); i++) {
		bool kept = i <= flushed || strcmp(how, "all") == 0 || (strcmp(how, "some") == 0 && toss(&coin));
		if (record.type == RECORD_WRITE && kept &&
		    pwrite(fd, bytes, record.length, (off_t)record.offset) != (ssize_t)record.length)
			die(to);
	}
	fclose(log);
	return close(fd) < 0 ? 99 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "list") == 0)
		return list(argv[2]);
	if (argc == 8 && strcmp(argv[1], "replay") == 0)
		return replay(argv[2], argv[3], argv[4], atol(argv[5]), argv[6], strtoull(argv[7], NULL, 10));
	fputs("usage: disklog serve DIR IMAGE LOG | list LOG | replay LOG BASE OUT K HOW SEED\n", stderr);
	return 64;
}
