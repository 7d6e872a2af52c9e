--
-- Publishing.
--
CREATE OR REPLACE FUNCTION reengage_internal.private_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t
	FROM unnest('{address_key,nudges,intents,unresolved,suppressions,answers,changes,import_rejects,news}'::text[]) name
		CROSS JOIN LATERAL to_regclass('reengage.' || name) t
	WHERE t IS NOT NULL
$$;

CREATE FUNCTION reengage_internal.is_news_publication(publication oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(p.pubname = 'reengage_news' AND obj_description(p.oid, 'pg_publication') = 'made by reengage.publish_news()', false)
		AND (r.rolsuper OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'reengage.lineage'::regclass))
		AND NOT p.puballtables
		AND NOT EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid)
		AND NOT EXISTS (SELECT FROM pg_publication_rel t
						WHERE t.prpubid = p.oid AND (t.prrelid <> to_regclass('reengage.news') OR t.prqual IS NULL OR t.prattrs IS NULL))
	FROM pg_publication p JOIN pg_roles r ON r.oid = p.pubowner
	WHERE p.oid = is_news_publication.publication
$$;
COMMENT ON FUNCTION reengage_internal.is_news_publication(oid) IS
	'whether publish_news() made a publication, and nobody has put anything else into it';
GRANT EXECUTE ON FUNCTION reengage_internal.is_news_publication(oid) TO reengage_operator, reengage_reader;

