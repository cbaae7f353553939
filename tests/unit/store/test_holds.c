/* Sessions that hold nodes. */
#include "fixture.h"

#include <signal.h>
#include <sys/prctl.h>

#define NO_NODE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void layer(const struct fixture *fixture, const char *parent, const char *word, char *ret_id)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_register_options options = { .size = sizeof options, .parent = parent };
	make_tar(&tar, (const char *const[]){ "file", word, NULL });
	if (register_bytes(fixture->store, &options, tar.data, tar.len, ret_id) < 0)
		fail_msg("%s", err.msg);
}

static int try_hold(struct nacre_store *store, const char *session, const char *id, bool persistent, int64_t pid)
{
	struct nacre_hold_options options = { .size = sizeof options, .persistent = persistent, .pid = pid };
	return nacre_hold(store, session, &id, 1, &options, NULL, &err);
}

static bool is_held(const struct fixture *fixture, const char *id)
{
	int held = nacre_held(fixture->store, id, NULL, &err);
	assert_true(held >= 0);
	return held;
}

static void what_is_held_stays(void **state)
{
	struct fixture *fixture = *state;
	char base[65], middle[65], top[65], session[NACRE_SESSION_MAX];
	layer(fixture, NULL, "base", base);
	layer(fixture, base, "middle", middle);
	layer(fixture, middle, "top", top);
	const char *ids[] = { top, base };
	assert_done(nacre_hold(fixture->store, NULL, ids, 2, NULL, session, &err));
	assert_true(is_held(fixture, top) && is_held(fixture, base) && !is_held(fixture, middle));
	assert_int_equal(nacre_delete(fixture->store, top, &err), NACRE_E_INUSE);
	assert_non_null(strstr(err.msg, session));
	assert_done(nacre_release(fixture->store, session, top, &err));
	assert_true(!is_held(fixture, top) && is_held(fixture, base));
	assert_done(nacre_delete(fixture->store, top, &err));
	assert_done(nacre_delete(fixture->store, middle, &err));
	assert_int_equal(nacre_delete(fixture->store, base, &err), NACRE_E_INUSE);
	assert_done(nacre_release(fixture->store, session, base, &err));
	assert_int_equal(nacre_release(fixture->store, session, NULL, &err), NACRE_E_NOTFOUND);
	assert_done(nacre_delete(fixture->store, base, &err));
	assert_int_equal(entries(fixture, "holds"), 0);
}

static void images_leave_held_layers_behind(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_image *image = NULL;
	char id[65];
	make_image(fixture->store, (const char *const[]){ "a", "b", "c", NULL }, "x:1", id);
	assert_done(nacre_image_get(fixture->store, "x:1", &image, &err));
	const char *middle = image->layers[1].chain_id;
	assert_done(try_hold(fixture->store, "image", "x:1", true, 0));
	assert_int_equal(nacre_remove(fixture->store, "x:1", 0, NULL, NULL, &err), NACRE_E_INUSE);
	assert_done(try_hold(fixture->store, "layer", middle, true, 0));
	assert_done(nacre_release(fixture->store, "image", NULL, &err));
	assert_done(nacre_remove(fixture->store, "x:1", 0, NULL, NULL, &err));
	assert_true(nc_node_exists(fixture->store, middle));
	assert_true(nc_node_exists(fixture->store, image->layers[0].chain_id));
	assert_false(nc_node_exists(fixture->store, image->layers[2].chain_id));
	nacre_image_free(image);
	assert_catalog_true(fixture);
}

static void sessions_do_not_know_one_another(void **state)
{
	struct fixture *fixture = *state;
	char id[65], name[NACRE_SESSION_MAX];
	layer(fixture, NULL, "base", id);
	assert_done(try_hold(fixture->store, "one", id, true, 0));
	assert_done(try_hold(fixture->store, "two", id, true, 0));
	assert_done(try_hold(fixture->store, "two", id, true, 0));
	assert_done(nacre_release(fixture->store, "one", id, &err));
	assert_int_equal(nacre_held(fixture->store, id, name, &err), 1);
	assert_string_equal(name, "two");
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	assert_done(nacre_release(fixture->store, "two", NULL, &err));
	assert_done(nacre_delete(fixture->store, id, &err));
}

