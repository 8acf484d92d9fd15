/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/dissector.h"

#include "dissectors/c1222/c1222.h"
#include "dissectors/http/http.h"
#include "dissectors/net/dhcp.h"
#include "dissectors/net/dns.h"
#include "dissectors/net/ntp.h"
#include "dissectors/obix/bare.h"
#include "dissectors/tls/tls.h"

const struct dissector *const dissectors[] = {
	&dissector_c1222,
	&dissector_http,
	&dissector_dns,
	&dissector_ntp,
	&dissector_dhcp,
	&dissector_tls,
	&dissector_bare,
	NULL,
};

const struct dissector *dissector_find(const char *name)
{
	for (size_t i = 0; dissectors[i]; i++) {
		if (strcmp(dissectors[i]->name, name) == 0)
			return dissectors[i];
	}
	return NULL;
}
