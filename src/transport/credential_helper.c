/* The protocol: the verb is the argument, a server's name or a JSON object comes on standard input, an object or nothing
 * goes to standard output. A failure is told there, too, with an exit status that is not 0. */
#include "transport/credential_helper.h"

#include "base/buf.h"
#include "image/field.h"
#include "image/gojson.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM_MAX 256
#define USER_IS_TOKEN "<token>"

struct call {
	char program[PROGRAM_MAX];
	const char *verb;
	unsigned seconds;
	int in, out;			/* our ends */
	pid_t pid;			/* 0: none */
	struct nc_buf output;
};

static int fail(const struct call *call, int sys, struct nacre_error *err, const char *what)
{
	return nc_fail(err, NACRE_E_AUTH, sys, "%s %s: %s", call->program, call->verb, what);
}

/* --- the process ------------------------------------------------------------------------------------------------- */

static int spawn(struct call *call, int in, int out, struct nacre_error *err)
{
	extern char **environ;
	char *argv[] = { call->program, (char *)call->verb, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, pipe_alone;
	sigemptyset(&none);
	sigemptyset(&pipe_alone);
	sigaddset(&pipe_alone, SIGPIPE);
	int failed = posix_spawn_file_actions_init(&actions);
	if (failed)
		return nc_nomem(err);
	failed = posix_spawnattr_init(&attributes);
	if (failed) {
		posix_spawn_file_actions_destroy(&actions);
		return nc_nomem(err);
	}
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &pipe_alone);
	failed = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!failed)
		failed = posix_spawnp(&call->pid, call->program, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (failed)
		call->pid = 0;
	if (failed == ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no program '%s' in $PATH to ask for credentials",
			       call->program);
	return failed ? nc_fail(err, NACRE_E_IO, failed, "start '%s'", call->program) : 0;
}

static int start(struct call *call, struct nacre_error *err)
{
	int in[2], out[2];
	/* a socket: writing to one whose reader is gone need not raise SIGPIPE */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a socket");
	int child_in NC_AUTO_FD = in[1];
	call->in = in[0];
	if (pipe2(out, O_CLOEXEC) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "make a pipe");
	int child_out NC_AUTO_FD = out[1];
	call->out = out[0];
	if (fcntl(call->out, F_SETFL, O_NONBLOCK) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "set up a pipe");
	return spawn(call, child_in, child_out, err);
}

/* What a helper gets fits into the socket; one that ends without reading it is not at fault for that. */
static int feed(struct call *call, const char *input, struct nacre_error *err)
{
	size_t len = strlen(input);
	ssize_t sent = send(call->in, input, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if ((sent < 0 && errno != EPIPE && errno != ECONNRESET) || (sent >= 0 && (size_t)sent < len))
		return fail(call, sent < 0 ? errno : 0, err, "it cannot be written to");
	nc_fd_release(&call->in);
	return 0;
}

static long long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What is there to read. 1: the end of it. */
static int read_output(struct call *call, struct nacre_error *err)
{
	char block[4096];
	for (;;) {
		ssize_t got = read(call->out, block, sizeof block);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != EAGAIN)
			return fail(call, errno, err, "its answer cannot be read");
		if (got <= 0)
			return got == 0;
		int code = nc_buf_add(&call->output, block, (size_t)got, err);
		explicit_bzero(block, sizeof block);
		if (code < 0)
			return code == NACRE_E_LIMIT ? fail(call, 0, err, "its answer has more than 64 KiB") : code;
	}
}

