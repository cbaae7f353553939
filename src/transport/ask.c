#include "transport/ask.h"

#include "io/failure.h"

static int ask(struct nc_job *job, struct nacre_error *err)
{
	struct nc_ask *self = (struct nc_ask *)job;
	int there = nc_remote_has_blob(self->remote, self->digest, self->size, err);
	self->there = there > 0;
	return there < 0 ? there : 0;
}

int nc_ask_all(struct nc_remote *remote, bool threads, struct nc_ask *asks, size_t count, struct nacre_error *err)
{
	struct nc_crew crew;
	size_t given = 0;
	int code = 0;
	nc_crew_init(&crew, NC_REMOTE_AT_ONCE);
	for (size_t i = 0; i < count; i++) {
		asks[i].remote = remote;
		asks[i].job = (struct nc_job){ .run = ask };
	}
	while (threads && given < count && nc_crew_give(&crew, &asks[given].job))
		given++;
	for (size_t i = given; code == 0 && i < count; i++)
		code = ask(&asks[i].job, err);
	for (size_t i = 0; code == 0 && i < given; i++) {
		code = nc_crew_await(&crew, &asks[i].job);
		if (code < 0)
			nc_failure_tell(&asks[i].job.failure, code, err);
	}
	nc_crew_release(&crew);
	return code;
}
