/* conformance DRIVER DIR: what driver.h promises, held against one driver in one directory. */
#include "rig.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *driver_name, *base_dir;
static struct rig rig;

static int descriptors;

static int count_descriptor(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	++*(int *)ctx;
	return 0;
}

static int open_descriptors(void)
{
	int count = 0, fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	nc_dir_each(fd, count_descriptor, &count, NULL);
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

static int remove_id(void *ctx, const char *id, struct nacre_error *err)
{
	int trash;
	int code = nc_dir_ensure(rig.root, "trash", &trash, err);
	if (code >= 0) {
		code = rig.driver->ops->remove(rig.driver, id, trash, err);
		close(trash);
	}
	return code;
}

static int count_id(void *ctx, const char *id, struct nacre_error *err)
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

/* --- plain things -------------------------------------------------------------------------------------------------- */

static void nothing(void **state)
{
	rig_layer(&rig, 1, 0, "");
	rig_expect(&rig, 1, "");
	rig_layer(&rig, 2, 1, "");
	rig_expect(&rig, 2, "");
	assert_int_equal(rig.size, 0);
}

static void every_type(void **state)
{
	const char *tree =
		"c c [600 0:6 1000] 5:1\n"
		"d d\n"
		"f d/empty\n"
		"f d/file content\n"
		"l l d/file\n"
		"p p [600 1:1 1000]\n"
		"b zloop [660 0:6 1000] 7:4095\n";
	rig_layer(&rig, 1, 0, tree);
	rig_expect(&rig, 1, tree);
	assert_int_equal(rig.size, 7);
	rig_layer(&rig, 2, 1, "f d/more x\n");
	rig_expect(&rig, 2,
		   "c c [600 0:6 1000] 5:1\n"
		   "d d\n"
		   "f d/empty\n"
		   "f d/file content\n"
		   "f d/more x\n"
		   "l l d/file\n"
		   "p p [600 1:1 1000]\n"
		   "b zloop [660 0:6 1000] 7:4095\n");
	assert_int_equal(rig.size, 1);
}

static void modes_and_owners(void **state)
{
	const char *tree =
		"d d0 [0 7:8 1000]\n"
		"f d0/hidden [0 9:9 1000] x\n"
		"d setgid [2775 0:50 1000]\n"
		"d setgid/sub\n"
		"f setgid/file x\n"
		"p setgid/fifo\n"
		"l setgid/link x\n"
		"f suid [4755 33:44 1000] text\n"
		"f suidgid [6711 65534:65534 1000] text\n"
		"d tmp [1777 0:0 1000]\n"
		"f tmp/big [640 4294967294:4294967294 1000] x\n"
		"l tmp/link [777 12:13 1000] nowhere\n";
	rig_layer(&rig, 1, 0, tree);
	/* byte order: "setgid/fifo" before "setgid/file" before "setgid/link" before "setgid/sub" */
	rig_expect(&rig, 1,
		   "d d0 [0 7:8 1000]\n"
		   "f d0/hidden [0 9:9 1000] x\n"
		   "d setgid [2775 0:50 1000]\n"
		   "p setgid/fifo\n"
		   "f setgid/file x\n"
		   "l setgid/link x\n"
		   "d setgid/sub\n"
		   "f suid [4755 33:44 1000] text\n"
		   "f suidgid [6711 65534:65534 1000] text\n"
		   "d tmp [1777 0:0 1000]\n"
		   "f tmp/big [640 4294967294:4294967294 1000] x\n"
		   "l tmp/link [777 12:13 1000] nowhere\n");
}

static void byte_order(void **state)
{
	rig_layer(&rig, 1, 0, "d a\nf a/x 1\nf a-b 2\nd a!\nf a!/y 3\nf a0 4\nd a/x!\n");
	rig_expect(&rig, 1, "d a\nd a!\nf a!/y 3\nf a-b 2\nf a/x 1\nd a/x!\nf a0 4\n");
}

static void times(void **state)
{
	const char *tree =
		"c c [644 0:0 4.000000004] 5:1\n"
		"d d [755 0:0 1.000000001]\n"
		"d d/e [755 0:0 -1.999999999]\n"
		"f d/e/f [644 0:0 0.5] x\n"
		"l d/l [777 0:0 -1000000.000000001] t\n"
		"p p [644 0:0 4294967296.123456789]\n";
	rig_layer(&rig, 1, 0, tree);
	rig_expect(&rig, 1,
		   "c c [644 0:0 4.000000004] 5:1\n"
		   "d d [755 0:0 1.000000001]\n"
		   "d d/e [755 0:0 -1.999999999]\n"
		   "f d/e/f [644 0:0 0.000000005] x\n"
		   "l d/l [777 0:0 -1000000.000000001] t\n"
		   "p p [644 0:0 4294967296.123456789]\n");
}

/* Whatever is made in a directory, in whatever order, it keeps its own time. */
static void times_of_directories(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d a [755 0:0 1]\nd b [755 0:0 2]\nf a/1 x\nf b/1 x\nf a/2 x\nd a/c [755 0:0 3]\nf b/2 x\nf a/c/1 x\n"
		  "f a/3 x\nh b/3 a/c/1\nd b [755 0:0 4]\nl a/1 x\np a/c/2\n");
	rig_expect(&rig, 1,
		   "d a [755 0:0 1]\nl a/1 x\nf a/2 x\nf a/3 x\nd a/c [755 0:0 3]\nf a/c/1 x\np a/c/2\nd b [755 0:0 4]\n"
		   "f b/1 x\nf b/2 x\nh b/3 a/c/1\n");
	/* copying up and hiding below them, too */
	rig_layer(&rig, 2, 1, "h x b/1\nf a/c/.wh.1\nf a/.wh.2\nf b/2/.wh.q\nf a/3/y 1\n");
	rig_expect(&rig, 2,
		   "d a [755 0:0 1]\nl a/1 x\nd a/3\nf a/3/y 1\nd a/c [755 0:0 3]\np a/c/2\nd b [755 0:0 4]\n"
		   "f b/1 x\nd b/2\nf b/3 x\nh x b/1\n");
}

static void root_metadata(void **state)
{
	rig_layer(&rig, 1, 0, "d ./ [711 3:4 77.000000007] {user.x=y}\nf a x\n");
	rig_expect(&rig, 1, "d . [711 3:4 77.000000007] {user.x=y}\nf a x\n");
	/* kept by a layer that says nothing of it, replaced by one that does */
	rig_layer(&rig, 2, 1, "f b x\n");
	rig_expect(&rig, 2, "d . [711 3:4 77.000000007] {user.x=y}\nf a x\nf b x\n");
	rig_layer(&rig, 3, 2, "f c x\nd / [700 0:0 5]\n");
	rig_expect(&rig, 3, "d . [700 0:0 5]\nf a x\nf b x\nf c x\n");
	rig_refuse(&rig, 4, 0, "f ./ x\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 0, "l . /etc\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 3, "h ./ a\n", NACRE_E_BADDATA);
}

static void xattrs(void **state)
{
	const char *tree =
		"d d {trusted.a=1,user.a=}\n"
		"f d/cap [4755 1:2 1000] x {security.capability=%01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00}\n"
		"f d/file x {user.a=1,user.b=two}\n"
		"l d/link x {trusted.l=v}\n"
		"p p {trusted.p=v}\n";
	rig_layer(&rig, 1, 0, tree);
	rig_expect(&rig, 1, tree);
	rig_layer(&rig, 2, 1, "d d {user.new=1}\n");
	char *dump = rig_view_dump(&rig, 2);
	assert_memory_equal(dump, "d d {user.new=1}\n", 17);
	free(dump);
}

