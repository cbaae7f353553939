/* warmmem MEGABYTES : holds memory that was touched, and for each line of its input ("take", "give") takes it or gives it back,
 * and answers with a line.
 *
 * A virtual machine may give free memory back to its host, and pays seconds a GB when it is used again. Memory that was given
 * back by this just before a command is measured is still the machine's, so that the host's cost is in nobody's figure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	size_t size = (size_t)atol(argc > 1 ? argv[1] : "2048") << 20;
	char line[64], *memory = NULL;
	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "take\n") == 0 && !memory) {
			memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (memory == MAP_FAILED)
				return 1;
			for (size_t at = 0; at < size; at += 4096)
				memory[at] = 1;
		} else if (strcmp(line, "give\n") == 0 && memory) {
			munmap(memory, size);
			memory = NULL;
		}
		puts("done");
		fflush(stdout);
	}
	return 0;
}