static void persistent_ones_outlive_the_handle(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	layer(fixture, NULL, "base", id);
	assert_done(try_hold(fixture->store, "kept", id, true, 0));
	assert_done(try_hold(fixture->store, "lost", id, false, 0));
	assert_int_equal(entries(fixture, "holds"), 2);
	reopen(fixture);
	assert_int_equal(entries(fixture, "holds"), 1);		/* swept */
	assert_true(is_held(fixture, id));
	assert_done(nacre_release(fixture->store, "kept", NULL, &err));
	assert_false(is_held(fixture, id));
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

static void a_handle_s_session_is_its_own(void **state)
{
	struct fixture *fixture = *state;
	char id[65], other[65];
	layer(fixture, NULL, "base", id);
	layer(fixture, NULL, "other", other);
	struct nacre_store *second = open_with(fixture->root, 0, NULL);
	assert_done(try_hold(second, "mine", id, false, 0));
	assert_true(is_held(fixture, id));
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	assert_int_equal(try_hold(fixture->store, "mine", other, false, 0), NACRE_E_EXISTS);
	assert_int_equal(try_hold(fixture->store, "mine", other, true, 0), NACRE_E_EXISTS);
	assert_int_equal(try_hold(fixture->store, "mine", other, false, getpid()), NACRE_E_EXISTS);
	assert_false(is_held(fixture, other));
	assert_done(try_hold(second, "mine", other, false, 0));	/* it may add to it */
	assert_true(is_held(fixture, id) && is_held(fixture, other));
	nacre_store_close(second);
	assert_false(is_held(fixture, id) || is_held(fixture, other));
	/* the name is free, and what the dead one held is forgotten */
	assert_done(try_hold(fixture->store, "mine", other, false, 0));
	assert_true(!is_held(fixture, id) && is_held(fixture, other));
	/* a lock that was taken in vain is let go of */
	second = open_with(fixture->root, 0, NULL);
	assert_done(try_hold(fixture->store, "lasting", id, true, 0));
	assert_int_equal(try_hold(fixture->store, "lasting", id, false, 0), NACRE_E_EXISTS);
	assert_done(nacre_release(fixture->store, "lasting", NULL, &err));
	assert_done(try_hold(second, "lasting", id, false, 0));
	/* released: another may have the name */
	assert_done(nacre_release(second, "lasting", NULL, &err));
	assert_done(try_hold(fixture->store, "lasting", id, false, 0));
	nacre_store_close(second);
	assert_true(is_held(fixture, id));
}

static void a_process_s_session_dies_with_it(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	int status;
	layer(fixture, NULL, "base", id);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		leave(0);
	}
	assert_true(child > 0);
	assert_done(try_hold(fixture->store, "child", id, false, child));
	reopen(fixture);
	assert_true(is_held(fixture, id));
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	assert_int_equal(kill(child, SIGKILL), 0);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_false(is_held(fixture, id));			/* its remains hold nothing */
	assert_int_equal(try_hold(fixture->store, "late", id, false, child), NACRE_E_NOTFOUND);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(is_held(fixture, id));
	assert_done(nacre_delete(fixture->store, id, &err));
	reopen(fixture);
	assert_int_equal(entries(fixture, "holds"), 0);
}

/* The number of a process that is gone comes again: another process, born at another time. */
static void a_number_that_came_again_holds_nothing(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	layer(fixture, NULL, "base", id);
	assert_done(try_hold(fixture->store, "self", id, false, getpid()));
	assert_true(is_held(fixture, id));
	NC_AUTO_FD int home = -1;
	assert_done(nc_dir_open(fixture->store->root, "holds", &home, &err));
	assert_done(nc_file_read(home, "self", 4096, &text, &len, &err));
	char *start = strstr(text, "\"start\":\"");
	assert_non_null(start);
	char first = start[9];
	start[9] = first == '9' ? '8' : (char)(first + 1);
	assert_done(nc_file_replace(home, "self", text, len, false, &err));
	assert_false(is_held(fixture, id));
	/* and of another boot */
	start[9] = first;
	char *boot = strstr(text, "\"boot\":\"");
	assert_non_null(boot);
	assert_done(nc_file_replace(home, "self", text, len, false, &err));
	assert_true(is_held(fixture, id));
	boot[8] = boot[8] == 'a' ? 'b' : 'a';
	assert_done(nc_file_replace(home, "self", text, len, false, &err));
	assert_false(is_held(fixture, id));
}