/* Names that mean something to overlay or to us, and those that the kernel does not know. */
static void xattrs_left_out(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	rig_layer(&rig, 2, 1,
		  "d d {trusted.overlay.opaque=y,trusted.overlay.redirect=/etc,user.overlay.opaque=y,user.ok=1}\n"
		  "f f x {user.fuseoverlayfs.opaque=y,user.containers.override_stat=0:0:0644,user.rootlesscontainers=x,"
		  "trusted.nacre.x=1,user.nacre.y=1,trusted.overlay.metacopy=,nonsense.a=b,user.ok=2}\n"
		  "l l t {user.onlink=1}\n");
	rig_expect(&rig, 2, "d d {user.ok=1}\nf d/x 1\nf f x {user.ok=2}\nl l t\n");
	if (!rig.no_mount)
		rig_refuse(&rig, 3, 0, "f cap [755 0:0 1] x {security.capability=bad}\n", NACRE_E_BADDATA);
}

static void acls_are_not_inherited(void **state)
{
	if (rig.no_mount)
		return;
	/* user::rwx,user:1:rwx,group::r-x,mask::rwx,other::r-x */
	rig_layer(&rig, 1, 0,
		  "d d {system.posix_acl_default=%02%00%00%00%01%00%07%00%ff%ff%ff%ff%02%00%07%00%01%00%00%00%04%00%05%00%ff%ff"
		  "%ff%ff%10%00%07%00%ff%ff%ff%ff%20%00%05%00%ff%ff%ff%ff}\n"
		  "f d/f x\nd d/d\np d/p\nd d/d/e\n");
	char *dump = rig_view_dump(&rig, 1);
	const char *rest = strchr(dump, '\n') + 1;
	assert_string_equal(rest, "d d/d\nd d/d/e\nf d/f x\np d/p\n");
	assert_non_null(strstr(dump, "posix_acl_default"));
	free(dump);
	rig_layer(&rig, 2, 1, "f d/g x\nf d/d/x/y x\n");
	dump = rig_view_dump(&rig, 2);
	rest = strchr(dump, '\n') + 1;
	assert_string_equal(rest, "d d/d\nd d/d/e\nd d/d/x\nf d/d/x/y x\nf d/f x\nf d/g x\np d/p\n");
	free(dump);
}

/* --- links --------------------------------------------------------------------------------------------------------- */

static void hard_links(void **state)
{
	rig_layer(&rig, 1, 0, "f a content {user.k=v}\nh b a\nd d\nh d/c b\nl s a\nh t s\np p\nh q p\nc dev 1:3\nh zev dev\n");
	rig_expect(&rig, 1,
		   "f a content {user.k=v}\nh b a\nd d\nh d/c a\nc dev 1:3\np p\nh q p\nl s a\nh t s\nh zev dev\n");
	assert_int_equal(rig.size, 7);
	assert_string_equal(nc_buf_text(&rig.reports), "");
	/* the names of a lower layer that stay are still one file */
	rig_layer(&rig, 2, 1, "f b other\n");
	rig_expect(&rig, 2,
		   "f a content {user.k=v}\nf b other\nd d\nh d/c a\nc dev 1:3\np p\nh q p\nl s a\nh t s\nh zev dev\n");
}

