/*
 * server_gauges.c: see server_gauges.h.
 */
#include "postgres.h"

#include "dispatch/server_gauges.h"
#include "dispatch/servers.h"

void
server_gauges_report(const dlist_head *servers)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, servers))
	{
		const Server *server = dlist_container(Server, node, iter.cur);
		ServerGauges gauges = {
			.breaker = server->breaker.circuit.cause,
			.probe_at = server->breaker.circuit.until,
			.per_minute = server->exists ? (int) server->options.courier.max_requests_per_minute : 0,
		};

		memcpy(gauges.states, server->states, sizeof(gauges.states));
		metrics_set_gauges(server->metrics, &gauges);
	}
}
