/* measure OUT STORE PID|0 COMMAND ARGUMENT… : run a command and write what it took into OUT, as one JSON object.
 *
 *	wall		seconds until it ended
 *	sync		seconds of a syncfs of the file system of STORE after that: what its user still owes
 *	cpu		seconds of processor, its children's and the daemon's (PID) included
 *	rss		largest resident set of one process, KiB, plus that of the daemon
 *	other		seconds of processor that the rest of the machine took meanwhile: noise
 *	status		its exit status
 *
 * The status of this program is 0 whatever the command's was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static double ticks(unsigned long count)
{
	return (double)count / (double)sysconf(_SC_CLK_TCK);
}

/* What the whole machine has computed since it started. */
static double busy(void)
{
	unsigned long user = 0, nice = 0, sys = 0, idle, wait, irq = 0, soft = 0;
	FILE *file = fopen("/proc/stat", "re");
	if (!file)
		return 0;
	if (fscanf(file, "cpu %lu %lu %lu %lu %lu %lu %lu", &user, &nice, &sys, &idle, &wait, &irq, &soft) != 7)
		user = nice = sys = irq = soft = 0;
	fclose(file);
	return ticks(user + nice + sys + irq + soft);
}

static FILE *open_proc(long pid, const char *name, const char *mode)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
	return fopen(path, mode);
}

/* A process and those of its children that it has waited for. */
static double cpu_of(long pid)
{
	unsigned long parts[4] = { 0 };
	char line[1024] = "";
	FILE *file = pid ? open_proc(pid, "stat", "re") : NULL;
	if (!file)
		return 0;
	if (fgets(line, sizeof line, file)) {
		const char *after = strrchr(line, ')');
		if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &parts[0],
				     &parts[1], &parts[2], &parts[3]) != 4)
			memset(parts, 0, sizeof parts);
	}
	fclose(file);
	return ticks(parts[0] + parts[1] + parts[2] + parts[3]);
}

static void forget_peak(long pid)
{
	FILE *file = pid ? open_proc(pid, "clear_refs", "we") : NULL;
	if (file) {
		fputs("5", file);
		fclose(file);
	}
}

static long peak_of(long pid)
{
	char line[256];
	long peak = 0;
	FILE *file = pid ? open_proc(pid, "status", "re") : NULL;
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "VmHWM: %ld", &peak) == 1)
			break;
	if (file)
		fclose(file);
	return peak;
}

static double sync_of(const char *store)
{
	int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	double start = now();
	if (fd < 0 || syncfs(fd) < 0)
		perror(store);
	double took = now() - start;
	if (fd >= 0)
		close(fd);
	return took;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 64;
	long daemon = atol(argv[3]);
	int status;
	struct rusage usage;
	forget_peak(daemon);
	double daemon_before = cpu_of(daemon), busy_before = busy(), start = now();
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[4], argv + 4);
		perror(argv[4]);
		_exit(127);
	}
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return 1;
	double wall = now() - start;
	double sync = sync_of(argv[2]);
	double cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime) + cpu_of(daemon) - daemon_before;
	FILE *out = fopen(argv[1], "we");
	if (!out)
		return 1;
	fprintf(out, "{\"wall\": %.5f, \"sync\": %.5f, \"cpu\": %.3f, \"rss\": %ld, \"other\": %.2f, \"status\": %d}\n", wall,
		sync, cpu, usage.ru_maxrss + peak_of(daemon), busy() - busy_before - cpu,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return fclose(out) ? 1 : 0;
}
