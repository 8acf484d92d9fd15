/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oBIX that no HTTP carries: in a datagram, at the start of a stream, or where
 * a turn or a segment begins in one that nobody reads. Nothing of it is read,
 * as nobody could say what it asks for or answers; it is known by its octets
 * on any port, and refused (without-http).
 *
 * Known is the name of the root element, whatever its prefix, behind byte order
 * marks, white space, comments, instructions and a document type; in UTF-8, 16
 * and 32; a document type with declarations of its own, a SOAP envelope and the
 * marks of EBCDIC and EXI without looking for a root; and JSON as a page may not
 * have it (recognise.c). In a datagram the same is known as the body of a message
 * of CoAP, and so is a body that says it is EXI. What is not is a root behind other octets, as no reader
 * finds one there, and the binary encoding, whose octets may be any.
 */
#ifndef DISSECTORS_OBIX_BARE_H
#define DISSECTORS_OBIX_BARE_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_bare;

#endif
