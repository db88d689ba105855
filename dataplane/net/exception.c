/* SPDX-License-Identifier: BSD-3-Clause */
/* What is not ours: whole frames to whoever takes them (the kernel, by a TAP). */
#include "dataplane/net/internal.h"

#include <rte_ether.h>

void exception_input(
	struct net *n, struct rte_mbuf *m, const struct net_rx *rx, enum net_counter reason)
{
	/* A copy that came by another worker has been handed over there. */
	if (n->upper.exception == NULL || rx->spread) {
		net_drop(n, m, reason);
		return;
	}
	/* The kernel must see the tag that the device took off. */
	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) && rte_vlan_insert(&m) != 0) {
		net_drop(n, m, reason);
		return;
	}
	net_count(n, NET_C_exception_out);
	n->upper.exception(n->upper.arg, rx->port_id, m);
}
