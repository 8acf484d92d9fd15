/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_player.h"

#include "dissectors/c1222/c1222.h"

/* How often what is due is looked for, in the capture's own time. */
#define TICK_NS (5 * 1000 * 1000)

static int check_guests(const struct capture_player_conf *conf, struct err *e)
{
	for (size_t i = 0; conf->set && i < conf->n_guests; i++) {
		const char *name = conf->guests[i].name;

		if (pol_set_find_machine(conf->set, span_str(name)) < 0)
			return err_set(e, E_NOTFOUND, 0,
				       "-g %s: the policy knows no such "
				       "machine",
				       name);
	}
	return 0;
}

static int start(struct capture_player *p,
		 const struct capture_player_conf *conf, struct err *e)
{
	struct pipeline_conf pc = {
		.max_flows = PIPELINE_FLOWS,
		.policy = conf->set,
		.state = conf->state,
		/* Fixed: a replay gives the same octets every time. */
		.key = {0x6d65746572676174, 0x652d7265706c6179},
		.max_held = CAPTURE_PLAYER_HELD,
		.checksums = true,
		.partial_sums = conf->partial_sums,
		.midstream = !conf->set,
		.guests = conf->guests,
		.n_guests = conf->n_guests,
		.classifier = conf->classifier,
	};

	bool says = conf->set &&
		    pol_set_resolver(conf->set, &p->dns.resolver);

	for (size_t i = 0; i < DISSECTORS_MAX && dissectors[i]; i++) {
		if (dissectors[i] == &dissector_c1222)
			pc.dissector_conf[i] = &p->keys.conf;
		if (dissectors[i] == &dissector_dns)
			pc.dissector_conf[i] = conf->dns ? conf->dns
					       : says	 ? &p->dns
							 : NULL;
	}
	return pipeline_new(&p->pipeline, &pc, e);
}

int capture_player_init(struct capture_player *p,
			const struct capture_player_conf *conf, struct err *e)
{
	struct span zone = {0};
	int rc;

	*p = (struct capture_player){0};
	rc = check_guests(conf, e);
	if (rc == 0)
		rc = capture_keys_load(&p->keys, conf->keys, conf->set, e);
	p->keys.conf.values = conf->values;
	if (rc == 0 && conf->set)
		zone = pol_set_timezone(conf->set);
	if (rc == 0)
		rc = capture_clock_init(&p->clock, zone, e);
	return rc ? rc : start(p, conf, e);
}

void capture_player_fini(struct capture_player *p)
{
	pipeline_free(p->pipeline);
	capture_keys_free(&p->keys);
	p->pipeline = NULL;
}

struct now capture_player_time(struct capture_player *p,
			       const struct capture_packet *packet)
{
	return capture_clock_at(&p->clock, packet->us);
}

void capture_player_packet(struct capture_player *p,
			   const struct capture_packet *packet,
			   const struct pipeline_sink *sink)
{
	struct packet_in in = {
		.id = ++p->packets,
		.pcap_cnt = p->packets,
		.now = capture_player_time(p, packet),
		.link = packet->link,
		.octets = packet->octets,
		.wire_len = packet->wire_len,
		.iface = packet->iface,
	};

	if (mono_sub(in.now.mono, p->last_tick) >= TICK_NS) {
		p->last_tick = in.now.mono;
		pipeline_tick(p->pipeline, in.now, sink);
	}
	pipeline_packet(p->pipeline, &in, sink);
}

void capture_player_end(struct capture_player *p,
			const struct pipeline_sink *sink)
{
	pipeline_end(p->pipeline, p->clock.now, sink);
}

int capture_player_file(struct capture_player *p, const char *path,
			const struct pipeline_sink *sink, struct err *e)
{
	struct capture_packet packet;
	struct capture *c;
	int rc = capture_open(&c, path, e);

	if (rc)
		return rc;
	while ((rc = capture_next(c, &packet, e)) > 0)
		capture_player_packet(p, &packet, sink);
	capture_close(c);
	return rc;
}
