/* Sessions that hold nodes, so that nobody removes them: a file holds/<session> each.
 *
 * Whoever holds writes its file first and then looks, under each ID's lock, whether the node is there; whoever removes
 * has the ID's lock and then looks for files. So one of them sees the other. Files change under NC_LOCK_HOLDS, and whoever
 * holds keeps that until what was not there has been taken out again: nobody waits for it who has another lock. A session ends with its owner: a handle of a store has a lock on the session's range, a
 * process has a number and a time at which it began; what nobody owns any more counts for nothing, and the next writer
 * takes the file away. */
#include "image/gojson.h"
#include "store/holds.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME "holds"
#define FILE_MAX ((size_t)4 << 20)
#define IDS_MAX 32768
#define SESSIONS_MAX ((size_t)1 << 20)

static const char *const owner_names[] = { "persistent", "process", "handle" };

void nc_hold_release(struct nc_hold *hold)
{
	nc_free_pointer(&hold->ids);
	*hold = (struct nc_hold){ 0 };
}

static bool is_session(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
	return len && !name[len] && len < NACRE_SESSION_MAX && name[0] != '.' && name[0] != '-';
}

static size_t find_id(const struct nc_hold *hold, const char *id)
{
	size_t i = 0;
	while (i < hold->count && strcmp(hold->ids[i], id) != 0)
		i++;
	return i;
}

static int add_id(struct nc_hold *hold, const char *id, struct nacre_error *err)
{
	if (hold->count >= IDS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "session '%s' holds %d nodes; more do not fit", hold->session,
			       IDS_MAX);
	char (*more)[NC_HEX_ID] = nc_realloc_array(hold->ids, hold->count + 1, sizeof *more);
	if (!more)
		return nc_nomem(err);
	hold->ids = more;
	memcpy(more[hold->count++], id, NC_HEX_ID);
	return 0;
}

static void drop_id(struct nc_hold *hold, const char *id)
{
	size_t i = find_id(hold, id);
	if (i < hold->count)
		memmove(hold->ids[i], hold->ids[i + 1], (--hold->count - i) * sizeof *hold->ids);
}

/* --- owners ----------------------------------------------------------------------------------------------------- */

/* Of what boot, and among whose processes, a number is meant. */
static int find_here(char boot[64], char space[64], struct nacre_error *err)
{
	memset(boot, 0, 64);
	memset(space, 0, 64);
	NC_AUTO_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || nc_read_full(fd, boot, 63) < 0 || readlink("/proc/self/ns/pid", space, 63) < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "holding for a process needs /proc");
	boot[strcspn(boot, "\n")] = '\0';
	return 0;
}

