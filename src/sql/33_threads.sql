--
-- The story of a conversation and what followed it.
--
-- A thread stands for itself by its newest row, so that the newest threads are found
-- without a look at the others.  Whether there is a newer row is answered from the
-- thread's end, where it is.
CREATE VIEW reengage.threads AS
SELECT l.server, l.root_conversation_id, t.tip_conversation_id, t.generations, t.nudges, l.outcome AS last_outcome,
	t.api_calls, t.api_calls_saved, t.first_at, t.last_at, l.lineage_id AS last_lineage_id
FROM reengage.lineage l CROSS JOIN LATERAL (
	SELECT (pg_catalog.array_agg(r.conversation_id ORDER BY r.generation DESC, r.lineage_id DESC))[1] AS tip_conversation_id,
		pg_catalog.max(r.generation) AS generations,
		pg_catalog.count(DISTINCT r.nudge_id) AS nudges,
		pg_catalog.sum(r.api_calls) AS api_calls,
		pg_catalog.sum(r.api_calls_saved) AS api_calls_saved,
		pg_catalog.min(r.occurred_at) AS first_at,
		pg_catalog.max(r.occurred_at) AS last_at
	FROM reengage.lineage r
	WHERE r.root_conversation_id = l.root_conversation_id AND r.server = l.server) t
WHERE coalesce((SELECT false FROM reengage.lineage r
	   WHERE r.root_conversation_id = l.root_conversation_id AND r.server = l.server AND r.lineage_id > l.lineage_id
	   ORDER BY r.generation DESC LIMIT 1), true);
COMMENT ON VIEW reengage.threads IS 'one row for each customer story: a chain of conversations from root to tip';
COMMENT ON COLUMN reengage.threads.server IS 'the foreign server';
COMMENT ON COLUMN reengage.threads.root_conversation_id IS 'the first conversation';
COMMENT ON COLUMN reengage.threads.tip_conversation_id IS 'the newest conversation: where the customer is now';
COMMENT ON COLUMN reengage.threads.generations IS 'sessions created since the root';
COMMENT ON COLUMN reengage.threads.nudges IS 'nudges that ended in this thread';
COMMENT ON COLUMN reengage.threads.last_outcome IS 'outcome of the last one';
COMMENT ON COLUMN reengage.threads.api_calls IS 'requests made to the API';
COMMENT ON COLUMN reengage.threads.api_calls_saved IS 'checks that were not needed';
COMMENT ON COLUMN reengage.threads.first_at IS 'when the first nudge ended';
COMMENT ON COLUMN reengage.threads.last_at IS 'when the last one did';
COMMENT ON COLUMN reengage.threads.last_lineage_id IS 'the newest row of lineage, and so ordered by time: what to order threads by';
GRANT SELECT ON reengage.threads TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.find_threads(conversation_id text, server text)
RETURNS TABLE (thread_server text, root_conversation_id text)
LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
		SELECT l.server, l.root_conversation_id FROM reengage.lineage l
		WHERE l.root_conversation_id = $1 AND ($2 IS NULL OR l.server = $2)
		UNION
		SELECT l.server, l.root_conversation_id FROM reengage.lineage l
		WHERE hashtextextended(l.conversation_id, 0) = hashtextextended($1, 0)
		  AND l.conversation_id = $1 AND l.generation > 0 AND ($2 IS NULL OR l.server = $2)
		UNION
		SELECT p.server, p.root_conversation_id FROM reengage.past_sessions p
		WHERE p.root_conversation_id = $1 AND ($2 IS NULL OR p.server = $2)
		UNION
		SELECT p.server, p.root_conversation_id FROM reengage.past_sessions p
		WHERE hashtextextended(p.conversation_id, 0) = hashtextextended($1, 0)
		  AND p.conversation_id = $1 AND ($2 IS NULL OR p.server = $2);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'conversation "%" is in no thread', left($1, 200)
			USING ERRCODE = 'no_data_found',
				  DETAIL = format('There is no lineage of it%s.', ' on server "' || $2 || '"'),
				  HINT = 'A nudge that has not ended has no lineage yet: see reengage.nudge_status. Ids are told apart by upper and lower case.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.find_threads(text, text) IS
	'the threads that a conversation belongs to: one, or several where servers share an id or threads have joined; an error if there is none';
