--
-- Publishing.  A publication cannot belong to an extension, and pg_dump before
-- version 18 leaves an extension's tables out of publications: so it is made
-- here, by whoever wants it, and repaired after a restore.
--
CREATE FUNCTION reengage_internal.published_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t FROM unnest(ARRAY[to_regclass('reengage.lineage'), to_regclass('reengage.lineage_manifest')]) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage_internal.published_tables() IS 'the tables that are made to be replicated';
GRANT EXECUTE ON FUNCTION reengage_internal.published_tables() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.private_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t
	FROM unnest('{address_key,nudges,intents,unresolved,suppressions,answers,changes,import_rejects,news,shelved_due}'::text[]) name
		CROSS JOIN LATERAL to_regclass('reengage.' || name) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage_internal.private_tables() IS
	'the tables that have addresses and messages, tell of customers, or have the key by which address_hash can be traced back: not made to be replicated';
GRANT EXECUTE ON FUNCTION reengage_internal.private_tables() TO reengage_operator, reengage_reader;

-- Rows that came with a server from another node of a fleet are published there.
CREATE FUNCTION reengage_internal.publication_filter(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN relation = to_regclass('reengage.lineage') THEN '(xact_id > 0)' END
$$;
COMMENT ON FUNCTION reengage_internal.publication_filter(regclass) IS 'which rows of a table publish() publishes: those that were written here; null: all';
GRANT EXECUTE ON FUNCTION reengage_internal.publication_filter(regclass) TO reengage_operator, reengage_reader;

-- Anybody may give a publication of theirs the comment, but not its owner.
CREATE FUNCTION reengage_internal.is_our_publication(publication oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(obj_description(p.oid, 'pg_publication') = 'made by reengage.publish()', false)
		AND (r.rolsuper OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'reengage.lineage'::regclass))
	FROM pg_publication p JOIN pg_roles r ON r.oid = p.pubowner
	WHERE p.oid = is_our_publication.publication
$$;
COMMENT ON FUNCTION reengage_internal.is_our_publication(oid) IS
	'whether publish() made a publication: it says so, and belongs to the owner of lineage or to a superuser';
GRANT EXECUTE ON FUNCTION reengage_internal.is_our_publication(oid) TO reengage_operator, reengage_reader;

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

CREATE FUNCTION reengage_internal.refuse_publication(name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	pub pg_publication;
	complaint text;
BEGIN
	SELECT * INTO pub FROM pg_publication p WHERE p.pubname = refuse_publication.name;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	complaint := CASE
		WHEN NOT reengage_internal.is_our_publication(pub.oid)
			THEN format('reengage.publish() did not make it, or it was given away: it belongs to %s.', pub.pubowner::regrole)
		WHEN pub.puballtables OR EXISTS (
				SELECT FROM pg_publication_namespace n WHERE n.pnpubid = pub.oid)
			THEN 'It publishes whole schemas.'
		WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = pub.oid
					 AND r.prrelid NOT IN (SELECT reengage_internal.published_tables()))
			THEN (SELECT format('It contains other tables: %s.', string_agg(r.prrelid::regclass::text, ', '))
				  FROM pg_publication_rel r WHERE r.prpubid = pub.oid
				  AND r.prrelid NOT IN (SELECT reengage_internal.published_tables()))
		WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = pub.oid
					 AND (pg_get_expr(r.prqual, r.prrelid) <> coalesce(reengage_internal.publication_filter(r.prrelid), '') OR r.prattrs IS NOT NULL))
			THEN 'It has a column list or a row filter.'
		WHEN NOT pub.pubinsert OR pub.pubupdate OR pub.pubdelete OR pub.pubtruncate OR NOT pub.pubviaroot
			THEN 'Its options are not publish = ''insert'', publish_via_partition_root = true.'
	END;
	IF complaint IS NOT NULL THEN
		RAISE EXCEPTION 'publication "%" is not one that reengage may change', name
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = complaint,
				  HINT = 'Choose another name, or drop the publication first.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.refuse_publication(text) IS
	'an error if a publication of this name exists that publish() did not make, or that somebody changed since';

CREATE FUNCTION reengage.publish(name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	tables text;
	complete boolean;
BEGIN
	IF coalesce(octet_length(name), 0) NOT BETWEEN 1 AND 63 THEN
		RAISE EXCEPTION 'invalid name of a publication: "%"', left(name, 60)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must have 1 to 63 bytes.';
	END IF;
	PERFORM reengage_internal.require_writable('cannot publish on');
	IF current_setting('wal_level') <> 'logical' THEN
		RAISE EXCEPTION 'wal_level is "%", and publishing needs "logical"', current_setting('wal_level')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Set wal_level = logical in postgresql.conf and restart the server.';
	END IF;
	-- two that make or repair it at once come one after the other
	PERFORM reengage_internal.lock('publication', VARIADIC '{}');
	PERFORM reengage_internal.refuse_publication(name);

	SELECT string_agg(concat(t, ' WHERE ' || reengage_internal.publication_filter(t)), ', ' ORDER BY t::text),
		coalesce(bool_and(EXISTS (
			SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
			WHERE p.pubname = publish.name AND r.prrelid = t
			  AND pg_get_expr(r.prqual, r.prrelid) IS NOT DISTINCT FROM reengage_internal.publication_filter(t))), true)
	INTO tables, complete
	FROM reengage_internal.published_tables() t;
	IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = publish.name) THEN
		EXECUTE format('CREATE PUBLICATION %I FOR TABLE %s WITH (publish = ''insert'', publish_via_partition_root = true)',
					   name, tables);
		EXECUTE format('COMMENT ON PUBLICATION %I IS ''made by reengage.publish()''', name);
		RETURN 'created';
	END IF;
	IF complete THEN
		RETURN 'ok';
	END IF;
	EXECUTE format('ALTER PUBLICATION %I SET TABLE %s', name, tables);
	RETURN 'repaired';
END
$$;
COMMENT ON FUNCTION reengage.publish(text) IS
	'makes a publication of lineage that was written here, of inserts only, or puts back what a restore left out of it: created, repaired or ok';
GRANT EXECUTE ON FUNCTION reengage.publish(text) TO reengage_operator;
