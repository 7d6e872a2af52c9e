--
-- The parts of a campaign's report.
--
-- Each takes the facts, one object that report_facts() makes, and looks at nothing
-- else: so all of a page is of one moment, and a test can say what it is to show.
--
CREATE FUNCTION reengage_internal.report_happened(facts jsonb,
	OUT server text, OUT place integer, OUT notified bigint, OUT created bigint, OUT not_sent bigint, OUT in_doubt bigint,
	OUT looked_at bigint, OUT answered bigint, OUT requests bigint)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT h.* FROM jsonb_to_recordset(facts -> 'happened') h (server text, place integer, notified bigint, created bigint,
		not_sent bigint, in_doubt bigint, looked_at bigint, answered bigint, requests bigint)
$$;
COMMENT ON FUNCTION reengage_internal.report_happened(jsonb) IS 'of the facts: what ended, by server and part of the time';
GRANT EXECUTE ON FUNCTION reengage_internal.report_happened(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_stands(facts jsonb,
	OUT server text, OUT state text, OUT reason text, OUT nudges bigint, OUT class text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.server, s.state, s.reason, s.nudges, coalesce(w.class, 'waiting')
	FROM jsonb_to_recordset(facts -> 'stands') s (server text, state text, reason text, nudges bigint)
		LEFT JOIN reengage_internal.report_words() w ON w.kind = 'outcome' AND w.code = s.state
$$;
COMMENT ON FUNCTION reengage_internal.report_stands(jsonb) IS 'of the facts: how many nudges stand where; class: waiting, sent, in_doubt or not_sent';
GRANT EXECUTE ON FUNCTION reengage_internal.report_stands(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_servers(facts jsonb,
	OUT server text, OUT requests_per_minute bigint, OUT due_now bigint, OUT scheduled bigint, OUT sent_per_minute numeric, OUT expected_end timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.* FROM jsonb_to_recordset(facts -> 'servers') s (server text, requests_per_minute bigint, due_now bigint, scheduled bigint,
		sent_per_minute numeric, expected_end timestamptz)
$$;
COMMENT ON FUNCTION reengage_internal.report_servers(jsonb) IS 'of the facts: what the campaign''s servers are allowed, and how it goes on there, as in campaign_status';
GRANT EXECUTE ON FUNCTION reengage_internal.report_servers(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_part_of_time(facts jsonb, place integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT to_char((facts -> 'bounds' ->> (place - 1))::timestamptz,
		CASE facts ->> 'step' WHEN 'hour' THEN 'Dy FMDD Mon, HH24:MI' WHEN 'day' THEN 'Dy FMDD Mon YYYY' ELSE 'FMMonth YYYY' END)
$$;
COMMENT ON FUNCTION reengage_internal.report_part_of_time(jsonb, integer) IS 'the name of an hour, day or month; they count from 1';
GRANT EXECUTE ON FUNCTION reengage_internal.report_part_of_time(jsonb, integer) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_head(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<header>\n<p class="kind">Campaign</p>\n<h1><bdi>%s</bdi></h1>\n<p>As of %s. Times are in %s (UTC%s).</p>\n</header>\n',
			reengage_internal.html(facts ->> 'campaign'), reengage_internal.report_time((facts ->> 'as_of')::timestamptz),
			reengage_internal.html(current_setting('TimeZone')), to_char((facts ->> 'as_of')::timestamptz, 'OF'))
		|| coalesce((SELECT string_agg(format(E'<p class="alert"><bdi>%s</bdi></p>\n', reengage_internal.html(t.said)), '' ORDER BY t.server COLLATE "C" NULLS FIRST, t.said COLLATE "C")
			FROM jsonb_to_recordset(facts -> 'troubles') t (server text, said text)), '')
		|| (SELECT E'<dl class="tiles">\n' || string_agg(reengage_internal.report_tile(t.name,
				coalesce((SELECT sum(s.nudges) FROM reengage_internal.report_stands(facts) s WHERE t.class IN ('asked', s.class)), 0),
				(SELECT sum(s.nudges) FROM reengage_internal.report_stands(facts) s), t.class), '' ORDER BY t.place) || E'</dl>\n'
			FROM (VALUES (1, 'asked', 'asked for'), (2, 'sent', 'sent'), (3, 'waiting', 'waiting'),
						 (4, 'not_sent', 'not sent'), (5, 'in_doubt', 'in doubt')) t (place, class, name))
$$;
COMMENT ON FUNCTION reengage_internal.report_head(jsonb) IS 'which campaign, as of when, what keeps it, and its five numbers';
GRANT EXECUTE ON FUNCTION reengage_internal.report_head(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_funnel(facts jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	happened record;
	asked bigint;
	ended_before bigint;
	steps bigint[];
	names text[] := '{"asked for","conversation looked at","sent","answered afterwards"}';
	drawn text;
	rows text;
BEGIN
	SELECT coalesce(sum(h.notified + h.created + h.not_sent + h.in_doubt), 0) AS ended, coalesce(sum(h.looked_at), 0) AS looked_at,
		coalesce(sum(h.notified), 0) AS notified, coalesce(sum(h.created), 0) AS created, coalesce(sum(h.answered), 0) AS answered
	INTO happened FROM reengage_internal.report_happened(facts) h;
	SELECT coalesce(sum(s.nudges) FILTER (WHERE s.class = 'waiting'), 0) + happened.ended,
		coalesce(sum(s.nudges) FILTER (WHERE s.class <> 'waiting'), 0) - happened.ended
	INTO asked, ended_before FROM reengage_internal.report_stands(facts) s;
	steps := ARRAY[asked, happened.looked_at, happened.notified + happened.created, happened.answered];

	SELECT string_agg(
			format(E'<text x="0" y="%s">%s</text><text x="800" y="%s" class="end strong">%s</text><rect class="rail" x="0" y="%s" width="800" height="22"/>',
				   y + 18, names[i], y + 18, reengage_internal.report_number(steps[i]), y + 26)
			|| CASE WHEN i = 3
				THEN format(E'<rect class="sent" x="0" y="%s" width="%s" height="22"/><rect class="created" x="%s" y="%s" width="%s" height="22"/>\n',
					y + 26, round(scale * happened.notified, 1), round(scale * happened.notified, 1), y + 26, round(scale * happened.created, 1))
				ELSE format(E'<rect class="%s" x="0" y="%s" width="%s" height="22"/>\n',
					('{asked,looked,sent,answered}'::text[])[i], y + 26, round(scale * steps[i], 1)) END, '' ORDER BY i),
		string_agg(reengage_internal.report_row(names[i], reengage_internal.report_number(steps[i]),
				reengage_internal.report_share(steps[i], steps[1]), CASE WHEN i > 1 THEN reengage_internal.report_share(steps[i], steps[i - 1]) END)
			|| CASE WHEN i = 3 THEN
				reengage_internal.report_row('<span class="mark sent"></span>into the conversation', reengage_internal.report_number(happened.notified),
					reengage_internal.report_share(happened.notified, steps[1]), reengage_internal.report_share(happened.notified, steps[2]))
				|| reengage_internal.report_row('<span class="mark created"></span>in a new one', reengage_internal.report_number(happened.created),
					reengage_internal.report_share(happened.created, steps[1]), reengage_internal.report_share(happened.created, steps[2]))
				ELSE '' END, '' ORDER BY i)
	INTO drawn, rows
	FROM generate_series(1, 4) i, LATERAL (SELECT (i - 1) * 64 AS y, 800.0 / greatest(steps[1], 1) AS scale) place;

	RETURN reengage_internal.report_section('How far it came',
		CASE WHEN ended_before > 0
			THEN format('Those that ended since %s, and those that wait. %s ended before.', reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz),
						reengage_internal.report_number(ended_before))
			ELSE 'From what was asked for to what customers wrote back, as far as applications told of it.' END,
		reengage_internal.report_figure('funnel', 'How far the campaign came',
			format('%s asked for, %s looked at, %s sent, %s answered afterwards', steps[1], steps[2], steps[3], steps[4]), 244, drawn),
		reengage_internal.report_table('From asking to answers', '{step,#messages,#of all,#of the step before}', rows));
END
$$;
COMMENT ON FUNCTION reengage_internal.report_funnel(jsonb) IS 'from asked for to answered';
GRANT EXECUTE ON FUNCTION reengage_internal.report_funnel(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_bar(class text, x numeric, width numeric, below numeric, number numeric, top numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN number = 0 THEN ''
		ELSE format('<rect class="%s" x="%s" width="%s" y="%s" height="%s"/>', class, x, width,
					round(256 - 240 * (below + number) / top, 1), round(240 * number / top, 1)) END
$$;
COMMENT ON FUNCTION reengage_internal.report_bar(text, numeric, numeric, numeric, numeric, numeric) IS
	'a part of a bar, on top of what is below it';
GRANT EXECUTE ON FUNCTION reengage_internal.report_bar(text, numeric, numeric, numeric, numeric, numeric) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_outcomes(facts jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	step text := facts ->> 'step';
	-- before anything ended there is nothing to see, but some of it makes one bar look like one
	first integer := (SELECT greatest(least(min(h.place), jsonb_array_length(facts -> 'bounds') - 23), 1) FROM reengage_internal.report_happened(facts) h);
	parts integer := jsonb_array_length(facts -> 'bounds') - first + 1;
	slot numeric := 696.0 / parts;
	most bigint := (SELECT max(s.sum) FROM (
		SELECT sum(h.notified + h.created + h.not_sent + h.in_doubt) FROM reengage_internal.report_happened(facts) h GROUP BY h.place) s);
	-- the smallest of 1, 2, 5, 10 ... that makes at most five lines
	line bigint := (SELECT min((m * 10 ^ k)::bigint) FROM unnest('{1,2,5}'::numeric[]) m, generate_series(0, 15) k WHERE m * 10 ^ k * 5 >= most);
	top bigint := ceil(most::numeric / line) * line;
	drawn text;
	bars text;
	rows text;
BEGIN
	IF most IS NULL THEN
		RETURN reengage_internal.report_section('When it happened',
			format('Nothing has ended since %s.', reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz))
			|| CASE WHEN EXISTS (SELECT FROM reengage_internal.report_stands(facts) s WHERE s.class <> 'waiting')
				THEN ' What ended before is shown on a page that is made from an earlier time on.' ELSE '' END, '', '');
	END IF;
	-- what is counted, from 0 at the bottom: 240 high, beginning at 16
	SELECT string_agg(format(E'<line class="grid" x1="100" x2="796" y1="%s" y2="%s"/><text x="92" y="%s" class="end">%s</text>\n',
			y, y, y + 6, reengage_internal.report_number(n)), '' ORDER BY n)
	INTO drawn
	FROM generate_series(0, top, line) n, LATERAL (SELECT round(256 - 240.0 * n / top, 1) AS y) place;
	-- when: each midnight, and what has room between
	SELECT drawn || coalesce(string_agg(format(E'<line class="grid" x1="%s" x2="%s" y1="256" y2="263"/><text x="%s" y="284" class="middle">%s</text>\n',
			x, x, x, to_char(b.at::timestamptz, CASE WHEN step = 'month' THEN 'Mon YYYY' WHEN step = 'day' OR hour = 0 THEN 'FMDD Mon' ELSE 'HH24:MI' END)), '' ORDER BY b.place), '')
	INTO drawn
	FROM jsonb_array_elements_text(facts -> 'bounds') WITH ORDINALITY b (at, place),
		LATERAL (SELECT round(100 + slot * (b.place - first), 1) AS x, extract(hour FROM b.at::timestamptz) AS hour) place
	WHERE b.place >= first AND CASE WHEN step = 'hour' THEN hour % CASE WHEN parts <= 14 THEN 1 WHEN parts <= 50 THEN 6 ELSE 24 END = 0
			   ELSE (b.place - first) % ceil(parts / 9.0)::integer = 0 END;

	SELECT string_agg(format(E'<g><title>%s: %s sent, %s not sent, %s in doubt</title>', said, sent, not_sent, in_doubt)
			|| reengage_internal.report_bar('sent', x, width, 0, sent, top)
			|| reengage_internal.report_bar('not_sent', x, width, sent, not_sent, top)
			|| reengage_internal.report_bar('in_doubt', x, width, sent + not_sent, in_doubt, top) || E'</g>\n', '' ORDER BY place),
		string_agg(reengage_internal.report_row(said, reengage_internal.report_number(sent), reengage_internal.report_number(not_sent),
			reengage_internal.report_number(in_doubt)), '' ORDER BY place)
	INTO bars, rows
	FROM (SELECT h.place, sum(h.notified + h.created) AS sent, sum(h.not_sent) AS not_sent, sum(h.in_doubt) AS in_doubt,
			reengage_internal.report_part_of_time(facts, h.place) AS said,
			round(100 + slot * (h.place - first) + slot * 0.1, 1) AS x, round(slot * 0.8, 1) AS width
		  FROM reengage_internal.report_happened(facts) h GROUP BY h.place) p;

	RETURN reengage_internal.report_section('When it happened',
		format('What ended in each %s since %s. <span class="legend"><span class="mark sent"></span>sent <span class="mark not_sent"></span>not sent <span class="mark in_doubt"></span>in doubt</span>',
			   step, reengage_internal.report_time((facts -> 'bounds' ->> (first - 1))::timestamptz)),
		reengage_internal.report_figure('outcomes', format('Messages that ended, by %s', step),
			format('Bars: how many were sent, not sent or in doubt in each %s; the highest has %s. The table has the numbers.', step, most), 320,
			E'<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch" width="6" height="6"/><rect class="stripe" width="3" height="6"/></pattern></defs>\n'
			|| drawn || bars
			|| format(E'<text x="448" y="312" class="middle">%s, in %s</text>\n<text x="18" y="136" class="middle" transform="rotate(-90 18 136)">messages</text>\n',
					  step, reengage_internal.html(current_setting('TimeZone')))),
		reengage_internal.report_table(format('What ended, by %s', step), ARRAY[step, '#sent', '#not sent', '#in doubt'], rows));
END
$$;
COMMENT ON FUNCTION reengage_internal.report_outcomes(jsonb) IS 'what ended when';
GRANT EXECUTE ON FUNCTION reengage_internal.report_outcomes(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_waiting(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What the rest waits for',
		CASE WHEN count(*) = 0 THEN 'Nothing waits: all that was asked for has ended.'
			ELSE format('Not ended yet: %s.', reengage_internal.report_number(sum(w.nudges))) END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('Waiting for', '{waiting for,#messages,#share}', string_agg(reengage_internal.report_row(w.words,
				reengage_internal.report_number(w.nudges), reengage_internal.report_meter(w.nudges, w.total, 'waiting')),
				'' ORDER BY w.nudges DESC, w.words COLLATE "C")) END)
	FROM (SELECT sum(p.nudges) AS nudges, sum(sum(p.nudges)) OVER () AS total, p.words
		  FROM reengage_internal.report_stands(facts) s LEFT JOIN reengage_internal.report_servers(facts) v ON v.server = s.server,
			LATERAL (VALUES
				(CASE WHEN s.state = 'calling' THEN s.nudges END, 'the answer of the messaging service: the message is on its way'),
				(CASE WHEN s.reason IS NOT NULL THEN s.nudges END, reengage_internal.report_says('hold', s.reason)),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL THEN v.due_now END, 'its turn'),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL THEN v.scheduled END, 'its time, which is still to come'),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL AND v.due_now IS NULL THEN s.nudges END, 'its time, or its turn')) p (nudges, words)
		  WHERE s.class = 'waiting' AND p.nudges > 0
		  GROUP BY p.words) w
$$;
COMMENT ON FUNCTION reengage_internal.report_waiting(jsonb) IS 'what waits, and for what';
GRANT EXECUTE ON FUNCTION reengage_internal.report_waiting(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_not_sent(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What was not sent, and why',
		CASE WHEN count(*) = 0 THEN 'Nothing ended without being sent.'
			ELSE format('Ended without being sent: %s. Whoever operates the database knows the words at the right.', reengage_internal.report_number(sum(n.nudges))) END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('Not sent', '{why,#messages,#share,known as}', string_agg(reengage_internal.report_row(n.words,
				reengage_internal.report_number(n.nudges), reengage_internal.report_meter(n.nudges, n.total, 'not_sent'),
				'<div class="words"><code>' || reengage_internal.html(n.code) || '</code></div>'), '' ORDER BY n.nudges DESC, n.code COLLATE "C")) END)
	FROM (SELECT sum(s.nudges) AS nudges, sum(sum(s.nudges)) OVER () AS total, concat_ws(', ', s.state, s.reason) AS code,
			reengage_internal.report_says('outcome', s.state) || coalesce(': ' || reengage_internal.report_says('reason', s.reason), '') AS words
		  FROM reengage_internal.report_stands(facts) s WHERE s.class = 'not_sent'
		  GROUP BY s.state, s.reason) n
$$;
COMMENT ON FUNCTION reengage_internal.report_not_sent(jsonb) IS 'what was not sent, and why';
GRANT EXECUTE ON FUNCTION reengage_internal.report_not_sent(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_quota(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH used AS (
		SELECT q.server, sum(q.requests) AS requests, max(q.requests) AS most
		FROM (SELECT h.server, h.place, sum(h.requests) AS requests FROM reengage_internal.report_happened(facts) h GROUP BY h.server, h.place) q
		GROUP BY q.server
	), stands AS (
		SELECT s.server, coalesce(sum(s.nudges) FILTER (WHERE s.class = 'waiting'), 0) AS waiting,
			EXISTS (SELECT FROM jsonb_to_recordset(facts -> 'troubles') t (server text) WHERE coalesce(t.server, s.server) = s.server) AS troubled
		FROM reengage_internal.report_stands(facts) s GROUP BY s.server
	)
	SELECT reengage_internal.report_section('The messaging service''s quota',
		format('Requests for messages of this campaign that ended since %s. Other campaigns use the same quota. The end is that of what may go out now, if it goes on as in the last five minutes.',
			   reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz)), '',
		reengage_internal.report_table('Requests',
			ARRAY['service', '#allowed a minute', '#used', '#at most in ' || CASE facts ->> 'step' WHEN 'hour' THEN 'an hour' ELSE 'a ' || (facts ->> 'step') END,
				  '#of what is allowed', '#sent a minute', '#waiting', 'expected end'],
			string_agg(reengage_internal.report_row('<bdi>' || reengage_internal.html(s.server) || '</bdi>',
				CASE v.requests_per_minute WHEN 0 THEN 'no limit' ELSE reengage_internal.report_number(v.requests_per_minute) END,
				reengage_internal.report_number(coalesce(u.requests, 0)), reengage_internal.report_number(coalesce(u.most, 0)),
				reengage_internal.report_meter(coalesce(u.most, 0),
					v.requests_per_minute * CASE facts ->> 'step' WHEN 'hour' THEN 60 WHEN 'day' THEN 1440 ELSE 43200 END, 'asked'),
				to_char(coalesce(v.sent_per_minute, 0), 'FM999,999,990.0'), reengage_internal.report_number(s.waiting),
				'<div class="words">' || CASE
					WHEN s.waiting = 0 THEN 'all has ended'
					WHEN s.troubled THEN 'unknown, as long as it is not called'
					WHEN v.expected_end IS NOT NULL THEN reengage_internal.report_time(v.expected_end)
					WHEN v.due_now = 0 THEN 'nothing may go out now'
					ELSE 'unknown, as nothing ended lately' END || '</div>'),
				'' ORDER BY s.server COLLATE "C")))
	FROM stands s LEFT JOIN used u ON u.server = s.server LEFT JOIN reengage_internal.report_servers(facts) v ON v.server = s.server
$$;
COMMENT ON FUNCTION reengage_internal.report_quota(jsonb) IS 'requests that were made, and when the rest may have ended';
GRANT EXECUTE ON FUNCTION reengage_internal.report_quota(jsonb) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_doubt(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What is in doubt',
		CASE WHEN count(*) = 0 THEN 'Nothing: of each message it is known whether it was sent.'
			ELSE 'Whether these messages reached their customers is not known, and they are not sent again by themselves. Whoever operates the database can find out and settle them.' END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('In doubt', '{service,why,#messages,since}', string_agg(reengage_internal.report_row(
				'<bdi>' || reengage_internal.html(d.server) || '</bdi>', '<div class="words">' || reengage_internal.report_says('reason', d.reason) || '</div>',
				reengage_internal.report_number(d.nudges), '<div class="words">' || reengage_internal.report_time(d.since) || '</div>'), '' ORDER BY d.since, d.server COLLATE "C", d.reason COLLATE "C")) END)
	FROM jsonb_to_recordset(facts -> 'doubts') d (server text, reason text, nudges bigint, since timestamptz)
$$;
COMMENT ON FUNCTION reengage_internal.report_doubt(jsonb) IS 'what may or may not have been sent';
GRANT EXECUTE ON FUNCTION reengage_internal.report_doubt(jsonb) TO reengage_operator, reengage_reader;
