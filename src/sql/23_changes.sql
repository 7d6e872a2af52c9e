--
-- Who changed what operators decide, and when.
--
CREATE TABLE reengage.changes (
	change_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	table_name text NOT NULL,
	changed_by text NOT NULL DEFAULT session_user,
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	old jsonb,
	new jsonb,
	CONSTRAINT changes_pkey PRIMARY KEY (change_id),
	CONSTRAINT changes_check CHECK (old IS NOT NULL OR new IS NOT NULL)
);
COMMENT ON TABLE reengage.changes IS
	'who changed what operators decide, and when: one row for each changed row; append-only';
COMMENT ON COLUMN reengage.changes.change_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.changes.table_name IS 'the table of the schema reengage that was changed';
COMMENT ON COLUMN reengage.changes.changed_by IS 'who was logged in';
COMMENT ON COLUMN reengage.changes.changed_at IS 'when the changing transaction began';
COMMENT ON COLUMN reengage.changes.old IS 'the row as it was; null: it is new';
COMMENT ON COLUMN reengage.changes.new IS 'the row as it is; null: it was deleted';
SELECT pg_catalog.pg_extension_config_dump('reengage.changes', '');
GRANT SELECT ON reengage.changes TO reengage_operator;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.changes
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres'
AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		RAISE EXCEPTION 'TRUNCATE of table "reengage.%" is not allowed', TG_TABLE_NAME
			USING ERRCODE = 'feature_not_supported',
				  HINT = 'DELETE its rows, so that reengage.changes has them.';
	END IF;
	-- A row that carries another created_at than now comes out of a dump, and
	-- so does the row that tells of it.
	IF TG_OP = 'INSERT' THEN
		INSERT INTO reengage.changes (table_name, new)
		SELECT TG_TABLE_NAME, to_jsonb(NEW) WHERE NEW.created_at = now();
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO reengage.changes (table_name, old, new)
		SELECT TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW) WHERE to_jsonb(OLD) <> to_jsonb(NEW);
	ELSE
		INSERT INTO reengage.changes (table_name, old) VALUES (TG_TABLE_NAME, to_jsonb(OLD));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.note_change() IS
	'writes a changed row of a table that has created_at into reengage.changes';
