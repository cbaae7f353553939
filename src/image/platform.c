/* Platforms in Go's words, and which of an index's images runs where. */
#include "image/manifest.h"

#include "image/config.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define PLATFORMS_SHOWN 8	/* in the message when none fits */

struct alias {
	const char *from, *architecture, *variant;
};

/* What others than Go call the architectures: uname's machine, Debian's names, and Docker's old ones. */
static const struct alias aliases[] = {
	{ "x86_64", "amd64", "" },   { "x86-64", "amd64", "" },	   { "i386", "386", "" },     { "i486", "386", "" },
	{ "i586", "386", "" },	     { "i686", "386", "" },	   { "x86", "386", "" },      { "aarch64", "arm64", "v8" },
	{ "aarch64_be", "arm64be", "" }, { "armv8l", "arm", "v8" }, { "armv7l", "arm", "v7" }, { "armv7hl", "arm", "v7" },
	{ "armv6l", "arm", "v6" },   { "armv6hl", "arm", "v6" },   { "armv5tel", "arm", "v5" },
	{ "armv5tejl", "arm", "v5" }, { "armhf", "arm", "v7" },	   { "armel", "arm", "v6" },  { "loongarch64", "loong64", "" },
};

static const char *const operating_systems[] = {
	"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix", "plan9",
	"android", "js", "wasip1", "wasi", "ios", "zos",
};

static bool is_word(const char *text)
{
	return text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

static bool is_operating_system(const char *text)
{
	for (size_t i = 0; i < sizeof operating_systems / sizeof *operating_systems; i++)
		if (strcmp(operating_systems[i], text) == 0)
			return true;
	return false;
}

/* Puts Go's words for the architecture in place. A variant that was given stays. */
static void rename_architecture(struct nc_platform *platform)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		if (strcmp(aliases[i].from, platform->architecture) != 0)
			continue;
		snprintf(platform->architecture, sizeof platform->architecture, "%s", aliases[i].architecture);
		if (!platform->variant[0])
			snprintf(platform->variant, sizeof platform->variant, "%s", aliases[i].variant);
		return;
	}
}

int nc_platform_parse(const char *text, struct nc_platform *ret, struct nacre_error *err)
{
	struct nc_platform platform = { 0 };
	char *const parts[] = { platform.os, platform.architecture, platform.variant };
	const size_t room = sizeof platform.os; /* of each */
	const char *at = text;
	size_t n = 0;
	for (; n < 3; n++) {
		size_t len = strcspn(at, "/");
		if (len >= room)
			return nc_fail(err, NACRE_E_INVALID, 0, "platform '%.200s': a part is longer than %zu bytes",
				       text, room - 1);
		for (size_t i = 0; i < len; i++)
			parts[n][i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] - 'A' + 'a') : at[i];
		if (!is_word(parts[n]))
			return nc_fail(err, NACRE_E_INVALID, 0, "platform '%.200s' is not OS[/ARCHITECTURE[/VARIANT]]",
				       text);
		at += len;
		if (*at == '\0')
			break;
		at++;
	}
	if (n == 3)
		return nc_fail(err, NACRE_E_INVALID, 0, "platform '%.200s' has more than three parts", text);
	if (n == 0 && !is_operating_system(platform.os))
		return nc_fail(err, NACRE_E_INVALID, 0, "platform '%.200s' is not an operating system (OS/ARCHITECTURE)",
			       text);
	if (n == 0) {
		struct nc_platform host;
		nc_platform_host(&host);
		memcpy(platform.architecture, host.architecture, room);
		memcpy(platform.variant, host.variant, room);
	}
	rename_architecture(&platform);
	*ret = platform;
	return 0;
}

void nc_platform_host(struct nc_platform *ret)
{
	struct nc_platform host = { .os = "linux" };
	struct utsname names;
	if (uname(&names) == 0)
		snprintf(host.architecture, sizeof host.architecture, "%.63s", names.machine);
	/* uname does not tell these two by their byte order */
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && strncmp(host.architecture, "mips", 4) == 0)
		strncat(host.architecture, "le", sizeof host.architecture - strlen(host.architecture) - 1);
	rename_architecture(&host);
	*ret = host;
}

