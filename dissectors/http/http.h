/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over TCP (RFC 9110, 9112), and oBIX in its bodies (obix.md).
 *
 * The first unit of a message is its head with the first part of its body:
 * all of the body where both fit in a unit and its length is known. The head
 * stands alone when there is no body, when the body is an event stream, or
 * when it leaves no room; a sender that waits for 100 Continue sends the body
 * after a while without (RFC 9110 10.1.1). When lenient its head stands alone,
 * too, with its carrier only; a final answer before any octet of the body makes
 * all that its client sends from then on two-readings. Further units are slices of the
 * body: of oBIX by the cut rule of obix.h, of anything else whatever is there.
 *
 * - oBIX: the carrier is http.request or http.response, its leaves are oBIX.
 * - A request without a body: one leaf of an oBIX kind, `also` http.request.
 * - Else: the carrier is flow.open, the leaf http.request or http.response; a
 *   body that nothing reads is, going out, one leaf `opaque` beside it.
 * - A unit behind the first has CONTINUES on its carrier, the one that ends
 *   the message has LAST. BODY: octets of the whole body, where known.
 *
 * BODY counts the query of a request, too, and what a head says beyond
 * HEAD_ROOM_OUT or _IN: that is one leaf `opaque` beside the message, with the
 * query where it goes out, but for the part of a history that it names. Digits of
 * chunks of oBIX that goes out take of that room, too, beyond one for CHUNK_ROOM
 * octets.
 *
 * Requests are answered in order, at most 16 outstanding on a connection and
 * 256 of a machine; METHOD, HOST, PATH and QUERY of a response are those of
 * its request. The client is who speaks first.
 *
 * Over UDP heads are recognised, and refused.
 *
 * gzip and deflate are decoded within one unit, at most 64 KiB and 100 times
 * the octets sent. Not undone by settle(false): nothing.
 */
#ifndef DISSECTORS_HTTP_HTTP_H
#define DISSECTORS_HTTP_HTTP_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_http;

#endif
