/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every counter of TCP, one table: X(name). A segment that is not used up by its connection counts
 * in exactly one tcp_drop_*. The names are the operator's; they only ever get added to.
 */
#ifndef POSTGATE_DATAPLANE_TCP_COUNTERS_H
#define POSTGATE_DATAPLANE_TCP_COUNTERS_H

#define TCP_COUNTERS(X)                        \
	X(segs_in)                             \
	X(segs_out)                            \
	X(bytes_in)                            \
	X(bytes_out)                           \
	X(pure_acks_out)                       \
	X(rst_in)                              \
	X(rst_out)                             \
	X(rst_limited)                         \
	/* connections */                      \
	X(active_opens)                        \
	X(passive_opens)                       \
	X(accepted)                            \
	X(connected)                           \
	X(simultaneous_opens)                  \
	X(closed_in_order)                     \
	X(closed_reset)                        \
	X(closed_refused)                      \
	X(closed_timeout)                      \
	X(closed_keepalive)                    \
	X(closed_unreachable)                  \
	X(closed_no_resources)                 \
	X(closed_aborted)                      \
	X(time_wait_entered)                   \
	X(time_wait_reused)                    \
	X(time_wait_evicted)                   \
	/* admission */                        \
	X(refused_conn_pool)                   \
	X(refused_mbuf_reserve)                \
	X(refused_listener_limit)              \
	X(refused_recv_budget)                 \
	X(refused_by_application)              \
	X(port_exhausted)                      \
	X(no_route)                            \
	X(no_tx_mbuf)                          \
	X(no_ctl_mbuf)                         \
	X(no_send_record)                      \
	X(lower_failed)                        \
	/* handshake */                        \
	X(syn_in)                              \
	X(syn_ack_out)                         \
	X(syn_ack_retransmits)                 \
	X(syn_retransmits)                     \
	X(syn_expired)                         \
	X(syn_cookies_entered)                 \
	X(syn_cookies_left)                    \
	X(syn_cookies_sent)                    \
	X(syn_cookies_valid)                   \
	X(syn_cookies_invalid)                 \
	/* dropped segments, by reason */      \
	X(drop_short)                          \
	X(drop_bad_offset)                     \
	X(drop_bad_flags)                      \
	X(drop_bad_port)                       \
	X(drop_land)                           \
	X(drop_no_listener)                    \
	X(drop_no_connection)                  \
	X(drop_listener_full)                  \
	X(drop_bad_seq)                        \
	X(drop_bad_ack)                        \
	X(drop_no_ack)                         \
	X(drop_paws)                           \
	X(drop_rst_bad_seq)                    \
	X(drop_syn_in_window)                  \
	X(drop_old_duplicate)                  \
	X(drop_beyond_window)                  \
	X(drop_after_fin)                      \
	X(drop_after_close)                    \
	X(drop_ooo_limit)                      \
	X(drop_rx_mbufs)                       \
	X(drop_recv_budget)                    \
	X(drop_time_wait)                      \
	X(drop_time_wait_rst)                  \
	X(drop_syn_received)                   \
	X(drop_fin_mismatch)                   \
	/* answers to what may be an attack */ \
	X(challenge_acks)                      \
	X(challenge_acks_limited)              \
	X(bad_options)                         \
	X(urgent_ignored)                      \
	X(mss_floor)                           \
	X(paws_no_timestamp)                   \
	X(overlap_first_wins)                  \
	/* receiving */                        \
	X(ooo_queued)                          \
	X(coalesced)                           \
	X(dup_acks_out)                        \
	X(dsack_out)                           \
	X(window_updates_out)                  \
	X(zero_window_out)                     \
	X(recv_buffer_grown)                   \
	X(keepalive_probes)                    \
	/* recovery */                         \
	X(retransmits)                         \
	X(rto_fired)                           \
	X(fast_recoveries)                     \
	X(sack_recoveries)                     \
	X(sack_blocks_in)                      \
	X(sack_invalid)                        \
	X(sack_reneged)                        \
	X(dsack_in)                            \
	X(rack_lost)                           \
	X(rack_timer)                          \
	X(rack_reordering)                     \
	X(tlp_probes)                          \
	X(tlp_repaired)                        \
	X(limited_transmit)                    \
	X(undo_timestamps)                     \
	X(undo_dsack)                          \
	X(undo_frto)                           \
	X(persist_probes)                      \
	X(ecn_ce_in)                           \
	X(ecn_reductions)                      \
	X(ecn_sessions)                        \
	X(idle_restarts)                       \
	X(paced)                               \
	/* ICMP and path MTU */                \
	X(icmp_in)                             \
	X(icmp_no_connection)                  \
	X(icmp_bad_seq)                        \
	X(icmp_soft)                           \
	X(icmp_hard)                           \
	X(pmtu_lowered)                        \
	X(pmtu_raised)                         \
	X(pmtu_floor)                          \
	X(pmtu_black_hole)

enum tcp_counter {
#define X(name) TCP_C_##name,
	TCP_COUNTERS(X)
#undef X
		TCP_COUNTER_COUNT
};

#endif
