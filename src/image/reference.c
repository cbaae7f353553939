/* The grammar, after distribution's reference package:
 *
 *   reference  = name [ ":" tag ] [ "@" digest ]
 *   name       = [ domain "/" ] component { "/" component }
 *   domain     = ( label { "." label } | "[" ipv6 "]" ) [ ":" port ]
 *   label      = letters, digits and inner hyphens
 *   component  = alnum { separator alnum }        alnum = [a-z0-9]+, separator = "." | "_" | "__" | "-"+
 *   tag        = [A-Za-z0-9_] { [A-Za-z0-9_.-] }, at most 128 characters
 *
 * What stands before the first slash is a domain when it has a dot or a colon or is "localhost"; otherwise it belongs
 * to the path, and the domain is docker.io. */
#include "image/reference.h"

#include "io/digest.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL "library/"
#define NAME_MAX_BYTES 255	/* domain, slash and path */
#define TAG_MAX_BYTES 128

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

static bool is_path_alnum(char c)
{
	return is_lower(c) || is_digit(c);
}

bool nc_tag_valid(const char *tag)
{
	size_t len = strlen(tag);
	if (len == 0 || len > TAG_MAX_BYTES || tag[0] == '.' || tag[0] == '-')
		return false;
	for (const char *c = tag; *c; c++)
		if (!is_alnum(*c) && !strchr("_.-", *c))
			return false;
	return true;
}

/* How many bytes at the start of text are a separator between the alphanumeric parts of a component; 0: none. */
static size_t separator_length(const char *text)
{
	switch (text[0]) {
	case '.':
		return 1;
	case '_':
		return text[1] == '_' ? 2 : 1;
	case '-':
		return strspn(text, "-");
	default:
		return 0;
	}
}

static bool path_valid(const char *path)
{
	for (const char *c = path;;) {
		if (!is_path_alnum(*c))
			return false;
		while (is_path_alnum(*c))
			c++;
		if (*c == '\0')
			return true;
		size_t separator = *c == '/' ? 1 : separator_length(c);
		if (separator == 0)
			return false;
		c += separator;
	}
}

static bool port_valid(const char *port)
{
	return port[0] == ':' && port[1] && port[1 + strspn(port + 1, "0123456789")] == '\0';
}

static bool domain_valid(const char *domain)
{
	const char *c = domain;
	if (*c == '[') {
		size_t len = strspn(c + 1, "0123456789abcdefABCDEF:");
		c += 1 + len;
		return len > 0 && *c == ']' && (c[1] == '\0' || port_valid(c + 1));
	}
	for (;;) {
		if (!is_alnum(*c))
			return false;
		while (is_alnum(*c) || *c == '-')
			c++;
		if (c[-1] == '-')
			return false;
		if (*c != '.')
			break;
		c++;
	}
	return *c == '\0' || port_valid(c);
}

/* Whether the first n bytes of a name, which a slash follows, are a domain. */
static bool names_domain(const char *name, size_t n)
{
	return memchr(name, '.', n) || memchr(name, ':', n) || (n == 9 && memcmp(name, "localhost", 9) == 0);
}

bool nc_reference_has_host(const char *text)
{
	const char *slash = strchr(text, '/');
	return slash && names_domain(text, (size_t)(slash - text));
}

static bool is_hex_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == 64 && text[64] == '\0';
}

/* A repository of such a name and a tag of hexadecimal digits could not be told from a digest. */
static bool is_algorithm(const char *text)
{
	return strcmp(text, "sha256") == 0 || strcmp(text, "sha384") == 0 || strcmp(text, "sha512") == 0;
}

static int bad(struct nacre_error *err, const char *text, const char *reason)
{
	return nc_fail(err, NACRE_E_INVALID, 0, "'%.300s' is not an image name: %s", text, reason);
}

/* The part of a checked path that is shown: without "library/" on docker.io. */
static const char *official_name(const char *path)
{
	size_t len = strlen(OFFICIAL);
	return strncmp(path, OFFICIAL, len) == 0 && !strchr(path + len, '/') ? path + len : path;
}

