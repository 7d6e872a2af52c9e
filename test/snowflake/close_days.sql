-- A manifest that was written before the last row of its day; then what closes the days
-- that are over, and today as far as it has come; and one as version 1.0 wrote it.
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), now() - interval '1 hour', count(*) - 1, 1
FROM reengage.lineage l
GROUP BY 1
ORDER BY 1
LIMIT 1;

DO $$
DECLARE
	day date;
BEGIN
	FOR day IN SELECT DISTINCT (l.recorded_at AT TIME ZONE 'UTC')::date FROM reengage.lineage l ORDER BY 1
	LOOP
		IF day < (now() AT TIME ZONE 'UTC')::date THEN
			CALL reengage.close_day(day);
		END IF;
	END LOOP;
END
$$;
CALL reengage.close_part();

INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT '2026-02-02', clock_timestamp(), count(*), sum(('x' || substr(md5(concat_ws('|',
		l.lineage_id, coalesce(l.nudge_id::text, '~'), l.server, l.outcome, l.requested_conversation_id, l.conversation_id,
		coalesce(l.previous_conversation_id, '~'), l.root_conversation_id, l.generation, coalesce(l.http_status::text, '~'),
		l.api_calls, l.api_calls_saved, (extract(epoch FROM l.occurred_at) * 1000000)::bigint)), 21, 12))::bit(48)::bigint) % 9007199254740992
FROM reengage.lineage l
WHERE (l.recorded_at AT TIME ZONE 'UTC')::date = '2026-02-02';
