/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection to postgated: a request out, answers in. */
#ifndef POSTGATE_CONTROL_CLI_CLIENT_H
#define POSTGATE_CONTROL_CLI_CLIENT_H

#include <stddef.h>

#include <jansson.h>

struct client;

int client_connect(const char *path, struct client **out); /* 0 or -errno */
/* One that is connected already (test): taken over. */
int client_adopt(int fd, struct client **out);
void client_close(struct client *c);

int client_send(struct client *c, const char *command, const json_t *args); /* 0 or -errno */
/* The next object; -ENOTCONN: the daemon closed, -EPROTO: not JSON, -EINTR: a signal came. */
int client_receive(struct client *c, json_t **out);

#endif
