/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPSEM and the services in it, without an APDU around them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

static uint8_t memory[4096];

static void heads(void **state)
{
	static const struct {
		const char *why, *hex;
		enum reason want;
		size_t body;
	} rows[] = {
		{"clear",                     "80 03300017",          REASON_NONE,      4},
		{"control only",              "80",                   REASON_NONE,      0},
		{"nothing",                   "",                     REASON_MALFORMED, 0},
		{"bit 7 clear",               "00 03300017",          REASON_MALFORMED, 0},
		{"reserved mode",             "8c 03300017",          REASON_MALFORMED, 0},
		{"reserved response control", "83 03300017",          REASON_MALFORMED,
		 0								       },
		{"authenticated",             "84 03300017 aabbccdd", REASON_NONE,      4},
		{"ciphertext, empty",         "88 aabbccdd",          REASON_NONE,      0},
		{"no room for the MAC",       "88 aabbcc",            REASON_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct epsem_head h;
		struct err e = {0};
		uint8_t buf[64];
		int rc = epsem_read_head(
			&h, kit_hex(rows[i].hex, buf, sizeof(buf)), 0, &e);

		if ((rc ? e.reason : 0) != (int)rows[i].want ||
		    (rc == 0 && h.body.n != rows[i].body))
			fail_msg("%s: %s", rows[i].why, e.text);
	}
}

static void lists(void **state)
{
	static const struct {
		const char *why;
		uint8_t control;
		const char *hex;
		enum reason want;
		uint32_t n;
	} rows[] = {
		{"none",                       0x80, "",                  REASON_NONE,           0 },
		{"one",			0x80, "03300017",          REASON_NONE,           1 },
		{"device class, then one",     0x90, "4d455452 03300017",
		 REASON_NONE,								    1 },
		{"device class cut short",     0x90, "4d4554",            REASON_MALFORMED,      0 },
		{"length past the end",        0x80, "04300017",          REASON_MALFORMED,      0 },
		{"a length left over",         0x80, "03300017 05",       REASON_MALFORMED,
		 0										 },
		{"indefinite",                 0x80, "80 300017",         REASON_MALFORMED,      0 },
		{"empty service, then a read", 0x80, "00 03300017",
		 REASON_SUSPICIOUS,							      0 },
		{"empty service at the end",   0x80, "03300017 00 00",
		 REASON_SUSPICIOUS,							      0 },
		{"request and response",       0x80, "03300017 0100",
		 REASON_SUSPICIOUS,							      0 },
		{"response and request",       0x80, "0100 03300017",
		 REASON_SUSPICIOUS,							      0 },
		{"32 services",                0x80,
		 "0120012001200120 0120012001200120 0120012001200120 "
		 "0120012001200120 0120012001200120 0120012001200120 "
		 "0120012001200120 0120012001200120",		     REASON_NONE,           32},
		{"33 services",                0x80,
		 "0120012001200120 0120012001200120 0120012001200120 "
		 "0120012001200120 0120012001200120 0120012001200120 "
		 "0120012001200120 0120012001200120 0120",                REASON_TOO_MANY_UNITS, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct epsem_head h = {.control = rows[i].control};
		struct epsem p;
		struct err e = {0};
		uint8_t buf[128];
		int rc = epsem_read(
			&p, &h, kit_hex(rows[i].hex, buf, sizeof(buf)), 0, &e);

		if ((rc ? e.reason : 0) != (int)rows[i].want ||
		    (rc == 0 && p.n != rows[i].n))
			fail_msg("%s: %s", rows[i].why, e.text);
	}
}

static int run(struct service_ctx *x, struct obs_list *out, struct arena *a,
	       const char *hex, const struct service_req *asked,
	       struct service_req *req, struct err *e)
{
	static const struct c1219_shape shape;
	static uint8_t buf[1024];
	struct span pdu = kit_hex(hex, buf, sizeof(buf));

	*a = arena_of(memory, sizeof(memory));
	out->n = 0;
	memset(e, 0, sizeof(*e));
	*x = (struct service_ctx){
		.shape = &shape, .arena = a, .out = out, .e = e};
	return asked ? service_response(x, pdu, 0, asked)
		     : service_request(x, pdu, 0, req);
}

static void requests(void **state)
{
	static const struct {
		const char *why, *hex;
		enum reason want;
		enum obs_kind kind;
	} rows[] = {
		{"identification",                     "20",					     0,                      OBS_C1222_IDENTIFY_REQUEST  },
		{"with a parameter",                   "2000",                                           REASON_MALFORMED,       0                           },
		{"terminate",                          "21",					     0,                      OBS_C1222_TERMINATE_REQUEST },
		{"with a parameter",                   "2100",                                           REASON_MALFORMED,       0                           },
		{"disconnect",                         "22",					     0,                      OBS_C1222_DISCONNECT_REQUEST},
		{"deregistration",                     "24 8003478769",                                  0,
		 OBS_C1222_DEREGISTER_REQUEST														},
		{"resolve, 80",                        "25 8003478769",                                  0,                      OBS_C1222_RESOLVE_REQUEST   },
		{"resolve, 0d",                        "25 0d03478769",                                  0,                      OBS_C1222_RESOLVE_REQUEST   },
		{"resolve, 06",                        "25 06032b0601",                                  0,                      OBS_C1222_RESOLVE_REQUEST   },
		{"resolve without UID",                "25",                                             REASON_MALFORMED,       0                           },
		{"resolve, empty UID",                 "25 8000",                                        REASON_MALFORMED,       0                           },
		{"resolve, another tag",               "25 0403478769",                                  REASON_MALFORMED,       0                           },
		{"resolve, two UIDs",                  "25 80024701 80024701",                           REASON_MALFORMED,
		 0																	   },
		{"trace, two titles",                  "26 80024701 80024732",                           0,
		 OBS_C1222_TRACE_REQUEST														     },
		{"trace, none",                        "26",					     REASON_MALFORMED,       0                           },
		{"trace, nine titles",
		 "26 80024701 80024701 80024701 80024701 80024701 80024701 "
		 "80024701 80024701 80024701",							   REASON_TOO_MANY_UNITS,  0                           },
		{"registration",
		 "27 20 31 'METR' 8000 06032b0601 06 0a14000a0481 000e10",                               0,
		 OBS_C1222_REGISTER_REQUEST														  },
		{"with a domain pattern",
		 "27 a0 31 'METR' 8000 06032b0601 04 0a14000a 000e10 02 aabb",			   0,		      OBS_C1222_REGISTER_REQUEST  },
		{"a domain pattern not announced",
		 "27 20 31 'METR' 8000 06032b0601 04 0a14000a 000e10 02 aabb",			   REASON_MALFORMED,       0                           },
		{"with an address of five octets",
		 "27 20 31 'METR' 8000 06032b0601 05 0a14000a00 000e10",				   REASON_SUSPICIOUS,      0			    },
		{"with an address of two hundred",
		 "27 20 31 'METR' 8000 06032b0601 c8 "
		 "'0123456789012345678901234567890123456789012345678901234567890123"
		 "456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456"
		 "789' 000e10",										   REASON_SUSPICIOUS,      0			    },
		{"neither mode",
		 "27 20 01 'METR' 8000 06032b0601 04 0a14000a 000e10",				   REASON_MALFORMED,       0                           },
		{"accepts what it does not do",
		 "27 20 90 'METR' 8000 06032b0601 04 0a14000a 000e10",				   REASON_MALFORMED,       0                           },
		{"no serial",                          "27 20 31 'METR' 8000 8000 04 0a14000a 000e10",
		 REASON_MALFORMED,											       0                           },
		{"cut short",                          "27 20 31 'METR' 8000 06032b0601 04 0a14000a 00",
		 REASON_MALFORMED,											       0                           },
		{"full read",                          "30 0017",                                        0,                      OBS_C1222_READ_REQUEST      },
		{"pending copy",                       "30 1017",                                        0,                      OBS_C1222_READ_REQUEST      },
		{"user-defined table",                 "30 2001",                                        0,                      OBS_C1222_READ_REQUEST      },
		{"reserved table id",                  "30 4001",                                        REASON_MALFORMED,       0                           },
		{"reserved table id",                  "30 2801",                                        REASON_MALFORMED,       0                           },
		{"table id cut short",                 "30 00",                                          REASON_MALFORMED,       0                           },
		{"octet left over",                    "30 001700",                                      REASON_MALFORMED,       0                           },
		{"by one index",                       "31 0017 0001 0001",                              0,
		 OBS_C1222_READ_REQUEST														      },
		{"by nine indices",
		 "39 0040 0000 0001 0002 0003 0004 0005 0006 0007 0008 0001",                            0,
		 OBS_C1222_READ_REQUEST														      },
		{"three indices announced, two there", "33 0040 0000 0000 0001",
		 REASON_MALFORMED,											       0                           },
		{"default read",                       "3e",					     0,                      OBS_C1222_READ_REQUEST      },
		{"by offset",                          "3f 0001 000010 0010",                            0,                      OBS_C1222_READ_REQUEST      },
		{"offset cut short",                   "3f 0001 0010 0010",                              REASON_MALFORMED,       0                           },
		{"write",			      "40 0004 0002 4142 7d",                           0,                      OBS_C1222_WRITE_REQUEST     },
		{"write of nothing",                   "40 0004 0000 00",                                0,
		 OBS_C1222_WRITE_REQUEST														     },
		{"wrong checksum",                     "40 0004 0002 4142 7e",                           REASON_BAD_CHECKSUM,
		 0																	   },
		{"count too large",                    "40 0004 0020 4142 7d",                           REASON_MALFORMED,
		 0																	   },
		{"count too small",                    "40 0004 0001 4142 7d",                           REASON_MALFORMED,
		 0																	   },
		{"chunk that would go on",             "40 0004 ffff 4142 7d",
		 REASON_MALFORMED,											       0                           },
		{"write by index",                     "41 0004 0000 0001 41 bf",                        0,
		 OBS_C1222_WRITE_REQUEST														     },
		{"write by offset",                    "4f 0004 000003 0001 41 bf",                      0,
		 OBS_C1222_WRITE_REQUEST														     },
		{"procedure",                          "40 0007 0004 09000201 f4",                       0,
		 OBS_C1222_PROCEDURE_REQUEST														 },
		{"procedure without sequence",         "40 0007 0002 0a00 f6",
		 REASON_SUSPICIOUS,											      0                           },
		{"pending procedure",                  "40 1007 0004 09000201 f4",
		 REASON_SUSPICIOUS,											      0                           },
		{"procedure by offset",                "4f 0007 000000 0004 09000201 f4",
		 REASON_SUSPICIOUS,											      0                           },
		{"its second half",                    "4f 0007 000002 0002 0201 fd",
		 REASON_SUSPICIOUS,											      0                           },
		{"procedure by index",                 "41 0007 0000 0002 0900 f7",
		 REASON_SUSPICIOUS,											      0                           },
		{"logon",			      "50 0002 'HEADEND   ' 003c",                      0,
		 OBS_C1222_LOGON_REQUEST														     },
		{"logon of C12.18",                    "50 0002 'HEADEND   '",                           REASON_SUSPICIOUS,
		 0																	   },
		{"logon, one octet of timeout",        "50 0002 'HEADEND   ' 00",
		 REASON_MALFORMED,											       0                           },
		{"security, in a session",             "51 'metersecret         '",                      0,
		 OBS_C1222_SECURITY_REQUEST														  },
		{"security, sessionless",              "51 'metersecret         ' 0002",                 0,
		 OBS_C1222_SECURITY_REQUEST														  },
		{"security, one octet too many",       "51 'metersecret         ' 00",
		 REASON_MALFORMED,											       0                           },
		{"security, short",                    "51 'metersecret'",                               REASON_MALFORMED,       0                           },
		{"logoff",			     "52",					     0,                      OBS_C1222_LOGOFF_REQUEST    },
		{"wait",			       "70 78",					  0,                      OBS_C1222_WAIT_REQUEST      },
		{"wait without seconds",               "70",                                             REASON_MALFORMED,       0                           },
 /* codes that are in no table */
		{"23",				 "23",					     REASON_UNKNOWN_SERVICE, 0                           },
		{"28",				 "28",					     REASON_UNKNOWN_SERVICE, 0                           },
		{"3a",				 "3a 0000",					REASON_UNKNOWN_SERVICE, 0                           },
		{"default write",                      "4e",					     REASON_UNKNOWN_SERVICE, 0                           },
		{"authenticate of C12.21",             "53 00",                                          REASON_UNKNOWN_SERVICE, 0                           },
		{"negotiate of C12.18",                "60 0040 01",                                     REASON_UNKNOWN_SERVICE,
		 0																	   },
		{"timing setup of C12.21",             "71 00",                                          REASON_UNKNOWN_SERVICE, 0                           },
		{"7f",				 "7f",					     REASON_UNKNOWN_SERVICE, 0                           },
		{"80",				 "80",					     REASON_MALFORMED,       0                           },
		{"ff",				 "ff",					     REASON_MALFORMED,       0                           },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct obs v[2];
		struct obs_list out = {v, 0, 2};
		struct service_req req;
		struct service_ctx x;
		struct arena a;
		struct err e;
		int rc = run(&x, &out, &a, rows[i].hex, NULL, &req, &e);

		if ((rc ? e.reason : 0) != (int)rows[i].want)
			fail_msg("%s (%s): %s", rows[i].why, rows[i].hex,
				 e.text);
		if (rc)
			continue;
		if (out.n != 1 || out.v[0].kind != rows[i].kind)
			fail_msg("%s: %s", rows[i].why,
				 obs_name((enum obs_kind)out.v[0].kind));
	}
}

/* Answers, each with the request it is to. */
static void responses(void **state)
{
	static const struct {
		const char *why, *request, *hex;
		enum reason want;
		enum obs_kind kind;
	} rows[] = {
		{"identification",             "20",
		 "00 030100 04 0609607c86f75401160201 0581 06 0d044d455452 "
		 "07 03 01 'AB' 00",									0,		      OBS_C1222_IDENTIFY_RESPONSE  },
		{"no end of features",         "20",                        "00 030100 0581",               REASON_MALFORMED,
		 0																	       },
		{"identification, no features", "20",			    "00 030100 00",			 0,
		 OBS_C1222_IDENTIFY_RESPONSE														     },
		{"class as an OID",	       "20",			     "00 030100 06 06032b0601 00",	   0,
		 OBS_C1222_IDENTIFY_RESPONSE														     },
		{"mechanism under another tag", "20",			    "00 030100 04 5503616263 00",	  REASON_MALFORMED,
		 0																	       },
		{"mechanism, a relative UID",  "20",			     "00 030100 04 0d034d4554 00",	  REASON_MALFORMED,
		 0																	       },
		{"mechanism, no OID",	       "20",			     "00 030100 04 060280ff 00",	    REASON_MALFORMED,
		 0																	       },
		{"mechanism twice",
		 "20",
		 "00 030100 04 06032b0601 04 06032b0601 00",						    REASON_MALFORMED,       0			    },
		{"sessions twice",	       "20",			     "00 030100 0581 0581 00",		 REASON_MALFORMED,
		 0																	       },
		{"class of five octets",       "20",			     "00 030100 06 0d054d45545252 00",	    REASON_MALFORMED,
		 0																	       },
		{"class as text",	       "20",			     "00 030100 06 16044d455452 00",	  REASON_MALFORMED,
		 0																	       },
		{"identity twice",	       "20",			     "00 030100 07 0201'A' 07 0201'B' 00",	   REASON_MALFORMED,
		 0																	       },
		{"identity of another format", "20",			     "00 030100 07 0202'A' 00",		REASON_MALFORMED,
		 0																	       },
		{"identity, not printable",    "20",			     "00 030100 07 0201 ff 00",		REASON_MALFORMED,
		 0																	       },
		{"identity without format",    "20",			     "00 030100 07 00 00",		     REASON_MALFORMED,
		 0																	       },
		{"identity of 33 octets",
		 "20",
		 "00 030100 07 22 01 '012345678901234567890123456789012' 00",									REASON_MALFORMED,	0			    },
		{"unknown feature",            "20",                        "00 030100 0981 00",            REASON_MALFORMED,
		 0																	       },
		{"octets behind the features", "20",                        "00 030100 00 00",
		 REASON_MALFORMED,												  0                            },
		{"reserved standard",          "20",                        "00 010100 00",                 REASON_MALFORMED,
		 0																	       },
		{"read",                       "30 0017",                   "00 0002 4142 7d",              0,
		 OBS_C1222_READ_RESPONSE															 },
		{"default read",               "3e",                        "00 0002 4142 7d",              0,
		 OBS_C1222_READ_RESPONSE															 },
		{"read without data",          "30 0017",                   "00",                           REASON_MALFORMED,       0                            },
		{"read, wrong checksum",       "30 0017",                   "00 0002 4142 00",
		 REASON_BAD_CHECKSUM,											       0                            },
		{"by offset",                  "3f 0040 000010 0002",       "00 0002 4142 7d",              0,
		 OBS_C1222_READ_RESPONSE															 },
		{"less than asked for",        "3f 0040 000010 0008",
		 "00 0002 4142 7d",									 0,                      OBS_C1222_READ_RESPONSE      },
		{"more than asked for",        "3f 0040 000010 0001",
		 "00 0002 4142 7d",									 REASON_SUSPICIOUS,      0                            },
		{"by index",                   "32 0040 0001 0002 0001",    "00 0002 4142 7d",              0,
		 OBS_C1222_READ_RESPONSE															 },
		{"result of a procedure",      "30 0008",                   "00 0004 09000200 f5",          0,
		 OBS_C1222_PROCEDURE_RESPONSE														    },
		{"part of one",                "3f 0008 000000 0002",       "00 0002 0900 f7",              0,
		 OBS_C1222_READ_RESPONSE															 },
		{"procedure taken",            "40 0007 0004 09000201 f4",  "00",                           0,
		 OBS_C1222_PROCEDURE_RESPONSE														    },
		{"write",                      "40 0004 0000 00",           "00",                           0,                      OBS_C1222_WRITE_RESPONSE     },
		{"write, answer with data",    "40 0004 0000 00",
		 "00 0002 4142 7d",									 REASON_MALFORMED,       0                            },
		{"logon",                      "50 0002 'HEADEND   ' 003c", "00 003c",                      0,
		 OBS_C1222_LOGON_RESPONSE															},
		{"logon without timeout",      "50 0002 'HEADEND   ' 003c", "00",
		 REASON_MALFORMED,												  0                            },
		{"security",                   "51 'metersecret         '", "00",                           0,
		 OBS_C1222_SECURITY_RESPONSE														     },
		{"logoff",                     "52",                        "00",                           0,                      OBS_C1222_LOGOFF_RESPONSE    },
		{"terminate",                  "21",                        "00",                           0,                      OBS_C1222_TERMINATE_RESPONSE },
		{"disconnect",                 "22",                        "00",                           0,                      OBS_C1222_DISCONNECT_RESPONSE},
		{"wait",                       "70 78",                     "00",                           0,                      OBS_C1222_WAIT_RESPONSE      },
		{"registration",
		 "27 20 31 'METR' 8000 06032b0601 04 0a14000a 000e10",      "00 8003478769 001e 000e10 31", 0,
		 OBS_C1222_REGISTER_RESPONSE														     },
		{"registration, no title",
		 "27 20 31 'METR' 8000 06032b0601 04 0a14000a 000e10",      "00 8000 001e 000e10 31",       REASON_MALFORMED,       0                            },
		{"deregistration",             "24 8003478769",             "00",                           0,
		 OBS_C1222_DEREGISTER_RESPONSE														   },
		{"deregistration of 2006",     "24 8003478769",             "00 8003478769",                0,
		 OBS_C1222_DEREGISTER_RESPONSE														   },
		{"resolve",                    "25 80024701",               "00 04 0a140001",               0,
		 OBS_C1222_RESOLVE_RESPONSE														      },
		{"resolve, length wrong",      "25 80024701",               "00 05 0a140001",
		 REASON_MALFORMED,												  0                            },
		{"resolve, address and port",  "25 80024701",		     "00 06 0a1400010481",		   0,
		 OBS_C1222_RESOLVE_RESPONSE														      },
		{"resolve, IPv6, port, TCP",   "25 80024701",
		 "00 13 fd000000000000000000000000000001 0481 06",					 0,			 OBS_C1222_RESOLVE_RESPONSE  },
		{"resolve, a protocol of nobody", "25 80024701",	     "00 07 0a1400010481 01",		 REASON_SUSPICIOUS,
		 0																	       },
		{"resolve, text",	       "25 80024701",		     "00 05 'hello'",		       REASON_SUSPICIOUS,
		 0																	       },
		{"resolve, nothing",	       "25 80024701",		     "00 00",			       REASON_SUSPICIOUS,
		 0																	       },
		{"clock of 5 octets",	       "30 0034",		     "00 0005 0000000000 00",	       0,
		 OBS_C1222_READ_RESPONSE															 },
		{"clock of 8 octets",	       "30 0034",		     "00 0008 0000000000000000 00",	       REASON_SUSPICIOUS,
		 0																	       },
		{"beyond the clock, by offset", "3f 0034 000100 0002",	     "00 0002 0000 00",			  REASON_SUSPICIOUS,
		 0																	       },
		{"beyond the clock, by index", "31 0034 0000 0001",	     "00 0008 0000000000000000 00",	       REASON_SUSPICIOUS,
		 0																	       },
		{"trace",                      "26 80024701",               "00 80024701 80024732",         0,
		 OBS_C1222_TRACE_RESPONSE															},
		{"trace refused on the way",   "26 80024701",               "0e 80024701",                  0,
		 OBS_C1222_ERROR																 },
		{"refused",                    "30 0017",                   "03",                           0,                      OBS_C1222_ERROR              },
		{"refused, with octets",       "30 0017",                   "03 00",                        REASON_MALFORMED,
		 0																	       },
		{"request too large",          "30 0017",                   "0f 00000400",                  0,
		 OBS_C1222_ERROR																 },
		{"without the size",           "30 0017",                   "0f",                           REASON_MALFORMED,       0                            },
		{"response too large",         "30 0017",                   "10 00000400",                  0,
		 OBS_C1222_ERROR																 },
		{"segmentation error",         "30 0017",                   "12 0010 0400",                 0,
		 OBS_C1222_ERROR																 },
		{"its parts of two sizes",     "30 0017",                   "12 0010 04",
		 REASON_MALFORMED,												  0                            },
		{"unassigned",                 "30 0017",                   "13",                           REASON_UNKNOWN_SERVICE, 0                            },
		{"a vendor's",                 "30 0017",                   "1e",                           REASON_UNKNOWN_SERVICE, 0                            },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct obs v[2];
		struct obs_list out = {v, 0, 2};
		struct service_req req;
		struct service_ctx x;
		struct arena a;
		struct err e;
		int rc = run(&x, &out, &a, rows[i].request, NULL, &req, &e);

		if (rc)
			fail_msg("%s: request: %s", rows[i].why, e.text);
		rc = run(&x, &out, &a, rows[i].hex, &req, NULL, &e);
		if ((rc ? e.reason : 0) != (int)rows[i].want)
			fail_msg("%s (%s): %s", rows[i].why, rows[i].hex,
				 e.text);
		if (rc)
			continue;
		if (out.n != 1 || out.v[0].kind != rows[i].kind)
			fail_msg("%s: %s", rows[i].why,
				 obs_name((enum obs_kind)out.v[0].kind));
		assert_int_equal(obs_get(&v[0], F_FROM_REQUEST, 0), req.code);
		assert_int_equal(obs_get(&v[0], F_RESULT, 99),
				 obs_get(&v[0], F_CODE, 98));
	}
}

/* What an answer takes over from its request; what is never copied. */
static void facts(void **state)
{
	static struct obs v[2];
	struct obs_list out = {v, 0, 2};
	struct service_req req;
	struct service_ctx x;
	struct arena a;
	struct err e;

	(void)state;
	assert_int_equal(
		run(&x, &out, &a, "32 0840 0001 0002 0003", NULL, &req, &e), 0);
	assert_int_equal(run(&x, &out, &a, "00 0002 4142 7d", &req, NULL, &e),
			 0);
	assert_int_equal(obs_get(&v[0], F_TABLE, 0), 2048 + 64);
	assert_int_equal(obs_get(&v[0], F_COUNT, 0), 3);
	assert_true(
		span_eq(obs_get_span(&v[0], F_INDEX), span_of("\0\1\0\2", 4)));
	assert_true(span_is(obs_get_span(&v[0], F_DATA), "AB"));
	assert_true(x.has_data && x.part.by_index && !x.part.whole);

	assert_int_equal(run(&x, &out, &a, "51 'metersecret         ' 0002",
			     NULL, &req, &e),
			 0);
	assert_int_equal(obs_get(&v[0], F_SECRET, 0), 1);
	assert_int_equal(obs_get(&v[0], F_USER_ID, 0), 2);
	assert_int_equal(v[0].n, 3); /* code, secret, user id */

	assert_int_equal(run(&x, &out, &a, "30 1017", NULL, &req, &e), 0);
	assert_int_equal(obs_get(&v[0], F_TABLE, 0), 23);
	assert_true(obs_has(&v[0], F_PENDING));

	assert_int_equal(run(&x, &out, &a, "3e", NULL, &req, &e), 0);
	assert_int_equal(obs_get(&v[0], F_ASKS_FOR, 0),
			 MEAS_BIT(MEAS_UNKNOWN_TABLE));
}

/* Neither the login's parameters nor the tables of passwords and keys. */
static void secrets(void **state)
{
	static const struct {
		const char *why, *request, *answer;
	} rows[] = {
		{"login", "40 0007 001a 1200 01 0002 'metersecret         ' 00 28",
		 NULL									       },
		{"passwords, read", "30 002a", "00 0002 4142 7d"},
		{"keys, read",      "30 002d", "00 0002 4142 7d"},
		{"keys, written",   "40 002e 0002 4142 7d", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct obs v[2];
		struct obs_list out = {v, 0, 2};
		struct service_req req;
		struct service_ctx x;
		struct arena a;
		struct err e;

		if (run(&x, &out, &a, rows[i].request, NULL, &req, &e) ||
		    (rows[i].answer &&
		     run(&x, &out, &a, rows[i].answer, &req, NULL, &e)))
			fail_msg("%s: %s", rows[i].why, e.text);
		if (!obs_has(&v[0], F_SECRET) || obs_has(&v[0], F_DATA) ||
		    obs_has(&v[0], F_PARAMS) || obs_has(&v[0], F_DECODED))
			fail_msg("%s", rows[i].why);
	}
}

/* What identification says, fact by fact. */
static void identification(void **state)
{
	static struct obs v[2];
	struct obs_list out = {v, 0, 2};
	struct service_req req;
	struct service_ctx x;
	struct arena a;
	struct err e;

	(void)state;
	assert_int_equal(run(&x, &out, &a, "20", NULL, &req, &e), 0);
	assert_int_equal(run(&x, &out, &a,
			     "00 030100 04 0609607c86f75401160201 0581 06 "
			     "0d044d455452 07 03 01 'AB' 00",
			     &req, NULL, &e),
			 0);
	assert_int_equal(obs_get(&v[0], F_STD, 0), 3);
	assert_int_equal(obs_get(&v[0], F_STD_VERSION, 0), 1);
	assert_int_equal(obs_get(&v[0], F_SESSION_CTRL, 0), 0x81);
	assert_true(span_eq(obs_get_span(&v[0], F_MECH),
			    span_of(C1222_MECHANISM_OID,
				    C1222_MECHANISM_OID_N)));
	assert_true(span_is(obs_get_span(&v[0], F_DEVICE_CLASS), "METR"));
	assert_true(span_is(obs_get_span(&v[0], F_IDENTITY), "AB"));
	assert_int_equal(obs_get(&v[0], F_MEASUREMENT, 0),
			 MEAS_BIT(MEAS_IDENTITY_DEVICE));
	assert_int_equal(obs_get(&v[0], F_READINGS, 0), 1);
}

/* Reading facts only, what would be refused is read, with a note. */
static void departures(void **state)
{
	static const struct {
		const char *why, *request, *answer;
	} rows[] = {
		{"native address", "25 80024701", "00 05 'hello'"               },
		{"size of a table", "30 0034",    "00 0008 0000000000000000 00"},
	};
	static uint8_t octets[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct obs v[2];
		struct obs_list out = {v, 0, 2};
		struct service_req req;
		struct service_ctx x;
		struct arena a;
		struct err e;

		assert_int_equal(
			run(&x, &out, &a, rows[i].request, NULL, &req, &e), 0);
		x.lenient = true;
		out.n = 0;
		assert_int_equal(service_response(&x,
						  kit_hex(rows[i].answer,
							  octets,
							  sizeof(octets)),
						  0, &req),
				 0);
		if (!obs_has(&v[0], F_NOTE) ||
		    obs_get(&v[0], F_NOTE, 0) != REASON_SUSPICIOUS)
			fail_msg("%s: no note", rows[i].why);
	}
}

static void names(void **state)
{
	static const struct {
		uint8_t code;
		const char *name;
	} rows[] = {
		{0x00, "ok"            },
		{0x04, "onp"           },
		{0x12, "sgerr"         },
		{0x13, NULL            },
		{0x1f, NULL            },
		{0x20, "ident"         },
		{0x23, NULL            },
		{0x33, "pread-index-3" },
		{0x3d, NULL            },
		{0x3f, "pread-offset"  },
		{0x49, "pwrite-index-9"},
		{0x4e, NULL            },
		{0x70, "wait"          },
		{0x71, NULL            },
		{0xff, NULL            },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = c1222_service_name(rows[i].code);

		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
		else
			assert_null(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),    cmocka_unit_test(lists),
		cmocka_unit_test(requests), cmocka_unit_test(responses),
		cmocka_unit_test(facts),    cmocka_unit_test(names),
		cmocka_unit_test(secrets),
		cmocka_unit_test(identification),
		cmocka_unit_test(departures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
