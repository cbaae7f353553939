/* Stops or disturbs a command at its N-th system call that changes a file: one counter over all its threads and
 * children. A call counts when what it changes lies below PREFIX.
 *
 *   strike [-n N] [-m MODE] [-o FILE] -p PREFIX -- COMMAND ARG…
 *
 *   -n N     strike at the N-th such call (0: only count)
 *   -m MODE  before   kill everything before the call
 *            after    kill everything right after it
 *            half     let a write write half of its bytes, then kill (other calls: as after)
 *            ERRNO    that one call fails with it (ENOSPC, EIO, …)
 *            ERRNO+   that one and all later ones fail with it
 *   -o FILE  a line for each such call: index, name, path
 *
 * The exit status is the command's; 137 when it was killed; 99 for failures of its own. The last line on stderr is
 * "strike: counted=C fired=F name=NAME path=PATH". Needs ptrace and seccomp; x86-64 only. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a call's arguments name what it changes. */
enum where {
	BY_FD,			/* fd in argument a */
	BY_PATH,		/* path in a */
	BY_AT,			/* directory in a, path in b */
	BY_OPEN,		/* as BY_AT, when the flags in c write or create */
	BY_OPEN2,		/* likewise with a struct open_how in c */
};

static const struct call {
	const char *name;
	long number;
	enum where where;
	unsigned a, b, c;
} calls[] = {
	{ "write", SYS_write, BY_FD, 0, 0, 0 },
	{ "pwrite64", SYS_pwrite64, BY_FD, 0, 0, 0 },
	{ "writev", SYS_writev, BY_FD, 0, 0, 0 },
	{ "pwritev", SYS_pwritev, BY_FD, 0, 0, 0 },
	{ "pwritev2", SYS_pwritev2, BY_FD, 0, 0, 0 },
	{ "sendfile", SYS_sendfile, BY_FD, 0, 0, 0 },
	{ "copy_file_range", SYS_copy_file_range, BY_FD, 2, 0, 0 },
	{ "splice", SYS_splice, BY_FD, 2, 0, 0 },
	{ "ftruncate", SYS_ftruncate, BY_FD, 0, 0, 0 },
	{ "truncate", SYS_truncate, BY_PATH, 0, 0, 0 },
	{ "fallocate", SYS_fallocate, BY_FD, 0, 0, 0 },
	{ "open", SYS_open, BY_OPEN, UINT_MAX, 0, 1 },
	{ "openat", SYS_openat, BY_OPEN, 0, 1, 2 },
	{ "openat2", SYS_openat2, BY_OPEN2, 0, 1, 2 },
	{ "mkdir", SYS_mkdir, BY_PATH, 0, 0, 0 },
	{ "mkdirat", SYS_mkdirat, BY_AT, 0, 1, 0 },
	{ "mknodat", SYS_mknodat, BY_AT, 0, 1, 0 },
	{ "rename", SYS_rename, BY_PATH, 1, 0, 0 },
	{ "renameat", SYS_renameat, BY_AT, 2, 3, 0 },
	{ "renameat2", SYS_renameat2, BY_AT, 2, 3, 0 },
	{ "link", SYS_link, BY_PATH, 1, 0, 0 },
	{ "linkat", SYS_linkat, BY_AT, 2, 3, 0 },
	{ "symlink", SYS_symlink, BY_PATH, 1, 0, 0 },
	{ "symlinkat", SYS_symlinkat, BY_AT, 1, 2, 0 },
	{ "unlink", SYS_unlink, BY_PATH, 0, 0, 0 },
	{ "unlinkat", SYS_unlinkat, BY_AT, 0, 1, 0 },
	{ "rmdir", SYS_rmdir, BY_PATH, 0, 0, 0 },
	{ "fsync", SYS_fsync, BY_FD, 0, 0, 0 },
	{ "fdatasync", SYS_fdatasync, BY_FD, 0, 0, 0 },
	{ "syncfs", SYS_syncfs, BY_FD, 0, 0, 0 },
	{ "fchmod", SYS_fchmod, BY_FD, 0, 0, 0 },
	{ "fchmodat", SYS_fchmodat, BY_AT, 0, 1, 0 },
	{ "chmod", SYS_chmod, BY_PATH, 0, 0, 0 },
	{ "fchown", SYS_fchown, BY_FD, 0, 0, 0 },
	{ "fchownat", SYS_fchownat, BY_AT, 0, 1, 0 },
	{ "lchown", SYS_lchown, BY_PATH, 0, 0, 0 },
	{ "utimensat", SYS_utimensat, BY_AT, 0, 1, 0 },
	{ "setxattr", SYS_setxattr, BY_PATH, 0, 0, 0 },
	{ "lsetxattr", SYS_lsetxattr, BY_PATH, 0, 0, 0 },
	{ "fsetxattr", SYS_fsetxattr, BY_FD, 0, 0, 0 },
	{ "fremovexattr", SYS_fremovexattr, BY_FD, 0, 0, 0 },
};
#define CALLS (sizeof calls / sizeof *calls)