const char *nc_platform_text(const struct nc_platform *platform, char *ret)
{
	bool variant = platform->architecture[0] && platform->variant[0];
	snprintf(ret, 256, "%s%s%s%s%s", platform->os, platform->architecture[0] ? "/" : "", platform->architecture,
		 variant ? "/" : "", variant ? platform->variant : "");
	return ret;
}

/* The number of a variant "v8" or "8", that of the architecture's first one when unsaid; -1: not of this form. */
static int variant_number(const char *architecture, const char *variant)
{
	if (!variant[0]) {
		if (strcmp(architecture, "arm") == 0)
			return 7;
		return strcmp(architecture, "arm64") == 0 ? 8 : strcmp(architecture, "amd64") == 0 ? 1 : -1;
	}
	const char *digits = variant + (variant[0] == 'v');
	if (strlen(digits) != 1 || digits[0] < '0' || digits[0] > '9')
		return -1;
	return digits[0] - '0';
}

/* How well an image for offered runs on wanted: 0 not at all, more is better. A processor of these families runs what
 * was made for an earlier variant. */
static int match(const struct nc_platform *wanted, const struct nc_platform *offered)
{
	struct nc_platform a = *wanted, b = *offered;
	rename_architecture(&a);
	rename_architecture(&b);
	if (strcmp(a.os, b.os) != 0 || strcmp(a.architecture, b.architecture) != 0)
		return 0;
	if (a.os_version[0] && strcmp(a.os_version, b.os_version) != 0)
		return 0;
	int wants = variant_number(a.architecture, a.variant);
	int has = variant_number(b.architecture, b.variant);
	bool ordered = strcmp(a.architecture, "arm") == 0 || strcmp(a.architecture, "arm64") == 0 ||
		       strcmp(a.architecture, "amd64") == 0;
	if (ordered && wants >= 0 && has >= 0)
		return has <= wants ? has + 1 : 0;
	return strcmp(a.variant, b.variant) == 0;
}

static bool is_attestation(const struct nc_descriptor *item)
{
	return item->has_platform && strcmp(item->platform.os, "unknown") == 0 &&
	       strcmp(item->platform.architecture, "unknown") == 0;
}

static int none_fits(const struct nc_manifest *index, const struct nc_platform *wanted, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf there = NC_BUF_INIT(4096);
	char text[256];
	size_t shown = 0;
	int code = 0;
	for (size_t i = 0; i < index->item_count && code == 0; i++) {
		if (is_attestation(&index->items[i]))
			continue;
		if (shown++ == PLATFORMS_SHOWN) {
			code = nc_buf_add_text(&there, ", …", err);
			break;
		}
		const char *name = index->items[i].has_platform ? nc_platform_text(&index->items[i].platform, text)
								: "one without a platform";
		code = nc_buf_addf(&there, err, "%s%s", shown > 1 ? ", " : "", name);
	}
	if (code < 0)
		return code;
	return nc_fail(err, NACRE_E_NOTFOUND, 0, "no image for platform %s; there %s %s", nc_platform_text(wanted, text),
		       shown == 1 ? "is" : "are", shown ? nc_buf_text(&there) : "none");
}

int nc_index_choose(const struct nc_manifest *index, const struct nc_platform *wanted, struct nacre_error *err)
{
	size_t best = 0, images = 0, last = 0;
	int best_match = 0;
	for (size_t i = 0; i < index->item_count; i++) {
		const struct nc_descriptor *item = &index->items[i];
		if (is_attestation(item))
			continue;
		images++;
		last = i;
		int how_well = item->has_platform ? match(wanted, &item->platform) : 0;
		if (how_well > best_match) {
			best = i;
			best_match = how_well;
		}
	}
	if (best_match > 0)
		return (int)best;
	if (images == 1 && !index->items[last].has_platform)
		return (int)last;
	return none_fits(index, wanted, err);
}

int nc_platform_check(const struct nc_config *config, const struct nc_platform *wanted, struct nacre_error *err)
{
	struct nc_descriptor item = { .has_platform = true };
	snprintf(item.platform.os, sizeof item.platform.os, "%s", config->os);
	snprintf(item.platform.architecture, sizeof item.platform.architecture, "%s", config->architecture);
	snprintf(item.platform.variant, sizeof item.platform.variant, "%s", config->variant);
	struct nc_manifest index = { .kind = NC_DOC_INDEX, .items = &item, .item_count = 1 };
	int code = nc_index_choose(&index, wanted, err);
	return code < 0 ? code : 0;
}
