/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts of the gateway's own replies. Codes stand where they are sent. */
#ifndef POSTGATE_DATAPLANE_GATEWAY_REPLY_H
#define POSTGATE_DATAPLANE_GATEWAY_REPLY_H

#define REPLY_BANNER              "ESMTP Postgate"
#define REPLY_TLS_READY           "Ready to start TLS"
#define REPLY_TLS_UNAVAILABLE     "TLS not available due to temporary reason"
#define REPLY_TIMEOUT             "Timeout waiting for client input"
#define REPLY_STARTTLS_FIRST      "Must issue a STARTTLS command first"
#define REPLY_ENCRYPTION_NEEDED   "Encryption needed for mail from this partner"
#define REPLY_NO_NEXT_HOP         "No next hop available, try again later"
#define REPLY_NEXT_HOP_TIMEOUT    "Next hop does not answer in time"
#define REPLY_NEXT_HOP_STALLED    "Next hop takes no more of the message"
#define REPLY_NEXT_HOP_LOST       "Connection to next hop lost"
#define REPLY_NEXT_HOP_UNKNOWN    "Connection to next hop lost after end of data, outcome unknown"
#define REPLY_NEXT_HOP_NO_TLS     "TLS is required for the next hop but was not offered"
#define REPLY_NEXT_HOP_BAD_TLS    "TLS with the next hop failed"
#define REPLY_NEXT_HOP_CHANGED    "Next hop no longer accepts this transaction"
#define REPLY_NEXT_HOP_8BIT       "Next hop cannot take this message's encoding"
#define REPLY_NO_ROUTE            "No route for mail in this direction"
#define REPLY_SHORT_OF_MEMORY     "Insufficient system resources"
#define REPLY_TOO_MANY_RECIPIENTS "Too many recipients"

#endif