static void hard_links_to_lower_layers(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d d [700 5:6 7]\nf d/a [4711 1:2 3.000000004] content {user.k=v}\nh d/other d/a\nl d/s a\np d/p [600 9:9 9]\n");
	rig_layer(&rig, 2, 1, "h x d/a\nh y x\nh d/t d/s\nh e/q d/p\n");
	rig_expect(&rig, 2,
		   "d d [700 5:6 7]\nf d/a [4711 1:2 3.000000004] content {user.k=v}\n"
		   "f d/other [4711 1:2 3.000000004] content {user.k=v}\np d/p [600 9:9 9]\nl d/s a\nh d/t d/s\n"
		   "d e\nh e/q d/p\nh x d/a\nh y d/a\n");
	assert_int_equal(rig.size, 7);
	/* what was copied up has no member of its name */
	rig_layer(&rig, 3, 1, "h x d/a\nf d/a new\nf x newer\n");
	assert_string_equal(nc_buf_text(&rig.reports), "x;");
	assert_int_equal(rig.size, 8);
	rig_refuse(&rig, 4, 1, "h x d\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x nowhere\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x d/nowhere\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x ../d/a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f d/.wh.a x\nh x d/a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f .wh.d x\nh x d/a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f d/.wh..wh..opq x\nh x d/a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f .wh..wh..opq\nh x d/a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x .\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x d/a/below\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "h x d/s/below\n", NACRE_E_BADDATA);
	/* a mark is no file */
	rig_refuse(&rig, 4, 1, "f d/.wh.a\nh x d/.wh.a\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f d/.wh..wh..opq\nh x d/.wh..wh..opq\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 4, 1, "f .wh..wh..opq\nh x .wh..wh..opq\n", NACRE_E_BADDATA);
}

static void hard_links_to_themselves(void **state)
{
	rig_layer(&rig, 1, 0, "f a content\nh a a\nh a ./a\n");
	rig_expect(&rig, 1, "f a content\n");
	assert_string_equal(nc_buf_text(&rig.reports), "a=content;a;");
	assert_int_equal(rig.size, 7);
	rig_layer(&rig, 2, 1, "h a a\n");
	rig_expect(&rig, 2, "f a content\n");
	assert_string_equal(nc_buf_text(&rig.reports), "");
	rig_refuse(&rig, 3, 0, "f d/a x\nh d d/a\n", NACRE_E_BADDATA);
	/* a link over another name of the same file */
	rig_layer(&rig, 3, 0, "f a 1\nh b a\nh b a\nh a b\n");
	rig_expect(&rig, 3, "f a 1\nh b a\n");
	assert_int_equal(rig.size, 1);
}

/* aufs keeps files that have links aside; what is linked to them is theirs. */
static void links_of_aufs(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d .wh..wh.plnk [700 0:0 1]\nf .wh..wh.plnk/12.34 [4755 1:2 3] content {user.k=v}\nf .wh..wh.aufs [444 0:0 1]\n"
		  "d .wh..wh.orph\nf .wh..wh.orph/x x\nh a .wh..wh.plnk/12.34\nh b a\nf c 1\n");
	rig_expect(&rig, 1, "f a [4755 1:2 3] content {user.k=v}\nh b a\nf c 1\n");
	assert_int_equal(rig.size, 8);
	rig_refuse(&rig, 2, 0, "h a .wh..wh.plnk/12.34\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 2, 0, "f .wh..wh.plnk/x x\nh a .wh..wh.plnk/../../x\n", NACRE_E_BADDATA);
	rig_layer(&rig, 2, 0, "f .wh..wh.plnk/x x\n");
	rig_expect(&rig, 2, "");
	assert_int_equal(rig.size, 0);
}

static void through_links(void **state)
{
	/* of this layer: followed; inside the root, whatever they say */
	rig_layer(&rig, 1, 0,
		  "d usr\nd usr/lib [700 1:1 1]\nl lib usr/lib\nf lib/a 1\nl abs /usr/lib\nf abs/b 2\nl up ../../usr\nf up/lib/c 3\n"
		  "l usr/chain ../abs\nf usr/chain/d 4\nh usr/chain/e lib/a\n");
	rig_expect(&rig, 1,
		   "l abs /usr/lib\nl lib usr/lib\nl up ../../usr\nd usr\nl usr/chain ../abs\nd usr/lib [700 1:1 1]\nf usr/lib/a 1\n"
		   "f usr/lib/b 2\nf usr/lib/c 3\nf usr/lib/d 4\nh usr/lib/e usr/lib/a\n");
	/* of a parent: replaced by a directory */
	rig_layer(&rig, 2, 1, "f lib/x 1\n");
	rig_expect(&rig, 2,
		   "l abs /usr/lib\nd lib\nf lib/x 1\nl up ../../usr\nd usr\nl usr/chain ../abs\nd usr/lib [700 1:1 1]\nf usr/lib/a 1\n"
		   "f usr/lib/b 2\nf usr/lib/c 3\nf usr/lib/d 4\nh usr/lib/e usr/lib/a\n");
	/* made again here, leading to a directory of the parents */
	rig_layer(&rig, 3, 1, "l lib usr/lib\nf lib/x 1\nf lib/.wh.a\nf lib/.wh.e\n");
	rig_expect(&rig, 3,
		   "l abs /usr/lib\nl lib usr/lib\nl up ../../usr\nd usr\nl usr/chain ../abs\nd usr/lib [700 1:1 1]\n"
		   "f usr/lib/b 2\nf usr/lib/c 3\nf usr/lib/d 4\nf usr/lib/x 1\n");
	/* leading nowhere yet */
	rig_layer(&rig, 4, 0, "l l a/b\nf l/x [644 0:0 5] 1\n");
	rig_expect(&rig, 4, "d a [755 0:0 5]\nd a/b [755 0:0 5]\nf a/b/x [644 0:0 5] 1\nl l a/b\n");
	rig_refuse(&rig, 5, 0, "l l l\nf l/x 1\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 5, 0, "l l m\nl m l\nf l/x 1\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 5, 0, "f f 1\nl l f\nf l/x 1\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 5, 0, "f f 1\nf f/x 1\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 5, 0, "l l .wh.x\nf l/x 1\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 5, 0, "l l .wh..wh..opq\nf l/x 1\n", NACRE_E_BADDATA);
}

/* The cached way to a directory must not outlive a change of the way. */
static void links_that_change(void **state)
{
	rig_layer(&rig, 1, 0, "d a\nd b\nl l a\nf l/1 x\nl l b\nf l/2 x\nd l\nf l/3 x\n");
	rig_expect(&rig, 1, "d a\nf a/1 x\nd b\nf b/2 x\nd l\nf l/3 x\n");
	rig_layer(&rig, 2, 0, "d d\nf d/1 x\nl d /\nf d/2 x\nf d x\nd d\nf d/3 x\n");
	rig_expect(&rig, 2, "f 2 x\nd d\nf d/3 x\n");
}

/* --- whiteouts ------------------------------------------------------------------------------------------------------ */

static void whiteouts(void **state)
{
	rig_layer(&rig, 1, 0, "f a 1\nd d\nf d/x 1\nf d/y 1\nd d/e\nf d/e/z 1\nl l a\n");
	rig_layer(&rig, 2, 1, "f .wh.a ignored\nf d/.wh.x [777 5:5 5] {user.x=y}\nd d/.wh.e\nl .wh.l x\nf .wh.none\n");
	rig_expect(&rig, 2, "d d\nf d/y 1\n");
	assert_int_equal(rig.size, 0);
	rig_layer(&rig, 3, 2, "f a 2\nd d/e\nf d/e/new 1\n");
	rig_expect(&rig, 3, "f a 2\nd d\nd d/e\nf d/e/new 1\nf d/y 1\n");
	/* in a directory that nobody has, and in a base */
	rig_layer(&rig, 4, 1, "f new/deep/.wh.x\nf d/y/.wh.q\n");
	rig_expect(&rig, 4, "f a 1\nd d\nd d/e\nf d/e/z 1\nf d/x 1\nd d/y\nl l a\nd new\nd new/deep\n");
	rig_layer(&rig, 5, 0, "f .wh.a\nf d/.wh.b\nf d/.wh..wh..opq\nf .wh..wh..opq\nd e\nf e/c 1\nf .wh.e\n");
	rig_expect(&rig, 5, "d d\nd e\nf e/c 1\n");
}

static void whiteouts_hide_parents_only(void **state)
{
	rig_layer(&rig, 1, 0, "d d [700 1:1 1]\nf d/x 1\nd d/sub\nf d/sub/y 1\nf f 1\n");
	/* after and before what this layer holds */
	rig_layer(&rig, 2, 1, "f d/new 1\nf .wh.d\nf f 2\nf .wh.f\n");
	rig_expect(&rig, 2, "d d [700 1:1 1]\nf d/new 1\nf f 2\n");
	rig_layer(&rig, 3, 1, "f .wh.d\nf d/new 1\nf .wh.f\nf f 2\n");
	rig_expect(&rig, 3, "d d\nf d/new 1\nf f 2\n");
	/* deep below */
	rig_layer(&rig, 4, 1, "f d/sub/new 1\nf d/.wh.x\nf .wh.d\nf d/.wh.sub\n");
	rig_expect(&rig, 4, "d d [700 1:1 1]\nd d/sub\nf d/sub/new 1\nf f 1\n");
	rig_layer(&rig, 5, 4, "f d/x 5\n");
	rig_expect(&rig, 5, "d d [700 1:1 1]\nd d/sub\nf d/sub/new 1\nf d/x 5\nf f 1\n");
}

static void opaque(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\nd d/e\nf d/e/y 1\nd k\nf k/z 1\n");
	rig_layer(&rig, 2, 1, "d d [700 1:1 1]\nf d/.wh..wh..opq [0 9:9 9]\nf d/new 1\n");
	rig_expect(&rig, 2, "d d [700 1:1 1]\nf d/new 1\nd k\nf k/z 1\n");
	rig_layer(&rig, 3, 1, "f d/new 1\nf d/.wh.x\nd d/e\nf d/e/.wh.y\nf d/.wh..wh..opq\nf d/more 1\n");
	rig_expect(&rig, 3, "d d\nd d/e\nf d/more 1\nf d/new 1\nd k\nf k/z 1\n");
	rig_layer(&rig, 4, 3, "f d/e/y 4\nf d/.wh.more\n");
	rig_expect(&rig, 4, "d d\nd d/e\nf d/e/y 4\nf d/new 1\nd k\nf k/z 1\n");
	/* below an opaque directory nothing of the parents is a model for what is implied */
	rig_layer(&rig, 5, 0, "d d\nd d/e [700 1:1 1]\n");
	rig_layer(&rig, 6, 5, "f d/.wh..wh..opq\nf d/e/x 1\n");
	rig_expect(&rig, 6, "d d\nd d/e\nf d/e/x 1\n");
}

static void opaque_root(void **state)
{
	rig_layer(&rig, 1, 0, "d . [700 1:1 1]\nf a 1\nd d\nf d/x 1\n");
	rig_layer(&rig, 2, 1, "f b 1\nf d/y 1\nf .wh.a\nf .wh..wh..opq\n");
	rig_expect(&rig, 2, "d . [700 1:1 1]\nf b 1\nd d\nf d/y 1\n");
	rig_layer(&rig, 3, 1, "f .wh..wh..opq\nf d/y [644 0:0 5] 1\n");
	rig_expect(&rig, 3, "d . [700 1:1 1]\nd d [755 0:0 5]\nf d/y [644 0:0 5] 1\n");
	rig_layer(&rig, 4, 3, "f c 1\nf d/.wh.y\n");
	rig_expect(&rig, 4, "d . [700 1:1 1]\nf c 1\nd d [755 0:0 5]\n");
}

static void bad_whiteouts(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	static const char *const bad[] = {
		"f .wh. x\n", "f .wh..\n", "f .wh...\n", "f d/.wh.\n", "f d/.wh..\n", "f d/.wh...\n", "d d/.wh.x\nf d/.wh.x/y 1\n",
		"d .wh.\n", "f .wh./x\n", "f d/../../.wh.x\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		rig_refuse(&rig, 2, 1, bad[i], NACRE_E_BADDATA);
	/* only the prefix means something */
	rig_layer(&rig, 2, 1, "f x.wh.y 1\nf .whatever 1\nf .wh 1\nf .wh.... 1\n");
	rig_expect(&rig, 2, "f .wh 1\nf .whatever 1\nd d\nf d/x 1\nf x.wh.y 1\n");
}

/* --- replacing ------------------------------------------------------------------------------------------------------ */

static void replaced_by_another_layer(void **state)
{
	rig_layer(&rig, 1, 0, "f f 1\nd d [700 1:1 1]\nf d/x 1\nl l d\np p\n");
	rig_layer(&rig, 2, 1, "d f\nf f/x 2\nf d 2\nd l\nf p 2\n");
	rig_expect(&rig, 2, "f d 2\nd f\nf f/x 2\nd l\nf p 2\n");
	rig_layer(&rig, 3, 2, "d d\nf d/y 3\nl f d\np l\n");
	rig_expect(&rig, 3, "d d\nf d/y 3\nl f d\np l\nf p 2\n");
	rig_layer(&rig, 4, 1, "d d [711 2:2 2]\n");
	rig_expect(&rig, 4, "d d [711 2:2 2]\nf d/x 1\nf f 1\nl l d\np p\n");
}

static void replaced_by_the_same_layer(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/low 1\nd e\nf e/low 1\n");
	rig_layer(&rig, 2, 1, "d d\nf d/x 1\nd d/sub\nf d/sub/y 22\nf d now-file\nf e file\nd e [700 0:0 1000]\nf e/new 1\n");
	rig_expect(&rig, 2, "f d now-file\nd e [700 0:0 1000]\nf e/new 1\n");
	assert_int_equal(rig.size, 9);
	char *reports = strdup(nc_buf_text(&rig.reports));
	assert_non_null(strstr(reports, "d;"));
	assert_non_null(strstr(reports, "d/x=1;"));
	assert_non_null(strstr(reports, "d/sub;"));
	assert_non_null(strstr(reports, "d/sub/y=22;"));
	assert_non_null(strstr(reports, "e=file;"));
	assert_null(strstr(reports, "low"));
	free(reports);
	/* and back again: the parents' stay hidden */
	rig_layer(&rig, 3, 1, "f d 1\nd d\nf d/x 1\n");
	rig_expect(&rig, 3, "d d\nf d/x 1\nd e\nf e/low 1\n");
	assert_string_equal(nc_buf_text(&rig.reports), "d=1;");
}

static void duplicates(void **state)
{
	rig_layer(&rig, 1, 0, "f a one\nf a two\nf ./a [600 1:1 1] three\nf a\nf a last {user.k=v}\n");
	rig_expect(&rig, 1, "f a last {user.k=v}\n");
	assert_string_equal(nc_buf_text(&rig.reports), "a=one;a=two;a=three;a;");
	assert_int_equal(rig.size, 4);
	rig_layer(&rig, 2, 0, "d d\nf d/x 1\nd d/ [700 1:1 5] {user.k=v}\nd d\nl l a\nl l b\np p\np p\nf .wh.q\nf .wh.q\nf .wh..wh..opq\n"
			      "f .wh..wh..opq\nd .\nd ./\nf .wh..wh.aufs\nf .wh..wh.aufs\n");
	rig_expect(&rig, 2, "d .\nd d\nf d/x 1\nl l b\np p\n");
	assert_string_equal(nc_buf_text(&rig.reports), "d;d;l;p;.wh.q;.wh..wh..opq;.;.wh..wh.aufs;");
}

static void reports(void **state)
{
	/* implied directories had no member */
	rig_layer(&rig, 1, 0, "f a/b/c 1\nd a/b\nd a\nd a\n");
	assert_string_equal(nc_buf_text(&rig.reports), "a;");
	/* a file that came through a link is none of its own path's members */
	rig_layer(&rig, 2, 0, "d d\nl l d\nf l/x through\nf d/x named\nf d/x again\nf l/x through\nf d/x last\n");
	assert_string_equal(nc_buf_text(&rig.reports), "d/x=named;d/x=again;");
	/* hard links and sparse files have no content in the record */
	rig_layer(&rig, 3, 0, "f a content\nh b a\ns c 10 5:xy\nf b 1\nf c 2\nf a 3\n");
	assert_string_equal(nc_buf_text(&rig.reports), "b;c;a=content;");
	assert_int_equal(rig.size, 3);
	/* what the parents had is nobody's to report */
	rig_layer(&rig, 4, 3, "f a 4\nd b\nf .wh.c\nf c 5\n");
	assert_string_equal(nc_buf_text(&rig.reports), "");
}

/* --- directories on the way ------------------------------------------------------------------------------------------ */

static void implied(void **state)
{
	rig_layer(&rig, 1, 0, "f a/b/c [600 1:1 77] x\n");
	rig_expect(&rig, 1, "d a [755 0:0 77]\nd a/b [755 0:0 77]\nf a/b/c [600 1:1 77] x\n");
	rig_layer(&rig, 2, 0, "d . [700 9:9 9]\nd a [711 3:4 5.000000006] {user.k=v}\nd a/b [1777 0:0 2]\n");
	rig_layer(&rig, 3, 2, "f a/b/new/x [600 1:1 88] x\n");
	rig_expect(&rig, 3,
		   "d . [700 9:9 9]\nd a [711 3:4 5.000000006] {user.k=v}\nd a/b [1777 0:0 2]\nd a/b/new [755 0:0 88]\n"
		   "f a/b/new/x [600 1:1 88] x\n");
	/* its own member may come later */
	rig_layer(&rig, 4, 3, "f a/b/y 1\nd a [700 0:0 1]\n");
	rig_expect(&rig, 4,
		   "d . [700 9:9 9]\nd a [700 0:0 1]\nd a/b [1777 0:0 2]\nd a/b/new [755 0:0 88]\n"
		   "f a/b/new/x [600 1:1 88] x\nf a/b/y 1\n");
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

static void names(void **state)
{
	rig_layer(&rig, 1, 0, "f /abs 1\nf ./a//b/../c 1\nf x/./y/ 1\nd z//\nf %ff%fe%01 1\nf a%20b%0ac 1\n");
	rig_expect(&rig, 1, "d a\nf a%20b%0ac 1\nf a/c 1\nf abs 1\nd x\nf x/y 1\nd z\nf %ff%fe%01 1\n");
	static const char *const bad[] = { "f ../x 1\n", "f a/../../x 1\n", "d ..\n", "h a/../../b a\n" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		rig_refuse(&rig, 2, 0, bad[i], NACRE_E_BADDATA);
}

static void long_names(void **state)
{
	struct nacre_error err;
	/* a path far beyond PATH_MAX, in parts that are as long as they may be */
	struct nc_buf name = NC_BUF_INIT(1u << 16), line = NC_BUF_INIT(1u << 16);
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 255; j++)
			nc_buf_addf(&name, NULL, "%c", 'a' + i);
		nc_buf_add_text(&name, "/", NULL);
	}
	nc_buf_add_text(&name, "end", NULL);
	nc_buf_addf(&line, NULL, "f %s deep\n", name.data);
	rig_layer(&rig, 1, 0, line.data);
	struct nc_reader *content;
	uint64_t size;
	assert_done(rig.driver->ops->content(rig.driver, rig_id(1), name.data, name.len, &content, &size, &err));
	assert_int_equal(size, 4);
	nc_reader_close(content);
	struct nc_view *view;
	struct nc_view_file file;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(1), &view, &err));
	assert_done(view->ops->stat(view, name.data, &file, &err));
	assert_int_equal(file.entry.size, 4);
	nc_view_close(view);
	/* over it, in another layer, and a link to it */
	nc_buf_clear(&line);
	nc_buf_addf(&line, NULL, "h link %s\nf %s2 more\n", name.data, name.data);
	rig_layer(&rig, 2, 1, line.data);
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err));
	assert_done(view->ops->stat(view, "link", &file, &err));
	assert_int_equal(file.entry.size, 4);
	uint64_t number = file.number;
	assert_done(view->ops->stat(view, name.data, &file, &err));
	assert_int_equal(file.number, number);
	nc_view_close(view);
	nc_buf_release(&name);
	nc_buf_release(&line);
}

