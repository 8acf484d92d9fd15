/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration of every type of key: what is read lies within its bounds,
 * text is terminated, and reading twice gives the same. */
#include <assert.h>
#include <string.h>

#include "policy-lang/front/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct all {
	char text[16], path[32], addr[NET_ADDR_TEXT], iface[3][16];
	size_t n_iface;
	bool flag;
	uint8_t small;
	uint16_t port;
	int cpu;
	uint32_t size, word;
};

static const struct config_word words[] = {{"one", 1}, {"two", 2}, {NULL, 0}};
static const struct config_word any[] = {{"any", -1}, {NULL, 0}};
#define AT(m) offsetof(struct all, m), sizeof(((struct all *)0)->m)
static const struct config_key keys[] = {
	{"text",  CONFIG_TEXT,	 AT(text),  0,	  0,	   "x",	    NULL,  0, 0},
	{"path",  CONFIG_PATH,	 AT(path),  0,	  0,	   "",	    NULL,  0, 0},
	{"addr",  CONFIG_ADDR,	 AT(addr),  0,	  0,	   "",	    NULL,  0, 0},
	{"iface", CONFIG_IFACE,	 offsetof(struct all, iface), 16, 0, 0, "", NULL, 3,
	 offsetof(struct all, n_iface)},
	{"flag",  CONFIG_BOOL,	 AT(flag),  0,	  0,	   "true",  NULL,  0, 0},
	{"small", CONFIG_NUMBER, AT(small), 3,	  200,	   "7",	    NULL,  0, 0},
	{"port",  CONFIG_NUMBER, AT(port),  1,	  65535,   "80",    NULL,  0, 0},
	{"cpu",	  CONFIG_NUMBER, AT(cpu),   0,	  63,	   "any",   any,   0, 0},
	{"size",  CONFIG_SIZE,	 AT(size),  1024, 1 << 20, "1 KiB", NULL,  0, 0},
	{"word",  CONFIG_WORD,	 AT(word),  0,	  0,	   "one",   words, 0, 0},
};
#define KEYS_N (sizeof(keys) / sizeof(keys[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct all a, b;
	struct err e, f;
	int rc = config_read(&a, sizeof(a), keys, KEYS_N, "x",
			     span_of(data, size), &e);

	assert(config_read(&b, sizeof(b), keys, KEYS_N, "x",
			   span_of(data, size), &f) == rc);
	if (rc < 0) {
		assert(e.text[0] == 'x' && strcmp(e.text, f.text) == 0);
		return 0;
	}
	assert(memcmp(&a, &b, sizeof(a)) == 0);
	assert(memchr(a.text, 0, sizeof(a.text)) && a.text[0]);
	assert(memchr(a.path, 0, sizeof(a.path)));
	assert(!a.path[0] || a.path[0] == '/');
	assert(memchr(a.addr, 0, sizeof(a.addr)));
	assert(a.n_iface <= 3);
	for (size_t i = 0; i < a.n_iface; i++)
		assert(a.iface[i][0] && memchr(a.iface[i], 0, 16) &&
		       !strpbrk(a.iface[i], " /:"));
	assert(a.small >= 3 && a.small <= 200 && a.port >= 1);
	assert(a.cpu >= -1 && a.cpu <= 63);
	assert(a.size >= 1024 && a.size <= 1 << 20);
	assert(a.word == 1 || a.word == 2);
	return 0;
}
