/* What a process in a bundle sees: its operands say what to tell, a line each. Linked statically, so that it runs in an
 * image of its own. */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int tell(const char *what)
{
	char text[4096];
	gid_t groups[64];
	int count;

	if (strcmp(what, "ids") == 0) {
		printf("%u:%u", (unsigned)getuid(), (unsigned)getgid());
		count = getgroups(64, groups);
		for (int i = 0; i < count; i++)
			printf(" %u", (unsigned)groups[i]);
		puts("");
	} else if (strcmp(what, "cwd") == 0) {
		puts(getcwd(text, sizeof(text)) ? text : "?");
	} else if (strcmp(what, "hostname") == 0) {
		puts(gethostname(text, sizeof(text)) == 0 ? text : "?");
	} else if (what[0] == '$') {
		puts(getenv(what + 1) ? getenv(what + 1) : "unset");
	} else if (strncmp(what, "write:", 6) == 0) {
		int fd = open(what + 6, O_WRONLY | O_CREAT | O_TRUNC, 0644);

		puts(fd >= 0 && write(fd, "written\n", 8) == 8 ? "written" : "refused");
	} else if (strncmp(what, "exit:", 5) == 0) {
		fflush(stdout);
		_exit(atoi(what + 5));
	} else {
		puts(what);
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		tell(argv[i]);
	return 0;
}
