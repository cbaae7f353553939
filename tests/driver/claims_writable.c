/* Trees that can be written: what is done to them through the mount is what the view shows, and what the changes,
 * laid over the parent, give. */
#include "claims.h"

#include "io/fd.h"
#include "io/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A writable tree at rig.root/writable, mounted at rig.root/mnt. */
struct space {
	unsigned parent;
	int dir;
	bool mounted;
};

static bool begin(struct space *space, unsigned parent)
{
	struct nacre_error err;
	const struct nc_driver_ops *ops = rig.driver->ops;
	*space = (struct space){ .parent = parent, .dir = -1 };
	if (!ops->writable_make) {
		assert_null(ops->writable_view);
		assert_null(ops->writable_mount);
		return false;
	}
	assert_done(nc_dir_ensure(rig.root, "writable", &space->dir, &err));
	assert_done(ops->writable_make(rig.driver, parent ? rig_id(parent) : NULL, space->dir, &err));
	return true;
}

static void mount_it(struct space *space)
{
	struct nacre_error err;
	int target = openat(rig.root, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_done(rig.driver->ops->writable_mount(rig.driver, space->parent ? rig_id(space->parent) : NULL,
						    space->dir, target, &err));
	close(target);
	space->mounted = true;
}

static void unmount_it(struct space *space)
{
	if (space->mounted)
		rig_unmount(&rig);
	space->mounted = false;
}

static void end(struct space *space)
{
	struct nacre_error err;
	unmount_it(space);
	close(space->dir);
	assert_done(nc_tree_remove(rig.root, "writable", &err));
}

static struct nc_view *view_of(struct space *space)
{
	struct nacre_error err;
	struct nc_view *view = NULL;
	assert_done(rig.driver->ops->writable_view(rig.driver, space->parent ? rig_id(space->parent) : NULL,
						   space->dir, &view, &err));
	return view;
}

static void shell(const char *script)
{
	char command[8192];
	snprintf(command, sizeof command, "cd '%s/mnt' && set -e; %s", rig.path, script);
	if (system(command) != 0)
		fail_msg("'%s' failed", script);
}

/* The view shows what the mount shows, and the changes give it again, as layer made. Returns their number. */
static size_t check(struct space *space, unsigned made)
{
	char path[4200];
	NC_CLEANUP(nc_view_auto) struct nc_view *view = view_of(space);
	snprintf(path, sizeof path, "%s/mnt", rig.path);
	char *seen = rig_dump(view), *mounted = space->mounted ? rig_dir_dump(path) : NULL;
	if (mounted && strcmp(seen, mounted) != 0)
		fail_msg("the view shows:\n%s--- mounted:\n%s", seen, mounted);
	size_t count = lay_changes(space->parent, view, made);
	char *laid = rig_view_dump(&rig, made);
	if (strcmp(seen, laid) != 0)
		fail_msg("the view shows:\n%s--- the changes give:\n%s", seen, laid);
	free(seen);
	free(mounted);
	free(laid);
	return count;
}

void writable(void **state)
{
	struct space space;
	rig_layer(&rig, 1, 0, "d . [750 0:0 77.5]\nd d [755 0:0 5]\nf d/a 1\nf d/b 2\nd e\nf e/x 1\nf kept k\nf old o\n"
			      "f one 1\nh two one\nl link kept\n");
	rig_layer(&rig, 2, 1, "f d/c 3\nf .wh.old\nf more m\n");
	if (!begin(&space, 2))
		return;
	mount_it(&space);
	assert_int_equal(check(&space, 3), 0);
	shell("echo new >new; echo longer >kept; rm more; mkdir -m 700 dir; echo x >dir/f; ln dir/f dir/g; chmod 600 d/a;"
	      "rm -r e; mkdir e; echo y >e/y; mv d/b d/moved; touch -d @1.5 d/c; ln -s nowhere link2; rm link; mkdir link;"
	      "echo again >old; mkfifo fifo; truncate -s 100000 hole; ln one three");
	assert_true(check(&space, 4) > 10);
	/* and what was written is there after the mount is gone */
	unmount_it(&space);
	check(&space, 5);
	mount_it(&space);
	shell("rm -r d; test -e new; rmdir link; ln -s kept link; rm hole");
	check(&space, 6);
	end(&space);
	char *untouched = rig_view_dump(&rig, 2);
	assert_non_null(strstr(untouched, "f more m"));
	free(untouched);
}

void writable_over_nothing(void **state)
{
	struct space space;
	if (!begin(&space, 0))
		return;
	mount_it(&space);
	assert_int_equal(check(&space, 3), 0);
	shell("mkdir -p a/b; echo 1 >a/b/c");
	check(&space, 4);
	end(&space);
}

/* Names that look like marks stay names, and have no place in a layer; sockets are no part of a tree. */
void writable_marks(void **state)
{
	struct space space;
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "f a 1\nf sock 1\n");
	if (!begin(&space, 1))
		return;
	mount_it(&space);
	shell("rm sock");
	char path[4300];
	snprintf(path, sizeof path, "%s/mnt/sock", rig.path);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(strlen(path) < sizeof address.sun_path);
	strcpy(address.sun_path, path);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof address), errno);
	close(fd);
	NC_CLEANUP(nc_view_auto) struct nc_view *view = view_of(&space);
	struct nc_view_file file;
	assert_int_equal(view->ops->stat(view, "sock", &file, &err), NACRE_E_NOTFOUND);
	lay_changes(1, view, 2);
	char *laid = rig_view_dump(&rig, 2);
	assert_null(strstr(laid, "sock"));
	free(laid);
	shell("echo 1 >.wh.a");
	nc_view_close(view);
	view = view_of(&space);
	assert_done(view->ops->stat(view, ".wh.a", &file, &err));
	expect_no_layer(1, view);
	end(&space);
}
