/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the least costs that reading a capture of small HTTP and oBIX
 * transactions must do: take the packets from the file; then give what stands
 * behind each head to expat, as a program would use it, and do nothing with what
 * it says; then also take one SHA-256 of as many octets as a record has, for each
 * message. No stream is put in order, no head is read, nothing is judged or
 * written. JSON on stdout; medians of RUNS runs.
 */
#include <expat.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "tests/bench_time.h"

#define RUNS	5
#define HEADERS 54  /* Ethernet, IPv4 and TCP without options */
#define RECORD	300 /* octets of one in the audit */

enum { LOOP, EXPAT, RECORDS, WAYS };

struct least {
	XML_Parser parser;
	struct sha256 *sha;
	uint64_t packets, messages, elements;
};

static void XMLCALL start(void *arg, const XML_Char *n, const XML_Char **a)
{
	(void)n, (void)a;
	((struct least *)arg)->elements++;
}

static void XMLCALL end(void *arg, const XML_Char *n)
{
	(void)arg, (void)n;
}

static void xml(struct least *l, struct span body)
{
	XML_ParserReset(l->parser, NULL);
	XML_SetUserData(l->parser, l);
	XML_SetElementHandler(l->parser, start, end);
	/* Some go on in the next packet, and pages are none. */
	(void)XML_Parse(l->parser, (const char *)body.p, (int)body.n, 0);
}

static void record(struct least *l, struct span octets)
{
	static const uint8_t some[RECORD];
	uint8_t md[SHA256_LEN];

	octets = span_sub(octets, 0, RECORD);
	sha256_begin(l->sha);
	sha256_add(l->sha, octets);
	sha256_add(l->sha, span_of(some, RECORD - octets.n));
	sha256_end(l->sha, md);
}

static void packet(struct least *l, struct span in, int way)
{
	static const char empty[] = "\r\n\r\n";
	struct span octets = span_from(in, HEADERS);
	const uint8_t *hit;

	l->packets++;
	if (way == LOOP || octets.n == 0)
		return;
	hit = memmem(octets.p, octets.n, empty, sizeof(empty) - 1);
	if (!hit)
		return;
	l->messages++;
	hit += sizeof(empty) - 1;
	if (hit < octets.p + octets.n && *hit == '<')
		xml(l, span_from(octets, (size_t)(hit - octets.p)));
	if (way == RECORDS)
		record(l, octets);
}

static double run(struct least *l, const char *path, int way)
{
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	double at = now_ns();
	pcap_t *p = pcap_open_offline(path, err);
	int rc;

	l->packets = l->messages = l->elements = 0;
	if (!p) {
		fprintf(stderr, "bench_least: %s\n", err);
		exit(2);
	}
	while ((rc = pcap_next_ex(p, &h, &data)) == 1)
		packet(l, span_of(data, h->caplen), way);
	pcap_close(p);
	if (rc != PCAP_ERROR_BREAK || l->packets == 0)
		exit(2);
	return (now_ns() - at) / (double)l->packets;
}

int main(int argc, char **argv)
{
	struct least l = {.parser = XML_ParserCreateNS(NULL, '\n'),
			  .sha = sha256_new()};
	double t[WAYS][RUNS], ns[WAYS];

	if (argc != 2 || !l.parser || !l.sha) {
		fprintf(stderr, "usage: bench_least CAPTURE\n");
		return 2;
	}
	for (unsigned i = 0; i < RUNS; i++) {
		for (int way = 0; way < WAYS; way++)
			t[way][i] = run(&l, argv[1], way);
	}
	for (int way = 0; way < WAYS; way++)
		ns[way] = median(t[way], RUNS);
	printf("{\"packets\":%llu,\"messages\":%llu,\"elements\":%llu,"
	       "\"loop_ns\":%.1f,\"expat_ns\":%.1f,\"records_ns\":%.1f}\n",
	       (unsigned long long)l.packets, (unsigned long long)l.messages,
	       (unsigned long long)l.elements, ns[LOOP], ns[EXPAT],
	       ns[RECORDS]);
	XML_ParserFree(l.parser);
	sha256_free(l.sha);
	return 0;
}