static void deep(void **state)
{
	struct nc_buf name = NC_BUF_INIT(1u << 16), line = NC_BUF_INIT(1u << 16);
	for (int i = 0; i < 3000; i++)
		nc_buf_add_text(&name, "d/", NULL);
	nc_buf_addf(&line, NULL, "f %sx deep\n", name.data);
	rig_layer(&rig, 1, 0, line.data);
	rig_layer(&rig, 2, 1, "f y 1\nf d/d/y 1\n");
	rig_layer(&rig, 3, 2, "f d/d/d/.wh.d\nf d/.wh..wh..opq\nf d 1\n");
	rig_expect(&rig, 3, "f d 1\nf y 1\n");
	uint64_t bytes;
	struct nacre_error err;
	assert_done(rig.driver->ops->usage(rig.driver, rig_id(1), &bytes, &err));
	assert_true(bytes > 0);
	rig_layer(&rig, 4, 0, line.data);
	nc_buf_clear(&line);
	nc_buf_addf(&line, NULL, "f %sx deep\nf d 1\n", name.data);
	rig_layer(&rig, 5, 1, line.data);
	assert_non_null(strstr(nc_buf_text(&rig.reports), "d/x=deep;"));
	nc_buf_release(&name);
	nc_buf_release(&line);
}

