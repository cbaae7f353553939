/* Files and directories outside the store that appear under their names only when they are whole. */
#ifndef NC_TRANSPORT_OUTFILE_H
#define NC_TRANSPORT_OUTFILE_H

#include "base/error.h"
#include "base/mem.h"

#include <limits.h>
#include <stdbool.h>

/* A path of the caller's as the directory it lies in and its last part. */
struct nc_outplace {
	int dir;
	char name[NAME_MAX + 1];
};
int nc_outplace_open(const char *path, struct nc_outplace *ret, struct nacre_error *err);
void nc_outplace_release(struct nc_outplace *place);

/* A new file in a directory, without a name where the file system has such files, else with a hidden one. */
struct nc_outfile {
	int dir;			/* borrowed */
	int fd;
	char temporary[48];		/* "" while it has no name */
};
int nc_outfile_open(int dir, struct nc_outfile *ret, struct nacre_error *err);
/* Gives it its name; what has it already is replaced at once, or, when replace is false, stays (returns 1). sync: the
 * file is made durable first (its directory is not). */
int nc_outfile_publish(struct nc_outfile *file, const char *name, bool replace, bool sync, struct nacre_error *err);
void nc_outfile_release(struct nc_outfile *file);

/* ".nacre-" and 32 random digits: a name for what is not whole yet. */
void nc_temporary_name(char ret[48]);

/* The one time that everything written has: SOURCE_DATE_EPOCH, or 0. */
long long nc_output_time(void);

#endif
