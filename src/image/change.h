/* Lines of a Dockerfile that change the runtime's part of a config, as "docker import --change" takes them. */
#ifndef NC_IMAGE_CHANGE_H
#define NC_IMAGE_CHANGE_H

#include "base/error.h"

#include <jansson.h>

/* One line: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME or WORKDIR in any case, then white space (or
 * "=", as podman has it) and the value. config is an object with the fields of an OCI config ("Env", "Cmd", …) and is
 * changed. $NAME and ${NAME} stand for what earlier lines put into Env. NACRE_E_INVALID with the line and the reason;
 * config may then be changed in part. */
int nc_change_apply(json_t *config, const char *line, struct nacre_error *err);

#endif