enum mode { BEFORE, AFTER, HALF, FAIL, FAIL_ON };

static struct {
	long at;
	enum mode mode;
	int error;
	const char *prefix;
	FILE *list;
	long counted, fired;
	char last[2 * PATH_MAX + 128];
} strike = { .last = "name= path=" };

/* The processes and threads that are traced; falling: to be killed when its call has returned. */
#define TRACED_MAX 4096
static struct {
	pid_t pid;
	bool falling;
} traced[TRACED_MAX];
static size_t traced_count;

static void die(const char *what)
{
	fprintf(stderr, "strike: %s: %s\n", what, strerror(errno));
	exit(99);
}

static size_t find(pid_t pid)
{
	for (size_t i = 0; i < traced_count; i++)
		if (traced[i].pid == pid)
			return i;
	if (traced_count == TRACED_MAX)
		die("too many threads");
	traced[traced_count].pid = pid;
	traced[traced_count].falling = false;
	return traced_count++;
}

static void forget(pid_t pid)
{
	size_t i = find(pid);
	traced[i] = traced[--traced_count];
}

/* --- what a call changes ------------------------------------------------------------------------------------------ */

static unsigned long argument(const struct user_regs_struct *regs, unsigned i)
{
	const unsigned long all[] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };
	return i == UINT_MAX ? (unsigned long)AT_FDCWD : all[i];
}

/* A page at a time, so that an unmapped one behind the text does not matter. */
static void read_text(pid_t pid, unsigned long at, char *ret, size_t size)
{
	size_t got = 0;
	while (got < size - 1) {
		size_t want = 4096 - ((at + got) & 4095);
		struct iovec here = { ret + got, want < size - 1 - got ? want : size - 1 - got };
		struct iovec there = { (void *)(at + got), here.iov_len };
		ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
		if (n <= 0)
			break;
		if (memchr(ret + got, '\0', (size_t)n))
			return;
		got += (size_t)n;
	}
	ret[got] = '\0';
}

static void path_of_fd(pid_t pid, int fd, char *ret, size_t size)
{
	char link[64];
	if (fd == AT_FDCWD)
		snprintf(link, sizeof link, "/proc/%d/cwd", pid);
	else
		snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
	ssize_t n = readlink(link, ret, size - 1);
	ret[n < 0 ? 0 : n] = '\0';
}

static void path_at(pid_t pid, int dir, unsigned long at, char *ret, size_t size)
{
	char name[PATH_MAX], base[PATH_MAX];
	read_text(pid, at, name, sizeof name);
	if (name[0] == '/') {
		snprintf(ret, size, "%s", name);
		return;
	}
	path_of_fd(pid, dir, base, sizeof base);
	snprintf(ret, size, "%s/%s", base, name);
}

static bool is_below(const char *path)
{
	size_t len = strlen(strike.prefix);
	return strncmp(path, strike.prefix, len) == 0 && (path[len] == '/' || path[len] == '\0' || path[len] == ' ');
}

static bool opens_for_change(pid_t pid, const struct call *call, const struct user_regs_struct *regs)
{
	unsigned long flags = argument(regs, call->c);
	if (call->where == BY_OPEN2) {
		unsigned long long how = 0;
		struct iovec here = { &how, sizeof how }, there = { (void *)flags, sizeof how };
		flags = process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof how ? how : 0;
	}
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

static bool changes(pid_t pid, const struct call *call, const struct user_regs_struct *regs, char *path, size_t size)
{
	if (call->where == BY_FD)
		path_of_fd(pid, (int)argument(regs, call->a), path, size);
	else if (call->where == BY_PATH)
		path_at(pid, AT_FDCWD, argument(regs, call->a), path, size);
	else
		path_at(pid, (int)argument(regs, call->a), argument(regs, call->b), path, size);
	return is_below(path) &&
	       ((call->where != BY_OPEN && call->where != BY_OPEN2) || opens_for_change(pid, call, regs));
}

/* --- striking ------------------------------------------------------------------------------------------------------ */

static void kill_all(void)
{
	for (int round = 0; round < 2000 && traced_count; round++) {
		for (size_t i = 0; i < traced_count; i++)
			kill(traced[i].pid, SIGKILL);
		int status;
		pid_t pid;
		while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
			if (WIFEXITED(status) || WIFSIGNALED(status))
				forget(pid);
			else
				kill(traced[find(pid)].pid, SIGKILL);
		}
		if (pid < 0 && errno == ECHILD)
			return;
		usleep(1000);
	}
}

