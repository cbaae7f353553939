/* What load, copy and import have in common. */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "app.h"

#include <nacre/nacre.h>

#define OPTION_PLATFORM { .name = "platform", .arg = "OS/ARCH", .help = "pick this platform, not the machine's own" }
#define OPTION_KEEP_IDS { .name = "keep-ids", .help = "old archives: keep the IDs they claim" }
#define OPTION_BLOBS { .name = "blobs", .arg = "MODE", .help = "keep or drop compressed layers", \
		       .choices = "keep|drop" }
#define OPTION_COMPRESSION { .name = "compression", .arg = "KIND", .choices = "auto|none|gzip|zstd", \
			     .help = "of layers written: auto, none, gzip or zstd" }
#define OPTION_QUIET_TRANSFER { .letter = 'q', .name = "quiet", .help = "print IDs only, no progress" }

/* Of --blobs and --compression; NULL gives the default. */
enum nacre_blobs blobs_of(const char *text);
enum nacre_compression compression_of(const char *text);
/* The mode for progress_new: -q silences unless --progress says otherwise. */
const char *progress_mode(const struct args *args);

/* Report what arrived as --json, -q or "VERB image: NAME" lines; args has json and quiet. */
int print_copied(struct app *app, const struct args *args, const struct nacre_copied *copied, const char *verb);

#endif
