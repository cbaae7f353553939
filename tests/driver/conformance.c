/* conformance DRIVER DIR: what driver.h promises, held against one driver in one directory. */
#include "claims.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig rig;
const char *driver_name;
static const char *base_dir;

static int descriptors;

int count_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	++*(int *)ctx;
	return 0;
}

static int open_descriptors(void)
{
	int count = 0, fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	nc_dir_each(fd, count_name, &count, NULL);
	close(fd);
	return count;
}

static int setup(void **state)
{
	char dir[4000];
	descriptors = open_descriptors();
	snprintf(dir, sizeof dir, "%s/conformance-XXXXXX", base_dir);
	if (!mkdtemp(dir))
		return -1;
	rig_open(&rig, driver_name, dir);
	return 0;
}

int remove_id(void *ctx, const char *id, struct nacre_error *err)
{
	int trash;
	int code = nc_dir_ensure(rig.root, "trash", &trash, err);
	if (code >= 0) {
		code = rig.driver->ops->remove(rig.driver, id, trash, err);
		close(trash);
	}
	return code;
}

int count_id(void *ctx, const char *id, struct nacre_error *err)
{
	++*(int *)ctx;
	return 0;
}

static int teardown(void **state)
{
	struct nacre_error err = { .code = 0 };
	int left = 0;
	char path[4200];
	snprintf(path, sizeof path, "%s", rig.path);
	rig_abort(&rig);
	if (rig.driver->ops->each(rig.driver, remove_id, NULL, &err) < 0 ||
	    rig.driver->ops->each(rig.driver, count_id, &left, &err) < 0 || left) {
		print_error("removing the trees: %s\n", err.msg);
		return -1;
	}
	/* nothing of a removed layer stays, short names included */
	int links = openat(rig.root, "overlay/l", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (links >= 0) {
		snprintf(path, sizeof path, "%s/overlay/l", rig.path);
		if (rmdir(path) < 0) {
			print_error("a short name is left behind\n");
			return -1;
		}
		close(links);
		snprintf(path, sizeof path, "%s", rig.path);
	}
	rig_close(&rig);
	if (open_descriptors() != descriptors) {
		print_error("%d descriptors are open, %d were\n", open_descriptors(), descriptors);
		return -1;
	}
	char command[4300];
	snprintf(command, sizeof command, "rm -rf '%s'", path);
	return system(command);
}

#define claim(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void write_map(pid_t pid, const char *which)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, which);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "0 100000 65536") < 0)
		perror(path);
	close(fd);
}

/* A tmpfs of our own. btrfs cannot be mounted in a user namespace: there the directory is ours already. */
static int mount_base(void)
{
	return strcmp(driver_name, "btrfs") == 0 ? 0 : mount("tmpfs", base_dir, "tmpfs", 0, "mode=0700");
}

/* Become root of a user namespace with 65536 users, in base_dir. The process that stays outside waits and passes the
 * result on. */
static void enter_user_namespace(void)
{
	int ready[2], go[2];
	char byte = 0;
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		exit(77);
	pid_t child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			exit(77);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1 || setresgid(0, 0, 0) < 0 ||
		    setresuid(0, 0, 0) < 0 || mount_base() < 0) {
			perror("conformance: a user namespace");
			exit(77);
		}
		return;
	}
	int status = 0;
	if (read(ready[0], &byte, 1) == 1) {
		write_map(child, "uid_map");
		write_map(child, "gid_map");
		if (write(go[1], &byte, 1) != 1)
			perror("conformance");
	}
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int argc, char **argv)
{
	bool user = argc == 4 && strcmp(argv[3], "user") == 0;
	if (argc != 3 && !user) {
		fprintf(stderr, "usage: conformance DRIVER DIR [user]\n");
		return 2;
	}
	driver_name = argv[1];
	base_dir = argv[2];
	if (user)
		enter_user_namespace();
	if (strcmp(driver_name, "memory") != 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
		perror("conformance: a mount namespace of its own");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		claim(probe),
		claim(nothing),
		claim(every_type),
		claim(modes_and_owners),
		claim(byte_order),
		claim(times),
		claim(times_of_directories),
		claim(root_metadata),
		claim(xattrs),
		claim(xattrs_left_out),
		claim(acls_are_not_inherited),
		claim(hard_links),
		claim(hard_links_to_lower_layers),
		claim(hard_links_to_themselves),
		claim(links_of_aufs),
		claim(through_links),
		claim(links_that_change),
		claim(whiteouts),
		claim(whiteouts_hide_parents_only),
		claim(opaque),
		claim(opaque_root),
		claim(bad_whiteouts),
		claim(replaced_by_another_layer),
		claim(replaced_by_the_same_layer),
		claim(duplicates),
		claim(reports),
		claim(implied),
		claim(names),
		claim(long_names),
		claim(deep),
		claim(hostile),
		claim(content),
		claim(sparse),
		claim(wrong_content),
		claim(views),
		claim(differences),
		claim(changes_of_every_kind),
		claim(changes_of_nothing),
		claim(changes_within_a_second),
		claim(changes_of_opaque_directories),
		claim(changes_of_hard_links),
		claim(changes_of_other_files),
		claim(writable),
		claim(writable_over_nothing),
		claim(writable_marks),
		claim(removal),
		claim(mounts),
		claim(layers_127),
		claim(layers_500),
		claim(layers_501),
		claim(mounts_by_the_old_call),
		claim(random_layers),
		claim(read_only),
		claim(a_long_way_to_the_store),
		claim(full_disk),
		claim(several_at_once),
		claim(a_parent_that_is_being_written),
		claim(a_parent_that_fails),
		claim(subvolumes_in_subvolumes),
		claim(subvolumes_far_down),
		claim(space_of_branches),
		claim(sealed_and_synced),
	};
	/* what a user namespace can do: no devices, no trusted attributes, no owners beyond its map */
	const struct CMUnitTest user_tests[] = {
		claim(probe),
		claim(nothing),
		claim(byte_order),
		claim(times_of_directories),
		claim(root_metadata),
		claim(hard_links_to_lower_layers),
		claim(hard_links_to_themselves),
		claim(links_of_aufs),
		claim(through_links),
		claim(links_that_change),
		claim(whiteouts),
		claim(whiteouts_hide_parents_only),
		claim(opaque),
		claim(opaque_root),
		claim(bad_whiteouts),
		claim(replaced_by_another_layer),
		claim(replaced_by_the_same_layer),
		claim(duplicates),
		claim(reports),
		claim(implied),
		claim(names),
		claim(long_names),
		claim(deep),
		claim(content),
		claim(sparse),
		claim(views),
		claim(changes_of_nothing),
		claim(changes_within_a_second),
		claim(changes_of_opaque_directories),
		claim(changes_of_hard_links),
		claim(writable),
		claim(removal),
		claim(mounts),
		claim(layers_127),
		claim(layers_500),
		claim(random_layers),
		claim(a_parent_that_is_being_written),
		claim(a_parent_that_fails),
		claim(subvolumes_in_subvolumes),
		claim(subvolumes_far_down),
		claim(space_of_branches),
	};
	return user ? cmocka_run_group_tests(user_tests, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
