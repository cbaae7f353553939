#include "out.h"

#include "mem.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno of the first write to stdout that failed: stdio remembers only that one did. */
static int first_failure;

static void note(bool failed)
{
	if (failed && !first_failure)
		first_failure = errno ? errno : EIO;
}

void out_init(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		/* the wrong way round, so that using it fails */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(1);
	}
}

bool out_is_terminal(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

void out_text(const char *text)
{
	note(fputs(text, stdout) < 0);
}

void outf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(vprintf(fmt, args) < 0);
	va_end(args);
}

/* Length of the UTF-8 character at text, 0 when there is none. */
static size_t utf8_length(const unsigned char *text, size_t len, uint32_t *ret_character)
{
	size_t need = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 :
		      text[0] < 0xf5 ? 4 : 0;
	uint32_t character;

	if (need == 0 || need > len)
		return 0;
	character = need == 1 ? text[0] : text[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	if ((need == 3 && character < 0x800) || (need == 4 && (character < 0x10000 || character > 0x10ffff)) ||
	    (character >= 0xd800 && character < 0xe000))
		return 0;
	*ret_character = character;
	return need;
}

static bool is_harmless(uint32_t character)
{
	return character >= 0x20 && !(character >= 0x7f && character < 0xa0);
}

static void add_harmless(struct text *to, const char *bytes, size_t len, bool block)
{
	while (len > 0) {
		uint32_t character = 0;
		size_t step = utf8_length((const unsigned char *)bytes, len, &character);

		if (step && (is_harmless(character) || (block && (*bytes == '\n' || *bytes == '\t'))))
			text_add(to, bytes, step);
		else
			text_adds(to, "?");
		step += step == 0;
		bytes += step;
		len -= step;
	}
}

static void out_bytes(const char *bytes, size_t len, bool block)
{
	AUTO_TEXT struct text shown = { .data = NULL };

	if (!out_is_terminal()) {
		note(fwrite(bytes, 1, len, stdout) != len);
		return;
	}
	add_harmless(&shown, bytes, len, block);
	out_text(text_get(&shown));
}

void out_foreign(const char *text)
{
	out_bytes(text, strlen(text), false);
}

void out_foreign_block(const char *bytes, size_t len)
{
	out_bytes(bytes, len, true);
}

int out_finish(void)
{
	note(fflush(stdout) != 0);
	return first_failure;
}

int sink_open(struct sink *sink, const char *path)
{
	struct stat st;

	*sink = (struct sink){ .fd = STDOUT_FILENO };
	if (!path || strcmp(path, "-") == 0)
		return out_finish();
	sink->path = path;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		sink->fd = open(path, O_WRONLY | O_CLOEXEC);
		return sink->fd < 0 ? errno : 0;
	}
	sink->temporary = must_printf("%s.nacre-XXXXXX", path);
	sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
	if (sink->fd < 0) {
		int saved = errno;

		free(sink->temporary);
		sink->temporary = NULL;
		return saved;
	}
	return 0;
}

int sink_write(void *ctx, const void *bytes, size_t len)
{
	struct sink *sink = ctx;
	AUTO_TEXT struct text shown = { .data = NULL };
	const char *at = bytes;

	if (sink->text && isatty(sink->fd)) {
		add_harmless(&shown, bytes, len, true);
		at = text_get(&shown);
		len = shown.len;
	}
	while (len > 0 && !sink->failed) {
		ssize_t done = write(sink->fd, at, len);

		if (signals_caught()) {
			sink->cancelled = true;
			return -1;
		}
		if (done < 0 && errno != EINTR)
			sink->failed = errno;
		if (done > 0) {
			at += done;
			len -= (size_t)done;
		}
	}
	return sink->failed ? -1 : 0;
}

/* What open() would have given the file: mkostemp() makes it 0600. */
static int give_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

/* So that the new name survives a power cut as well. */
static int sync_directory(const char *path)
{
	AUTO_FREE char *copy = must_copy(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed;

	/* one that may be written but not read, or a file system that syncs none: there is nothing to be done about it */
	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	failed = fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
	close(fd);
	return failed;
}

int sink_close(struct sink *sink, bool keep)
{
	int failed = 0;

	if (sink->fd < 0)
		return 0;
	if (sink->temporary && keep &&
	    (give_mode(sink->fd) < 0 || fsync(sink->fd) < 0 || rename(sink->temporary, sink->path) < 0 ||
	     sync_directory(sink->path) < 0))
		failed = errno;
	if (sink->temporary && (!keep || failed))
		unlink(sink->temporary);
	if (sink->path)
		close(sink->fd);
	free(sink->temporary);
	sink->fd = -1;
	sink->temporary = NULL;
	return failed;
}