static void hostile(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\nl etc /etc\n");
	static const struct { const char *members; int code; } cases[] = {
		{ "c null 0:0\n", NACRE_E_BADDATA },
		{ "c big 4096:0\n", NACRE_E_BADDATA },
		{ "b big 0:1048576\n", NACRE_E_BADDATA },
		{ "f x [644 4294967295:0 1] 1\n", NACRE_E_BADDATA },
		{ "d x [755 0:4294967295 1]\n", NACRE_E_BADDATA },
		{ "l empty \n", NACRE_E_BADDATA },
		{ "h x /../../etc/passwd\n", NACRE_E_BADDATA },
		{ "h x etc/passwd\n", NACRE_E_BADDATA },
		{ "l e /etc\nh x e/passwd\n", NACRE_E_BADDATA },
		{ "l e ../../../../../../etc\nh x e/passwd\n", NACRE_E_BADDATA },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		rig_refuse(&rig, 2, 1, cases[i].members, cases[i].code);
	/* nothing is written through the link that the parent has, nor through one's own */
	rig_layer(&rig, 2, 1, "f etc/nacre-was-here 1\nl out /tmp\nf out/nacre-was-here 1\n");
	rig_expect(&rig, 2, "d d\nf d/x 1\nd etc\nf etc/nacre-was-here 1\nl out /tmp\nd tmp\nf tmp/nacre-was-here 1\n");
	assert_int_equal(access("/etc/nacre-was-here", F_OK), -1);
	assert_int_equal(access("/tmp/nacre-was-here", F_OK), -1);
}

/* --- content -------------------------------------------------------------------------------------------------------- */

static void check_content(unsigned layer, const char *name, const char *want)
{
	struct nacre_error err;
	struct nc_reader *reader;
	uint64_t size;
	int code = rig.driver->ops->content(rig.driver, rig_id(layer), name, strlen(name), &reader, &size, &err);
	if (!want) {
		assert_int_equal(code, NACRE_E_CORRUPT);
		return;
	}
	if (code < 0)
		fail_msg("content of '%s': %s", name, err.msg);
	char *bytes;
	size_t len;
	assert_done(nc_reader_slurp(reader, 1000, &bytes, &len, &err));
	assert_int_equal(len, size);
	assert_string_equal(bytes, want);
	free(bytes);
	nc_reader_close(reader);
}

static void content(void **state)
{
	struct nacre_error err;
	rig_begin(&rig, 1, 0);
	assert_int_equal(rig_put(&rig, "f ./a//f content\n", &err), NC_PUT_BY_NAME);
	assert_int_equal(rig_put(&rig, "d d\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "l l d\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "f l/x 1\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "s s 10 2:ab\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "f .wh.y ignored\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "p p\n", &err), NC_PUT_DONE);
	rig_seal(&rig);
	check_content(1, "./a//f", "content");
	check_content(1, "/a/f", "content");
	check_content(1, "a", NULL);
	check_content(1, "l", NULL);
	check_content(1, "l/x", NULL);
	check_content(1, "p", NULL);
	check_content(1, "nothing", NULL);
	check_content(1, "a/f/g", NULL);
}

static void sparse(void **state)
{
	rig_layer(&rig, 1, 0, "s a 10 2:ab 8:yz\ns b 4 0:ab\ns c 5\ns d 3 0:abc\n");
	rig_expect(&rig, 1, "f a %00%00ab%00%00%00%00yz\nf b ab%00%00\nf c %00%00%00%00%00\nf d abc\n");
	assert_int_equal(rig.size, 22);
	struct nacre_error err;
	uint64_t bytes;
	/* holes are holes, also in what the next layer has of them */
	rig_layer(&rig, 2, 0, "s big 100000000000 5000000:hello 99999999990:world\n");
	rig_layer(&rig, 3, 2, "h link big\n");
	for (unsigned layer = 2; layer <= 3; layer++) {
		assert_done(rig.driver->ops->usage(rig.driver, rig_id(layer), &bytes, &err));
		assert_true(bytes < 1000000);
	}
	struct nc_view *view;
	struct nc_view_file file;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(3), &view, &err));
	assert_done(view->ops->stat(view, "link", &file, &err));
	assert_true(file.entry.size == 100000000000);
	nc_view_close(view);
}

static void wrong_content(void **state)
{
	struct nacre_error err;
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = "f", .name_len = 1, .link = "", .mode = 0644, .size = 5,
				  .stored = 5 };
	rig_begin(&rig, 1, 0);
	assert_int_equal(nc_tree_data(rig.tree, "x", 1, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NC_PUT_BY_NAME);
	assert_int_equal(nc_tree_data(rig.tree, "123456", 6, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_tree_data(rig.tree, "123", 3, 0, &err), 0);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NACRE_E_INVALID);
	rig_abort(&rig);
	rig_begin(&rig, 1, 0);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NC_PUT_BY_NAME);
	uint64_t size;
	assert_int_equal(nc_tree_seal(&rig.tree, &size, &err), NACRE_E_INVALID);
	assert_null(rig.tree);
	rig_abort(&rig);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(1), &err), 0);
}

/* --- views ---------------------------------------------------------------------------------------------------------- */

static int list_name(void *ctx, const char *name, struct nacre_error *err)
{
	return nc_buf_addf(ctx, err, "%s ", name);
}

static int list_kind(void *ctx, char kind, const char *path, struct nacre_error *err)
{
	return nc_buf_addf(ctx, err, "%c %s\n", kind, path);
}

