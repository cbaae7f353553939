/* What the tests of the 2015 graph proved, its index of prefixes included, and what they should have. docs/graph.md says
 * which is which. */
#include "fixture.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000"

static void make_layer(struct nc_buf *ret)
{
	make_tar(ret, (const char *const[]){ "file", "content", NULL });
}

/* A node of that ID, with a layer. */
static int enter(const struct fixture *fixture, const char *id, const char *parent)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_register_options options = { .size = sizeof options, .id = id, .parent = parent };
	make_layer(&tar);
	return register_bytes(fixture->store, &options, tar.data, tar.len, NULL);
}

static int create(const struct fixture *fixture, const char *parent, char *ret_id)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_create_options options = { .size = sizeof options, .parent = parent, .comment = "testing" };
	make_layer(&tar);
	int fd = memfd_create("layer", MFD_CLOEXEC);
	assert_int_equal(nc_write_full(fd, tar.data, tar.len), 0);
	lseek(fd, 0, SEEK_SET);
	int code = nacre_node_create(fixture->store, fd, &options, ret_id, &err);
	close(fd);
	return code;
}

static int get(const struct fixture *fixture, const char *prefix, char *ret_id)
{
	struct nacre_node node;
	int code = nacre_node_get(fixture->store, prefix, &node, &err);
	if (code == 0)
		strcpy(ret_id, node.id);
	return code;
}

static void assert_found(const struct fixture *fixture, const char *prefix, const char *id)
{
	char got[65];
	assert_done(get(fixture, prefix, got));
	assert_string_equal(got, id);
}

static int count_node(void *ctx, const struct nacre_node *node)
{
	++*(int *)ctx;
	return 0;
}

static int count(const struct fixture *fixture, enum nacre_select select, const char *parent)
{
	int nodes = 0;
	assert_done(nacre_nodes_each(fixture->store, select, parent, count_node, &nodes, &err));
	return nodes;
}

/* --- the graph -------------------------------------------------------------------------------------------------- */

static void a_new_graph_is_empty(void **state)
{
	struct fixture *fixture = *state;
	assert_true(there(fixture, "graph") && there(fixture, "nacre.json"));
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 0);
	assert_int_equal(count(fixture, NACRE_HEADS, NULL), 0);
}

static void what_is_created_is_listed_once(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FREE char *json = NULL;
	char id[65];
	assert_done(create(fixture, NULL, id));
	assert_true(nc_id_valid(id));
	assert_done(nacre_node_json(fixture->store, id, &json, NULL, &err));
	assert_non_null(strstr(json, "\"comment\":\"testing\""));
	assert_non_null(strstr(json, nacre_version()));
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 1);
}

static void a_stream_that_breaks_leaves_the_id_free(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	const char *id = "badbad" ZEROS;
	struct nacre_register_options options = { .size = sizeof options, .id = id };
	char got[65];
	make_layer(&tar);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, 515, NULL), NACRE_E_BADDATA);
	assert_int_equal(get(fixture, id, got), NACRE_E_NOTFOUND);
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 0);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), 0);
	assert_done(nacre_layer_verify(fixture->store, id, &err));
}

static void counts_after_creating_and_deleting(void **state)
{
	struct fixture *fixture = *state;
	const char *again = "abcabc" ZEROS;
	char id[65], other[65], prefix[13];
	assert_done(create(fixture, NULL, id));
	snprintf(prefix, sizeof prefix, "%.12s", id);
	assert_done(nacre_delete(fixture->store, prefix, &err));
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 0);
	assert_done(create(fixture, NULL, id));
	assert_done(create(fixture, NULL, other));
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 2);
	assert_done(nacre_delete(fixture->store, id, &err));
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 1);
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_delete(fixture->store, "unknown", &err), NACRE_E_INVALID);
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(enter(fixture, again, NULL), 0);
		assert_int_equal(count(fixture, NACRE_ALL, NULL), 2);
		assert_done(nacre_delete(fixture->store, again, &err));
		assert_int_equal(count(fixture, NACRE_ALL, NULL), 1);
	}
	assert_catalog_true(fixture);
}

