/* What load, copy and import have in common. */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "app.h"
#include "progress.h"

#include <nacre/nacre.h>

#define OPTION_PLATFORM { .name = "platform", .arg = "OS/ARCH", .help = "pick this platform, not the machine's own" }
#define OPTION_ALL_PLATFORMS { .name = "all-platforms", .help = "every image of the index, and the index whole" }
#define OPTION_KEEP_IDS { .name = "keep-ids", .help = "old archives: keep the IDs they claim" }
#define OPTION_BLOBS { .name = "blobs", .arg = "MODE", .help = "keep or drop compressed layers", \
		       .choices = "keep|drop" }
#define OPTION_COMPRESSION { .name = "compression", .arg = "KIND", .choices = "auto|none|gzip|zstd", \
			     .help = "of layers written: auto, none, gzip or zstd" }
#define OPTION_QUIET_TRANSFER { .letter = 'q', .name = "quiet", .help = "print IDs only, no progress" }

/* Of --blobs; NULL gives the default. */
enum nacre_blobs blobs_of(const char *text);
/* Of --compression; NULL gives the default. */
enum nacre_compression compression_of(const char *text);
/* The mode for progress_new: -q silences unless --progress says otherwise. */
const char *progress_mode(const struct args *args);

/* The options that commands which copy share, as far as this one has them; and the hook of progress. */
struct nacre_copy_options copy_options(const struct args *args, struct progress *progress);
/* Report what arrived as --json, -q or "VERB image: NAME" lines (verb NULL: say nothing), or the failure that code and
 * err tell, and end progress. copied is freed. */
int finish_copy(struct app *app, const struct args *args, struct progress *progress, int code, struct nacre_copied *copied,
		const struct nacre_error *err, const char *verb);

#endif