static void what_cannot_be_held(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { "", ".", "..", "../x", "a/b", ".hidden", "-x", "a b", "a\n", "\xc3\xa4" };
	char id[65], longest[NACRE_SESSION_MAX + 1];
	layer(fixture, NULL, "base", id);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(try_hold(fixture->store, names[i], id, true, 0), NACRE_E_INVALID);
		assert_int_equal(nacre_release(fixture->store, names[i], NULL, &err), NACRE_E_INVALID);
	}
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(try_hold(fixture->store, longest, id, true, 0), NACRE_E_INVALID);
	longest[sizeof longest - 2] = '\0';
	assert_done(try_hold(fixture->store, longest, id, true, 0));
	assert_done(nacre_release(fixture->store, longest, NULL, &err));
	assert_int_equal(nacre_hold(fixture->store, "none", NULL, 0, NULL, NULL, &err), NACRE_E_INVALID);
	assert_int_equal(try_hold(fixture->store, "both", id, true, getpid()), NACRE_E_INVALID);
	assert_int_equal(try_hold(fixture->store, "gone", id, false, 0x7ffffff0), NACRE_E_NOTFOUND);
	assert_int_equal(try_hold(fixture->store, "id", NO_NODE, true, 0), NACRE_E_NOTFOUND);
	assert_int_equal(try_hold(fixture->store, "id", "..", true, 0), NACRE_E_INVALID);
	const char *half[] = { id, NO_NODE };
	assert_int_equal(nacre_hold(fixture->store, "half", half, 2, NULL, NULL, &err), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_held(fixture->store, NO_NODE, NULL, &err), NACRE_E_NOTFOUND);
	assert_int_equal(entries(fixture, "holds"), 0);
	assert_false(is_held(fixture, id));
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	assert_int_equal(try_hold(fixture->store, "read", id, true, 0), NACRE_E_DENIED);
	assert_int_equal(nacre_release(fixture->store, "read", NULL, &err), NACRE_E_DENIED);
	assert_false(is_held(fixture, id));
}

/* A removal had the lock first: the node goes, and nothing of the session stays. */
static void a_removal_that_was_first_wins(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FD int locks = -1;
	char id[65], other[65];
	int status, ready[2];
	layer(fixture, NULL, "base", id);
	layer(fixture, NULL, "other", other);
	assert_done(try_hold(fixture->store, "s", other, true, 0));
	nacre_store_close(NC_GIVE(fixture->store));
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct nacre_store *store = open_with(fixture->root, 0, NULL);
		if (write(ready[1], "x", 1) != 1)
			leave(9);
		leave(try_hold(store, "s", id, true, 0) == NACRE_E_NOTFOUND ? 0 : 1);
	}
	char c;
	fixture->store = open_with(fixture->root, 0, NULL);
	assert_done(nc_locks_open(fixture->store, &locks, &err));
	assert_done(nc_lock_id(locks, id, NC_LOCK_EXCLUSIVE, true, &err));
	assert_int_equal(read(ready[0], &c, 1), 1);
	/* as soon as its file names the node, it waits for our lock */
	for (int tries = 0; !is_held(fixture, id) && tries < 10000; tries++)
		usleep(1000);
	assert_true(is_held(fixture, id));
	char path[512], away[512];
	snprintf(path, sizeof path, "%s/graph/%s", fixture->root, id);
	snprintf(away, sizeof away, "%s/away", fixture->dir);
	assert_int_equal(rename(path, away), 0);
	nc_unlock_id(locks, id);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(rename(away, path), 0);
	assert_true(!is_held(fixture, id) && is_held(fixture, other));
	close(ready[0]);
	close(ready[1]);
}

