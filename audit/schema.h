/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of an audit database and what guards them. verify compares a
 * file's schema with this text, so every change is a new STORE_SCHEMA number.
 *
 * The triggers keep our own mistakes and half-privileged writers from
 * changing the past; who owns the file can drop them. The evidence is the
 * tree, the chain and what others hold of them.
 */
#ifndef AUDIT_SCHEMA_H
#define AUDIT_SCHEMA_H

#define STORE_APPLICATION 0x6d674175 /* "mgAu" */
#define STORE_SCHEMA	  4
#define SEGMENT_SCHEMA	  1002 /* of a segment's file (segment.h) */

/* One statement each; in this order. */
static const char *const store_schema[] = {
	/* Up to 256 records, each behind its length u16. Aligned: first is a
	 * multiple of 256; only the last may hold fewer. */
	"CREATE TABLE bundle(first INTEGER PRIMARY KEY CHECK(first % 256 = 0),"
	" n INTEGER NOT NULL CHECK(n BETWEEN 1 AND 256),"
	" data BLOB NOT NULL,"
	" chain BLOB NOT NULL CHECK(length(chain) = 32),"
	" seg INTEGER NOT NULL) STRICT",
	/* 256 hashes: of leaves (level 0), of full tiles of the level below */
	"CREATE TABLE tile("
	"level INTEGER NOT NULL CHECK(level BETWEEN 0 AND 7),"
	" idx INTEGER NOT NULL,"
	" data BLOB NOT NULL CHECK(length(data) = 8192),"
	" PRIMARY KEY(level, idx)) STRICT, WITHOUT ROWID",
	"CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 0),"
	" origin TEXT NOT NULL,"
	" size INTEGER NOT NULL CHECK(size >= 0),"
	" frontier BLOB NOT NULL CHECK(length(frontier) % 32 = 0),"
	" chain BLOB NOT NULL CHECK(length(chain) = 32),"
	" boot INTEGER NOT NULL,"
	" checkpoint INTEGER NOT NULL,"
	" anchored INTEGER NOT NULL,"
	" commits INTEGER NOT NULL," /* transactions that were done */
	/* Digest of what tally has; NULL: nothing. */
	" tally BLOB CHECK(length(tally) = 32)) STRICT",
	"CREATE TABLE checkpoint(size INTEGER PRIMARY KEY,"
	" note BLOB NOT NULL, pcr_anchor BLOB, counter INTEGER,"
	" cosigned BLOB, wall INTEGER," /* us, or of its boot */
	/* Of the last one: what tally had then. */
	" open BLOB) STRICT",
	/* Copies of the protected records. */
	"CREATE TABLE protected(seq INTEGER PRIMARY KEY,"
	" kind INTEGER NOT NULL, record BLOB NOT NULL) STRICT",
	/* first: the first record written in that boot */
	"CREATE TABLE boot(number INTEGER PRIMARY KEY CHECK(number > 0),"
	" first INTEGER NOT NULL,"
	" key BLOB NOT NULL CHECK(length(key) = 32)) STRICT",
	/* Bundles that were moved out of this file, oldest first: n records,
	 * and the head of the chain behind them. pruned: they are gone. */
	"CREATE TABLE segment(no INTEGER PRIMARY KEY CHECK(no > 0),"
	" first INTEGER NOT NULL CHECK(first % 256 = 0),"
	" n INTEGER NOT NULL CHECK(n > 0 AND n % 256 = 0),"
	" chain BLOB NOT NULL CHECK(length(chain) = 32),"
	" octets INTEGER NOT NULL CHECK(octets > 0),"
	" pruned INTEGER NOT NULL CHECK(pruned IN (0, 1))) STRICT",
	/* Roots of bundles that were moved out, until the tile that has them
	 * is full. */
	"CREATE TABLE root(idx INTEGER PRIMARY KEY,"
	" hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT",
	/* From a protected record that was moved out to its bundle's root. */
	"CREATE TABLE path(seq INTEGER PRIMARY KEY,"
	" hashes BLOB NOT NULL CHECK(length(hashes) = 256)) STRICT",
	/* What is counted and not a record yet (tally.h). */
	"CREATE TABLE tally(slot INTEGER PRIMARY KEY CHECK(slot >= 0),"
	" said BLOB NOT NULL) STRICT",

	"CREATE TRIGGER bundle_follows BEFORE INSERT ON bundle"
	" WHEN NEW.first <> coalesce((SELECT first + n FROM bundle"
	" ORDER BY first DESC LIMIT 1), 0)"
	" BEGIN SELECT raise(ABORT, 'a bundle begins where the last ends'); END",
	"CREATE TRIGGER bundle_grows BEFORE UPDATE ON bundle"
	" WHEN NEW.first <> OLD.first OR NEW.seg <> OLD.seg"
	" OR OLD.first <> (SELECT max(first) FROM bundle)"
	" OR NEW.n <= OLD.n OR length(NEW.data) <= length(OLD.data)"
	" OR substr(NEW.data, 1, length(OLD.data)) <> OLD.data"
	" BEGIN SELECT raise(ABORT, 'only the last bundle may grow'); END",
	"CREATE TRIGGER bundle_stays BEFORE DELETE ON bundle"
	" WHEN OLD.first >= coalesce((SELECT first + n FROM segment"
	" ORDER BY no DESC LIMIT 1), 0)"
	" BEGIN SELECT raise(ABORT, 'bundles are kept'); END",
	"CREATE TRIGGER tile_follows BEFORE INSERT ON tile"
	" WHEN NEW.idx <> coalesce((SELECT max(idx) + 1 FROM tile"
	" WHERE level = NEW.level), 0)"
	" BEGIN SELECT raise(ABORT, 'a tile follows the last'); END",
	"CREATE TRIGGER tile_same BEFORE UPDATE ON tile"
	" BEGIN SELECT raise(ABORT, 'tiles do not change'); END",
	"CREATE TRIGGER tile_stays BEFORE DELETE ON tile"
	" WHEN OLD.level > 0 OR OLD.idx * 256 >= coalesce((SELECT first + n"
	" FROM segment ORDER BY no DESC LIMIT 1), 0)"
	" BEGIN SELECT raise(ABORT, 'tiles are kept'); END",
	"CREATE TRIGGER state_one BEFORE INSERT ON state"
	" WHEN EXISTS (SELECT 1 FROM state)"
	" BEGIN SELECT raise(ABORT, 'there is one state'); END",
	"CREATE TRIGGER state_forward BEFORE UPDATE ON state"
	" WHEN NEW.id <> OLD.id OR NEW.origin <> OLD.origin"
	" OR NEW.size < OLD.size OR NEW.boot < OLD.boot"
	" OR NEW.checkpoint < OLD.checkpoint OR NEW.anchored < OLD.anchored"
	" OR NEW.commits <= OLD.commits"
	" OR (NEW.size = OLD.size AND (NEW.frontier <> OLD.frontier"
	" OR NEW.chain <> OLD.chain))"
	" BEGIN SELECT raise(ABORT, 'the state only moves forward'); END",
	"CREATE TRIGGER state_stays BEFORE DELETE ON state"
	" BEGIN SELECT raise(ABORT, 'the state is kept'); END",
	"CREATE TRIGGER checkpoint_follows BEFORE INSERT ON checkpoint"
	" WHEN NEW.size <= coalesce((SELECT max(size) FROM checkpoint), -1)"
	" BEGIN SELECT raise(ABORT, 'checkpoints only move forward'); END",
	"CREATE TRIGGER checkpoint_same BEFORE UPDATE ON checkpoint"
	" WHEN NEW.size <> OLD.size OR NEW.note <> OLD.note"
	" OR (NEW.open IS NOT OLD.open AND NEW.open IS NOT NULL)"
	" BEGIN SELECT raise(ABORT, 'checkpoints do not change'); END",
	/* But for some of those of pruned records. */
	"CREATE TRIGGER checkpoint_stays BEFORE DELETE ON checkpoint"
	" WHEN OLD.size >= coalesce((SELECT first + n FROM segment"
	" WHERE pruned = 1 ORDER BY no DESC LIMIT 1), 0)"
	" BEGIN SELECT raise(ABORT, 'checkpoints are kept'); END",
	"CREATE TRIGGER protected_follows BEFORE INSERT ON protected"
	" WHEN NEW.seq <= coalesce((SELECT max(seq) FROM protected), -1)"
	" BEGIN SELECT raise(ABORT, 'protected records are in order'); END",
	"CREATE TRIGGER protected_same BEFORE UPDATE ON protected"
	" BEGIN SELECT raise(ABORT, 'protected records do not change'); END",
	"CREATE TRIGGER protected_stays BEFORE DELETE ON protected"
	" BEGIN SELECT raise(ABORT, 'protected records are kept'); END",
	"CREATE TRIGGER boot_follows BEFORE INSERT ON boot"
	" WHEN NEW.number <= coalesce((SELECT max(number) FROM boot), 0)"
	" OR NEW.first < coalesce((SELECT max(first) FROM boot), 0)"
	" BEGIN SELECT raise(ABORT, 'boots are in order'); END",
	"CREATE TRIGGER boot_same BEFORE UPDATE ON boot"
	" BEGIN SELECT raise(ABORT, 'boots do not change'); END",
	"CREATE TRIGGER boot_stays BEFORE DELETE ON boot"
	" BEGIN SELECT raise(ABORT, 'boots are kept'); END",
	"CREATE TRIGGER segment_follows BEFORE INSERT ON segment"
	" WHEN NEW.pruned OR NEW.no <> coalesce((SELECT max(no) + 1"
	" FROM segment), 1) OR NEW.first <> coalesce((SELECT first + n"
	" FROM segment ORDER BY no DESC LIMIT 1), 0)"
	" BEGIN SELECT raise(ABORT, 'a segment follows the last'); END",
	"CREATE TRIGGER segment_goes BEFORE UPDATE ON segment"
	" WHEN NEW.no <> OLD.no OR NEW.first <> OLD.first OR NEW.n <> OLD.n"
	" OR NEW.chain <> OLD.chain OR NEW.octets <> OLD.octets"
	" OR NEW.pruned <= OLD.pruned OR EXISTS (SELECT 1 FROM segment"
	" WHERE no < OLD.no AND pruned = 0)"
	" BEGIN SELECT raise(ABORT, 'only the oldest segment goes'); END",
	"CREATE TRIGGER segment_stays BEFORE DELETE ON segment"
	" BEGIN SELECT raise(ABORT, 'segments are remembered'); END",
	"CREATE TRIGGER root_same BEFORE UPDATE ON root"
	" BEGIN SELECT raise(ABORT, 'roots do not change'); END",
	"CREATE TRIGGER root_stays BEFORE DELETE ON root"
	" WHEN NOT EXISTS (SELECT 1 FROM tile WHERE level = 1"
	" AND idx = OLD.idx / 256)"
	" BEGIN SELECT raise(ABORT, 'roots are kept'); END",
	"CREATE TRIGGER path_same BEFORE UPDATE ON path"
	" BEGIN SELECT raise(ABORT, 'paths do not change'); END",
	"CREATE TRIGGER path_stays BEFORE DELETE ON path"
	" BEGIN SELECT raise(ABORT, 'paths are kept'); END",
};

/* Of a segment's file. */
static const char *const segment_schema[] = {
	"CREATE TABLE bundle(first INTEGER PRIMARY KEY CHECK(first % 256 = 0),"
	" n INTEGER NOT NULL CHECK(n = 256), data BLOB NOT NULL,"
	" chain BLOB NOT NULL CHECK(length(chain) = 32)) STRICT",
};

#define N_STORE_SCHEMA (sizeof(store_schema) / sizeof(store_schema[0]))

#endif
