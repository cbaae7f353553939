/* libcurl, loaded when a registry is first spoken to: commands that need no network never pay for it, and without the
 * library everything else works. Only its header is needed to build. */
#ifndef NC_TRANSPORT_CURL_H
#define NC_TRANSPORT_CURL_H

#include "base/error.h"

#include <curl/curl.h>

struct nc_curl {
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	CURLcode (*easy_pause)(CURL *easy, int bitmask);
	const char *(*easy_strerror)(CURLcode code);
	void (*easy_reset)(CURL *easy);
	void (*easy_cleanup)(CURL *easy);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_perform)(CURLM *multi, int *running);
	CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned count, int timeout_ms, int *ready);
	CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
	const char *(*multi_strerror)(CURLMcode code);
	CURLMcode (*multi_cleanup)(CURLM *multi);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
	CURLU *(*url)(void);
	void (*url_cleanup)(CURLU *url);
	CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **ret, unsigned flags);
	CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
	void (*free)(void *pointer);
};

/* The table; it lives as long as the process. NACRE_E_UNSUPPORTED when there is no usable libcurl.so.4. Thread-safe. */
int nc_curl_load(const struct nc_curl **ret, struct nacre_error *err);

#endif