static void a_damaged_session_is_named_and_nothing_goes(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damage[] = { "", "{", "[]", "{\"owner\":\"persistent\"}",
		"{\"owner\":\"nobody\",\"pid\":0,\"start\":\"0\",\"boot\":\"\",\"namespace\":\"\",\"ids\":[]}",
		"{\"owner\":\"persistent\",\"pid\":0,\"start\":\"0\",\"boot\":\"\",\"namespace\":\"\",\"ids\":[\"..\"]}",
		"{\"owner\":\"persistent\",\"pid\":0,\"start\":\"0\",\"boot\":\"\",\"namespace\":\"\",\"ids\":{}}" };
	char id[65];
	layer(fixture, NULL, "base", id);
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		NC_AUTO_FD int home = -1;
		assert_done(try_hold(fixture->store, "sound", id, true, 0));
		assert_done(nc_dir_open(fixture->store->root, "holds", &home, &err));
		assert_done(nacre_release(fixture->store, "sound", NULL, &err));
		assert_done(nc_file_replace(home, "hurt", damage[i], strlen(damage[i]), false, &err));
		assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_CORRUPT);
		assert_non_null(strstr(err.msg, "hurt"));
		assert_int_equal(try_hold(fixture->store, "hurt", id, true, 0), NACRE_E_CORRUPT);
		reopen(fixture);
		assert_int_equal(entries(fixture, "holds"), 1);
		assert_done(nacre_release(fixture->store, "hurt", NULL, &err));
	}
	assert_done(nacre_delete(fixture->store, id, &err));
}

struct seen {
	char text[256];
};

static int note(void *ctx, const struct nacre_hold_info *info)
{
	struct seen *seen = ctx;
	size_t count = 0, len = strlen(seen->text);
	while (info->ids[count])
		count++;
	snprintf(seen->text + len, sizeof seen->text - len, "%s:%s:%zu ", info->session,
		 info->persistent ? "p" : info->pid == getpid() ? "me" : "?", count);
	return 0;
}

static void sessions_are_listed(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { "" };
	char id[65], other[65];
	assert_done(nacre_holds_each(fixture->store, note, &seen, &err));
	assert_string_equal(seen.text, "");
	layer(fixture, NULL, "base", id);
	layer(fixture, NULL, "other", other);
	assert_done(try_hold(fixture->store, "b", id, true, 0));
	assert_done(try_hold(fixture->store, "b", other, true, 0));
	assert_done(try_hold(fixture->store, "c", id, false, 0));
	assert_done(try_hold(fixture->store, "a", id, false, getpid()));
	assert_done(nacre_holds_each(fixture->store, note, &seen, &err));
	assert_string_equal(seen.text, "a:me:1 b:p:2 c:me:1 ");
}

/* One process holds and looks, the other deletes and registers again: what is held is there. */
static void holders_and_removers_at_once(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	int status, held = 0;
	layer(fixture, NULL, "base", id);
	nacre_store_close(NC_GIVE(fixture->store));
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
		for (;;) {
			char again[65];
			nacre_delete(fixture->store, id, NULL);
			layer(fixture, NULL, "base", again);
		}
	}
	fixture->store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
	for (int tries = 0; held < 50 && tries < 100000; tries++) {
		int code = try_hold(fixture->store, "s", id, true, 0);
		if (code < 0) {
			assert_int_equal(code, NACRE_E_NOTFOUND);
			usleep(100);
			continue;
		}
		held++;
		assert_true(nc_node_exists(fixture->store, id));
		assert_done(nacre_layer_verify(fixture->store, id, &err));
		assert_done(nacre_release(fixture->store, "s", NULL, &err));
	}
	assert_int_equal(held, 50);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_held_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(images_leave_held_layers_behind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sessions_do_not_know_one_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(persistent_ones_outlive_the_handle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_handle_s_session_is_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_s_session_dies_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_number_that_came_again_holds_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_removal_that_was_first_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_session_is_named_and_nothing_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sessions_are_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holders_and_removers_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