/* When a process began, in clock ticks since boot. False when there is none, or only its remains. */
static bool find_start(int64_t pid, uint64_t *ret)
{
	char path[48], text[1024];
	snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
	NC_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : nc_read_full(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* the second field may hold anything, parentheses too; the third, behind the last of them, is the state */
	char *at = strrchr(text, ')');
	if (!at || strlen(at) < 3 || strchr("ZXx", at[2]))
		return false;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%" SCNu64, ret) == 1;
}

static bool is_alive(int locks, const struct nc_hold *hold)
{
	char boot[64], space[64];
	uint64_t start;
	if (hold->owner == NC_HOLD_PERSISTENT)
		return true;
	if (hold->owner == NC_HOLD_HANDLE)
		return nc_session_taken(locks, hold->session);
	if (find_here(boot, space, NULL) < 0)
		return true;
	if (strcmp(boot, hold->boot) != 0)
		return false;
	/* its number means nothing to us there: better one held too long */
	if (strcmp(space, hold->space) != 0)
		return true;
	return find_start(hold->pid, &start) && start == hold->start;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static bool take_text(const json_t *json, const char *key, char *ret, size_t room)
{
	const char *text = json_string_value(json_object_get(json, key));
	if (!text || strlen(text) >= room)
		return false;
	strcpy(ret, text);
	return true;
}

static int take_ids(const json_t *list, struct nc_hold *hold, struct nacre_error *err)
{
	int code = json_is_array(list) ? 0 : NACRE_E_CORRUPT;
	for (size_t i = 0; code == 0 && i < json_array_size(list); i++) {
		const char *id = json_string_value(json_array_get(list, i));
		code = id && nc_id_valid(id) ? add_id(hold, id, err) : NACRE_E_CORRUPT;
	}
	return code;
}

static int parse(const char *text, size_t len, struct nc_hold *hold, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *json = NULL;
	char owner[16], start[24] = "";
	int code = nc_json_parse(text, len, "hold", &json, err);
	if (code < 0)
		return code;
	if (!take_text(json, "owner", owner, sizeof owner) || !take_text(json, "start", start, sizeof start) ||
	    !take_text(json, "boot", hold->boot, sizeof hold->boot) ||
	    !take_text(json, "namespace", hold->space, sizeof hold->space) ||
	    !json_is_integer(json_object_get(json, "pid")))
		return NACRE_E_CORRUPT;
	hold->pid = json_integer_value(json_object_get(json, "pid"));
	hold->start = strtoull(start, NULL, 10);
	for (int i = 0; i < 3; i++)
		if (strcmp(owner, owner_names[i]) == 0) {
			hold->owner = (enum nc_hold_owner)i;
			return take_ids(json_object_get(json, "ids"), hold, err);
		}
	return NACRE_E_CORRUPT;
}

/* NACRE_E_NOTFOUND; NACRE_E_CORRUPT. */
static int read_hold(int home, const char *session, struct nc_hold *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	strcpy(hold.session, session);
	int code = nc_file_read(home, session, FILE_MAX, &text, &len, err);
	if (code == NACRE_E_NOTFOUND)
		return nc_fail(err, code, 0, "there is no session '%s'", session);
	if (code == 0)
		code = parse(text, len, &hold, err);
	if (code == NACRE_E_IO || code == NACRE_E_NOMEM || code == NACRE_E_DENIED)
		return nc_wrap(err, code, "session '%s'", session);
	if (code < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0,
			       "session '%s' is damaged and does not say what it holds: release it", session);
	*ret = hold;
	hold = (struct nc_hold){ 0 };
	return 0;
}

static int write_hold(struct nacre_store *store, int home, const struct nc_hold *hold, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(FILE_MAX);
	int code = nc_buf_addf(&text, err, "{\"owner\":\"%s\",\"pid\":%" PRId64 ",\"start\":\"%" PRIu64 "\","
			       "\"boot\":\"%s\",\"namespace\":\"%s\",\"ids\":[", owner_names[hold->owner], hold->pid,
			       hold->start, hold->boot, hold->space);
	for (size_t i = 0; code == 0 && i < hold->count; i++)
		code = nc_buf_addf(&text, err, "%s\"%s\"", i ? "," : "", hold->ids[i]);
	if (code == 0)
		code = nc_buf_add_text(&text, "]}\n", err);
	return code < 0 ? code : nc_file_publish(store, home, hold->session, text.data, text.len, err);
}

static int remove_hold(struct nacre_store *store, int home, const char *session, struct nacre_error *err)
{
	if (unlinkat(home, session, 0) < 0 && errno != ENOENT)
		return nc_fail(err, NACRE_E_IO, errno, "remove session '%s'", session);
	return nc_store_sync(store, home, "the sessions", err);
}

/* NACRE_E_NOTFOUND where nothing was ever held. */
static int open_home(struct nacre_store *store, int *ret, struct nacre_error *err)
{
	return nc_dir_open(store->root, HOME, ret, err);
}

static int make_home(struct nacre_store *store, int *ret, struct nacre_error *err)
{
	int code = open_home(store, ret, err);
	if (code != NACRE_E_NOTFOUND)
		return code;
	code = nc_dir_ensure(store->root, HOME, ret, err);
	return code < 0 ? code : nc_store_sync(store, store->root, "the store's directory", err);
}

/* --- looking at all of them ------------------------------------------------------------------------------------- */

struct nc_holds_visit {
	int home, locks;
	int (*fn)(void *ctx, const struct nc_hold *hold, struct nacre_error *err);
	void *ctx;
};

static int visit(void *ctx, const char *name, struct nacre_error *err)
{
	const struct nc_holds_visit *visit = ctx;
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	if (!is_session(name))
		return 0;
	int code = read_hold(visit->home, name, &hold, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	return is_alive(visit->locks, &hold) ? visit->fn(visit->ctx, &hold, err) : 0;
}

int nc_holds_visit(struct nacre_store *store, int (*fn)(void *ctx, const struct nc_hold *hold, struct nacre_error *err),
		   void *ctx, struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	NC_AUTO_FD int locks = -1;
	int code = open_home(store, &home, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	/* to ask for locks, reading is enough; without the file there is none */
	locks = openat(store->root, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct nc_holds_visit all = { .home = home, .locks = locks, .fn = fn, .ctx = ctx };
	return nc_dir_each_sorted(home, SESSIONS_MAX, visit, &all, err);
}

struct examine {
	int home;
	int (*fn)(void *ctx, const char *session, const struct nc_hold *hold, struct nacre_error *err);
	void *ctx;
};

static int examine(void *ctx, const char *name, struct nacre_error *err)
{
	const struct examine *all = ctx;
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	if (!is_session(name))
		return 0;
	int code = read_hold(all->home, name, &hold, err);
	if (code < 0 && code != NACRE_E_CORRUPT)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	return all->fn(all->ctx, name, code < 0 ? NULL : &hold, err);
}

int nc_holds_examine(struct nacre_store *store,
		     int (*fn)(void *ctx, const char *session, const struct nc_hold *hold, struct nacre_error *err),
		     void *ctx, struct nacre_error *err)
{
	NC_AUTO_FD int home = -1;
	int code = open_home(store, &home, err);
	struct examine all = { .home = home, .fn = fn, .ctx = ctx };
	return code < 0 ? (code == NACRE_E_NOTFOUND ? 0 : code)
			: nc_dir_each_sorted(home, SESSIONS_MAX, examine, &all, err);
}

struct search {
	const char *id;
	char *ret_session;
};

static int match(void *ctx, const struct nc_hold *hold, struct nacre_error *err)
{
	const struct search *search = ctx;
	if (find_id(hold, search->id) == hold->count)
		return 0;
	strcpy(search->ret_session, hold->session);
	return 1;
}

int nc_held_by(struct nacre_store *store, const char *id, char *ret_session, struct nacre_error *err)
{
	struct search search = { id, ret_session };
	return nc_holds_visit(store, match, &search, err);
}

/* --- sweeping --------------------------------------------------------------------------------------------------- */

struct sweep {
	struct nacre_store *store;
	int home, locks;
};

static int sweep_one(void *ctx, const char *name, struct nacre_error *err)
{
	const struct sweep *sweep = ctx;
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	/* what cannot be read is left to whoever looks at it */
	if (!is_session(name) || read_hold(sweep->home, name, &hold, NULL) < 0 || is_alive(sweep->locks, &hold))
		return 0;
	return remove_hold(sweep->store, sweep->home, name, err);
}

int nc_holds_sweep(struct nacre_store *store, struct nacre_error *err)
{
	struct sweep sweep = { .store = store, .home = -1, .locks = -1 };
	int code = open_home(store, &sweep.home, err);
	if (code == 0)
		code = nc_locks_open(store, &sweep.locks, err);
	if (code == 0)
		code = nc_lock_whole(sweep.locks, NC_LOCK_HOLDS, NC_LOCK_EXCLUSIVE, false, err);
	if (code == 0)
		code = nc_dir_each_sorted(sweep.home, SESSIONS_MAX, sweep_one, &sweep, err);
	nc_fd_release(&sweep.home);
	nc_fd_release(&sweep.locks);
	return code == NACRE_E_NOTFOUND || code == NACRE_E_BUSY ? 0 : code;
}

/* --- holding ---------------------------------------------------------------------------------------------------- */

/* Our descriptor of ROOT/lock for sessions; it lives as long as the handle. */
static int open_sessions(struct nacre_store *store, int *ret, struct nacre_error *err)
{
	int fd = -1, none = -1;
	*ret = atomic_load(&store->sessions);
	if (*ret >= 0)
		return 0;
	int code = nc_locks_open(store, &fd, err);
	if (code < 0)
		return code;
	*ret = fd;
	if (!atomic_compare_exchange_strong(&store->sessions, &none, fd)) {
		nc_fd_release(&fd);	/* another thread was first */
		*ret = none;
	}
	return 0;
}

/* Fills in who will own the session. */
static int take_owner(struct nacre_store *store, const struct nacre_hold_options *options, struct nc_hold *hold,
		      struct nacre_error *err)
{
	int sessions;
	hold->owner = options->persistent ? NC_HOLD_PERSISTENT : options->pid ? NC_HOLD_PROCESS : NC_HOLD_HANDLE;
	if (options->persistent && options->pid)
		return nc_fail(err, NACRE_E_INVALID, 0, "a session is persistent or a process's, not both");
	if (hold->owner == NC_HOLD_PERSISTENT)
		return 0;
	hold->pid = hold->owner == NC_HOLD_PROCESS ? options->pid : getpid();
	if (hold->owner == NC_HOLD_HANDLE) {
		hold->start = store->token;
		int code = open_sessions(store, &sessions, err);
		if (code == 0)
			code = nc_session_take(sessions, hold->session, err);
		return code == NACRE_E_BUSY ? nc_fail(err, NACRE_E_EXISTS, 0, "session '%s' belongs to another",
						      hold->session) : code;
	}
	int code = find_here(hold->boot, hold->space, err);
	if (code == 0 && !find_start(hold->pid, &hold->start))
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no process %" PRId64, hold->pid);
	return code;
}

static bool same_owner(const struct nc_hold *a, const struct nc_hold *b)
{
	return a->owner == b->owner && a->pid == b->pid && a->start == b->start;
}

/* What the session holds so far; nothing when it is new or its owner is gone. */
static int read_before(int home, int locks, const struct nc_hold *wanted, struct nc_hold *ret, struct nacre_error *err)
{
	NC_AUTO_HOLD struct nc_hold before = { 0 };
	int code = read_hold(home, wanted->session, &before, err);
	if (code < 0)
		return code == NACRE_E_NOTFOUND ? 0 : code;
	/* of two handles, ours has the lock: the other is gone */
	bool dead = (before.owner == NC_HOLD_HANDLE && wanted->owner == NC_HOLD_HANDLE) || !is_alive(locks, &before);
	if (!same_owner(&before, wanted))
		return dead ? 0 : nc_fail(err, NACRE_E_EXISTS, 0, "session '%s' is there and has another owner",
					  wanted->session);
	*ret = before;
	before = (struct nc_hold){ 0 };
	return 0;
}

/* Adds IDs to the session's file. added: those that were not in it. */
static int enter(struct nacre_store *store, int home, int locks, struct nc_hold *hold,
		 const struct nc_hold *ids, struct nc_hold *added, struct nacre_error *err)
{
	NC_AUTO_HOLD struct nc_hold before = { 0 };
	int code = read_before(home, locks, hold, &before, err);
	for (size_t i = 0; code == 0 && i < before.count; i++)
		code = add_id(hold, before.ids[i], err);
	for (size_t i = 0; code == 0 && i < ids->count; i++) {
		if (find_id(hold, ids->ids[i]) < hold->count)
			continue;
		code = add_id(hold, ids->ids[i], err);
		if (code == 0)
			code = add_id(added, ids->ids[i], err);
	}
	return code < 0 ? code : write_hold(store, home, hold, err);
}

/* Takes IDs out of the session's file; with the last one it goes. */
static int leave(struct nacre_store *store, int home, const char *session, const struct nc_hold *ids,
		 struct nacre_error *err)
{
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	int code = read_hold(home, session, &hold, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < ids->count; i++)
		drop_id(&hold, ids->ids[i]);
	if (hold.count)
		return write_hold(store, home, &hold, err);
	code = remove_hold(store, home, session, err);
	int sessions = atomic_load(&store->sessions);
	if (code == 0 && sessions >= 0)
		nc_session_let_go(sessions, session);
	return code;
}

/* Whether all are there; one whose removal is under way is waited for. */
static int look_at(struct nacre_store *store, int locks, const struct nc_hold *ids, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; code == 0 && i < ids->count; i++) {
		code = nc_lock_id(locks, ids->ids[i], NC_LOCK_SHARED, true, err);
		if (code == 0 && !nc_node_exists(store, ids->ids[i]))
			code = nc_fail(err, NACRE_E_NOTFOUND, 0, "no node has the ID %s", ids->ids[i]);
		nc_unlock_id(locks, ids->ids[i]);
	}
	return code;
}

/* The lock of a session that did not come about. */
static void settle(struct nacre_store *store, int home, const struct nc_hold *wanted)
{
	NC_AUTO_HOLD struct nc_hold there = { 0 };
	int code = read_hold(home, wanted->session, &there, NULL);
	if (wanted->owner == NC_HOLD_HANDLE &&
	    (code == NACRE_E_NOTFOUND || (code == 0 && !same_owner(&there, wanted))))
		nc_session_let_go(atomic_load(&store->sessions), wanted->session);
}

static int hold_all(struct nacre_store *store, struct nc_hold *hold, const struct nc_hold *ids,
		    struct nacre_error *err)
{
	NC_AUTO_FD int locks = -1;
	NC_AUTO_FD int home = -1;
	NC_AUTO_HOLD struct nc_hold added = { 0 };
	strcpy(added.session, hold->session);
	int code = nc_locks_open(store, &locks, err);
	if (code == 0)
		code = make_home(store, &home, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_HOLDS, NC_LOCK_EXCLUSIVE, true, err);
	if (code == 0)
		code = enter(store, home, locks, hold, ids, &added, err);
	if (code < 0 && home >= 0)
		settle(store, home, hold);
	if (code < 0)
		return code;
	code = look_at(store, locks, &added, err);
	if (code < 0)
		leave(store, home, hold->session, &added, NULL);
	return code;
}

static int name_session(const char *wanted, struct nc_hold *hold, struct nacre_error *err)
{
	if (!wanted)
		return nc_random_hex(hold->session, 16, err);
	if (!is_session(wanted))
		return nc_fail(err, NACRE_E_INVALID, 0,
			       "'%.80s' is no session: up to %d letters, digits, '_', '.' and '-'", wanted,
			       NACRE_SESSION_MAX - 1);
	strcpy(hold->session, wanted);
	return 0;
}

/* --- public ----------------------------------------------------------------------------------------------------- */

int nacre_hold(struct nacre_store *store, const char *session, const char *const *what, size_t count,
	       const struct nacre_hold_options *options, char *ret_session, struct nacre_error *err)
{
	struct nacre_hold_options mine = { .size = sizeof mine };
	NC_AUTO_HOLD struct nc_hold hold = { 0 };
	NC_AUTO_HOLD struct nc_hold ids = { 0 };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = name_session(session, &hold, err);
	if (code == 0 && !count)
		code = nc_fail(err, NACRE_E_INVALID, 0, "session '%s': hold what?", hold.session);
	for (size_t i = 0; code == 0 && i < count; i++) {
		char id[NC_HEX_ID];
		code = nc_store_resolve_node(store, what[i], id, err);
		if (code == 0)
			code = add_id(&ids, id, err);
	}
	if (code == 0)
		code = take_owner(store, &mine, &hold, err);
	if (code == 0)
		code = hold_all(store, &hold, &ids, err);
	if (code == 0 && ret_session)
		strcpy(ret_session, hold.session);
	return code;
}

static int release_locked(struct nacre_store *store, int home, const char *session, const char *id,
			  struct nacre_error *err)
{
	NC_AUTO_HOLD struct nc_hold ids = { 0 };
	struct stat st;
	if (id) {
		int code = add_id(&ids, id, err);
		return code < 0 ? code : leave(store, home, session, &ids, err);
	}
	/* a damaged one too */
	if (fstatat(home, session, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no session '%s'", session);
	int code = remove_hold(store, home, session, err);
	int sessions = atomic_load(&store->sessions);
	if (code == 0 && sessions >= 0)
		nc_session_let_go(sessions, session);
	return code;
}

int nacre_release(struct nacre_store *store, const char *session, const char *what, struct nacre_error *err)
{
	NC_AUTO_FD int locks = -1;
	NC_AUTO_FD int home = -1;
	struct nc_hold named = { 0 };
	char id[NC_HEX_ID];
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = name_session(session, &named, err);
	if (code == 0 && what)
		code = nc_store_resolve_node(store, what, id, err);
	if (code == 0)
		code = nc_locks_open(store, &locks, err);
	if (code == 0 && open_home(store, &home, NULL) == NACRE_E_NOTFOUND)
		code = nc_fail(err, NACRE_E_NOTFOUND, 0, "there is no session '%s'", session);
	if (code == 0 && home < 0)
		code = open_home(store, &home, err);
	if (code == 0)
		code = nc_lock_whole(locks, NC_LOCK_HOLDS, NC_LOCK_EXCLUSIVE, true, err);
	return code < 0 ? code : release_locked(store, home, named.session, what ? id : NULL, err);
}

int nacre_held(struct nacre_store *store, const char *what, char *ret_session, struct nacre_error *err)
{
	char id[NC_HEX_ID], session[NACRE_SESSION_MAX];
	int code = nc_store_resolve_node(store, what, id, err);
	if (code == 0)
		code = nc_held_by(store, id, session, err);
	if (code > 0 && ret_session)
		strcpy(ret_session, session);
	return code;
}

struct callback {
	int (*fn)(void *ctx, const struct nacre_hold_info *info);
	void *ctx;
};

static int tell(void *ctx, const struct nc_hold *hold, struct nacre_error *err)
{
	const struct callback *callback = ctx;
	NC_AUTO_FREE const char **ids = nc_realloc_array(NULL, hold->count + 1, sizeof *ids);
	if (!ids)
		return nc_nomem(err);
	for (size_t i = 0; i < hold->count; i++)
		ids[i] = hold->ids[i];
	ids[hold->count] = NULL;
	struct nacre_hold_info info = { .session = hold->session, .ids = ids, .pid = hold->pid,
					.persistent = hold->owner == NC_HOLD_PERSISTENT };
	if (callback->fn(callback->ctx, &info) < 0)
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	return 0;
}

int nacre_holds_each(struct nacre_store *store, int (*fn)(void *ctx, const struct nacre_hold_info *info), void *ctx,
		     struct nacre_error *err)
{
	return nc_holds_visit(store, tell, &(struct callback){ fn, ctx }, err);
}
