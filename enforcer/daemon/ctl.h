/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a Unix stream socket in the runtime directory. One
 * request per connection: a line "VERB [ARGUMENT]", answered by JSON: one
 * object, or for lists one object per line, ended by the end of the stream.
 * The first line of every answer has "ok": true or false, and "error" says
 * why. Peer credentials decide who may: root and control-group everything,
 * everybody else nothing.
 *
 * Verbs are rows of one table (ctl.c): status, guests, flows GUEST, budgets
 * GUEST, why [GUEST], freeze GUEST, thaw GUEST, reload, policies, metrics.
 * freeze, thaw and reload are recorded (EV_MAINTENANCE, with the peer's uid)
 * before they are done.
 */
#ifndef ENFORCER_DAEMON_CTL_H
#define ENFORCER_DAEMON_CTL_H

#define CTL_SOCKET  "control"
#define CTL_REQUEST 256 /* octets of a request at most */

#endif
