/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	int fd;
	char *buf;
	size_t len, room;
	size_t seen; /* octets without a newline */
};

int client_adopt(int fd, struct client **out)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	*out = c;
	return 0;
}

int client_connect(const char *path, struct client **out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return client_adopt(fd, out);
}

void client_close(struct client *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	free(c->buf);
	free(c);
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int client_send(struct client *c, const char *command, const json_t *args)
{
	json_t *request = json_pack("{s:s, s:O}", "command", command, "args", args);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int rc = text ? send_all(c->fd, text, strlen(text)) : -ENOMEM;

	if (rc == 0)
		rc = send_all(c->fd, "\n", 1);
	json_decref(request);
	free(text);
	return rc;
}

int client_receive(struct client *c, json_t **out)
{
	char *newline;
	size_t used;
	ssize_t n;

	while (c->len == 0 ||
		(newline = memchr(c->buf + c->seen, '\n', c->len - c->seen)) == NULL) {
		c->seen = c->len;
		if (c->room - c->len < 16384) {
			char *buf = realloc(c->buf, c->room * 2 + 32768);

			if (buf == NULL)
				return -ENOMEM;
			c->buf = buf;
			c->room = c->room * 2 + 32768;
		}
		n = recv(c->fd, c->buf + c->len, c->room - c->len, 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOTCONN;
		c->len += (size_t)n;
	}
	used = (size_t)(newline - c->buf) + 1;
	*out = json_loadb(c->buf, used - 1, 0, NULL);
	memmove(c->buf, c->buf + used, c->len - used);
	c->len -= used;
	c->seen = 0;
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return -EPROTO;
}
