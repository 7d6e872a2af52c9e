-- The customers' messages, which are no part of reengage, and what the
-- extension lacks as long as it has no settled view of lineage.
CREATE TABLE messages (
	message_id bigint PRIMARY KEY,
	server text NOT NULL,
	conversation_id text NOT NULL,
	direction text NOT NULL,
	sent_at timestamptz NOT NULL,
	body text
);

DO $$
BEGIN
	IF to_regclass('reengage.lineage_settled') IS NULL THEN
		CREATE VIEW reengage.lineage_settled AS TABLE reengage.lineage;
	END IF;
END
$$;

-- Who is whose customer, and who was held out, as PostgreSQL finds them: several
-- questions of questions.sql ask for that.
CREATE VIEW customers AS
WITH RECURSIVE places AS (
	SELECT DISTINCT server, root_conversation_id AS root, root_conversation_id AS conversation_id FROM reengage.lineage
	UNION
	SELECT p.server, p.root, l.conversation_id
	FROM places p JOIN reengage.lineage l ON l.server = p.server AND l.previous_conversation_id = p.conversation_id
), known AS (
	SELECT a.server, a.root AS one, b.root AS other FROM places a JOIN places b USING (server, conversation_id)
	UNION
	SELECT a.server, a.root_conversation_id, b.root_conversation_id FROM reengage.lineage a JOIN reengage.lineage b USING (server, address_hash)
), together AS (
	SELECT server, one, other FROM known
	UNION
	SELECT t.server, t.one, k.other FROM together t JOIN known k ON k.server = t.server AND k.one = t.other
)
SELECT p.server, p.conversation_id, min(t.other COLLATE "C") AS customer
FROM places p JOIN together t ON t.server = p.server AND t.one = p.root
GROUP BY p.server, p.conversation_id;

CREATE VIEW holdouts AS
WITH nudged AS (
	SELECT f.server, f.campaign, c.customer, f.nudge_id, coalesce(f.called_at, f.occurred_at) AS at,
		coalesce(r.outcome, f.outcome) = 'held_out' AS held
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
		JOIN customers c ON (c.server, c.conversation_id) = (f.server, f.root_conversation_id)
	WHERE f.resolves IS NULL
	  AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent', 'held_out')
), first AS (
	SELECT DISTINCT ON (n.server, n.campaign, n.customer) n.*
	FROM nudged n
	WHERE EXISTS (SELECT FROM nudged h WHERE h.held AND h.server = n.server AND h.campaign IS NOT DISTINCT FROM n.campaign AND h.at <= n.at)
	ORDER BY n.server, n.campaign, n.customer, n.at, n.nudge_id
), measured AS (
	SELECT f.*, EXISTS (SELECT FROM messages m WHERE m.server = f.server AND m.sent_at >= f.at + interval '72 hours') AS is_over,
		EXISTS (SELECT FROM messages m JOIN customers c USING (server, conversation_id)
				WHERE c.server = f.server AND c.customer = f.customer AND m.direction = 'inbound'
				  AND m.sent_at > f.at AND m.sent_at <= f.at + interval '72 hours') AS wrote
	FROM first f
)
SELECT server, campaign, count(*) FILTER (WHERE is_over AND NOT held) AS sent, count(*) FILTER (WHERE is_over AND NOT held AND wrote) AS sent_answered,
	count(*) FILTER (WHERE is_over AND held) AS held_out, count(*) FILTER (WHERE is_over AND held AND wrote) AS held_out_answered,
	count(*) FILTER (WHERE NOT is_over) AS not_over_yet
FROM measured GROUP BY server, campaign;

-- The two rates of which so many of so many are just not too few, and not too many,
-- at 95 percent: by halving, from the definition.
CREATE FUNCTION wilson(x bigint, n bigint, OUT rate double precision, OUT low double precision, OUT high double precision)
LANGUAGE plpgsql AS $$
DECLARE
	step double precision := 1;
BEGIN
	IF n = 0 THEN
		RETURN;
	END IF;
	rate := x::double precision / n;
	low := rate;
	high := rate;
	FOR i IN 1 .. 60 LOOP
		step := step / 2;
		-- as far as a true rate could be and still show this one
		IF low - step >= 0 AND (rate - (low - step)) ^ 2 <= 1.959963984540054 ^ 2 * (low - step) * (1 - (low - step)) / n THEN
			low := low - step;
		END IF;
		IF high + step <= 1 AND (high + step - rate) ^ 2 <= 1.959963984540054 ^ 2 * (high + step) * (1 - (high + step)) / n THEN
			high := high + step;
		END IF;
	END LOOP;
END
$$;
