#include <nacre/nacre.h>

const char *nacre_code_text(int code)
{
	switch ((enum nacre_code)code) {
	case NACRE_E_INVALID: return "invalid request";
	case NACRE_E_BADDATA: return "bad data";
	case NACRE_E_CORRUPT: return "store damaged";
	case NACRE_E_NOTFOUND: return "not found";
	case NACRE_E_EXISTS: return "exists already";
	case NACRE_E_AMBIGUOUS: return "ambiguous";
	case NACRE_E_INUSE: return "in use";
	case NACRE_E_BUSY: return "busy";
	case NACRE_E_DIGEST: return "digest mismatch";
	case NACRE_E_LIMIT: return "limit exceeded";
	case NACRE_E_NOSPACE: return "no space left";
	case NACRE_E_IO: return "input/output failure";
	case NACRE_E_NOMEM: return "out of memory";
	case NACRE_E_UNSUPPORTED: return "not supported";
	case NACRE_E_AUTH: return "authentication failed";
	case NACRE_E_REMOTE: return "remote failure";
	case NACRE_E_CANCELLED: return "cancelled";
	case NACRE_E_DENIED: return "permission denied";
	case NACRE_E_UNSET: return "not set";
	}
	return code >= 0 ? "done" : "unknown failure";
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *nacre_version(void)
{
	return VERSION_TEXT(NACRE_VERSION_MAJOR, NACRE_VERSION_MINOR, NACRE_VERSION_PATCH);
}