/* name: the text without tag and digest. */
static int split_name(const char *text, const char *name, struct nc_reference *ret, struct nacre_error *err)
{
	const char *slash = strchr(name, '/'), *path = name;
	snprintf(ret->domain, sizeof ret->domain, "%s", DEFAULT_DOMAIN);
	if (slash && slash - name > NAME_MAX_BYTES)
		return bad(err, text, "the part before the first slash has more than 255 characters");
	if (slash && names_domain(name, (size_t)(slash - name))) {
		snprintf(ret->domain, sizeof ret->domain, "%.*s", (int)(slash - name), name);
		path = slash + 1;
		if (!domain_valid(ret->domain))
			return bad(err, text, "not a host name before the first slash");
	}
	for (char *c = ret->domain; *c; c++)
		if (is_upper(*c))
			*c = (char)(*c - 'A' + 'a');
	if (strcmp(ret->domain, LEGACY_DOMAIN) == 0)
		snprintf(ret->domain, sizeof ret->domain, "%s", DEFAULT_DOMAIN);
	for (const char *c = path; *c; c++)
		if (is_upper(*c))
			return bad(err, text, "the repository must be lowercase");
	if (!path_valid(path))
		return bad(err, text, "a repository is made of a-z, 0-9, and single separators between them");
	bool is_default = strcmp(ret->domain, DEFAULT_DOMAIN) == 0;
	const char *official = is_default && !strchr(path, '/') ? OFFICIAL : "";
	int len = snprintf(ret->path, sizeof ret->path, "%s%s", official, path);
	if (len < 0 || (size_t)len >= sizeof ret->path || strlen(ret->domain) + 1 + (size_t)len > NAME_MAX_BYTES)
		return bad(err, text, "the repository has more than 255 characters");
	if (is_default && is_hex_id(official_name(ret->path)))
		return bad(err, text, "64 hexadecimal digits are an ID");
	if (is_default && is_algorithm(official_name(ret->path)))
		return bad(err, text, "it would read as a digest");
	return 0;
}

/* Cuts the digest and then the tag off name, which is changed. */
static int split_suffixes(const char *text, char *name, struct nc_reference *ret, struct nacre_error *err)
{
	char *at = strchr(name, '@');
	if (at) {
		struct nc_digest digest;
		*at = '\0';
		int code = nc_digest_parse(at + 1, &digest, err);
		if (code < 0)
			return nc_wrap(err, code, "'%.200s' is not an image name", text);
		nc_digest_text(&digest, ret->digest);
	}
	char *slash = strrchr(name, '/');
	char *colon = strchr(slash ? slash : name, ':');
	if (colon) {
		*colon = '\0';
		if (!nc_tag_valid(colon + 1))
			return bad(err, text, "a tag is 1 to 128 of A-Z a-z 0-9 _ . - and begins with neither . nor -");
		snprintf(ret->tag, sizeof ret->tag, "%s", colon + 1);
	}
	return 0;
}

int nc_reference_parse_bare(const char *text, struct nc_reference *ret, struct nacre_error *err)
{
	char name[NC_REFERENCE_TEXT];
	struct nc_reference reference = { 0 };
	size_t len = strlen(text);
	if (len == 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "an empty text is not an image name");
	if (len >= sizeof name)
		return bad(err, text, "too long");
	memcpy(name, text, len + 1);
	int code = split_suffixes(text, name, &reference, err);
	if (code == 0)
		code = split_name(text, name, &reference, err);
	if (code < 0)
		return code;
	*ret = reference;
	return 0;
}

int nc_reference_parse(const char *text, struct nc_reference *ret, struct nacre_error *err)
{
	int code = nc_reference_parse_bare(text, ret, err);
	if (code == 0 && !ret->tag[0] && !ret->digest[0])
		snprintf(ret->tag, sizeof ret->tag, "latest");
	return code;
}

static void add_suffixes(const struct nc_reference *reference, char *ret)
{
	size_t used = strlen(ret);
	snprintf(ret + used, NC_REFERENCE_TEXT - used, "%s%s%s%s", reference->tag[0] ? ":" : "", reference->tag,
		 reference->digest[0] ? "@" : "", reference->digest);
}

const char *nc_reference_full(const struct nc_reference *reference, char *ret)
{
	snprintf(ret, NC_REFERENCE_TEXT, "%s/%s", reference->domain, reference->path);
	add_suffixes(reference, ret);
	return ret;
}

const char *nc_reference_repository(const struct nc_reference *reference, char *ret)
{
	const char *path = reference->path;
	const char *slash = strchr(path, '/');
	/* without its domain, docker.io/a.b/c would read as c on the host a.b */
	bool ambiguous = slash && names_domain(path, (size_t)(slash - path));
	if (strcmp(reference->domain, DEFAULT_DOMAIN) == 0 && !ambiguous)
		snprintf(ret, NC_REFERENCE_TEXT, "%s", official_name(path));
	else
		snprintf(ret, NC_REFERENCE_TEXT, "%s/%s", reference->domain, path);
	return ret;
}

const char *nc_reference_short(const struct nc_reference *reference, char *ret)
{
	nc_reference_repository(reference, ret);
	add_suffixes(reference, ret);
	return ret;
}
