--
-- A campaign as a page for people: what report_facts() found, in words and pictures.
--
-- These functions know no table.  They make HTML that is XML, too, of ASCII alone: it
-- is right whatever the encoding of database and client is.  Whatever somebody else
-- may have written goes through html(); what is put together here does not.
--
CREATE FUNCTION reengage_internal.html(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_html';
COMMENT ON FUNCTION reengage_internal.html(text) IS
	'text as it stands in HTML: ASCII, other letters as numbers; what a page cannot show, and what turns text round, becomes U+FFFD';
GRANT EXECUTE ON FUNCTION reengage_internal.html(text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_words(OUT kind text, OUT code text, OUT class text, OUT words text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	VALUES
		-- as outcome_list.h has them
		('outcome', 'notified', 'sent', 'sent into the conversation'),
		('outcome', 'session_created', 'sent', 'sent in a new conversation'),
		('outcome', 'session_continued', 'sent', 'sent; the old conversation went on'),
		('outcome', 'resolved_sent', 'sent', 'sent, as somebody found out'),
		('outcome', 'in_doubt', 'in_doubt', 'not known whether it was sent'),
		('outcome', 'resolved_not_sent', 'not_sent', 'not sent, as somebody found out'),
		('outcome', 'skipped_closed', 'not_sent', 'the conversation was closed, and none was to be begun'),
		('outcome', 'refused', 'not_sent', 'refused'),
		('outcome', 'expired', 'not_sent', 'its time was over'),
		('outcome', 'exhausted', 'not_sent', 'every attempt failed'),
		('outcome', 'answered', 'not_sent', 'the customer had written already'),
		('outcome', 'suppressed', 'not_sent', 'the customer has opted out'),
		('outcome', 'capped', 'not_sent', 'the customer had been written to often enough'),
		('outcome', 'held_out', 'not_sent', 'not written to on purpose, for comparison'),
		('outcome', 'cancelled', 'not_sent', 'taken back'),
		('outcome', 'imported', 'not_sent', 'known from before'),
		-- as hold_list.h has them
		('hold', 'policy', NULL, 'quiet hours, or a pause between two messages to a customer'),
		('hold', 'doubt', NULL, 'it is not known whether an earlier message reached this customer'),
		('hold', 'server', NULL, 'the messaging service refuses such messages'),
		('hold', 'rate_limit', NULL, 'the messaging service asked to be called less often'),
		('hold', 'retry', NULL, 'a call failed, and is made again'),
		('hold', 'connection', NULL, 'the messaging service is slow to connect to'),
		('hold', 'busy', NULL, 'the customer is being served on another channel'),
		('hold', 'customer', NULL, 'another message to this customer is under way'),
		('hold', 'unresolved_customer', NULL, 'another message to this customer has to be cleared up'),
		('hold', 'unresolved_thread', NULL, 'another message of this conversation has to be cleared up'),
		('hold', 'superseded', NULL, 'the conversation went on elsewhere, and is looked for'),
		('hold', 'recording', NULL, 'an opt-out, an answer or a cancellation is being noted'),
		('hold', 'standby', NULL, 'the standby of the database has to confirm'),
		-- reasons that do not speak for themselves
		('reason', 'forbidden', NULL, 'the messaging service does not permit it'),
		('reason', 'unauthorized', NULL, 'the messaging service does not accept our login for it'),
		('reason', 'named_by_another', NULL, 'the conversation goes on at an address that another application named'),
		('reason', 'thread_in_circles', NULL, 'the records of the conversation lead in a circle'),
		('reason', 'channel_not_proactive', NULL, 'no conversation may be begun on this channel'),
		('reason', 'too_large', NULL, 'the message is too large'),
		('reason', 'message_not_utf8', NULL, 'the message has characters that cannot be sent'),
		('reason', 'sent', NULL, 'somebody looked'),
		('reason', 'not_sent', NULL, 'somebody looked'),
		('reason', 'resend', NULL, 'somebody asked for it again'),
		('reason', 'recorded', NULL, 'an application said so'),
		('reason', 'superseded', NULL, 'a newer message took its place'),
		('reason', 'interrupted', NULL, 'the call was cut off'),
		('reason', 'connection_lost', NULL, 'the connection broke before the answer came'),
		('reason', 'timeout', NULL, 'no answer came in time'),
		('reason', 'unreadable', NULL, 'the answer could not be read'),
		('reason', 'key_expired', NULL, 'it was too late to ask again')
$$;
COMMENT ON FUNCTION reengage_internal.report_words() IS
	'outcomes, holds and reasons as a manager would say them; class of outcomes: sent, in_doubt or not_sent';
GRANT EXECUTE ON FUNCTION reengage_internal.report_words() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_says(kind text, code text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT w.words FROM reengage_internal.report_words() w WHERE w.kind = $1 AND w.code = $2),
		'the messaging service answered ' || substring($2 FROM '^http_([0-9]+)$'),
		'no more than ' || replace(substring($2 FROM '^cap_(.*)$'), '_', ' '),
		reengage_internal.html(replace($2, '_', ' ')))
$$;
COMMENT ON FUNCTION reengage_internal.report_says(text, text) IS 'a code in words, as HTML';
GRANT EXECUTE ON FUNCTION reengage_internal.report_says(text, text) TO reengage_operator, reengage_reader;

-- No locale decides what separates digits: it would be the database's.
CREATE FUNCTION reengage_internal.report_number(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(value, 'FM999,999,999,999,990') $$;
COMMENT ON FUNCTION reengage_internal.report_number(numeric) IS 'a count: 12,345';
GRANT EXECUTE ON FUNCTION reengage_internal.report_number(numeric) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_share(part numeric, whole numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN whole > 0 THEN to_char(100 * part / whole, 'FM999990.0') || '&#160;%' ELSE '&#8211;' END $$;
COMMENT ON FUNCTION reengage_internal.report_share(numeric, numeric) IS 'a part of a whole: 12.3 %, or a dash';
GRANT EXECUTE ON FUNCTION reengage_internal.report_share(numeric, numeric) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(at, 'Dy FMDD Mon YYYY, HH24:MI') $$;
COMMENT ON FUNCTION reengage_internal.report_time(timestamptz) IS 'a time in the session''s time zone, in English: Fri 27 Nov 2026, 14:00';
GRANT EXECUTE ON FUNCTION reengage_internal.report_time(timestamptz) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_meter(part numeric, whole numeric, class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<svg xmlns="http://www.w3.org/2000/svg" class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="rail" width="100" height="8"/><rect class="%s" width="%s" height="8"/></svg><span class="share">%s</span>',
		class, round(CASE WHEN whole > 0 THEN least(100 * part / whole, 100) ELSE 0 END, 1), reengage_internal.report_share(part, whole))
$$;
COMMENT ON FUNCTION reengage_internal.report_meter(numeric, numeric, text) IS 'a part of a whole as a bar, and the number beside it';
GRANT EXECUTE ON FUNCTION reengage_internal.report_meter(numeric, numeric, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_table(caption text, heads text[], rows text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- what scrolls can be reached by the keyboard
	SELECT format(E'<div class="table" role="region" tabindex="0" aria-label="%s"><table>\n<caption>%s</caption>\n<thead><tr>%s</tr></thead>\n<tbody>\n%s</tbody></table></div>\n',
		caption, caption,
		(SELECT string_agg(format('<th scope="col"%s>%s</th>', CASE WHEN h.head LIKE '#%' THEN ' class="number"' ELSE '' END, ltrim(h.head, '#')), '' ORDER BY h.place)
		 FROM unnest(heads) WITH ORDINALITY h (head, place)),
		rows)
$$;
COMMENT ON FUNCTION reengage_internal.report_table(text, text[], text) IS 'a table; the heads of columns of numbers begin with #';
GRANT EXECUTE ON FUNCTION reengage_internal.report_table(text, text[], text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_row(head text, VARIADIC cells text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<tr><th scope="row">%s</th>%s</tr>\n', head,
		(SELECT string_agg(format('<td>%s</td>', coalesce(c.cell, '&#8211;')), '' ORDER BY c.place)
		 FROM unnest(cells) WITH ORDINALITY c (cell, place)))
$$;
COMMENT ON FUNCTION reengage_internal.report_row(text, text[]) IS 'a row of a table; null is a dash';
GRANT EXECUTE ON FUNCTION reengage_internal.report_row(text, text[]) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_tile(name text, number numeric, whole numeric, class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<div class="tile"><dt><span class="mark %s"></span>%s</dt><dd><strong>%s</strong> %s</dd></div>\n', class, name,
		reengage_internal.report_number(number), reengage_internal.report_share(number, whole))
$$;
COMMENT ON FUNCTION reengage_internal.report_tile(text, numeric, numeric, text) IS 'one large number';
GRANT EXECUTE ON FUNCTION reengage_internal.report_tile(text, numeric, numeric, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_figure(id text, title text, said text, height integer, drawn text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 800 %s" role="img" aria-labelledby="%s-title %s-desc">\n<title id="%s-title">%s</title>\n<desc id="%s-desc">%s</desc>\n%s</svg>\n',
		height, id, id, id, title, id, said, drawn)
$$;
COMMENT ON FUNCTION reengage_internal.report_figure(text, text, text, integer, text) IS
	'a picture, 800 wide, with what those hear who do not see it';
GRANT EXECUTE ON FUNCTION reengage_internal.report_figure(text, text, text, integer, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.report_section(title text, intro text, figure text, tables text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<section>\n<h2>%s</h2>\n<p>%s</p>\n<div class="%s">\n%s%s</div>\n</section>\n', title, intro,
		CASE WHEN figure <> '' AND tables <> '' THEN 'beside' ELSE 'alone' END, figure, tables)
$$;
COMMENT ON FUNCTION reengage_internal.report_section(text, text, text, text) IS 'a part of the page: a picture with its table beside it, or one of them';
GRANT EXECUTE ON FUNCTION reengage_internal.report_section(text, text, text, text) TO reengage_operator, reengage_reader;