static void resolve(struct nc_view *view, const char *path, bool last, const char *want)
{
	struct nacre_error err;
	char *got = NULL;
	int code = nc_view_resolve(view, path, last, &got, &err);
	if (!want) {
		assert_int_equal(code, NACRE_E_NOTFOUND);
		return;
	}
	if (code < 0)
		fail_msg("resolving '%s': %s", path, err.msg);
	assert_string_equal(got, want);
	free(got);
}

static void views(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\nf gone 1\nl link /d\nl loop loop\nl rel d/../link/x\n");
	rig_layer(&rig, 2, 1, "f .wh.gone\nf d/y 2\nd e\nl e/up ../../../d\n");
	struct nc_view *view, *before;
	struct nc_view_file file;
	char *path;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err));
	assert_done(rig.driver->ops->view(rig.driver, rig_id(1), &before, &err));
	assert_int_equal(view->ops->stat(view, "gone", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->stat(view, "d/x/y", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->stat(view, "link/x", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->names(view, "d/x", list_name, NULL, &err), NACRE_E_INVALID);
	assert_int_equal(view->ops->names(view, "gone", list_name, NULL, &err), NACRE_E_NOTFOUND);
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(10000);
	assert_done(view->ops->names(view, "", list_name, &list, &err));
	assert_done(view->ops->names(view, "d", list_name, &list, &err));
	assert_string_equal(list.data, "d e link loop rel x y ");
	resolve(view, "/d/x", true, "d/x");
	resolve(view, "link/x", true, "d/x");
	resolve(view, "link", false, "link");
	resolve(view, "link", true, "d");
	resolve(view, "link/", false, "d");
	resolve(view, "rel", true, "d/x");
	resolve(view, "e/up/../d/./x", true, "d/x");
	resolve(view, "../../..", true, "");
	resolve(view, "e/up/y", true, "d/y");
	resolve(view, "d/x/..", true, NULL);
	resolve(view, "gone", true, NULL);
	resolve(view, "nothing/..", true, NULL);
	assert_int_equal(nc_view_resolve(view, "loop", true, &path, &err), NACRE_E_INVALID);
	resolve(view, "loop", false, "loop");

	nc_buf_clear(&list);
	assert_done(nc_view_diff(before, view, list_kind, &list, &err));
	assert_string_equal(list.data, "A d/y\nA e\nA e/up\nD gone\n");
	nc_buf_clear(&list);
	assert_done(nc_view_diff(NULL, before, list_kind, &list, &err));
	assert_string_equal(list.data, "A d\nA d/x\nA gone\nA link\nA loop\nA rel\n");
	nc_view_close(view);
	nc_view_close(before);
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(9), &view, &err), NACRE_E_NOTFOUND);
}

static void differences(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0,
		  "f content abc\nf d/x 1\nf dir/y 1\nf dir/z/y 1\nf file 1\nf large 1\nf mode 1\nf owner 1\nf same 1\nf time abc\n"
		  "l to a\nf touched [644 0:0 1000.000000001] abc\nf xattr 1\nc zdev 1:3\n");
	rig_layer(&rig, 2, 1,
		  "f content abd\nd d [700 0:0 1000]\nf dir now-file\nd file\nf file/new 1\nf large 11\nf mode [600 0:0 1000] 1\n"
		  "f owner [644 1:0 1000] 1\nf same 1\nf time [644 0:0 7] abc\nl to b\nf touched [644 0:0 1000.000000002] abc\n"
		  "f xattr 1 {user.k=v}\nc zdev 1:5\n");
	struct nc_view *before, *after;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(1), &before, &err));
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &after, &err));
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(10000);
	assert_done(nc_view_diff(before, after, list_kind, &list, &err));
	assert_string_equal(list.data, "C content\nC d\nC dir\nC file\nA file/new\nC large\nC mode\nC owner\nC to\nC xattr\nC zdev\n");
	nc_view_close(before);
	nc_view_close(after);
}

/* --- trees as a whole ------------------------------------------------------------------------------------------------ */

static void removal(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "d d [0 0:0 1]\nf d/x 1\n");
	rig_layer(&rig, 2, 0, "f y 1\n");
	assert_done(remove_id(NULL, rig_id(1), &err));
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(1), &err), 0);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(2), &err), 1);
	assert_done(remove_id(NULL, rig_id(1), &err));
	/* one that is there although nobody knows of it gives way */
	rig_layer(&rig, 2, 0, "f z 1\n");
	rig_expect(&rig, 2, "f z 1\n");
	int count = 0;
	assert_done(rig.driver->ops->each(rig.driver, count_id, &count, &err));
	assert_int_equal(count, 1);
	rig_begin(&rig, 3, 2);
	assert_done(rig_put(&rig, "f a 1\nf .wh..wh.plnk/x 1\nf b 22\n", &err));
	rig_abort(&rig);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(3), &err), 0);
	struct nc_tree *tree;
	int stage;
	assert_done(nc_dir_ensure(rig.root, "trash", &stage, &err));
	assert_true(rig.driver->ops->begin(rig.driver, rig_id(3), rig_id(9), stage, NULL, &tree, &err) < 0);
	close(stage);
}

static void many_layers(unsigned count, bool dump)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf want = NC_BUF_INIT(1u << 20);
	rig_layer(&rig, 1, 0, "d d\nf d/0001 1\nf first 1\n");
	nc_buf_add_text(&want, "d d\n", &err);
	for (unsigned i = 2; i <= count; i++) {
		char line[200];
		snprintf(line, sizeof line, "f d/%04u %u\nf d/.wh.%04u\nf last %u\n", i, i, i % 3 ? 9999 : i - 1, i);
		rig_layer(&rig, i, i - 1, line);
	}
	for (unsigned i = 1; i <= count; i++)
		if (i == count || (i + 1) % 3)
			nc_buf_addf(&want, &err, "f d/%04u %u\n", i, i);
	nc_buf_addf(&want, &err, "f first 1\nf last %u\n", count);
	if (dump)
		rig_expect(&rig, count, want.data);
}

static void layers_127(void **state)
{
	many_layers(127, true);
}

static void layers_500(void **state)
{
	/* for the full copies of vfs the point is made */
	if (strcmp(driver_name, "overlay") == 0)
		many_layers(500, true);
}

static void layers_501(void **state)
{
	struct nacre_error err;
	if (strcmp(driver_name, "overlay") != 0)
		return;
	many_layers(501, false);
	assert_int_equal(rig_mount(&rig, 501, &err), NACRE_E_UNSUPPORTED);
	char *dump = rig_view_dump(&rig, 501);
	assert_non_null(strstr(dump, "f d/0501 501\n"));
	free(dump);
}

static void mounts(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "f a [4755 0:0 1] 1\n");
	rig_layer(&rig, 2, 1, "f b 1\n");
	if (rig.no_mount) {
		assert_int_equal(rig_mount(&rig, 1, &err), NACRE_E_UNSUPPORTED);
		return;
	}
	for (unsigned layer = 1; layer <= 2; layer++) {
		assert_done(rig_mount(&rig, layer, &err));
		int fd = openat(rig.root, "mnt/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(fd, -1);
		assert_int_equal(errno, EROFS);
		assert_int_equal(openat(rig.root, "mnt/a", O_WRONLY | O_CLOEXEC), -1);
		assert_int_equal(errno, EROFS);
		rig_unmount(&rig);
	}
	assert_true(rig_mount(&rig, 9, &err) < 0);
}

