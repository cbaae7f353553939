/* Standard output and files that results go to. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

/* Once, first: descriptors 0, 1 and 2 exist, so that no file of the store becomes one of them. */
void out_init(void);

/* To stdout. */
void out_text(const char *text);	/* as it is: what we wrote ourselves */
void outf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Text from an image. On a terminal control characters, and bytes that are no UTF-8, become '?'. */
void out_foreign(const char *text);
/* The same for a block of text with lines and tabs. */
void out_foreign_block(const char *bytes, size_t len);
bool out_is_terminal(void);

/* Flushes; 0, or the errno of the first write to stdout that failed. */
int out_finish(void);

/* Where a stream of bytes goes: stdout, or a file that appears under its name only when it is whole. */
struct sink {
	int fd;
	const char *path;	/* NULL: stdout */
	char *temporary;	/* NULL: fd is written directly */
	bool text;		/* to a terminal: control characters made harmless */
	int failed;		/* errno of the write that failed */
	bool cancelled;
};
/* path NULL or "-": stdout. 0 or an errno. */
int sink_open(struct sink *sink, const char *path);
/* A nacre_sink; ctx is the struct sink. */
int sink_write(void *ctx, const void *bytes, size_t len);
/* Ends it; keep: the file gets its name, else it vanishes. 0 or an errno. */
int sink_close(struct sink *sink, bool keep);

#endif
