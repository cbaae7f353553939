/* The ranges of ROOT/lock. An ID is the byte at its first 15 hex digits (60 bits), a blob the byte 2^60 above, and
 * what is one thing for the whole store the first bytes from 2^61 on; a session is the byte at a sum of its name above
 * 2^62. Two IDs that share a byte only wait for one
 * another. */
#include "store/inner.h"

#include <errno.h>
#include <fcntl.h>

#define ID_DIGITS 15
#define BLOBS ((uint64_t)1 << 60)
#define WHOLES ((uint64_t)1 << 61)
#define SESSIONS ((uint64_t)1 << 62)

int nc_locks_open(struct nacre_store *store, int *ret_fd, struct nacre_error *err)
{
	int fd = openat(store->root, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open the store's locks");
	*ret_fd = fd;
	return 0;
}

static uint64_t place_of(const char *hex)
{
	uint64_t place = 0;
	for (int i = 0; i < ID_DIGITS; i++)
		place = place << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	return place;
}

int nc_lock_id(int fd, const char *id, enum nc_lock_kind kind, bool wait, struct nacre_error *err)
{
	int code = nc_lock_take(fd, kind, place_of(id), 1, wait, err);
	return code < 0 ? nc_wrap(err, code, "node %.12s", id) : 0;
}

int nc_lock_id_wait(int fd, const char *id, enum nc_lock_kind kind, const volatile int *cancel,
		    struct nacre_error *err)
{
	int code = nc_lock_wait(fd, kind, place_of(id), 1, cancel, err);
	return code < 0 ? nc_wrap(err, code, "node %.12s", id) : 0;
}

void nc_unlock_id(int fd, const char *id)
{
	nc_lock_release(fd, place_of(id), 1);
}

bool nc_id_taken(int fd, const char *id)
{
	return nc_lock_held(fd, NC_LOCK_SHARED, place_of(id), 1);
}

int nc_lock_blob(int fd, const char *hex, enum nc_lock_kind kind, bool wait, struct nacre_error *err)
{
	int code = nc_lock_take(fd, kind, BLOBS + place_of(hex), 1, wait, err);
	return code < 0 ? nc_wrap(err, code, "blob %.12s", hex) : 0;
}

void nc_unlock_blob(int fd, const char *hex)
{
	nc_lock_release(fd, BLOBS + place_of(hex), 1);
}

int nc_lock_whole(int fd, enum nc_lock_whole what, enum nc_lock_kind kind, bool wait, struct nacre_error *err)
{
	return nc_lock_take(fd, kind, WHOLES + what, 1, wait, err);
}

void nc_unlock_whole(int fd, enum nc_lock_whole what)
{
	nc_lock_release(fd, WHOLES + what, 1);
}

bool nc_lock_whole_held(int fd, enum nc_lock_whole what)
{
	return nc_lock_held(fd, NC_LOCK_EXCLUSIVE, WHOLES + what, 1);
}

/* FNV-1a of the name, cut to 60 bits. */
static uint64_t place_of_session(const char *session)
{
	uint64_t sum = 0xcbf29ce484222325;
	for (; *session; session++)
		sum = (sum ^ (unsigned char)*session) * 0x100000001b3;
	return SESSIONS + (sum >> 4);
}

int nc_session_take(int fd, const char *session, struct nacre_error *err)
{
	return nc_lock_take(fd, NC_LOCK_EXCLUSIVE, place_of_session(session), 1, false, err);
}

void nc_session_let_go(int fd, const char *session)
{
	nc_lock_release(fd, place_of_session(session), 1);
}

bool nc_session_taken(int fd, const char *session)
{
	return fd >= 0 && nc_lock_held(fd, NC_LOCK_SHARED, place_of_session(session), 1);
}
