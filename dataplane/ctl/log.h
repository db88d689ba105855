/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines of the control thread (and of main.c): DPDK's log under "postgate.ctl". */
#ifndef POSTGATE_DATAPLANE_CTL_LOG_H
#define POSTGATE_DATAPLANE_CTL_LOG_H

#include <rte_log.h>

extern int ctl_logtype;

#define CTL_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, (uint32_t)ctl_logtype, "ctl: " fmt "\n" __VA_OPT__(, ) __VA_ARGS__)

#endif
