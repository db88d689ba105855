/* SPDX-License-Identifier: BSD-3-Clause */
/* Every outcome that the gateway layer counts, by the operator's name. */
#ifndef POSTGATE_DATAPLANE_GATEWAY_COUNTERS_H
#define POSTGATE_DATAPLANE_GATEWAY_COUNTERS_H

#define GATEWAY_COUNTERS(X)                                             \
	X(SESSIONS_ACCEPTED, "sessions_accepted")                       \
	X(SESSIONS_CLOSED, "sessions_closed")                           \
	X(SESSIONS_REFUSED_POOL, "sessions_refused_pool")               \
	X(SESSIONS_REFUSED_LISTENER, "sessions_refused_listener_limit") \
	X(SESSIONS_REFUSED_CLIENT, "sessions_refused_client_limit")     \
	X(SESSIONS_REFUSED_DRAINING, "sessions_refused_draining")       \
	X(SESSIONS_RESET, "sessions_reset_by_client")                   \
	X(SESSIONS_LOST, "sessions_lost")                               \
	X(SESSIONS_TIMEOUT_COMMAND, "sessions_timeout_command")         \
	X(SESSIONS_TIMEOUT_BODY, "sessions_timeout_body")               \
	X(SESSIONS_TIMEOUT_TLS, "sessions_timeout_tls")                 \
	X(SESSIONS_TIMEOUT_CLOSE, "sessions_timeout_close")             \
	X(SESSIONS_NO_BUFFER, "sessions_aborted_no_buffer")             \
	X(BYTES_IN, "bytes_from_clients")                               \
	X(BYTES_OUT, "bytes_to_clients")                                \
	X(TLS_IN_STARTED, "tls_downstream_started")                     \
	X(TLS_IN_OK, "tls_downstream_ok")                               \
	X(TLS_IN_RESUMED, "tls_downstream_resumed")                     \
	X(TLS_IN_FAILED, "tls_downstream_failed")                       \
	X(TLS_IN_TRUNCATED, "tls_downstream_truncated")                 \
	X(TLS_IN_INJECTION, "starttls_injection_downstream")            \
	X(TLS_OUT_STARTED, "tls_upstream_started")                      \
	X(TLS_OUT_OK, "tls_upstream_ok")                                \
	X(TLS_OUT_RESUMED, "tls_upstream_resumed")                      \
	X(TLS_OUT_VERIFIED, "tls_upstream_verified")                    \
	X(TLS_OUT_FAILED, "tls_upstream_failed")                        \
	X(TLS_OUT_NOT_OFFERED, "tls_upstream_not_offered")              \
	X(TLS_OUT_REFUSED, "tls_upstream_refused")                      \
	X(TLS_OUT_FALLBACK, "tls_upstream_fallback_plain")              \
	X(TLS_OUT_INJECTION, "starttls_injection_upstream")             \
	X(TLS_OUT_DOWNGRADE, "tls_upstream_level_not_met")              \
	X(MAIL, "transactions")                                         \
	X(DELIVERED, "messages_delivered")                              \
	X(DELIVERED_TLS, "messages_delivered_client_tls")               \
	X(REFUSED, "messages_refused_by_next_hop")                      \
	X(POLICY, "messages_refused_by_policy")                         \
	X(DEFERRED, "messages_deferred")                                \
	X(UNKNOWN, "messages_outcome_unknown")                          \
	X(ABORTED, "messages_aborted_by_client")                        \
	X(BAD_BODY, "messages_bad_body")                                \
	X(CLIENT_GONE, "messages_client_gone_after_dot")                \
	X(BODY_BYTES, "message_bytes")                                  \
	X(RCPT_ACCEPTED, "recipients_accepted")                         \
	X(RCPT_REFUSED, "recipients_refused")                           \
	X(BDAT_TRANSLATED, "bdat_translated_to_data")                   \
	X(UPSTREAM_CONNECTS, "upstream_connects")                       \
	X(UPSTREAM_CONNECTED, "upstream_connected")                     \
	X(UPSTREAM_REUSED, "upstream_reused")                           \
	X(UPSTREAM_FAILOVER, "upstream_failovers")                      \
	X(UPSTREAM_RETRY, "upstream_retries_stale")                     \
	X(UPSTREAM_NO_POOL, "upstream_refused_pool")                    \
	X(UPSTREAM_CONNECT_FAILED, "upstream_connect_failed")           \
	X(UPSTREAM_LOST, "upstream_lost")                               \
	X(UPSTREAM_TIMEOUT, "upstream_timeouts")                        \
	X(UPSTREAM_SHUTDOWN, "upstream_421")                            \
	X(UPSTREAM_PROTOCOL, "upstream_protocol_errors")                \
	X(UPSTREAM_IDLE_CLOSED, "upstream_idle_closed")                 \
	X(NO_NEXT_HOP, "no_next_hop")                                   \
	X(BUDGET_EXPIRED, "command_budget_expired")                     \
	X(HEALTH_OK, "health_checks_ok")                                \
	X(HEALTH_FAILED, "health_checks_failed")

enum gateway_counter {
#define X(id, name) GATEWAY_C_##id,
	GATEWAY_COUNTERS(X)
#undef X
		GATEWAY_COUNTER_COUNT
};

#endif
