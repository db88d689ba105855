/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers as they are on the wire, all fields in network byte order. Packed, because nothing that
 * comes from a network is aligned for sure; named after the RFCs' figures.
 */
#ifndef POSTGATE_DATAPLANE_NET_WIRE_H
#define POSTGATE_DATAPLANE_NET_WIRE_H

#include <stdint.h>

#define WIRE_PACKED __attribute__((packed))

#define ETHERTYPE_IPV4_ 0x0800
#define ETHERTYPE_ARP_  0x0806
#define ETHERTYPE_VLAN_ 0x8100
#define ETHERTYPE_IPV6_ 0x86dd
#define ETHER_MAC_SIZE  6
#define VLAN_ID_MASK    0x0fff

struct wire_eth {
	uint8_t dst[ETHER_MAC_SIZE];
	uint8_t src[ETHER_MAC_SIZE];
	uint16_t type;
} WIRE_PACKED;

struct wire_vlan {
	uint16_t tci;
	uint16_t type;
} WIRE_PACKED;

/* RFC 826, for Ethernet and IPv4. */
struct wire_arp {
	uint16_t hrd;
	uint16_t pro;
	uint8_t hln;
	uint8_t pln;
	uint16_t op;
	uint8_t sha[ETHER_MAC_SIZE];
	uint32_t spa;
	uint8_t tha[ETHER_MAC_SIZE];
	uint32_t tpa;
} WIRE_PACKED;
#define ARP_HRD_ETHERNET 1
#define ARP_OP_REQUEST   1
#define ARP_OP_REPLY     2

/* RFC 791 3.1. */
struct wire_ip4 {
	uint8_t version_ihl;
	uint8_t tos;
	uint16_t len;
	uint16_t id;
	uint16_t frag;
	uint8_t ttl;
	uint8_t proto;
	uint16_t cksum;
	uint32_t src;
	uint32_t dst;
} WIRE_PACKED;
#define IP4_DF         0x4000
#define IP4_MF         0x2000
#define IP4_FRAG_MASK  0x1fff
#define IP4_HEADER_MIN 20

/* RFC 8200 3. */
struct wire_ip6 {
	uint32_t version_class_flow;
	uint16_t payload_len;
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} WIRE_PACKED;

/* RFC 8200 4.3 to 4.6: every extension header but the fragment header starts so. */
struct wire_ip6_ext {
	uint8_t next;
	uint8_t len; /* 8-octet units beyond the first */
} WIRE_PACKED;

struct wire_ip6_routing {
	uint8_t next;
	uint8_t len;
	uint8_t type;
	uint8_t segments_left;
} WIRE_PACKED;

struct wire_ip6_frag {
	uint8_t next;
	uint8_t reserved;
	uint16_t offset; /* 13 bits of 8-octet units, 2 reserved, M */
	uint32_t id;
} WIRE_PACKED;
#define IP6_FRAG_OFFSET_MASK 0xfff8
#define IP6_FRAG_MORE        0x0001

/* RFC 792 and RFC 4443 2.1: common to both. `rest` is identifier and sequence, pointer or MTU. */
struct wire_icmp {
	uint8_t type;
	uint8_t code;
	uint16_t cksum;
	uint32_t rest;
} WIRE_PACKED;

#define ICMP4_ECHO_REPLY       0
#define ICMP4_UNREACHABLE      3
#define ICMP4_SOURCE_QUENCH    4
#define ICMP4_ECHO_REQUEST     8
#define ICMP4_TIME_EXCEEDED    11
#define ICMP4_PARAMETER        12
#define ICMP4_CODE_HOST        1
#define ICMP4_CODE_PROTOCOL    2
#define ICMP4_CODE_PORT        3
#define ICMP4_CODE_FRAG_NEEDED 4

#define ICMP6_UNREACHABLE   1
#define ICMP6_TOO_BIG       2
#define ICMP6_TIME          3
#define ICMP6_PARAMETER     4
#define ICMP6_ECHO_REQUEST_ 128
#define ICMP6_ECHO_REPLY_   129
#define ICMP6_MLD_QUERY     130
#define ICMP6_MLD_REPORT    131
#define ICMP6_RS            133
#define ICMP6_RA            134
#define ICMP6_NS            135
#define ICMP6_NA            136
#define ICMP6_REDIRECT      137
#define ICMP6_MLD2_REPORT   143
#define ICMP6_CODE_ADDRESS  3
#define ICMP6_CODE_PORT     4
#define ICMP6_CODE_HEADER   0
#define ICMP6_CODE_NEXT     1
#define ICMP6_CODE_OPTION   2

/* RFC 3810 5.2.4, without sources. */
struct wire_mld_record {
	uint8_t type;
	uint8_t aux_len;
	uint16_t sources;
	uint8_t group[16];
} WIRE_PACKED;

/* RFC 4861 4.3, 4.4. `flags` is reserved in a solicitation. */
struct wire_nd {
	uint8_t type;
	uint8_t code;
	uint16_t cksum;
	uint32_t flags;
	uint8_t target[16];
} WIRE_PACKED;
#define ND_NA_ROUTER    0x80000000u
#define ND_NA_SOLICITED 0x40000000u
#define ND_NA_OVERRIDE  0x20000000u

/* RFC 4861 4.6.1. */
struct wire_nd_lladdr {
	uint8_t type;
	uint8_t len; /* 8-octet units */
	uint8_t mac[ETHER_MAC_SIZE];
} WIRE_PACKED;
#define ND_OPT_SOURCE_LLADDR 1
#define ND_OPT_TARGET_LLADDR 2

/* RFC 9293 3.1. */
struct wire_tcp {
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint8_t data_off;
	uint8_t flags;
	uint16_t window;
	uint16_t cksum;
	uint16_t urgent;
} WIRE_PACKED;

#endif