GRANT EXECUTE ON FUNCTION reengage_internal.find_threads(text, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.thread(conversation_id text, server text DEFAULT NULL)
RETURNS TABLE (server text, generation integer, occurred_at timestamptz, outcome text, reason text,
			   conversation_id text, previous_conversation_id text, status_seen text,
			   campaign text, api_calls integer, nudge_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
-- thread_diagram() turns it off, which is for what it does itself
SET enable_nestloop = on
AS $$
	SELECT l.server, l.generation, l.occurred_at, l.outcome, l.reason,
		   l.conversation_id, l.previous_conversation_id, l.status_seen,
		   l.campaign, l.api_calls, l.nudge_id
	FROM reengage_internal.find_threads($1, $2) t CROSS JOIN LATERAL (
		SELECT l.server, l.generation, l.occurred_at, l.outcome, l.reason, l.conversation_id, l.previous_conversation_id,
			l.status_seen, l.campaign, l.api_calls, l.nudge_id, l.lineage_id
		FROM reengage.lineage l
		WHERE l.root_conversation_id = t.root_conversation_id AND l.server = t.thread_server
		UNION ALL
		SELECT p.server, p.generation, p.occurred_at, 'session_created', 'pruned', p.conversation_id, p.previous_conversation_id,
			NULL, NULL, NULL, NULL, p.lineage_id
		FROM reengage.past_sessions p
		WHERE p.root_conversation_id = t.root_conversation_id AND p.server = t.thread_server OFFSET 0) l
	ORDER BY l.server, l.occurred_at, l.lineage_id
$$;
COMMENT ON FUNCTION reengage.thread(text, text) IS
	'the story of the thread that a conversation belongs to, in order; of what was pruned only which session followed which (reason pruned); without a server: of every server that knows the conversation';
GRANT EXECUTE ON FUNCTION reengage.thread(text, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.diagram_text(words text, format text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	-- In Mermaid anything may mean something: what is not plain becomes an entity.
	SELECT CASE
		WHEN format = 'mermaid' AND words ~ '^([A-Za-z0-9 ._~:+/,()-]|[^\x01-\x7f])*$' THEN words
		WHEN format = 'mermaid' THEN (
			SELECT string_agg(CASE WHEN c ~ '[A-Za-z0-9 ._~:+/,()-]' OR c !~ '[\x01-\x7f]' THEN c
								   WHEN c ~ '[\x01-\x1f]' THEN ' '
								   ELSE '#' || ascii(c) || ';' END, '' ORDER BY n)
			FROM regexp_split_to_table(words, '') WITH ORDINALITY s (c, n))
		ELSE replace(replace(replace(regexp_replace(words, '[\x01-\x1f]', ' ', 'g'),
									 '\', '\\'), '"', '\"'), '&', '&amp;')
	END
$$;
COMMENT ON FUNCTION reengage_internal.diagram_text(text, text) IS 'words as they stand between quotes in a diagram';
GRANT EXECUTE ON FUNCTION reengage_internal.diagram_text(text, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.thread_diagram(conversation_id text, format text DEFAULT 'mermaid', server text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
-- the tables are read by thread(); a loop over the parts of a long story is quadratic
SET enable_nestloop = off SET jit = off
AS $$
DECLARE
	mermaid boolean := format = 'mermaid';
	line_break text := CASE WHEN mermaid THEN '<br/>' ELSE '\n' END;
	result text;
BEGIN
	IF format IS NULL OR format NOT IN ('mermaid', 'graphviz') THEN
		RAISE EXCEPTION 'invalid format: "%"', format
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be mermaid or graphviz.';
	END IF;
	-- an error that is raised here does not quote the statement below
	PERFORM reengage_internal.find_threads($1, $3);
	WITH story AS (
		SELECT t.server, t.generation, t.conversation_id AS id, t.previous_conversation_id AS previous,
			t.status_seen, t.place,
			t.outcome || coalesce(': ' || t.reason, '') AS what,
			to_char(t.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS at
		FROM reengage.thread($1, $3) WITH ORDINALITY AS
			t (server, generation, occurred_at, outcome, reason, conversation_id, previous_conversation_id,
			   status_seen, campaign, api_calls, nudge_id, place)
	), conversations AS (
		SELECT c.server, c.id,
			row_number() OVER (ORDER BY c.server COLLATE "C", min(c.generation), min(c.place), c.id COLLATE "C") AS n
		FROM (SELECT s.server, s.id, s.generation, s.place FROM story s
			  UNION ALL
			  SELECT s.server, s.previous, s.generation - 1, s.place FROM story s WHERE s.previous IS NOT NULL) c
		GROUP BY c.server, c.id
	), lines AS (
		-- what was seen last, then what happened and led nowhere else
		SELECT DISTINCT ON (s.server, coalesce(s.previous, s.id)) s.server, coalesce(s.previous, s.id) AS id,
			0::bigint AS place, 'seen ' || s.status_seen || ', ' || s.at AS line
		FROM story s WHERE s.status_seen IS NOT NULL
		ORDER BY s.server, coalesce(s.previous, s.id), s.place DESC
	), endings AS (
		SELECT s.server, s.id, min(s.place) AS place,
			s.what || CASE WHEN count(*) > 1 THEN format(' %s times, last ', count(*)) ELSE ', ' END || max(s.at) AS line
		FROM story s WHERE s.previous IS NULL GROUP BY s.server, s.id, s.what
	), boxes AS (
		SELECT c.server, c.n, reengage_internal.diagram_text(c.id, $2) || coalesce(o.text, '') AS label
		FROM conversations c LEFT JOIN (
			SELECT o.server, o.id,
				string_agg(line_break || reengage_internal.diagram_text(o.line, $2), '' ORDER BY o.place, o.line COLLATE "C") AS text
			FROM (TABLE lines UNION ALL TABLE endings) o
			GROUP BY o.server, o.id) o ON o.server = c.server AND o.id = c.id
	), frames AS (
		SELECT reengage_internal.diagram_text(b.server || ', times in UTC', $2) AS label, min(b.n) AS first, string_agg(
			format(CASE WHEN mermaid THEN E'    n%s["%s"]\n' ELSE E'    n%s [label="%s"];\n' END, b.n, b.label),
			'' ORDER BY b.n) AS text
		FROM boxes b GROUP BY b.server
	), arrows AS (
		SELECT string_agg(CASE WHEN mermaid
				THEN format(E'  n%s -->|"%s"| n%s\n', f.n, a.label, t.n)
				ELSE format(E'  n%s -> n%s [label="%s"];\n', f.n, t.n, a.label) END, '' ORDER BY s.place) AS text
		FROM story s
			JOIN conversations f ON f.server = s.server AND f.id = s.previous
			JOIN conversations t ON t.server = s.server AND t.id = s.id
			CROSS JOIN LATERAL (SELECT reengage_internal.diagram_text(s.what, $2) || line_break || s.at) a (label)
	)
	SELECT CASE WHEN mermaid THEN E'flowchart TD\n' ELSE E'digraph thread {\n  node [shape=box];\n' END
		|| string_agg(
			CASE WHEN mermaid
				THEN format(E'  subgraph s%s["%s"]\n%s  end\n', g.first, g.label, g.text)
				ELSE format(E'  subgraph cluster_s%s {\n    label="%s";\n%s  }\n', g.first, g.label, g.text) END,
			'' ORDER BY g.first)
		|| coalesce((SELECT a.text FROM arrows a), '')
		|| CASE WHEN mermaid THEN '' ELSE E'}\n' END
	INTO result FROM frames g;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage.thread_diagram(text, text, text) IS
	'reengage.thread() as a picture: the text of a mermaid or graphviz diagram, conversations as boxes, sessions that followed others as arrows, times in UTC';
GRANT EXECUTE ON FUNCTION reengage.thread_diagram(text, text, text) TO reengage_operator, reengage_reader;
