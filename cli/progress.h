/* What a long operation is doing, on stderr. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "app.h"

struct progress;

#define OPTION_PROGRESS { .name = "progress", .arg = "MODE", .help = "auto, tty, plain, json or none (on stderr)", \
			  .choices = "auto|tty|plain|json|none" }

/* mode as in OPTION_PROGRESS; NULL is auto: bars on a terminal, one line a step elsewhere. */
struct progress *progress_new(const char *mode);
/* For the library; lent. */
struct nacre_progress progress_hook(struct progress *progress);
/* Ends it: the bars go; when the operation is done, a line with the grand total comes. */
void progress_free(struct progress *progress, bool done);

#endif