/* Before Linux 6.5 the list of layers must go through mount(2). */
static void mounts_by_the_old_call(void **state)
{
	struct nacre_error err;
	if (strcmp(driver_name, "overlay") != 0)
		return;
	many_layers(500, false);
	char *trees[500], text[500][NC_HEX_ID + 8];
	for (unsigned i = 0; i < 500; i++) {
		snprintf(text[i], sizeof text[i], "%s/diff", rig_id(500 - i));
		trees[i] = text[i];
	}
	int home = openat(rig.root, "overlay", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int target = openat(rig.root, "mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct nc_overlay_mount what = { .home = home, .home_path = "/", .trees = trees, .count = 500,
					 .flags = NC_OVERLAY_OLD_CALL };
	assert_done(nc_overlay_mount(&what, target, &err));
	char path[4200];
	snprintf(path, sizeof path, "%s/mnt", rig.path);
	char *mounted = rig_dir_dump(path), *view = rig_view_dump(&rig, 500);
	rig_unmount(&rig);
	assert_string_equal(mounted, view);
	free(mounted);
	free(view);
	trees[3] = text[4];
	snprintf(text[4], sizeof text[4], "nothing");
	assert_true(nc_overlay_mount(&what, target, &err) < 0);
	close(home);
	close(target);
}

/* --- any layer ------------------------------------------------------------------------------------------------------- */

/* A linear congruence is all the chance that is needed, and the same everywhere. */
static unsigned dice;

static unsigned roll(unsigned sides)
{
	dice = dice * 1103515245u + 12345u;
	return (dice >> 16) % sides;
}

static void random_path(char *to, unsigned depth)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	*to = '\0';
	for (unsigned i = 0; i < depth; i++) {
		if (i)
			strcat(to, "/");
		strcat(to, names[roll(4)]);
	}
}

