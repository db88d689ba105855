/* SPDX-License-Identifier: BSD-3-Clause */
/* One line a segment, as tcpdump would. */
#ifndef POSTGATE_TESTS_SIM_TRACE_H
#define POSTGATE_TESTS_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

/* `tcp` starts at the TCP header, `len` bytes with the payload. Returns buf. */
const char *sim_trace_segment(const uint8_t *tcp, uint32_t len, char *buf, size_t size);
/* Where the TCP header of an Ethernet frame starts, 0: it has none. */
uint32_t sim_trace_frame_tcp(const uint8_t *frame, uint32_t len);

#endif
