/* SPDX-License-Identifier: BSD-3-Clause */
/* A transport over the kernel's sockets: for any other mail server with the same workload. */
#ifndef POSTGATE_TESTS_LOADGEN_KERNEL_H
#define POSTGATE_TESTS_LOADGEN_KERNEL_H

#include "tests/loadgen/transport.h"

/* 0 or -errno. */
int kernel_create(struct transport **out);

#endif
