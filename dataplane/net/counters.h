/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every outcome of a packet step. The names are the operator's (`postgatectl stats`); a name that
 * says why a packet went no further is a drop.
 */
#ifndef POSTGATE_DATAPLANE_NET_COUNTERS_H
#define POSTGATE_DATAPLANE_NET_COUNTERS_H

#define NET_COUNTERS(X)                 \
	/* Ethernet */                  \
	X(eth_rx)                       \
	X(eth_tx)                       \
	X(eth_truncated)                \
	X(eth_bad_source)               \
	X(eth_not_for_us)               \
	X(eth_unknown_vlan)             \
	X(eth_unknown_type)             \
	X(eth_no_interface)             \
	X(eth_no_headroom)              \
	/* exception path */            \
	X(exception_out)                \
	/* ARP */                       \
	X(arp_rx_request)               \
	X(arp_rx_reply)                 \
	X(arp_tx_request)               \
	X(arp_tx_reply)                 \
	X(arp_tx_announce)              \
	X(arp_truncated)                \
	X(arp_malformed)                \
	X(arp_off_link)                 \
	X(arp_conflict)                 \
	X(arp_not_our_target)           \
	/* neighbour discovery */       \
	X(nd_rx_solicit)                \
	X(nd_rx_advert)                 \
	X(nd_tx_solicit)                \
	X(nd_tx_advert)                 \
	X(nd_tx_announce)               \
	X(nd_truncated)                 \
	X(nd_hop_limit)                 \
	X(nd_malformed)                 \
	X(nd_bad_option)                \
	X(nd_off_link)                  \
	X(nd_not_our_target)            \
	X(nd_conflict)                  \
	X(nd_ignored)                   \
	X(mld_rx_query)                 \
	X(mld_tx_report)                \
	X(mld_malformed)                \
	/* neighbour table */           \
	X(neigh_created)                \
	X(neigh_evicted)                \
	X(neigh_expired)                \
	X(neigh_changed)                \
	X(neigh_full)                   \
	X(neigh_held)                   \
	X(neigh_hold_full)              \
	X(neigh_unresolved)             \
	X(neigh_unreachable)            \
	X(neigh_flushed)                \
	/* IPv4 */                      \
	X(ip4_rx)                       \
	X(ip4_tx)                       \
	X(ip4_truncated)                \
	X(ip4_bad_version)              \
	X(ip4_bad_header_length)        \
	X(ip4_bad_length)               \
	X(ip4_bad_checksum)             \
	X(ip4_bad_option)               \
	X(ip4_source_route)             \
	X(ip4_martian_source)           \
	X(ip4_broadcast)                \
	X(ip4_not_local)                \
	X(ip4_wrong_interface)          \
	X(ip4_link_broadcast)           \
	X(ip4_unknown_protocol)         \
	/* IPv6 */                      \
	X(ip6_rx)                       \
	X(ip6_tx)                       \
	X(ip6_truncated)                \
	X(ip6_bad_version)              \
	X(ip6_bad_length)               \
	X(ip6_martian_source)           \
	X(ip6_multicast)                \
	X(ip6_not_local)                \
	X(ip6_wrong_interface)          \
	X(ip6_link_multicast)           \
	X(ip6_link_local_tcp)           \
	X(ip6_ext_truncated)            \
	X(ip6_ext_too_many)             \
	X(ip6_ext_order)                \
	X(ip6_ext_bad_option)           \
	X(ip6_ext_routing)              \
	X(ip6_no_next_header)           \
	X(ip6_unknown_protocol)         \
	/* fragments */                 \
	X(frag_rx)                      \
	X(frag_reassembled)             \
	X(frag_bad_length)              \
	X(frag_too_big)                 \
	X(frag_tiny)                    \
	X(frag_nested)                  \
	X(frag_discarded)               \
	X(frag_expired)                 \
	/* TCP's share of this layer */ \
	X(tcp_in)                       \
	X(tcp_truncated)                \
	X(tcp_bad_checksum)             \
	/* ICMP and ICMPv6 */           \
	X(icmp_rx_echo)                 \
	X(icmp_tx_echo_reply)           \
	X(icmp_rx_error)                \
	X(icmp_tx_error)                \
	X(icmp_truncated)               \
	X(icmp_bad_checksum)            \
	X(icmp_bad_quote)               \
	X(icmp_quote_not_ours)          \
	X(icmp_quote_not_tcp)           \
	X(icmp_ignored)                 \
	X(icmp_rate_limited)            \
	X(icmp_suppressed)              \
	/* output */                    \
	X(out_no_route)                 \
	X(out_too_big)                  \
	X(out_bad_address)              \
	X(out_no_headroom)              \
	X(out_no_tso)                   \
	X(out_no_mbuf)                  \
	X(out_fragments)

enum net_counter {
#define X(name) NET_C_##name,
	NET_COUNTERS(X)
#undef X
		NET_C_COUNT
};

#endif
