/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NTP over UDP (RFC 5905), as a client speaks it with a server.
 *
 * Versions 3 and 4, modes client and server; an answer belongs to a request
 * that was let pass, by its origin time stamp and both ends, and is taken
 * once. Behind the 48 octets: nothing, a MAC or crypto-NAK by its known
 * length, or extension fields of NTS (RFC 8915) in version 4. Everything else
 * is refused: symmetric and broadcast modes, and the control and private ones
 * (6, 7), which read and change a server.
 *
 * The language has no name for it: carrier flow.open, one leaf `opaque` with
 * app "ntp".
 */
#ifndef DISSECTORS_NET_NTP_H
#define DISSECTORS_NET_NTP_H

#include "dissectors/dissector.h"

#define NTP_PORT    123
#define NTP_HEADER  48
#define NTP_EXT_MAX 16 /* extension fields of one message */

struct ntp_message {
	bool answer;
	uint8_t version, stratum;
	uint8_t extensions;
	uint8_t mac; /* octets: 0, 4 (crypto-NAK), 20 or 24 */
	uint64_t origin, transmit;
};

int ntp_read(struct ntp_message *m, struct span in, struct err *e)
	__attribute__((warn_unused_result));

extern const struct dissector dissector_ntp;

#endif
