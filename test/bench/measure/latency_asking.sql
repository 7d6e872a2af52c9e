-- Lone nudges, one after another, by one session that sleeps meanwhile: a client that is
-- started to look whether they have ended would take the processor from whom we measure.
SELECT set_config('bench.nudges', :'nudges', false) AS nudges \gset
DO $$
DECLARE
	nudges CONSTANT integer = current_setting('bench.nudges');
BEGIN
	FOR i IN 1..nudges LOOP
		INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-latency-' || i, 'hi', 'commit');
		COMMIT;
		LOOP
			PERFORM pg_sleep(0.02);
			EXIT WHEN NOT EXISTS (SELECT FROM reengage.due);
		END LOOP;
	END LOOP;
	INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-timer-' || n, 'hi', 'timer', clock_timestamp() + interval '1 s' + n * interval '20 ms' FROM generate_series(1, nudges) n;
	COMMIT;
	LOOP
		PERFORM pg_sleep(0.2);
		EXIT WHEN NOT EXISTS (SELECT FROM reengage.due);
	END LOOP;
END
$$;
