/* What a layer means. */
#include "claims.h"

#include "io/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Who keeps the archive itself need not be told of what else would be lost. */
static void expect_reports(const char *want)
{
	assert_string_equal(nc_buf_text(&rig.reports), rig.keeps_tars ? "" : want);
}

static void expect_report(const char *one)
{
	if (!rig.keeps_tars)
		assert_non_null(strstr(nc_buf_text(&rig.reports), one));
}

/* --- plain things ----------------------------------------------------------------------------------------------- */

void nothing(void **state)
{
	rig_layer(&rig, 1, 0, "");
	rig_expect(&rig, 1, "");
	rig_layer(&rig, 2, 1, "");
	rig_expect(&rig, 2, "");
	assert_int_equal(rig.size, 0);
}

void every_type(void **state)
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

void modes_and_owners(void **state)
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
	/* whatever the process leaves of a mode */
	char *want = rig_view_dump(&rig, 1);
	static const mode_t masks[] = { 0, 027, 0177 };
	for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++) {
		mode_t before = umask(masks[i]);
		rig_layer(&rig, 2 + i, 0, tree);
		umask(before);
		rig_expect(&rig, 2 + i, want);
	}
	free(want);
}

void byte_order(void **state)
{
	rig_layer(&rig, 1, 0, "d a\nf a/x 1\nf a-b 2\nd a!\nf a!/y 3\nf a0 4\nd a/x!\n");
	rig_expect(&rig, 1, "d a\nd a!\nf a!/y 3\nf a-b 2\nf a/x 1\nd a/x!\nf a0 4\n");
}

void times(void **state)
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
void times_of_directories(void **state)
{
	rig_layer(
		&rig, 1, 0,
		"d a [755 0:0 1]\nd b [755 0:0 2]\nf a/1 x\nf b/1 x\nf a/2 x\nd a/c [755 0:0 3]\nf b/2 x\nf a/c/1 x\n"
		"f a/3 x\nh b/3 a/c/1\nd b [755 0:0 4]\nl a/1 x\np a/c/2\n");
	rig_expect(
		&rig, 1,
		"d a [755 0:0 1]\nl a/1 x\nf a/2 x\nf a/3 x\nd a/c [755 0:0 3]\nf a/c/1 x\np a/c/2\nd b [755 0:0 4]\n"
		"f b/1 x\nf b/2 x\nh b/3 a/c/1\n");
	/* copying up and hiding below them, too */
	rig_layer(&rig, 2, 1, "h x b/1\nf a/c/.wh.1\nf a/.wh.2\nf b/2/.wh.q\nf a/3/y 1\n");
	rig_expect(&rig, 2,
		   "d a [755 0:0 1]\nl a/1 x\nd a/3\nf a/3/y 1\nd a/c [755 0:0 3]\np a/c/2\nd b [755 0:0 4]\n"
		   "f b/1 x\nd b/2\nf b/3 x\nh x b/1\n");
}

void root_metadata(void **state)
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