static void children_are_found_by_their_parent(void **state)
{
	struct fixture *fixture = *state;
	char parent[65], id[65];
	assert_done(create(fixture, NULL, parent));
	assert_done(create(fixture, parent, id));
	assert_done(create(fixture, parent, id));
	assert_done(create(fixture, NULL, id));
	assert_int_equal(count(fixture, NACRE_CHILDREN, parent), 2);
	assert_int_equal(count(fixture, NACRE_CHILDREN, id), 0);
	assert_int_equal(count(fixture, NACRE_HEADS, NULL), 3);
	reopen(fixture);
	assert_int_equal(count(fixture, NACRE_CHILDREN, parent), 2);
}

static void a_node_can_be_mounted(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FREE char *path = NULL;
	char id[65], file[1024];
	assert_done(create(fixture, NULL, id));
	int code = nacre_mount(fixture->store, id, NULL, &path, &err);
	if (code == NACRE_E_DENIED || code == NACRE_E_UNSUPPORTED)
		skip();
	assert_done(code);
	snprintf(file, sizeof file, "%s/file", path);
	assert_int_equal(access(file, R_OK), 0);
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	assert_int_equal(nacre_umount(fixture->store, id, &err), 1);
	assert_done(nacre_delete(fixture->store, id, &err));
}

static void assert_image(const struct fixture *fixture, const char *what, const char *id)
{
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(fixture->store, what, &image, &err));
	assert_string_equal(image->id, id);
	nacre_image_free(image);
}

static void images_are_looked_up_in_every_way(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { "unittest", "unittest:latest", "docker.io/unittest", "library/unittest",
					     "docker.io/library/unittest:latest", "index.docker.io/unittest" };
	static const char *const wrong[] = { "unittest:wrong", "docker.io/unittest:wrong", "unknown",
					     "example.org/unittest",
					     "unittest@sha256:" "0123456789abcdef" "0123456789abcdef"
					     "0123456789abcdef" "0123456789abcdef" };
	struct nacre_image *image = NULL;
	char id[65], prefix[13], digest[80];
	make_image(fixture->store, (const char *const[]){ "a", NULL }, "unittest", id);
	snprintf(prefix, sizeof prefix, "%.12s", id);
	snprintf(digest, sizeof digest, "sha256:%s", id);
	assert_image(fixture, id, id);
	assert_image(fixture, prefix, id);
	assert_image(fixture, digest, id);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_image(fixture, names[i], id);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(nacre_image_get(fixture->store, wrong[i], &image, &err), NACRE_E_NOTFOUND);
}

/* The pool of pulls under way: two who bring the same node. */
static void of_two_registrars_one_waits(void **state)
{
	struct fixture *fixture = *state;
	const char *id = "aaaaaa" ZEROS;
	int go[2], status, code;
	NC_AUTO_BUF struct nc_buf tar;
	make_layer(&tar);
	nacre_store_close(NC_GIVE(fixture->store));
	assert_int_equal(pipe(go), 0);
	pid_t children[4];
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char c;
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(go[1]);
			fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
			(void)!read(go[0], &c, 1);
			leave(enter(fixture, id, NULL) + 10);
		}
	}
	close(go[0]);
	close(go[1]);
	int made = 0;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status));
		code = WEXITSTATUS(status) - 10;
		assert_true(code == 0 || code == 1);
		made += code == 0;
	}
	assert_int_equal(made, 1);
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 1);
	assert_done(nacre_layer_verify(fixture->store, id, &err));
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

static void registering_listing_and_deleting_at_once(void **state)
{
	struct fixture *fixture = *state;
	pid_t children[3];
	int status;
	nacre_store_close(NC_GIVE(fixture->store));
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char id[65];
			fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
			for (int turn = 0; turn < 15; turn++) {
				if (i == 2) {
					count(fixture, NACRE_ALL, NULL);
					count(fixture, NACRE_HEADS, NULL);
					continue;
				}
				snprintf(id, sizeof id, "%d%06d%057d", i + 1, turn, 0);
				if (enter(fixture, id, NULL) < 0 ||
				    (turn % 3 && nacre_delete(fixture->store, id, &err) < 0))
					leave(1);
			}
			leave(0);
		}
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 10);
	assert_int_equal(entries(fixture, "vfs/dir"), 10);
	assert_catalog_true(fixture);
}

