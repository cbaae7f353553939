#include "io/forget.h"

#include "io/fd.h"

#include <fcntl.h>
#include <stdlib.h>

/* Below it threads cost more than they save. */
#define LONG ((uint64_t)32 << 20)

/* A part of a file. */
struct nc_forgotten {
	struct nc_job job;
	int fd;
	off_t at, len;			/* 0: to its end */
	struct nc_forgotten *next;
};

static int forget(struct nc_job *job, struct nacre_error *err)
{
	const struct nc_forgotten *part = (struct nc_forgotten *)job;
	posix_fadvise(part->fd, part->at, part->len, POSIX_FADV_DONTNEED);
	return 0;
}

static void part_free(struct nc_forgotten *part)
{
	nc_fd_release(&part->fd);
	free(part);
}

void nc_forgetting_init(struct nc_forgetting *forgetting)
{
	forgetting->first = NULL;
	nc_crew_init(&forgetting->crew, nc_processors());
}

void nc_forget(struct nc_forgetting *forgetting, int fd, uint64_t len)
{
	unsigned count = forgetting->crew.most;
	if (len < LONG || count < 2)
		return;
	for (unsigned i = 0; i < count; i++) {
		struct nc_forgotten *part = nc_alloc(sizeof *part);
		if (!part)
			return;
		*part = (struct nc_forgotten){ .job = { .run = forget }, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0),
					       .at = (off_t)(len / count * i),
					       .len = i == count - 1 ? 0 : (off_t)(len / count),
					       .next = forgetting->first };
		if (part->fd < 0 || !nc_crew_give(&forgetting->crew, &part->job)) {
			part_free(part);
			return;
		}
		forgetting->first = part;
	}
}

void nc_forgetting_wait(struct nc_forgetting *forgetting)
{
	while (forgetting->first) {
		struct nc_forgotten *part = forgetting->first;
		nc_crew_await(&forgetting->crew, &part->job);
		forgetting->first = part->next;
		part_free(part);
	}
}

void nc_forgetting_release(struct nc_forgetting *forgetting)
{
	nc_forgetting_wait(forgetting);
	nc_crew_release(&forgetting->crew);
}
