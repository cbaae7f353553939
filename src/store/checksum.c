/* The digest that is noted for a node: the file checksum of 2015, which says what a registry called its layer. */
#include "store/inner.h"

#include <string.h>

#define FILE_NAME "checksum"

/* What stands before the colon, and how many hex digits must follow. */
static const struct {
	const char *name;
	size_t digits;
	bool tarsum_only;
} hashes[] = {
	{ "sha256", 64, false }, { "sha384", 96, false }, { "sha512", 128, false },
	{ "sha224", 56, true },	 { "sha1", 40, true },	  { "md5", 32, true },
};

/* "tarsum[.<version>]+" at the beginning: what follows it; text itself where there is none; NULL where it is cut. */
static const char *behind_tarsum(const char *text)
{
	static const char tarsum[] = "tarsum";
	if (strncmp(text, tarsum, strlen(tarsum)) != 0)
		return text;
	const char *at = text + strlen(tarsum);
	if (*at == '.') {
		size_t version = strspn(++at, "abcdefghijklmnopqrstuvwxyz0123456789");
		if (!version)
			return NULL;
		at += version;
	}
	return *at == '+' ? at + 1 : NULL;
}

static int check(const char *text, struct nacre_error *err)
{
	const char *at = behind_tarsum(text);
	size_t name = at ? strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+.") : 0;
	if (!name || at[name] != ':' || strlen(text) >= NACRE_DIGEST_MAX)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' is no digest: ALGORITHM:HEX is one", text);
	const char *hex = at + name + 1;
	size_t digits = strspn(hex, "0123456789abcdefABCDEF");
	if (!digits || hex[digits])
		return nc_fail(err, NACRE_E_INVALID, 0, "digest '%.100s': hex digits alone follow the colon", text);
	for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
		if (strlen(hashes[i].name) != name || memcmp(hashes[i].name, at, name) != 0 ||
		    (hashes[i].tarsum_only && at == text))
			continue;
		if (digits == hashes[i].digits)
			return 0;
		return nc_fail(err, NACRE_E_INVALID, 0, "digest '%.100s': %s has %zu hex digits, not %zu", text,
			       hashes[i].name, hashes[i].digits, digits);
	}
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "digest '%.100s': the algorithm is not known", text);
}

int nacre_node_set_digest(struct nacre_store *store, const char *id, const char *digest, struct nacre_error *err)
{
	char full[NC_HEX_ID];
	int code = nc_store_writable(store, err);
	if (code == 0)
		code = check(digest, err);
	if (code == 0)
		code = nc_store_resolve_id(store, id, full, err);
	return code < 0 ? code : nc_node_put(store, full, FILE_NAME, digest, strlen(digest), true, err);
}

int nacre_node_digest(struct nacre_store *store, const char *id, char *ret_digest, struct nacre_error *err)
{
	char full[NC_HEX_ID];
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	int code = nc_store_resolve_id(store, id, full, err);
	if (code < 0)
		return code;
	code = nc_node_file(store, full, FILE_NAME, NACRE_DIGEST_MAX, &text, &len, err);
	if (code == NACRE_E_NOTFOUND && nc_node_exists(store, full))
		return nc_fail(err, NACRE_E_UNSET, 0, "no digest is set for node %.12s", full);
	if (code < 0)
		return code;
	if (strlen(text) == len)
		while (len && strchr(" \t\r\n", text[len - 1]))
			text[--len] = '\0';
	struct nacre_error why;
	if (strlen(text) != len || check(text, &why) < 0)
		return nc_fail(err, NACRE_E_CORRUPT, 0, "node %.12s: its checksum is damaged", full);
	memcpy(ret_digest, text, len + 1);
	return 0;
}