/* --- the index of prefixes -------------------------------------------------------------------------------------- */

static void an_empty_index_finds_nothing(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	assert_int_equal(get(fixture, "", id), NACRE_E_INVALID);
	assert_int_equal(get(fixture, " ", id), NACRE_E_INVALID);
	assert_int_equal(get(fixture, "0123", id), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_delete(fixture->store, "0123", &err), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_delete(fixture->store, "", &err), NACRE_E_INVALID);
}

static void prefixes_find_one_and_only_one(void **state)
{
	struct fixture *fixture = *state;
	/* alike in six digits */
	const char *one = "deaddea1" "00000000000000000000000000000000000000000000000000000000";
	const char *two = "deadde2b" "11111111111111111111111111111111111111111111111111111111";
	char id[65], prefix[65], message[512];
	assert_int_equal(enter(fixture, one, NULL), 0);
	assert_found(fixture, one, one);
	assert_found(fixture, "d", one);
	snprintf(prefix, sizeof prefix, "%.32s", one);
	assert_found(fixture, prefix, one);
	assert_int_equal(get(fixture, one + 32, id), NACRE_E_NOTFOUND);	/* the second half */
	assert_int_equal(enter(fixture, two, NULL), 0);
	for (size_t len = 1; len <= 64; len++) {
		memcpy(prefix, two, len);
		prefix[len] = '\0';
		if (len > 6) {
			assert_found(fixture, prefix, two);
			continue;
		}
		assert_int_equal(get(fixture, prefix, id), NACRE_E_AMBIGUOUS);
		snprintf(message, sizeof message, "%s", err.msg);
		assert_true(strstr(message, "deaddea1") && strstr(message, "deadde2b"));
		assert_int_equal(nacre_delete(fixture->store, prefix, &err), NACRE_E_AMBIGUOUS);
	}
	assert_found(fixture, one, one);
	assert_int_equal(get(fixture, "deaddea10" "f", id), NACRE_E_NOTFOUND);
	snprintf(prefix, sizeof prefix, "%.63s", one);
	strcat(prefix, "f");
	assert_int_equal(get(fixture, prefix, id), NACRE_E_NOTFOUND);
	assert_int_equal(count(fixture, NACRE_ALL, NULL), 2);
	/* with the one gone, prefixes are the other's */
	assert_done(nacre_delete(fixture->store, one, &err));
	assert_found(fixture, "d", two);
	assert_found(fixture, "deadde", two);
	assert_int_equal(get(fixture, "deaddea", id), NACRE_E_NOTFOUND);
}

struct walk {
	char last[65];
	int count;
};

static int in_order(void *ctx, const struct nacre_node *node)
{
	struct walk *walk = ctx;
	assert_true(strcmp(walk->last, node->id) < 0);
	strcpy(walk->last, node->id);
	walk->count++;
	return 0;
}

static void each_is_walked_once(void **state)
{
	struct fixture *fixture = *state;
	struct walk walk = { "", 0 };
	char id[65];
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	for (int i = 0; i < 20; i++)
		assert_done(create(fixture, NULL, id));
	assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, in_order, &walk, &err));
	assert_int_equal(walk.count, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_graph_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_created_is_listed_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stream_that_breaks_leaves_the_id_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_after_creating_and_deleting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(children_are_found_by_their_parent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_node_can_be_mounted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(images_are_looked_up_in_every_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_two_registrars_one_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(registering_listing_and_deleting_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_empty_index_finds_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(prefixes_find_one_and_only_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_is_walked_once, set_up, tear_down),
	};
	if (getenv("VALGRIND"))	/* it knows neither open_tree nor mount_setattr */
		cmocka_set_skip_filter("a_node_can_be_mounted");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
