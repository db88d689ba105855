/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/port_internal.h"

static const char *const counter_names[PORT_C_COUNT] = {
#define X(name) [PORT_C_##name] = #name,
	PORT_COUNTERS(X)
#undef X
};

int port_stats_create(struct port *p)
{
	int count = rte_eth_xstats_get_names(p->devices[0], NULL, 0);

	if (count <= 0)
		return 0;
	p->xstat_names = rte_zmalloc("port_stats", (size_t)count * sizeof(*p->xstat_names), 0);
	p->xstats = rte_zmalloc("port_stats", (size_t)count * sizeof(*p->xstats), 0);
	if (p->xstat_names == NULL || p->xstats == NULL)
		return -ENOMEM;
	if (rte_eth_xstats_get_names(p->devices[0], p->xstat_names, (unsigned int)count) == count)
		p->xstat_count = (uint32_t)count;
	return 0;
}

size_t port_counter_count(const struct port *p)
{
	return PORT_C_COUNT + p->xstat_count;
}

const char *port_counter_name(const struct port *p, size_t i)
{
	if (i < PORT_C_COUNT)
		return counter_names[i];
	return i - PORT_C_COUNT < p->xstat_count ? p->xstat_names[i - PORT_C_COUNT].name : NULL;
}

void port_counter_values(const struct port *p, uint64_t *values)
{
	memset(values, 0, port_counter_count(p) * sizeof(*values));
	for (uint16_t w = 0; w < p->worker_count; w++) {
		for (size_t c = 0; c < PORT_C_COUNT; c++)
			values[c] += __atomic_load_n(&p->worker[w].counters[c], __ATOMIC_RELAXED);
	}
	if (p->xstat_count == 0)
		return;
	for (uint16_t d = 0; d < p->device_count; d++) {
		int n = rte_eth_xstats_get(p->devices[d], p->xstats, p->xstat_count);

		for (int i = 0; i < n && i < (int)p->xstat_count; i++) {
			if (p->xstats[i].id < p->xstat_count)
				values[PORT_C_COUNT + p->xstats[i].id] += p->xstats[i].value;
		}
	}
}

void port_pool_level(const struct port *p, uint16_t worker, uint32_t *free, uint32_t *size)
{
	*free = rte_mempool_avail_count(p->worker[worker].pool);
	*size = p->worker[worker].pool->size;
}