static int finish(int code)
{
	fprintf(stderr, "strike: counted=%ld fired=%ld %s\n", strike.counted, strike.fired, strike.last);
	if (strike.list)
		fclose(strike.list);
	return code;
}

/* A process stands before a call. false: everything was killed. */
static bool meet_call(pid_t pid)
{
	struct user_regs_struct regs;
	char path[2 * PATH_MAX + 64] = "";
	const struct call *call = NULL;
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return true;
	for (size_t i = 0; i < CALLS && !call; i++)
		if (calls[i].number == (long)regs.orig_rax)
			call = &calls[i];
	bool hit = call && changes(pid, call, &regs, path, sizeof path);
	if (hit) {
		strike.counted++;
		if (strike.list)
			fprintf(strike.list, "%ld\t%s\t%s\n", strike.counted, call->name, path);
		hit = strike.at && (strike.counted == strike.at ||
				    (strike.mode == FAIL_ON && strike.counted > strike.at));
	}
	if (!hit) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		return true;
	}
	if (strike.fired++ == 0)
		snprintf(strike.last, sizeof strike.last, "name=%s path=%s", call->name, path);
	if (strike.mode == BEFORE) {
		kill_all();
		return false;
	}
	if (strike.mode == FAIL || strike.mode == FAIL_ON) {
		regs.orig_rax = (unsigned long)-1;
		regs.rax = (unsigned long)(long)-strike.error;
		ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		return true;
	}
	if (strike.mode == HALF && (call->number == SYS_write || call->number == SYS_pwrite64) && regs.rdx > 1) {
		regs.rdx /= 2;
		ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	}
	traced[find(pid)].falling = true;
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	return true;
}

static void run_command(char **argv)
{
	struct sock_filter filter[CALLS * 2 + 2];
	unsigned short n = 0;
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALLS; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { n, filter };
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	if (geteuid() != 0)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
	execvp(argv[0], argv);
	_exit(127);
}

static int watch(pid_t child)
{
	int status, code = 99;
	while (traced_count) {
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == child)
				code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			forget(pid);
			continue;
		}
		if (!WIFSTOPPED(status))
			continue;
		size_t i = find(pid);
		int signal = WSTOPSIG(status), event = status >> 16;
		if (event == PTRACE_EVENT_SECCOMP) {
			if (!meet_call(pid))
				return finish(137);
		} else if (signal == (SIGTRAP | 0x80) && traced[i].falling) {
			kill_all();
			return finish(137);
		} else {
			/* the SIGSTOP that a new thread begins with is ours; every other signal is the program's */
			bool ours = event || signal == (SIGTRAP | 0x80) || signal == SIGSTOP || signal == SIGTRAP;
			ptrace(PTRACE_CONT, pid, NULL, (void *)(long)(ours ? 0 : signal));
		}
	}
	return finish(code);
}

static bool parse_mode(const char *text)
{
	static const struct { const char *name; int error; } errors[] = {
		{ "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EDQUOT", EDQUOT }, { "EMFILE", EMFILE }, { "ENFILE", ENFILE },
		{ "ENOMEM", ENOMEM }, { "EINTR", EINTR }, { "EACCES", EACCES }, { "EROFS", EROFS }, { "EPERM", EPERM },
	};
	static const char *const kills[] = { [BEFORE] = "before", [AFTER] = "after", [HALF] = "half" };
	for (size_t i = 0; i < sizeof kills / sizeof *kills; i++) {
		if (strcmp(text, kills[i]) == 0) {
			strike.mode = (enum mode)i;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		size_t len = strlen(errors[i].name);
		if (strncmp(text, errors[i].name, len) == 0 && strcmp(text + len, "+") == 0)
			strike.mode = FAIL_ON;
		else if (strcmp(text, errors[i].name) == 0)
			strike.mode = FAIL;
		else
			continue;
		strike.error = errors[i].error;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	int option;
	bool fine = true;
	while ((option = getopt(argc, argv, "+n:m:p:o:")) != -1) {
		if (option == 'n')
			strike.at = atol(optarg);
		else if (option == 'm')
			fine &= parse_mode(optarg);
		else if (option == 'p')
			strike.prefix = optarg;
		else if (option == 'o')
			fine &= (strike.list = fopen(optarg, "we")) != NULL;
		else
			fine = false;
	}
	if (!fine || !strike.prefix || optind >= argc) {
		fputs("usage: strike [-n N] [-m MODE] [-o FILE] -p PREFIX -- COMMAND ARG...\n", stderr);
		return 99;
	}
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		run_command(argv + optind);
	int status;
	if (waitpid(child, &status, 0) != child ||
	    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0)
		die("trace");
	find(child);
	ptrace(PTRACE_CONT, child, NULL, NULL);
	return watch(child);
}