static void random_member(char *to, size_t size, unsigned serial)
{
	char path[64], other[64];
	random_path(path, 1 + roll(3));
	random_path(other, 1 + roll(3));
	char *slash = strrchr(path, '/');
	switch (roll(12)) {
	case 0:
	case 1:
	case 2:
		snprintf(to, size, "f %s [%o %u:0 %u] %u", path, 0600 + roll(64), roll(3), serial, serial);
		break;
	case 3:
	case 4:
	case 5:
		snprintf(to, size, "d %s [7%o0 0:%u %u]", path, roll(8), roll(3), serial);
		break;
	case 6:
		snprintf(to, size, "l %s %s%s", path, roll(2) ? "/" : roll(2) ? "../" : "", other);
		break;
	case 7:
		snprintf(to, size, roll(3) ? "s %s [600 0:0 1] 19 2:%s" : "h %s %s", path, other);
		break;
	case 8:
		if (roll(4))
			snprintf(to, size, "p %s [600 0:0 %u]", path, serial);
		else
			snprintf(to, size, roll(2) ? "d . [7%o5 0:0 %u]" : "f .wh..wh.aufs [%o 0:0 %u]", roll(8), serial);
		break;
	case 9:
		snprintf(to, size, "f %.*s%s.wh..wh..opq [600 0:0 %u]", slash ? (int)(slash - path) : 0, path, slash ? "/" : "",
			 serial);
		/* opaque roots would end most stories early */
		if (!slash && roll(8))
			snprintf(to, size, "f a/.wh..wh..opq [600 0:0 %u]", serial);
		break;
	default:
		snprintf(to, size, "f %.*s%s.wh.%s [600 0:0 %u]", slash ? (int)(slash - path) : 0, path, slash ? "/" : "",
			 slash ? slash + 1 : path, serial);
		break;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What goes with a directory is reported in the order of the directory, which is any. */
static bool same_reports(const char *a, const char *b)
{
	char *texts[2] = { strdup(a), strdup(b) }, *parts[2][1000];
	size_t counts[2] = { 0, 0 };
	for (size_t side = 0; side < 2; side++) {
		char *rest;
		for (char *part = strtok_r(texts[side], ";", &rest); part; part = strtok_r(NULL, ";", &rest))
			parts[side][counts[side]++] = part;
		qsort(parts[side], counts[side], sizeof *parts[side], by_text);
	}
	bool same = counts[0] == counts[1];
	for (size_t i = 0; same && i < counts[0]; i++)
		same = strcmp(parts[0][i], parts[1][i]) == 0;
	free(texts[0]);
	free(texts[1]);
	return same;
}

/* The driver and the memory driver, which shares no code with the others, must be of one mind about random layers. */
static void random_layers(void **state)
{
	struct rig other;
	char path[4200];
	snprintf(path, sizeof path, "%s/other", rig.path);
	assert_return_code(mkdir(path, 0700), errno);
	rig_open(&other, "memory", path);
	struct nacre_error err, other_err;
	unsigned layers = 0, refused = 0;
	const char *wanted = getenv("NACRE_TEST_STORIES");
	unsigned stories = wanted ? (unsigned)atoi(wanted) : 60;
	for (unsigned story = 1; story <= stories; story++) {
		unsigned parent = 0;
		for (unsigned i = 0; i < 6; i++) {
			unsigned id = story * 100 + i;
			dice = id;
			NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(1u << 16);
			rig_begin(&rig, id, parent);
			rig_begin(&other, id, parent);
			int code = 0, other_code = 0;
			for (unsigned n = 0; code >= 0 && n < 8; n++) {
				char line[256];
				random_member(line, sizeof line, n + 1);
				nc_buf_addf(&text, NULL, "%s\n", line);
				code = rig_put(&rig, line, &err);
				other_code = rig_put(&other, line, &other_err);
				if (code != other_code)
					fail_msg("layer %u on %u:\n%s%d (%s), memory %d (%s)", id, parent, text.data, code,
						 code < 0 ? err.msg : "", other_code, other_code < 0 ? other_err.msg : "");
			}
			if (code < 0) {
				rig_abort(&rig);
				rig_abort(&other);
				refused++;
				continue;
			}
			char *reports_now = strdup(nc_buf_text(&rig.reports));
			rig_seal(&rig);
			rig_seal(&other);
			if (!same_reports(reports_now, nc_buf_text(&other.reports)))
				fail_msg("layer %u on %u:\n%sreports %s, memory %s", id, parent, text.data, reports_now,
					 nc_buf_text(&other.reports));
			free(reports_now);
			if (rig.size != other.size)
				fail_msg("layer %u on %u:\n%ssize %u, memory %u", id, parent, text.data, (unsigned)rig.size,
					 (unsigned)other.size);
			char *tree = rig_view_dump(&rig, id), *want = rig_view_dump(&other, id), *mounted = rig_mount_dump(&rig, id);
			if (strcmp(tree, want) != 0)
				fail_msg("layer %u on %u:\n%sgives:\n%smemory:\n%s", id, parent, text.data, tree, want);
			if (mounted && strcmp(tree, mounted) != 0)
				fail_msg("layer %u on %u:\n%sgives:\n%smounted:\n%s", id, parent, text.data, tree, mounted);
			free(tree);
			free(want);
			free(mounted);
			parent = id;
			layers++;
		}
	}
	print_message("%u random layers agreed, %u were refused by both\n", layers, refused);
	assert_true(layers > stories);
	assert_true(refused > stories);
	rig_close(&other);
}

/* --- the driver itself ------------------------------------------------------------------------------------------------ */

static int count_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	++*(int *)ctx;
	return 0;
}

static void probe(void **state)
{
	struct nacre_error err;
	int before = 0, after = 0;
	assert_done(nc_dir_each(rig.root, count_name, &before, &err));
	assert_done(nc_driver_find(driver_name)->probe(rig.root, &err));
	assert_done(nc_dir_each(rig.root, count_name, &after, &err));
	assert_int_equal(before, after);
	const struct nc_driver_ops *chosen;
	assert_done(nc_driver_choose(rig.root, &chosen, &err));
	assert_string_not_equal(chosen->name, "memory");
	assert_null(nc_driver_find("aufs"));
}

static void read_only(void **state)
{
	struct nacre_error err;
	if (rig.no_mount)
		return;
	rig_layer(&rig, 1, 0, "f a 1\n");
	struct nc_driver *writer = rig.driver;
	assert_done(writer->ops->open(rig.root, rig.path, true, &rig.driver, &err));
	rig_expect(&rig, 1, "f a 1\n");
	nc_driver_close(rig.driver);
	rig.driver = writer;
	int elsewhere = openat(rig.root, "mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct nc_driver *none = NULL;
	assert_true(writer->ops->open(elsewhere, rig.path, true, &none, &err) < 0);
	assert_null(none);
	int left = 0;
	assert_done(nc_dir_each(elsewhere, count_name, &left, &err));
	assert_int_equal(left, 0);
	close(elsewhere);
}

/* fsconfig takes strings of 255 bytes at most. */
static void a_long_way_to_the_store(void **state)
{
	struct rig far;
	char path[4200];
	snprintf(path, sizeof path, "%s", rig.path);
	for (int i = 0; i < 3; i++) {
		size_t len = strlen(path);
		path[len] = '/';
		memset(path + len + 1, 'a' + i, 120);
		path[len + 121] = '\0';
		assert_return_code(mkdir(path, 0700), errno);
	}
	rig_open(&far, driver_name, path);
	rig_layer(&far, 1, 0, "f a 1\n");
	rig_layer(&far, 2, 1, "f b 1\n");
	rig_expect(&far, 2, "f a 1\nf b 1\n");
	rig_close(&far);
}

static void full_disk(void **state)
{
	struct nacre_error err;
	if (rig.no_mount)
		return;
	char path[4200];
	snprintf(path, sizeof path, "%s/small", rig.path);
	assert_return_code(mkdir(path, 0700), errno);
	assert_return_code(mount("tmpfs", path, "tmpfs", 0, "size=1m,nr_inodes=60,mode=0700"), errno);
	struct rig small;
	rig_open(&small, driver_name, path);
	rig_layer(&small, 1, 0, "f a 1\n");
	/* of space, in a file's content */
	static const char block[65536];
	struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = "b", .name_len = 1, .link = "", .mode = 0644,
				  .size = 4000000, .stored = 4000000 };
	rig_begin(&small, 2, 1);
	assert_int_equal(nc_tree_entry(small.tree, &entry, &err), NC_PUT_BY_NAME);
	int code = 0;
	for (uint64_t at = 0; code == 0 && at < entry.size; at += sizeof block)
		code = nc_tree_data(small.tree, block, sizeof block, at, &err);
	assert_int_equal(code, NACRE_E_NOSPACE);
	rig_abort(&small);
	/* and of inodes, in the middle of many members */
	rig_begin(&small, 2, 1);
	code = 0;
	for (unsigned i = 0; code >= 0 && i < 100; i++) {
		char line[64];
		snprintf(line, sizeof line, "f d/%u x", i);
		code = rig_put(&small, line, &err);
	}
	assert_int_equal(code, NACRE_E_NOSPACE);
	rig_abort(&small);
	assert_int_equal(small.driver->ops->has(small.driver, rig_id(2), &err), 0);
	rig_layer(&small, 2, 1, "f b 1\n");
	rig_expect(&small, 2, "f a 1\nf b 1\n");
	rig_close(&small);
	assert_return_code(umount2(path, 0), errno);
}

struct work {
	pthread_t thread;
	struct rig rig;
	unsigned number;
};

static void *write_layers(void *arg)
{
	struct work *work = arg;
	struct nacre_error err;
	char name[32];
	snprintf(name, sizeof name, "stage-%u", work->number);
	for (unsigned i = 0; i < 10; i++) {
		char members[200], id[NC_HEX_ID], parent[NC_HEX_ID];
		snprintf(id, sizeof id, "%064x", work->number * 100 + i);
		snprintf(parent, sizeof parent, "%064x", i ? work->number * 100 + i - 1 : 1);
		snprintf(members, sizeof members, "f d/%u-%u x\nf d/.wh.%u-%u\nf big/%u/file y\n", work->number, i, work->number, i - 1, i);
		int stage;
		uint64_t size;
		if (nc_dir_ensure(rig.root, name, &stage, &err) < 0 ||
		    rig.driver->ops->begin(rig.driver, id, parent, stage, NULL, &work->rig.tree, &err) < 0 ||
		    rig_put(&work->rig, members, &err) < 0 || nc_tree_seal(&work->rig.tree, &size, &err) < 0)
			return work;
		close(stage);
	}
	return NULL;
}

static void several_at_once(void **state)
{
	static struct work works[4];
	rig_layer(&rig, 1, 0, "d d\nf d/base x\n");
	for (unsigned i = 0; i < 4; i++) {
		works[i].number = i + 2;
		assert_int_equal(pthread_create(&works[i].thread, NULL, write_layers, &works[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		void *failed;
		pthread_join(works[i].thread, &failed);
		assert_null(failed);
	}
	rig_expect(&rig, 309,
		   "d big\nd big/0\nf big/0/file y\nd big/1\nf big/1/file y\nd big/2\nf big/2/file y\nd big/3\nf big/3/file y\n"
		   "d big/4\nf big/4/file y\nd big/5\nf big/5/file y\nd big/6\nf big/6/file y\nd big/7\nf big/7/file y\n"
		   "d big/8\nf big/8/file y\nd big/9\nf big/9/file y\nd d\nf d/3-9 x\nf d/base x\n");
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

/* Become root of a user namespace with 65536 users, on a tmpfs of its own in base_dir. The process that stays outside waits
 * and passes the result on. */
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
		    setresuid(0, 0, 0) < 0 || mount("tmpfs", base_dir, "tmpfs", 0, "mode=0700") < 0) {
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
		claim(probe), claim(nothing), claim(every_type), claim(modes_and_owners), claim(byte_order), claim(times),
		claim(times_of_directories), claim(root_metadata), claim(xattrs), claim(xattrs_left_out),
		claim(acls_are_not_inherited), claim(hard_links), claim(hard_links_to_lower_layers),
		claim(hard_links_to_themselves), claim(links_of_aufs), claim(through_links), claim(links_that_change),
		claim(whiteouts), claim(whiteouts_hide_parents_only), claim(opaque), claim(opaque_root), claim(bad_whiteouts),
		claim(replaced_by_another_layer), claim(replaced_by_the_same_layer), claim(duplicates), claim(reports),
		claim(implied), claim(names), claim(long_names), claim(deep), claim(hostile), claim(content), claim(sparse),
		claim(wrong_content), claim(views), claim(differences), claim(removal), claim(mounts), claim(layers_127),
		claim(layers_500), claim(layers_501), claim(mounts_by_the_old_call), claim(random_layers), claim(read_only),
		claim(a_long_way_to_the_store), claim(full_disk), claim(several_at_once),
	};
	/* what a user namespace can do: no devices, no trusted attributes, no owners beyond its map */
	const struct CMUnitTest user_tests[] = {
		claim(probe), claim(nothing), claim(byte_order), claim(times_of_directories), claim(root_metadata),
		claim(hard_links_to_lower_layers), claim(hard_links_to_themselves), claim(links_of_aufs), claim(through_links),
		claim(links_that_change), claim(whiteouts), claim(whiteouts_hide_parents_only), claim(opaque), claim(opaque_root),
		claim(bad_whiteouts), claim(replaced_by_another_layer), claim(replaced_by_the_same_layer), claim(duplicates),
		claim(reports), claim(implied), claim(names), claim(long_names), claim(deep), claim(content), claim(sparse),
		claim(views), claim(removal), claim(mounts), claim(layers_127), claim(layers_500), claim(random_layers),
	};
	return user ? cmocka_run_group_tests(user_tests, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
