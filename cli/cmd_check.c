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
	{ .letter = 'q', .name = "quiet", .help = "print nothing; the exit code tells" },
	OPTION_FORMAT,
	OPTION_JSON,
	{ .name = NULL },
};

/* What was found, for people at once, for programs in the end. */
struct report {
	json_t *findings;	/* NULL: as text */
	bool quiet;
};

static void as_text(const struct nacre_finding *finding)
{
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
	json_array_append_new(report->findings, fact);
}

static json_t *fact_of(const struct nacre_checked *checked, json_t *findings)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "nodes", json_size(checked->nodes));
	json_object_set_new(fact, "names", json_size(checked->names));
	json_object_set_new(fact, "blobs", json_size(checked->blobs));
	json_object_set(fact, "findings", findings);
	return fact;
}

static void print_plain(const struct nacre_checked *checked)
{
	if (checked->findings)
		outf("%" PRIu64 " findings.\n", checked->findings);
	else
		outf("Sound: %" PRIu64 " nodes, %" PRIu64 " names, %" PRIu64 " blobs.\n", checked->nodes, checked->names,
		     checked->blobs);
}

static int run(struct app *app, const struct args *args)
{
	bool facts = args_flag(args, "json") || args_text(args, "format");
	struct report report = { .findings = facts ? json_array() : NULL, .quiet = args_flag(args, "quiet") };
	struct nacre_checked checked = { .nodes = 0 };
	struct nacre_error err = { .code = 0 };
	struct progress *progress;
	int code = app_open(app, APP_READ);

	if (code == EXIT_DONE) {
		progress = progress_new("none");
		code = nacre_check(app->store,
				   &(struct nacre_check_options){
					   .size = sizeof(struct nacre_check_options),
					   .finding = on_finding,
					   .finding_ctx = &report,
					   .progress = progress_hook(progress),
				   },
				   &checked, &err);
		progress_free(progress, false);
		if (code < 0)
			code = app_fail(app, code, &err);
		else
			code = code > 0 ? EXIT_BADDATA : EXIT_DONE;
		if (code != EXIT_DONE && code != EXIT_BADDATA)
			facts = false;
		else if (facts)
			value_print(app, args, fact_of(&checked, report.findings));
		else if (!report.quiet)
			print_plain(&checked);
	}
	json_decref(report.findings);
	return code;
}

const struct command cmd_check = {
	.name = "check",
	.operands = "",
	.summary = "look for damage in the store",
	.details = "Ends with 65 when something was found. Writes nothing, and works while others\n"
		   "use the store.",
	.example = "nacre check --json",
	.options = options,
	.min = 0,
	.max = 0,
	.run = run,
};