static bool has_ended(const struct call *call)
{
	siginfo_t info = { .si_pid = 0 };
	/* who has taken SIGCHLD away from us has reaped it */
	return waitid(P_PID, (id_t)call->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? errno == ECHILD : info.si_pid != 0;
}

/* Until it has ended; what a child of its own still holds open is not waited for. */
static int watch(struct call *call, struct nacre_error *err)
{
	long long deadline = now_ms() + call->seconds * 1000LL;
	struct pollfd out = { .fd = call->out, .events = POLLIN };
	for (;;) {
		bool ended = has_ended(call);
		int code = read_output(call, err);
		if (code < 0)
			return code;
		if (code == 1)
			out.fd = -1;
		if (ended)
			return 0;
		if (now_ms() >= deadline)
			return nc_fail(err, NACRE_E_AUTH, 0, "%s %s: no answer in %u seconds", call->program, call->verb,
				       call->seconds);
		/* its end wakes nobody: it is looked for every 10 ms */
		if (poll(&out, 1, 10) < 0 && errno != EINTR)
			return fail(call, errno, err, "it cannot be waited for");
	}
}

static int reap(struct call *call)
{
	int status = 0;
	while (waitpid(call->pid, &status, 0) < 0 && errno == EINTR)
		;
	call->pid = 0;
	return status;
}

static void release_call(struct call *call)
{
	if (call->pid > 0) {
		kill(call->pid, SIGKILL);
		reap(call);
	}
	nc_fd_release(&call->in);
	nc_fd_release(&call->out);
	if (call->output.data)
		explicit_bzero(call->output.data, call->output.cap);
	nc_buf_release(&call->output);
}

/* 1: done, and the output is what it said; 0: it says that it has nothing of the kind. */
static int judge(struct call *call, int status, struct nacre_error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 1;
	const char *said = nc_buf_text(&call->output);
	if (strstr(said, "credentials not found") || strstr(said, "no credentials server URL") ||
	    strstr(said, "no credentials username"))
		return 0;
	if (WIFSIGNALED(status))
		return nc_fail(err, NACRE_E_AUTH, 0, "%s %s: ended by signal %d", call->program, call->verb,
			       WTERMSIG(status));
	said += strspn(said, " \t\r\n");
	int len = (int)strcspn(said, "\r\n");
	return nc_fail(err, NACRE_E_AUTH, 0, "%s %s: exit status %d%s%.*s", call->program, call->verb,
		       WEXITSTATUS(status), len ? ": " : "", len > 200 ? 200 : len, said);
}

static int run(struct call *call, const struct nc_helper *helper, const char *input, struct nacre_error *err)
{
	call->seconds = helper->seconds ? helper->seconds : NC_HELPER_SECONDS;
	int len = snprintf(call->program, sizeof call->program, "docker-credential-%s", helper->name);
	if (len < 0 || (size_t)len >= sizeof call->program || strchr(helper->name, '/'))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' is no name of a credential helper", helper->name);
	int code = start(call, err);
	if (code == 0)
		code = feed(call, input, err);
	if (code == 0)
		code = watch(call, err);
	return code < 0 ? code : judge(call, reap(call), err);
}

#define CALL_INIT(what) \
	{ .verb = (what), .in = -1, .out = -1, .output = NC_BUF_INIT(NC_HELPER_OUTPUT_MAX) }

/* --- the three verbs --------------------------------------------------------------------------------------------- */

static int parse_answer(const struct call *call, struct nc_auth *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *answer = NULL;
	NC_CLEANUP(nc_auth_release) struct nc_auth auth = { 0 };
	char where[NC_WHERE];
	nc_where(where, "%s get: ", call->program);
	if (nc_json_parse(nc_buf_text(&call->output), call->output.len, call->program, &answer, NULL) < 0 ||
	    !json_is_object(answer))
		return fail(call, 0, err, "its answer is no JSON object");
	int code = nc_field_text(answer, where, "Username", &auth.user, err);
	if (code == 0)
		code = nc_field_text(answer, where, "Secret", &auth.password, err);
	if (code < 0)
		return code;
	if (!*auth.password)
		return 0;
	if (strcmp(auth.user, USER_IS_TOKEN) == 0) {
		auth.identity_token = NC_GIVE(auth.password);
		free(NC_GIVE(auth.user));
	}
	*ret = auth;
	auth = (struct nc_auth){ 0 };
	return 1;
}

int nc_helper_get(const struct nc_helper *helper, const char *server, struct nc_auth *ret, struct nacre_error *err)
{
	NC_CLEANUP(release_call) struct call call = CALL_INIT("get");
	int code = run(&call, helper, server, err);
	return code == 1 ? parse_answer(&call, ret, err) : code;
}

int nc_helper_store(const struct nc_helper *helper, const char *server, const struct nc_auth *auth,
		    struct nacre_error *err)
{
	NC_CLEANUP(release_call) struct call call = CALL_INIT("store");
	NC_CLEANUP(nc_json_auto) json_t *object =
		json_pack("{s:s, s:s, s:s}", "ServerURL", server, "Username", auth->user ? auth->user : USER_IS_TOKEN,
			  "Secret", auth->identity_token ? auth->identity_token : auth->password);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	if (!text)
		return nc_nomem(err);
	int code = run(&call, helper, text, err);
	nc_secret_free(text);
	if (code == 0)
		return fail(&call, 0, err, "it does not take the credentials");
	return code < 0 ? code : 0;
}

int nc_helper_erase(const struct nc_helper *helper, const char *server, struct nacre_error *err)
{
	NC_CLEANUP(release_call) struct call call = CALL_INIT("erase");
	return run(&call, helper, server, err);
}
