/* Progress as Docker's clients read it: an object a line. */
#ifndef CLI_PROGRESS_JSON_H
#define CLI_PROGRESS_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* {"status":…,"progressDetail":{"current":…,"total":…},"progress":"[==>  ] 1 MB/2 MB","id":…}; total 0 is unknown. ended:
 * the step is over, and progressDetail empty. id "" is left out. free(). */
char *progress_json_step(const char *status, bool ended, uint64_t current, uint64_t total, const char *id);
/* {"errorDetail":{"message":…},"error":…}. free(). */
char *progress_json_error(const char *message);
/* The bar's text: what is done, and where the total is known a bar of 50 before it. free(). */
char *progress_json_bar(uint64_t current, uint64_t total);

#endif
