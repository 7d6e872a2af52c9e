-- What reengage.metrics says, as Prometheus reads it, with kinds and help, for
-- node_exporter's textfile collector:
--
--   psql -XAt -d shop -f textfile.sql -o reengage.prom.new && mv reengage.prom.new reengage.prom
--
\set ON_ERROR_STOP on
WITH samples AS MATERIALIZED (
	SELECT m.name, m.kind, m.help, m.value, m.labels || jsonb_build_object('datname', current_database()) AS labels,
		CASE m.kind WHEN 'histogram' THEN regexp_replace(m.name, '_(bucket|sum|count)$', '') ELSE m.name END AS family
	FROM reengage.metrics m
	UNION ALL
	SELECT 'reengage_health', 'gauge', '1: this row of the view health is not well', (h.severity <> 'ok' AND h.state <> 'paused')::int,
		jsonb_build_object('subject', h.subject, 'state', h.state, 'severity', h.severity, 'datname', current_database()), 'reengage_health'
	FROM reengage.health h
)
SELECT l.line
FROM (
	SELECT DISTINCT s.family, 1 AS place, NULL::jsonb AS labels, format(E'# HELP %s %s\n# TYPE %1$s %3$s', s.family, s.help, s.kind) AS line
	FROM samples s
	UNION ALL
	SELECT s.family, 2, s.labels - 'le',
		format('%s{%s} %s', s.name,
			(SELECT string_agg(format('%s="%s"', l.key, replace(replace(replace(l.value, '\', '\\'), '"', '\"'), E'\n', '\n')), ',' ORDER BY l.key)
			 FROM jsonb_each_text(s.labels) l), s.value)
	FROM samples s) l
ORDER BY l.family, l.place, l.labels::text;
