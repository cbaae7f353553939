/* Shots at system calls that change the file system: a process is killed before the n-th of them, or that call fails. */
#ifndef NC_TESTS_STORE_SHOTS_H
#define NC_TESTS_STORE_SHOTS_H

#include "../unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool is_change(uint64_t call, const uint64_t *args)
{
	static const uint64_t calls[] = {
		SYS_write,  SYS_pwrite64,  SYS_mkdirat,  SYS_renameat,  SYS_renameat2, SYS_unlinkat,
		SYS_linkat, SYS_symlinkat, SYS_mknodat,  SYS_ftruncate, SYS_fallocate, SYS_copy_file_range,
		SYS_fchmod, SYS_fchmodat,  SYS_fchownat, SYS_utimensat, SYS_fsetxattr,
#ifdef SYS_unlink
		SYS_unlink,
#endif
	};
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (calls[i] == call)
			return true;
	return call == SYS_openat && args[2] & O_CREAT;
}

static inline bool is_sync(uint64_t call)
{
	return call == SYS_fsync || call == SYS_fdatasync || call == SYS_syncfs;
}

/* Calls by which something is looked up, and locks. */
static inline bool is_look(uint64_t call, const uint64_t *args)
{
	return (call == SYS_openat && !(args[2] & O_CREAT)) || call == SYS_openat2 || call == SYS_newfstatat ||
	       call == SYS_getdents64 || (call == SYS_fcntl && (args[1] == F_OFD_SETLK || args[1] == F_OFD_SETLKW));
}

/* Lets go of a child that does nothing more than leave (unit.h). */
static inline bool let_leave(pid_t child, const struct __ptrace_syscall_info *info)
{
	return info->entry.nr == SYS_prctl && info->entry.args[0] == PR_SET_NAME && ptrace(PTRACE_DETACH, child, NULL, NULL) == 0;
}

/* What happens to the at-th change. */
struct shot {
	long at;
	int error;			/* 0: the process is killed before it; else it fails so */
	bool from_then_on;
	bool power;			/* test_crash.c: what a power cut may take is gone as well */
	bool looks;			/* calls that change nothing count as well */
	long step;			/* from one shot to the next; 0: 1 */
};

static inline bool counts(const struct shot *shot, uint64_t call, const uint64_t *args)
{
	return is_change(call, args) || (shot->error && is_sync(call)) || (shot->looks && is_look(call, args));
}

enum outcome { THROUGH, KILLED, DONE_ALL_THE_SAME, FAILED };

/* The call at hand is left out and returns -error. */
static inline void spoil(pid_t child, int error)
{
	struct user_regs_struct regs;
	int status;
	assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &regs), 0);
	regs.orig_rax = (unsigned long long)-1;
	assert_int_equal(ptrace(PTRACE_SETREGS, child, NULL, &regs), 0);
	ptrace(PTRACE_SYSCALL, child, NULL, NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &regs), 0);
	regs.rax = (unsigned long long)-error;
	assert_int_equal(ptrace(PTRACE_SETREGS, child, NULL, &regs), 0);
}

static inline enum outcome run(struct shot shot, void (*fn)(void *ctx), void *ctx)
{
	pid_t child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn(ctx);
		leave(0);
	}
	int status;
	long seen = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (;;) {
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_false(WIFSIGNALED(status));
		if (WIFEXITED(status) && seen >= shot.at)
			return WEXITSTATUS(status) ? FAILED : DONE_ALL_THE_SAME;
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return THROUGH;
		}
		struct __ptrace_syscall_info info;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0 ||
		    info.op != PTRACE_SYSCALL_INFO_ENTRY || let_leave(child, &info))
			continue;
		if (!counts(&shot, info.entry.nr, (const uint64_t *)info.entry.args))
			continue;
		if (++seen < shot.at || (seen > shot.at && !shot.from_then_on))
			continue;
		if (shot.error) {
			spoil(child, shot.error);
			continue;
		}
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		return KILLED;
	}
}

#endif