void xattrs(void **state)
{
	const char *tree = "d d {trusted.a=1,user.a=}\n"
			   "f d/cap [4755 1:2 1000] x "
			   "{security.capability=%01%00%00%02%00%04%00%00%00%00%00%00%00%00%00%00%00%00%00%00}\n"
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
void xattrs_left_out(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	rig_layer(
		&rig, 2, 1,
		"d d {trusted.overlay.opaque=y,trusted.overlay.redirect=/etc,user.overlay.opaque=y,user.ok=1}\n"
		"f f x {user.fuseoverlayfs.opaque=y,user.containers.override_stat=0:0:0644,user.rootlesscontainers=x,"
		"trusted.nacre.x=1,user.nacre.y=1,trusted.overlay.metacopy=,nonsense.a=b,user.ok=2}\n"
		"l l t {user.onlink=1}\n");
	rig_expect(&rig, 2, "d d {user.ok=1}\nf d/x 1\nf f x {user.ok=2}\nl l t\n");
	/* only the kernel knows what is one */
	if (!rig.no_mount && !rig.keeps_tars)
		rig_refuse(&rig, 3, 0, "f cap [755 0:0 1] x {security.capability=bad}\n", NACRE_E_BADDATA);
}

void acls_are_not_inherited(void **state)
{
	if (rig.no_mount)
		return;
	/* user::rwx,user:1:rwx,group::r-x,mask::rwx,other::r-x */
	rig_layer(&rig, 1, 0,
		  "d d "
		  "{system.posix_acl_default=%02%00%00%00%01%00%07%00%ff%ff%ff%ff%02%00%07%00%01%00%00%00%04%00%05%"
		  "00%ff%ff"
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

/* --- links ------------------------------------------------------------------------------------------------------ */

void hard_links(void **state)
{
	rig_layer(&rig, 1, 0,
		  "f a content {user.k=v}\nh b a\nd d\nh d/c b\nl s a\nh t s\np p\nh q p\nc dev 1:3\nh zev dev\n");
	rig_expect(&rig, 1,
		   "f a content {user.k=v}\nh b a\nd d\nh d/c a\nc dev 1:3\np p\nh q p\nl s a\nh t s\nh zev dev\n");
	assert_int_equal(rig.size, 7);
	expect_reports("");
	/* the names of a lower layer that stay are still one file */
	rig_layer(&rig, 2, 1, "f b other\n");
	rig_expect(
		&rig, 2,
		"f a content {user.k=v}\nf b other\nd d\nh d/c a\nc dev 1:3\np p\nh q p\nl s a\nh t s\nh zev dev\n");
}

void hard_links_to_lower_layers(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d d [700 5:6 7]\nf d/a [4711 1:2 3.000000004] content {user.k=v}\nh d/other d/a\nl d/s a\np d/p "
		  "[600 9:9 9]\n");
	rig_layer(&rig, 2, 1, "h x d/a\nh y x\nh d/t d/s\nh e/q d/p\n");
	rig_expect(&rig, 2,
		   "d d [700 5:6 7]\nf d/a [4711 1:2 3.000000004] content {user.k=v}\n"
		   "f d/other [4711 1:2 3.000000004] content {user.k=v}\np d/p [600 9:9 9]\nl d/s a\nh d/t d/s\n"
		   "d e\nh e/q d/p\nh x d/a\nh y d/a\n");
	assert_int_equal(rig.size, 7);
	/* what was copied up has no member of its name */
	rig_layer(&rig, 3, 1, "h x d/a\nf d/a new\nf x newer\n");
	expect_reports("x;");
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

void hard_links_to_themselves(void **state)
{
	rig_layer(&rig, 1, 0, "f a content\nh a a\nh a ./a\n");
	rig_expect(&rig, 1, "f a content\n");
	expect_reports("a=content;a;");
	assert_int_equal(rig.size, 7);
	rig_layer(&rig, 2, 1, "h a a\n");
	rig_expect(&rig, 2, "f a content\n");
	expect_reports("");
	rig_refuse(&rig, 3, 0, "f d/a x\nh d d/a\n", NACRE_E_BADDATA);
	/* a link over another name of the same file */
	rig_layer(&rig, 3, 0, "f a 1\nh b a\nh b a\nh a b\n");
	rig_expect(&rig, 3, "f a 1\nh b a\n");
	assert_int_equal(rig.size, 1);
}

/* aufs keeps files that have links aside; what is linked to them is theirs. */
void links_of_aufs(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d .wh..wh.plnk [700 0:0 1]\nf .wh..wh.plnk/12.34 [4755 1:2 3] content {user.k=v}\nf .wh..wh.aufs "
		  "[444 0:0 1]\n"
		  "d .wh..wh.orph\nf .wh..wh.orph/x x\nh a .wh..wh.plnk/12.34\nh b a\nf c 1\n");
	rig_expect(&rig, 1, "f a [4755 1:2 3] content {user.k=v}\nh b a\nf c 1\n");
	assert_int_equal(rig.size, 8);
	rig_refuse(&rig, 2, 0, "h a .wh..wh.plnk/12.34\n", NACRE_E_BADDATA);
	rig_refuse(&rig, 2, 0, "f .wh..wh.plnk/x x\nh a .wh..wh.plnk/../../x\n", NACRE_E_BADDATA);
	rig_layer(&rig, 2, 0, "f .wh..wh.plnk/x x\n");
	rig_expect(&rig, 2, "");
	assert_int_equal(rig.size, 0);
}

void through_links(void **state)
{
	/* of this layer: followed; inside the root, whatever they say */
	rig_layer(&rig, 1, 0,
		  "d usr\nd usr/lib [700 1:1 1]\nl lib usr/lib\nf lib/a 1\nl abs /usr/lib\nf abs/b 2\nl up "
		  "../../usr\nf up/lib/c 3\n"
		  "l usr/chain ../abs\nf usr/chain/d 4\nh usr/chain/e lib/a\n");
	rig_expect(&rig, 1,
		   "l abs /usr/lib\nl lib usr/lib\nl up ../../usr\nd usr\nl usr/chain ../abs\nd usr/lib [700 1:1 "
		   "1]\nf usr/lib/a 1\n"
		   "f usr/lib/b 2\nf usr/lib/c 3\nf usr/lib/d 4\nh usr/lib/e usr/lib/a\n");
	/* of a parent: replaced by a directory */
	rig_layer(&rig, 2, 1, "f lib/x 1\n");
	rig_expect(&rig, 2,
		   "l abs /usr/lib\nd lib\nf lib/x 1\nl up ../../usr\nd usr\nl usr/chain ../abs\nd usr/lib [700 1:1 "
		   "1]\nf usr/lib/a 1\n"
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
void links_that_change(void **state)
{
	rig_layer(&rig, 1, 0, "d a\nd b\nl l a\nf l/1 x\nl l b\nf l/2 x\nd l\nf l/3 x\n");
	rig_expect(&rig, 1, "d a\nf a/1 x\nd b\nf b/2 x\nd l\nf l/3 x\n");
	rig_layer(&rig, 2, 0, "d d\nf d/1 x\nl d /\nf d/2 x\nf d x\nd d\nf d/3 x\n");
	rig_expect(&rig, 2, "f 2 x\nd d\nf d/3 x\n");
}

/* --- whiteouts -------------------------------------------------------------------------------------------------- */

void whiteouts(void **state)
{
	rig_layer(&rig, 1, 0, "f a 1\nd d\nf d/x 1\nf d/y 1\nd d/e\nf d/e/z 1\nl l a\n");
	rig_layer(&rig, 2, 1,
		  "f .wh.a ignored\nf d/.wh.x [777 5:5 5] {user.x=y}\nd d/.wh.e\nl .wh.l x\nf .wh.none\n");
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

void whiteouts_hide_parents_only(void **state)
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

void opaque(void **state)
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

void opaque_root(void **state)
{
	rig_layer(&rig, 1, 0, "d . [700 1:1 1]\nf a 1\nd d\nf d/x 1\n");
	rig_layer(&rig, 2, 1, "f b 1\nf d/y 1\nf .wh.a\nf .wh..wh..opq\n");
	rig_expect(&rig, 2, "d . [700 1:1 1]\nf b 1\nd d\nf d/y 1\n");
	rig_layer(&rig, 3, 1, "f .wh..wh..opq\nf d/y [644 0:0 5] 1\n");
	rig_expect(&rig, 3, "d . [700 1:1 1]\nd d [755 0:0 5]\nf d/y [644 0:0 5] 1\n");
	rig_layer(&rig, 4, 3, "f c 1\nf d/.wh.y\n");
	rig_expect(&rig, 4, "d . [700 1:1 1]\nf c 1\nd d [755 0:0 5]\n");
}

void bad_whiteouts(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\n");
	static const char *const bad[] = {
		"f .wh. x\n",
		"f .wh..\n",
		"f .wh...\n",
		"f d/.wh.\n",
		"f d/.wh..\n",
		"f d/.wh...\n",
		"d d/.wh.x\nf d/.wh.x/y 1\n",
		"d .wh.\n",
		"f .wh./x\n",
		"f d/../../.wh.x\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		rig_refuse(&rig, 2, 1, bad[i], NACRE_E_BADDATA);
	/* only the prefix means something */
	rig_layer(&rig, 2, 1, "f x.wh.y 1\nf .whatever 1\nf .wh 1\nf .wh.... 1\n");
	rig_expect(&rig, 2, "f .wh 1\nf .whatever 1\nd d\nf d/x 1\nf x.wh.y 1\n");
}

/* --- replacing -------------------------------------------------------------------------------------------------- */

void replaced_by_another_layer(void **state)
{
	rig_layer(&rig, 1, 0, "f f 1\nd d [700 1:1 1]\nf d/x 1\nl l d\np p\n");
	rig_layer(&rig, 2, 1, "d f\nf f/x 2\nf d 2\nd l\nf p 2\n");
	rig_expect(&rig, 2, "f d 2\nd f\nf f/x 2\nd l\nf p 2\n");
	rig_layer(&rig, 3, 2, "d d\nf d/y 3\nl f d\np l\n");
	rig_expect(&rig, 3, "d d\nf d/y 3\nl f d\np l\nf p 2\n");
	rig_layer(&rig, 4, 1, "d d [711 2:2 2]\n");
	rig_expect(&rig, 4, "d d [711 2:2 2]\nf d/x 1\nf f 1\nl l d\np p\n");
}

void replaced_by_the_same_layer(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/low 1\nd e\nf e/low 1\n");
	rig_layer(&rig, 2, 1,
		  "d d\nf d/x 1\nd d/sub\nf d/sub/y 22\nf d now-file\nf e file\nd e [700 0:0 1000]\nf e/new 1\n");
	rig_expect(&rig, 2, "f d now-file\nd e [700 0:0 1000]\nf e/new 1\n");
	assert_int_equal(rig.size, 9);
	static const char *const reports[] = { "d;", "d/x=1;", "d/sub;", "d/sub/y=22;", "e=file;" };
	for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
		expect_report(reports[i]);
	assert_null(strstr(nc_buf_text(&rig.reports), "low"));
	/* and back again: the parents' stay hidden */
	rig_layer(&rig, 3, 1, "f d 1\nd d\nf d/x 1\n");
	rig_expect(&rig, 3, "d d\nf d/x 1\nd e\nf e/low 1\n");
	expect_reports("d=1;");
}

void duplicates(void **state)
{
	rig_layer(&rig, 1, 0, "f a one\nf a two\nf ./a [600 1:1 1] three\nf a\nf a last {user.k=v}\n");
	rig_expect(&rig, 1, "f a last {user.k=v}\n");
	expect_reports("a=one;a=two;a=three;a;");
	assert_int_equal(rig.size, 4);
	rig_layer(&rig, 2, 0,
		  "d d\nf d/x 1\nd d/ [700 1:1 5] {user.k=v}\nd d\nl l a\nl l b\np p\np p\nf .wh.q\nf .wh.q\nf "
		  ".wh..wh..opq\n"
		  "f .wh..wh..opq\nd .\nd ./\nf .wh..wh.aufs\nf .wh..wh.aufs\n");
	rig_expect(&rig, 2, "d .\nd d\nf d/x 1\nl l b\np p\n");
	expect_reports("d;d;l;p;.wh.q;.wh..wh..opq;.;.wh..wh.aufs;");
}

void reports(void **state)
{
	/* implied directories had no member */
	rig_layer(&rig, 1, 0, "f a/b/c 1\nd a/b\nd a\nd a\n");
	expect_reports("a;");
	/* a file that came through a link is none of its own path's members */
	rig_layer(&rig, 2, 0, "d d\nl l d\nf l/x through\nf d/x named\nf d/x again\nf l/x through\nf d/x last\n");
	expect_reports("d/x=named;d/x=again;");
	/* hard links and sparse files have no content in the record */
	rig_layer(&rig, 3, 0, "f a content\nh b a\ns c 10 5:xy\nf b 1\nf c 2\nf a 3\n");
	expect_reports("b;c;a=content;");
	assert_int_equal(rig.size, 3);
	/* what the parents had is nobody's to report */
	rig_layer(&rig, 4, 3, "f a 4\nd b\nf .wh.c\nf c 5\n");
	expect_reports("");
}

/* --- directories on the way ------------------------------------------------------------------------------------- */

void implied(void **state)
{
	rig_layer(&rig, 1, 0, "f a/b/c [600 1:1 77] x\n");
	rig_expect(&rig, 1, "d a [755 0:0 77]\nd a/b [755 0:0 77]\nf a/b/c [600 1:1 77] x\n");
	rig_layer(&rig, 2, 0, "d . [700 9:9 9]\nd a [711 3:4 5.000000006] {user.k=v}\nd a/b [1777 0:0 2]\n");
	rig_layer(&rig, 3, 2, "f a/b/new/x [600 1:1 88] x\n");
	rig_expect(
		&rig, 3,
		"d . [700 9:9 9]\nd a [711 3:4 5.000000006] {user.k=v}\nd a/b [1777 0:0 2]\nd a/b/new [755 0:0 88]\n"
		"f a/b/new/x [600 1:1 88] x\n");
	/* its own member may come later */
	rig_layer(&rig, 4, 3, "f a/b/y 1\nd a [700 0:0 1]\n");
	rig_expect(&rig, 4,
		   "d . [700 9:9 9]\nd a [700 0:0 1]\nd a/b [1777 0:0 2]\nd a/b/new [755 0:0 88]\n"
		   "f a/b/new/x [600 1:1 88] x\nf a/b/y 1\n");
}

/* --- names ------------------------------------------------------------------------------------------------------ */

void names(void **state)
{
	rig_layer(&rig, 1, 0, "f /abs 1\nf ./a//b/../c 1\nf x/./y/ 1\nd z//\nf %ff%fe%01 1\nf a%20b%0ac 1\n");
	rig_expect(&rig, 1, "d a\nf a%20b%0ac 1\nf a/c 1\nf abs 1\nd x\nf x/y 1\nd z\nf %ff%fe%01 1\n");
	static const char *const bad[] = { "f ../x 1\n", "f a/../../x 1\n", "d ..\n", "h a/../../b a\n" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		rig_refuse(&rig, 2, 0, bad[i], NACRE_E_BADDATA);
}

void long_names(void **state)
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

void deep(void **state)
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
	expect_report("d/x=deep;");
	nc_buf_release(&name);
	nc_buf_release(&line);
}

void hostile(void **state)
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
	rig_expect(&rig, 2,
		   "d d\nf d/x 1\nd etc\nf etc/nacre-was-here 1\nl out /tmp\nd tmp\nf tmp/nacre-was-here 1\n");
	assert_int_equal(access("/etc/nacre-was-here", F_OK), -1);
	assert_int_equal(access("/tmp/nacre-was-here", F_OK), -1);
}
