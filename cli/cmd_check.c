#include "commands.h"

#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "out.h"
#include "progress.h"
#include "transfer.h"

#include <inttypes.h>
#include <string.h>

static const struct option_spec options[] = {
	{ .name = "full", .help = "read every layer and blob, too" },
	{ .name = "repair", .help = "mend what can be mended" },
	{ .name = "from", .arg = "PLACE", .help = "with --repair: mend layers from there (repeatable)", .many = true },
	{ .name = "rebuild", .help = "make the catalog anew" },
	{ .letter = 'q', .name = "quiet", .help = "print nothing; the exit code tells" },
	OPTION_PROGRESS,
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

/* What was found, for people at once, for programs in the end. */
struct report {
	json_t *findings;	/* NULL: as text */
	bool quiet;
	bool looked;		/* to the end */
};

static const char *const states[] = {
	[NACRE_FOUND] = "found",
	[NACRE_REPAIRED] = "repaired",
	[NACRE_SET_ASIDE] = "set aside",
};

static void as_text(const struct nacre_finding *finding)
{
	if (finding->state != NACRE_FOUND)
		outf("%s: ", states[finding->state]);
	outf("%s: ", finding->kind);
	if (finding->id[0])
		outf("%.12s: ", finding->id);
	if (finding->path[0])
		outf("%s: ", finding->path);
	out_foreign(finding->text);
	out_text("\n");
}

static void on_finding(void *ctx, const struct nacre_finding *finding)
{
	struct report *report = ctx;
	json_t *fact;

	if (!report->findings) {
		if (!report->quiet)
			as_text(finding);
		return;
	}
	fact = json_object();
	json_object_set_new(fact, "kind", json_text(finding->kind));
	json_object_set_new(fact, "id", finding->id[0] ? json_text(finding->id) : json_null());
	json_object_set_new(fact, "path", finding->path[0] ? json_text(finding->path) : json_null());
	json_object_set_new(fact, "text", json_text(finding->text));
	json_object_set_new(fact, "invariant", json_size(finding->invariant));
	json_object_set_new(fact, "state", json_text(states[finding->state]));
	json_array_append_new(report->findings, fact);
}

static json_t *fact_of(const struct nacre_checked *checked, json_t *findings)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "nodes", json_size(checked->nodes));
	json_object_set_new(fact, "names", json_size(checked->names));
	json_object_set_new(fact, "blobs", json_size(checked->blobs));
	json_object_set_new(fact, "repaired", json_size(checked->repaired));
	json_object_set_new(fact, "set_aside", json_size(checked->set_aside));
	json_object_set_new(fact, "aside", json_size(checked->aside));
	json_object_set(fact, "findings", findings);
	return fact;
}

static void print_plain(const struct nacre_checked *checked)
{
	if (checked->repaired || checked->set_aside)
		outf("%" PRIu64 " repaired, %" PRIu64 " set aside.\n", checked->repaired, checked->set_aside);
	if (checked->findings)
		outf("%" PRIu64 " findings.\n", checked->findings);
	else
		outf("Sound: %" PRIu64 " nodes, %" PRIu64 " names, %" PRIu64 " blobs.\n", checked->nodes, checked->names,
		     checked->blobs);
	if (checked->aside)
		outf("%" PRIu64 " files lie in aside/.\n", checked->aside);
}

/* What a place has of the layers that are in the store; one that fails leaves the others. It may have had what nobody sees
 * to be missing without reading every layer: that it failed is said by the exit status, too. */
static int mend_from(struct app *app, const struct args *args, struct progress *progress, int *ret_failed)
{
	const char *const *place = args_texts(args, "from");
	struct nacre_copy_options copying = {
		.size = sizeof(copying),
		.all_images = true,
		.repair = NACRE_REPAIR_ONLY,
		.progress = progress_hook(progress),
	};

	for (; place && *place; place++) {
		struct nacre_error err = { .code = 0 };
		int code = nacre_copy(app->store, *place, "graph:", &copying, NULL, &err);

		if (code == NACRE_E_CANCELLED || code == NACRE_E_NOMEM || code == NACRE_E_NOSPACE)
			return app_fail(app, code, &err);
		if (code < 0) {
			app_warn(app, "from '%s': %s", *place, err.msg);
			*ret_failed = EXIT_FAILED;
		}
	}
	return EXIT_DONE;
}

static unsigned flags_of(const struct args *args)
{
	return (args_flag(args, "full") ? NACRE_CHECK_FULL : 0u) | (args_flag(args, "repair") ? NACRE_CHECK_REPAIR : 0u) |
	       (args_flag(args, "rebuild") ? NACRE_CHECK_REBUILD : 0u);
}

static int check(struct app *app, const struct args *args, struct report *report, struct nacre_checked *checked)
{
	struct progress *progress = progress_new(progress_mode(args));
	struct nacre_error err = { .code = 0 };
	int failed = EXIT_DONE;
	int code = mend_from(app, args, progress, &failed);

	if (code == EXIT_DONE) {
		code = nacre_check(app->store,
				   &(struct nacre_check_options){
					   .size = sizeof(struct nacre_check_options),
					   .flags = flags_of(args),
					   .finding = on_finding,
					   .finding_ctx = report,
					   .progress = progress_hook(progress),
				   },
				   checked, &err);
		progress_free(progress, code >= 0 && args_flag(args, "full"));
		report->looked = code >= 0;
		return code < 0 ? app_fail(app, code, &err) : checked->findings ? EXIT_BADDATA : failed;
	}
	progress_free(progress, false);
	return code;
}

static int run(struct app *app, const struct args *args)
{
	bool facts = args_flag(args, "json") || args_text(args, "format");
	struct report report = { .findings = facts ? json_array() : NULL, .quiet = args_flag(args, "quiet") };
	struct nacre_checked checked = { .nodes = 0 };
	bool writes = args_flag(args, "repair") || args_flag(args, "rebuild");
	int code;

	if (args_texts(args, "from") && args_texts(args, "from")[0] && !args_flag(args, "repair"))
		return app_usage(app, "--from goes with --repair");
	code = app_open(app, writes ? APP_CHANGE : APP_READ);
	if (code == EXIT_DONE)
		code = check(app, args, &report, &checked);
	if (report.looked && facts)
		value_print(app, args, fact_of(&checked, report.findings));
	else if (report.looked && !report.quiet)
		print_plain(&checked);
	json_decref(report.findings);
	return code;
}

const struct command cmd_check = {
	.name = "check",
	.operands = "",
	.summary = "look for damage in the store, and mend it",
	.details = "Ends with 65 when something is found and remains. Without --repair and --rebuild\n"
		   "nothing is written. Works while others use the store.",
	.example = "nacre check --full\n"
		   "nacre check --repair --from oci:backup",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
