/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of `make bench`: read every packet of a capture with
 * pcap_next_ex and count; nothing else. Prints "packets octets".
 */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	char err[PCAP_ERRBUF_SIZE];
	unsigned long long packets = 0, octets = 0;
	struct pcap_pkthdr *h;
	const u_char *data;
	pcap_t *p;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_pcap CAPTURE\n");
		return 2;
	}
	p = pcap_open_offline(argv[1], err);
	if (!p) {
		fprintf(stderr, "bench_pcap: %s\n", err);
		return 2;
	}
	while ((rc = pcap_next_ex(p, &h, &data)) == 1) {
		packets++;
		octets += h->caplen;
	}
	pcap_close(p);
	printf("%llu %llu\n", packets, octets);
	return rc == PCAP_ERROR_BREAK ? 0 : 2;
}
