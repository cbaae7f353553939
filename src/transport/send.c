#include "transport/send.h"

#include "io/crew.h"
#include "io/failure.h"
#include "io/fd.h"

#include <stdlib.h>


struct send {
	struct nc_job job;
	struct nc_sends *all;
	struct send *next;
	size_t number;
	int fd;
	struct nc_digest digest;
	uint64_t size, told;
	char id[NC_DIGEST_TEXT];
};

struct nc_sends {
	struct nc_remote *remote;
	const struct nacre_progress *progress;
	bool threads;
	struct nc_crew crew;
	struct send *list;		/* of the thread that adds */
	/* under the lock of the crew */
	bool failed;			/* one of them; what it says ends the others */
	size_t failed_number;
	struct nacre_error failure;
};

/* --- sending ---------------------------------------------------------------------------------------------------- */

static void tell(const struct send *self, enum nacre_event event, uint64_t bytes)
{
	nc_progress_tell(self->all->progress, event, self->id, NC_SEND_WHAT, bytes, self->size);
}

/* What is there may become less, when an upload begins anew. */
static void tell_sent(void *ctx, uint64_t bytes)
{
	struct send *self = ctx;
	if (bytes != self->size && bytes >= self->told && bytes - self->told < NC_PROGRESS_STEP)
		return;
	self->told = bytes;
	tell(self, NACRE_EVENT_BYTES, bytes);
}

static void note_failure(struct send *self, int code, const struct nacre_error *why)
{
	struct nc_sends *all = self->all;
	nc_crew_lock(&all->crew);
	if (!all->failed) {
		all->failed = true;
		all->failed_number = self->number;
		all->failure = *why;
		all->failure.code = code;
	}
	nc_crew_unlock(&all->crew);
}

static int run(struct nc_job *job, struct nacre_error *err)
{
	struct send *self = (struct send *)job;
	const struct nc_http_file file = { .fd = self->fd, .len = self->size, .sent = tell_sent, .ctx = self };
	struct nacre_error why = { 0 };
	tell(self, NACRE_EVENT_START, 0);
	int code = nc_remote_put_blob(self->all->remote, &self->digest, &file, &why);
	if (code >= 0)
		tell(self, NACRE_EVENT_DONE, self->size);
	else
		note_failure(self, code, &why);
	if (code < 0 && err)
		*err = why;
	return code;
}

/* --- the door --------------------------------------------------------------------------------------------------- */

int nc_sends_new(struct nc_remote *remote, const struct nacre_progress *progress, bool threads, struct nc_sends **ret,
		 struct nacre_error *err)
{
	struct nc_sends *sends = nc_zalloc(sizeof *sends);
	if (!sends)
		return nc_nomem(err);
	sends->remote = remote;
	sends->progress = progress;
	sends->threads = threads;
	nc_crew_init(&sends->crew, NC_REMOTE_AT_ONCE);
	*ret = sends;
	return 0;
}

static void free_send(struct send *send)
{
	nc_fd_release(&send->fd);
	free(send);
}

void nc_sends_free(struct nc_sends *sends)
{
	if (!sends)
		return;
	nc_crew_release(&sends->crew);
	while (sends->list) {
		struct send *send = sends->list;
		sends->list = send->next;
		free_send(send);
	}
	free(sends);
}

/* Those that are over go; how many are not. The lock is held. */
static unsigned sweep(struct nc_sends *sends)
{
	unsigned left = 0;
	for (struct send **at = &sends->list; *at;) {
		struct send *send = *at;
		if (send->job.state != NC_JOB_OVER) {
			at = &send->next;
			left++;
			continue;
		}
		*at = send->next;
		free_send(send);
	}
	return left;
}

/* Until fewer than most are under way. */
static int wait_for_fewer(struct nc_sends *sends, unsigned most, struct nacre_error *err)
{
	nc_crew_lock(&sends->crew);
	while (sweep(sends) >= most && !sends->failed)
		nc_crew_wait(&sends->crew);
	nc_aside_pass_on(&sends->crew.aside);
	int code = sends->failed ? nc_failure_tell(&sends->failure, sends->failure.code, err) : 0;
	nc_crew_unlock(&sends->crew);
	return code;
}

int nc_sends_wait(struct nc_sends *sends, struct nacre_error *err)
{
	return wait_for_fewer(sends, 1, err);
}

int nc_sends_add(struct nc_sends *sends, size_t number, int fd, const struct nc_digest *digest, uint64_t size,
		 struct nacre_error *err)
{
	struct send *send = nc_zalloc(sizeof *send);
	if (!send) {
		nc_fd_release(&fd);
		return nc_nomem(err);
	}
	*send = (struct send){ .job.run = run, .all = sends, .number = number, .fd = fd, .digest = *digest, .size = size };
	nc_digest_text(digest, send->id);
	int code = wait_for_fewer(sends, NC_REMOTE_AT_ONCE, err);
	if (code >= 0 && sends->threads && nc_crew_give(&sends->crew, &send->job)) {
		send->next = sends->list;
		sends->list = send;
		return 0;
	}
	if (code >= 0)
		code = run(&send->job, err);
	free_send(send);
	return code;
}

int nc_sends_blame(struct nc_sends *sends, size_t *ret_number, struct nacre_error *err)
{
	nc_crew_lock(&sends->crew);
	bool failed = sends->failed;
	if (failed) {
		*ret_number = sends->failed_number;
		*err = sends->failure;
	}
	nc_crew_unlock(&sends->crew);
	return failed;
}

/* --- what is made ready meanwhile ------------------------------------------------------------------------------- */

struct watched_reader {
	struct nc_reader base;
	struct nc_reader *upstream;
	struct nc_sends *sends;
};

static ssize_t watched_next(struct nc_reader *reader, const void **ret, struct nacre_error *err)
{
	struct watched_reader *self = (struct watched_reader *)reader;
	int code = wait_for_fewer(self->sends, UINT32_MAX, err);
	return code < 0 ? code : nc_reader_next(self->upstream, ret, err);
}

static void watched_close(struct nc_reader *reader)
{
	struct watched_reader *self = (struct watched_reader *)reader;
	nc_reader_close(self->upstream);
	free(self);
}

static int watched_keep(struct nc_reader *reader, unsigned count, struct nacre_error *err)
{
	return nc_reader_keep(((struct watched_reader *)reader)->upstream, count, err);
}

int nc_sends_watch(struct nc_sends *sends, struct nc_reader *upstream, struct nc_reader **ret, struct nacre_error *err)
{
	static const struct nc_reader_ops ops = { watched_next, watched_close, watched_keep };
	struct watched_reader *self = nc_alloc(sizeof *self);
	if (!self) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	*self = (struct watched_reader){ { &ops }, upstream, sends };
	*ret = &self->base;
	return 0;
}
