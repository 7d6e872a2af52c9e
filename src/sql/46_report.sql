--
-- The report of a campaign: the page, the facts, and reengage.report().
--
CREATE FUNCTION reengage_internal.report_style() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- In print as by daylight; hatching tells parts of a bar apart where colours do not.
	SELECT '
:root { color-scheme: light dark; --page: #ffffff; --card: #f4f6f8; --ink: #1b2530; --soft: #56626e; --line: #d5dbe1;
  --sent: #1d5f9e; --created: #3f93d0; --not: #7f8b96; --stripe: #c3cad1; --doubt: #c8520a; --waiting: #7a6bb5; --answered: #2a8a55; --alert: #fff1e3; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #12181f; --card: #1b232c; --ink: #e6ebf0; --soft: #a3afbb; --line: #34404c;
  --sent: #4d9be0; --created: #9fd0f5; --not: #6d7883; --stripe: #4a545f; --doubt: #f08a3c; --waiting: #a79be0; --answered: #5cc98a; --alert: #3a2a1a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.25rem; }
header p { margin: .25rem 0; color: var(--soft); }
header .kind { font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
section { margin-top: 2.5rem; }
section p { margin: 0 0 1rem; color: var(--soft); max-width: 60rem; }
.alert { margin: 1rem 0 0; padding: .6rem 1rem; background: var(--alert); border-left: .3rem solid var(--doubt); overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.5rem 0 0; }
.tile { padding: .8rem 1rem; background: var(--card); border-radius: .5rem; }
.tile dt { color: var(--soft); font-size: .9rem; }
.tile dd { margin: 0; color: var(--soft); font-size: .9rem; }
.tile strong { display: block; font-weight: 700; color: var(--ink); font-size: 1.7rem; line-height: 1.3; }
strong, td, svg text { font-variant-numeric: tabular-nums; }
.beside { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; align-items: start; }
.table { overflow: auto; max-height: 24rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; white-space: nowrap; }
tbody th { text-align: left; font-weight: 400; white-space: normal; overflow-wrap: anywhere; }
thead th { position: sticky; top: 0; background: var(--page); text-align: left; color: var(--soft); font-weight: 400; }
thead th:not(.number):not(:first-child) { padding-left: 1rem; } thead th.number { text-align: right; }
td:last-child, th:last-child { padding-right: .25rem; }
.share { display: inline-block; min-width: 3.75rem; }
.words { text-align: left; padding-left: 1rem; }
code { font-size: .85rem; color: var(--soft); }
.mark { display: inline-block; width: .7rem; height: .7rem; margin-right: .4rem; border-radius: .15rem; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend { white-space: nowrap; } .legend .mark { margin-left: .75rem; }
.figure { display: block; width: 100%; height: auto; } .meter { width: 6rem; height: .55rem; margin-right: .75rem; }
svg text { fill: var(--soft); font-size: 18px; } svg .strong { fill: var(--ink); font-weight: 600; font-size: 20px; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
.grid { stroke: var(--line); stroke-width: 1; } .rail { fill: var(--card); } .stripe { fill: var(--stripe); } .hatch { fill: var(--not); }
rect.asked { fill: var(--soft); } rect.looked { fill: var(--waiting); } rect.sent { fill: var(--sent); } rect.answered { fill: var(--answered); } rect.created { fill: var(--created); }
rect.waiting { fill: var(--waiting); } rect.not_sent { fill: var(--not); } rect.in_doubt { fill: var(--doubt); } .figure g rect.not_sent { fill: url(#hatch); }
.mark.asked { background: var(--soft); } .mark.sent { background: var(--sent); } .mark.created { background: var(--created); } .mark.waiting { background: var(--waiting); }
.mark.not_sent { background: repeating-linear-gradient(45deg, var(--not) 0 3px, var(--stripe) 3px 6px); } .mark.in_doubt { background: var(--doubt); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
@media (max-width: 50rem) { .beside { grid-template-columns: minmax(0, 1fr); } }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } .table { max-height: none; overflow: visible; } thead th { position: static; }
  .tile { border: 1px solid var(--line); } section { margin-top: 1.5rem; } h2, .figure, tr { break-inside: avoid; } h2, section p { break-after: avoid; } }
'
$$;
COMMENT ON FUNCTION reengage_internal.report_style() IS 'how a report looks: by day, by night and in print';
GRANT EXECUTE ON FUNCTION reengage_internal.report_style() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_page(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- should anything get through html() after all, a browser runs and fetches nothing
	SELECT format(E'<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>\n'
			|| E'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; base-uri ''none''; form-action ''none''"/>\n'
			|| E'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<meta name="robots" content="noindex"/>\n<meta name="referrer" content="no-referrer"/>\n'
			|| E'<title>Campaign %s</title>\n<style>%s</style>\n</head>\n<body>\n', reengage_internal.html(facts ->> 'campaign'), reengage_internal.report_style())
		|| reengage_internal.report_head(facts)
		|| E'<main>\n' || reengage_internal.report_funnel(facts) || reengage_internal.report_outcomes(facts) || reengage_internal.report_waiting(facts)
		|| reengage_internal.report_not_sent(facts) || reengage_internal.report_quota(facts) || reengage_internal.report_doubt(facts) || E'</main>\n'
		|| E'<footer><p>A message is sent when the messaging service took it; whether somebody read it is not known here. This page names no customer. It was made by reengage.report().</p></footer>\n'
		|| E'</body>\n</html>\n'
$$;
COMMENT ON FUNCTION reengage_internal.report_page(jsonb) IS 'the facts of a campaign as a page of HTML';
GRANT EXECUTE ON FUNCTION reengage_internal.report_page(jsonb) TO reengage_operator, reengage_reader;

-- Who may not look into answers, pauses and server_state is told no more of them than here.
CREATE FUNCTION reengage_internal.report_ended(campaign text, bounds timestamptz[])
RETURNS TABLE (server text, place integer, notified bigint, created bigint, not_sent bigint, in_doubt bigint,
	looked_at bigint, answered bigint, requests bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	RETURN QUERY
		SELECT e.server, e.place,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'sent' AND e.outcome <> 'session_created'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE e.outcome = 'session_created'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'not_sent'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'in_doubt'), 0)::bigint,
			sum(e.looked_at)::bigint, coalesce(sum(e.answered) FILTER (WHERE w.class = 'sent'), 0)::bigint,
			sum(e.requests)::bigint
		FROM (SELECT l.server, l.outcome, width_bucket(l.recorded_at, bounds) AS place, count(*) AS nudges, count(l.checked_at) AS looked_at,
				count(*) FILTER (WHERE l.step IS NOT NULL AND (
					EXISTS (SELECT FROM reengage.answers a WHERE a.address_hash = l.address_hash AND a.answered_at > coalesce(l.called_at, l.occurred_at))
					OR EXISTS (SELECT FROM reengage.answers a WHERE a.address_hash IS NULL AND a.root_conversation_id = l.root_conversation_id
							   AND a.server = l.server AND a.answered_at > coalesce(l.called_at, l.occurred_at)))) AS answered,
				sum(l.api_calls) AS requests
			  -- found by the campaign's nudges or by the time: a planner knows which are fewer
			  FROM reengage.nudges n JOIN reengage.lineage l ON l.nudge_id = n.nudge_id
			  WHERE n.campaign = report_ended.campaign AND l.campaign = report_ended.campaign AND l.recorded_at >= bounds[1]
				AND (l.lineage_id >= reengage.first_id(bounds[1] - interval '0.2 s') OR NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at))
				-- of a doubt that was resolved, the verdict counts
				AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE l.outcome = 'in_doubt' AND r.resolves = l.lineage_id)
			  GROUP BY l.server, l.outcome, 3) e
			JOIN reengage_internal.report_words() w ON w.kind = 'outcome' AND w.code = e.outcome
		GROUP BY e.server, e.place;
END
$$;
COMMENT ON FUNCTION reengage_internal.report_ended(text, timestamptz[]) IS
	'what of a campaign ended since the first of the bounds, by server and part of the time';
GRANT EXECUTE ON FUNCTION reengage_internal.report_ended(text, timestamptz[]) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_troubles(servers text[], OUT server text, OUT said text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NULL, 'Nothing is sent from this database: ' || replace(f.complaint, ': nothing is sent', '')
	FROM (SELECT reengage_internal.fence_complaint()) f (complaint) WHERE f.complaint IS NOT NULL
	UNION ALL
	SELECT p.server, format('%s is paused by %s since %s', p.server, p.paused_by, reengage_internal.report_time(p.since)) || coalesce(': ' || p.reason, '.')
	FROM reengage.pauses p WHERE p.server = ANY (servers)
	UNION ALL
	-- why may name files and machines, which is nothing for a page that goes round
	SELECT s.server, format('%s is %s since %s; whoever operates the database finds why in reengage.health.', s.server,
		CASE s.state WHEN 'resting' THEN 'left alone, as it asked for,' ELSE 'not called' END, reengage_internal.report_time(s.since))
	FROM reengage.server_state s WHERE s.server = ANY (servers) AND s.state <> 'attention'
$$;
COMMENT ON FUNCTION reengage_internal.report_troubles(text[]) IS 'what keeps these servers from being called, in words; without a server: any';
GRANT EXECUTE ON FUNCTION reengage_internal.report_troubles(text[]) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.requests_per_minute(server text) RETURNS integer
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_requests_per_minute';
COMMENT ON FUNCTION reengage_internal.requests_per_minute(text) IS
	'max_requests_per_minute of a server; 0: no limit, null: there is no such server';
GRANT EXECUTE ON FUNCTION reengage_internal.requests_per_minute(text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_bounds(since timestamptz, OUT step text, OUT bounds timestamptz[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT isfinite(since) OR since > now() OR since < now() - interval '20 years' THEN
		RAISE EXCEPTION 'invalid time to report from: %', since
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must be a time within the last 20 years.',
				  HINT = 'For example: now() - interval ''2 days''.';
	END IF;
	-- as many bars as can be told apart
	step := CASE WHEN now() - since <= interval '8 days' THEN 'hour' WHEN now() - since <= interval '200 days' THEN 'day' ELSE 'month' END;
	IF step = 'hour' THEN
		bounds := ARRAY(SELECT b FROM generate_series(date_trunc(step, since), now(), interval '1 hour') b);
	ELSE
		-- by the calendar: after a midnight that a clock skips, days would go on to begin at one
		bounds := ARRAY(SELECT b::timestamptz FROM generate_series(date_trunc(step, since::timestamp), now()::timestamp, ('1 ' || step)::interval) b);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.report_bounds(timestamptz) IS
	'the hours, days or months from a time until now, by their beginnings in the session''s time zone';
GRANT EXECUTE ON FUNCTION reengage_internal.report_bounds(timestamptz) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.require_campaign(campaign text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	near text;
BEGIN
	IF campaign IS NULL THEN
		RAISE EXCEPTION 'no campaign is named'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'SELECT DISTINCT campaign FROM reengage.campaign_status; lists them. Nudges without a campaign have no report.';
	END IF;
	IF EXISTS (SELECT FROM reengage.nudge_counts c WHERE c.campaign = require_campaign.campaign) THEN
		RETURN;
	END IF;
	-- those that differ in spaces, signs and the size of letters only, or are a part of each other
	SELECT string_agg(format('"%s"', n.campaign), ', ' ORDER BY n.campaign)
	INTO near
	FROM (SELECT DISTINCT c.campaign
		  -- of so many: whoever has an id of each nudge for a campaign has millions
		  FROM (SELECT a.campaign FROM reengage.nudge_counts a LIMIT 10000) c,
			LATERAL (SELECT regexp_replace(lower(c.campaign), '[^[:alnum:]]+', '', 'g'), regexp_replace(lower(require_campaign.campaign), '[^[:alnum:]]+', '', 'g')) s (theirs, said)
		  WHERE s.said <> '' AND s.theirs <> '' AND (strpos(s.theirs, s.said) > 0 OR strpos(s.said, s.theirs) > 0)
		  ORDER BY c.campaign LIMIT 3) n;
	-- a date is no telephone number
	RAISE EXCEPTION 'there is no campaign "%"', CASE WHEN campaign ~ '@|^[-+0-9 ()./]*$' THEN reengage_internal.shown(campaign) ELSE left(campaign, 256) END
		USING ERRCODE = 'no_data_found',
			  DETAIL = 'No nudge was ever asked for by this name.',
			  HINT = coalesce('Did you mean ' || near || '? ', '') || 'SELECT DISTINCT campaign FROM reengage.campaign_status; lists them.';
END
$$;
COMMENT ON FUNCTION reengage_internal.require_campaign(text) IS 'an error that names similar ones if there is no such campaign';
GRANT EXECUTE ON FUNCTION reengage_internal.require_campaign(text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_facts(campaign text, since timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH stands AS (
		SELECT c.server, c.state, c.reason, sum(c.nudges) AS nudges
		FROM reengage.nudge_counts c WHERE c.campaign = report_facts.campaign
		GROUP BY c.server, c.state, c.reason
	), doubts AS (
		SELECT d.server, d.reason, count(*) AS nudges, min(d.since) AS since
		FROM reengage.in_doubt d WHERE d.campaign = report_facts.campaign
		GROUP BY d.server, d.reason
	)
	SELECT jsonb_build_object('campaign', campaign, 'as_of', now(), 'step', b.step, 'bounds', b.bounds,
		'stands', (SELECT jsonb_agg(to_jsonb(s)) FROM stands s),
		'happened', (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM reengage_internal.report_ended(campaign, b.bounds) e),
		'doubts', (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM doubts d),
		'troubles', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM reengage_internal.report_troubles(ARRAY(SELECT DISTINCT s.server FROM stands s)) t),
		'servers', (SELECT jsonb_agg(to_jsonb(v)) FROM (
			SELECT s.server, reengage_internal.requests_per_minute(s.server), s.due_now, s.scheduled, s.sent_per_minute, s.expected_end
			FROM reengage.campaign_status s WHERE s.campaign = report_facts.campaign) v))
	FROM reengage_internal.report_bounds(since) b
$$;
COMMENT ON FUNCTION reengage_internal.report_facts(text, timestamptz) IS 'all that a report says of a campaign, as one object';
GRANT EXECUTE ON FUNCTION reengage_internal.report_facts(text, timestamptz) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.report(campaign text, since timestamptz DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.require_campaign(campaign);
	RETURN reengage_internal.report_page(reengage_internal.report_facts(campaign, coalesce(since, now() - interval '7 days')));
END
$$;
COMMENT ON FUNCTION reengage.report(text, timestamptz) IS
	'a campaign as one page of HTML for people: how far it came, what ended in each hour (beyond 8 days: day, beyond 200: month) since a time (7 days ago), what waits and for what, what was not sent and why, the quota, and doubts; times in the session''s time zone; no script, nothing from elsewhere, no customer; reads what ended of the campaign since then; an error if there is no such campaign, with those of similar names';
GRANT EXECUTE ON FUNCTION reengage.report(text, timestamptz) TO reengage_operator, reengage_reader;
