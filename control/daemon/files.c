/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/tls.h"

static int files_open(const char *path, struct stat *st, char *err, size_t err_size)
{
	int fd, rc;

	/* Not blocking: a FIFO in place of a file must not hold up the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, st) < 0) {
		rc = -errno;
		snprintf(err, err_size, "cannot read %s: %s", path, strerror(-rc));
	} else if (!S_ISREG(st->st_mode)) {
		rc = -EINVAL;
		snprintf(err, err_size, "%s is not a regular file", path);
	} else if (st->st_size > FILES_SIZE_MAX) {
		rc = -EFBIG;
		snprintf(err, err_size, "%s has more than %d octets", path, FILES_SIZE_MAX);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int files_slurp(
	int fd, const char *path, size_t size, char **data, size_t *len, char *err, size_t err_size)
{
	char *buf = malloc(size + 1);
	size_t done = 0;
	ssize_t n = 1;

	if (buf == NULL) {
		snprintf(err, err_size, "out of memory");
		return -ENOMEM;
	}
	while (done < size && n != 0) {
		n = read(fd, buf + done, size - done);
		if (n < 0 && errno != EINTR) {
			int rc = -errno;

			snprintf(err, err_size, "cannot read %s: %s", path, strerror(errno));
			explicit_bzero(buf, size);
			free(buf);
			return rc;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	buf[done] = '\0';
	*data = buf;
	*len = done;
	return 0;
}

int files_read(const char *path, char **data, size_t *len, char *err, size_t err_size)
{
	struct stat st;
	int fd = files_open(path, &st, err, err_size), rc;

	if (fd < 0)
		return fd;
	rc = files_slurp(fd, path, (size_t)st.st_size, data, len, err, err_size);
	close(fd);
	return rc;
}

int files_read_pem(
	const char *path, bool secret, struct config_pem *out, char *err, size_t err_size)
{
	struct config_pem pem = {0};
	struct stat st;
	int fd, rc;

	if (path[0] != '/' || strlen(path) >= sizeof(pem.path) || strpbrk(path, "\r\n\t") != NULL) {
		snprintf(err, err_size, "%s is not an absolute path",
			path[0] ? path : "an empty value");
		return -EINVAL;
	}
	fd = files_open(path, &st, err, err_size);
	if (fd < 0)
		return fd;
	if (secret && (st.st_mode & S_IROTH)) {
		snprintf(err, err_size, "%s may be read by everybody (mode %04o): chmod o-r it",
			path, st.st_mode & 07777);
		rc = -EPERM;
	} else {
		rc = files_slurp(fd, path, (size_t)st.st_size, &pem.data, &pem.len, err, err_size);
	}
	close(fd);
	if (rc < 0)
		return rc;
	strcpy(pem.path, path);
	*out = pem;
	return 0;
}

void files_free_pem(struct config_pem *pem)
{
	if (pem->data != NULL)
		explicit_bzero(pem->data, pem->len);
	free(pem->data);
	pem->data = NULL;
	pem->len = 0;
}

int files_check_keypair(const struct config_pem *chain, const struct config_pem *key,
	time_t *not_before, time_t *not_after, char *err, size_t err_size)
{
	struct tls_keypair pair = {
		.chain = {.data = chain->data, .len = chain->len, .name = chain->path},
		.key = {.data = key->data, .len = key->len, .name = key->path},
	};

	int rc = tls_keypair_check(&pair, not_before, not_after, err, err_size);

	return rc == -EKEYEXPIRED || rc == -EKEYREJECTED ? 0 : rc;
}

int files_check_ca(const struct config_pem *ca, char *err, size_t err_size)
{
	struct tls_pem pem = {.data = ca->data, .len = ca->len, .name = ca->path};

	return tls_ca_check(&pem, err, err_size);
}
