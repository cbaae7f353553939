/* How many of the process's threads are helpers of io/ahead.h; sanitizers have threads of their own. */
#ifndef NC_TESTS_THREADS_H
#define NC_TESTS_THREADS_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline unsigned helpers(void)
{
	unsigned count = 0;
	DIR *dir = opendir("/proc/self/task");
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[300], name[32] = "";
		snprintf(path, sizeof path, "%s/comm", entry->d_name);
		int fd = openat(dirfd(dir), path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		count += read(fd, name, sizeof name - 1) > 0 && strcmp(name, "nacre-ahead\n") == 0;
		close(fd);
	}
	closedir(dir);
	return count;
}

/* A thread that was joined may be in the list for a moment. */
static inline unsigned helpers_left(void)
{
	for (int i = 0; i < 1000 && helpers(); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return helpers();
}

#endif
