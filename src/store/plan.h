/* Plans: what a stage is about to do, written into it before anything becomes visible, so that whoever finds the
 * stage dead can finish or undo it.
 *
 * A plan is the file "plan" in the stage, lines of text:
 *
 *	node ID			graph/ID in the stage goes to graph/ID (in this order: parents first)
 *	blob HEX		blobs/HEX goes to blobs/sha256/HEX
 *	document ID HEX		documents/ID.HEX goes to graph/ID/manifests/HEX (of an image that was there)
 *	whole ID HEX		documents/ID.HEX.whole goes to graph/ID/manifests/HEX.whole (likewise)
 *	first ID		documents/ID.manifest goes to graph/ID/manifest, if there is none
 *	name N FULLNAME		names/N goes to names/…
 *	unname FULLNAME		the name is to be removed
 *
 * Once everything in the stage is durable, "plan" is renamed to "commit": from then on the plan is carried out, by
 * its maker or by an heir. A stage without "commit" is undone, but what it has already moved into place stays: that
 * only happens in removals, which keep no "commit" and work the other way round. */
#ifndef NC_STORE_PLAN_H
#define NC_STORE_PLAN_H

#include "base/error.h"
#include "io/digest.h"

#include <stdbool.h>
#include <stddef.h>

#define NC_PLAN_FILE "plan"
#define NC_PLAN_COMMIT "commit"
/* How the names of lists end that keep what an index names (whole.h). */
#define NC_WHOLE ".whole"

enum nc_step_kind {
	NC_STEP_NODE,
	NC_STEP_BLOB,
	NC_STEP_DOCUMENT,
	NC_STEP_WHOLE,
	NC_STEP_FIRST,
	NC_STEP_NAME,
	NC_STEP_UNNAME
};

struct nc_step {
	enum nc_step_kind kind;
	char id[NC_HEX_ID];		/* NODE, DOCUMENT, WHOLE, FIRST */
	char hex[NC_HEX_ID];		/* BLOB, DOCUMENT, WHOLE */
	unsigned number;		/* NAME */
	char *name;			/* NAME, UNNAME; owned; else NULL */
};

struct nc_plan {
	struct nc_step *steps;
	size_t count, cap;
};
#define NC_AUTO_PLAN __attribute__((cleanup(nc_plan_release)))

/* Copies the step; step->name too. */
int nc_plan_add(struct nc_plan *plan, const struct nc_step *step, struct nacre_error *err);
int nc_plan_add_node(struct nc_plan *plan, const char *id, struct nacre_error *err);
int nc_plan_add_unname(struct nc_plan *plan, const char *full, struct nacre_error *err);
void nc_plan_clear(struct nc_plan *plan);
void nc_plan_release(struct nc_plan *plan);

/* Names and documents alone: a handful of small files. */
bool nc_plan_is_light(const struct nc_plan *plan);

/* Write it as the file "plan" of a stage that has none. No sync. */
int nc_plan_write(const struct nc_plan *plan, int stage, struct nacre_error *err);
/* Read the file. A last line without its end is left out. NACRE_E_NOTFOUND; NACRE_E_CORRUPT. */
int nc_plan_read(int stage, const char *file, struct nc_plan *ret, struct nacre_error *err);
/* Remove it, before the rest of a stage goes: half a stage with a whole plan would be misread. */
void nc_plan_forget(int stage);

#endif
