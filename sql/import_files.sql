-- import_history(): what is read of a file, whoever wrote it, and what is not.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
SET reengage.default_server = 'genesys';
SELECT current_setting('data_directory') || '/history.csv' AS file \gset
\setenv FILE :file
\pset format unaligned
\pset tuples_only
\set import 'CALL reengage.import_history(''Hi'', :''campaign'', file => :''file'', as_of => ''2026-03-23'', keep_columns => ''{note}'''
\set read 'SELECT conversation_id, address, detail ->> ''note'' AS note FROM reengage.nudges WHERE campaign = :''campaign'' ORDER BY 1'
-- what is said of the file where it cannot be read
CREATE FUNCTION pg_temp.refusal(file text, arguments text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE format('CALL reengage.import_history(''Hi'', ''none'', file => %L, as_of => ''2026-03-23'', dry_run => true%s)', file, arguments);
	RETURN 'read';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN replace(concat_ws(E'\n  ', message, nullif(detail, ''), nullif(hint, '')), file, 'FILE');
END $$;
CREATE TEMP VIEW rejects AS
SELECT r.record_no, r.line_no, r.field_count, r.reason, r.record FROM reengage.import_rejects r
WHERE r.import_id = (SELECT max(i.import_id::text) FROM reengage.imports i)::uuid ORDER BY 1;

-- quotes that are data, in the middle of a field, and what Snowflake escapes by default
\! printf 'conversation_id,address,abandoned_at,note\nq-1,+13175550301,2026-03-01,21" monitor\nq-2,+13175550302,2026-03-01,plain\nq-3,+13175550303,2026-03-01,3" x 4" card\nq-4,+13175550304,2026-03-01,blue\\, not 5\\" wide\nq-5,+13175550305,2026-03-01,C:\\new\\\\x\nq-6,+13175550306,2026-03-01,two\\\nlines\n' >"$FILE"
\set campaign c1
:import) \gset
SELECT :records_read, :accepted, :'reasons';
:read;
-- enclosed text, of a tool that doubles quotes, with CR LF, line breaks and a byte order mark
\! printf '\357\273\277"conversation_id","address","abandoned_at","note"\r\n"e-1","+13175550301","2026-03-01","a ""b"",\r\nc\\"\r\n"e-2","+13175550302","2026-03-01","\\N"\r\ne-3,+13175550303,2026-03-01,\\N\r\n' >"$FILE"
\set campaign c2
:import) \gset
SELECT :records_read, :accepted, :'reasons';
:read;
-- of one that escapes quotes with a backslash
\! printf 'conversation_id,address,abandoned_at,note\n"s-1","+13175550301","2026-03-01","say \\"hi\\", and C:\\\\temp"\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\set campaign c3
:import, escape => E'\\') \gset
:read;
-- where a backslash is data
\! printf 'conversation_id,address,abandoned_at,note\nb-1,+13175550301,2026-03-01,\\\\server\\share\\\n' >"$FILE"
\set campaign c4
:import, escape => '') \gset
:read;
-- nothing is enclosed
\! printf 'conversation_id;address;abandoned_at;note\nn-1;+13175550301;2026-03-01;"quoted" word\nn-2;+13175550302;2026-03-01;"open\nn-3;+13175550303;2026-03-01;"\n' >"$FILE"
SELECT pg_temp.refusal(:'file', ', delimiter => '';''');
\set campaign c5
:import, delimiter => ';', quote => '') \gset
SELECT :records_read, :accepted, :'reasons';
:read;

-- a quote that would take whole records with it, one that never closes, text behind one
\! printf 'conversation_id,address,abandoned_at,note\nw-1,+13175550301,2026-03-01,"\nw-2,+13175550302,2026-03-01,fine\nw-3,+13175550303,2026-03-01,"\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\set campaign c6
:import, quote => '"') \gset
SELECT :records_read, :accepted, :'reasons';
\! printf 'conversation_id,address,abandoned_at,note\nw-1,+13175550301,2026-03-01,fine\nw-2,+13175550302,2026-03-01,"open\nw-3,+13175550303,2026-03-01,fine\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\! printf 'conversation_id,address,abandoned_at,note\nw-1,+13175550301,2026-03-01,"one\ntwo" three\n' >"$FILE"
SELECT pg_temp.refusal(:'file');

-- files put together: headers again, byte order marks, empty lines, a line \.
\! printf '\357\273\277conversation_id,address,abandoned_at,note\np-1,+13175550301,2026-03-01,one\n\n\357\273\277Conversation_Id, ADDRESS,abandoned_at,"note"\np-2,+13175550302,2026-03-01,two\n\\.\np-3,+13175550303,2026-03-01,three\n\r\n' >"$FILE"
\set campaign c7
:import) \gset
SELECT :records_read, :accepted, :'reasons';
:read;
SELECT * FROM rejects;
-- with the columns in another order, or with more of them, it is another file
\! printf 'conversation_id,address,abandoned_at,note\np-1,+13175550301,2026-03-01,one\naddress,conversation_id,abandoned_at,note\n+13175550302,p-2,2026-03-01,two\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\! printf 'conversation_id,address,abandoned_at,note\np-1,+13175550301,2026-03-01,one\nconversation_id,address,abandoned_at,note,mood\np-2,+13175550302,2026-03-01,two,sad\n' >"$FILE"
SELECT pg_temp.refusal(:'file');

-- quotes and backslashes that take whole records with them, though not each line looks like one; lines without a line feed
\! printf 'conversation_id,address,abandoned_at,note\nr-1,+13175550301,2026-03-01,"oops\nr-2,+13175550302,2026-03-01,a, b\nr-3,+13175550303,2026-03-01,x\nr-4,+13175550304,2026-03-01,y"\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\! printf 'conversation_id,address,abandoned_at,note\nr-1,+13175550301,2026-03-01,C:\\temp\\\nr-2,+13175550302,2026-03-01,x\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
SELECT pg_temp.refusal(:'file', ', escape => ''''');
\! printf 'conversation_id,address,abandoned_at,note\rr-1,+13175550301,2026-03-01,x\r' >"$FILE"
SELECT pg_temp.refusal(:'file');

-- where a record stands in the place of the header, nothing of it is shown
\! printf 'r-1,+13175550301,2026-03-01,hello\nr-2,+13175550302,2026-03-01,x\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
\! printf 'r-1,sms,anna@example.com,sms\n' >"$FILE"
SELECT pg_temp.refusal(:'file');
-- of pandas, with its index
\! printf ',conversation_id,address,abandoned_at\n0,r-1,+13175550301,2026-03-01\n' >"$FILE"
SELECT pg_temp.refusal(:'file');

-- a record with too few or too many fields costs that record, and is counted
\! printf 'conversation_id,address,abandoned_at,note\nf-1,+13175550301,2026-03-01\nf-2,+13175550302,2026-03-01,one, two\n"f-3\n",+13175550303,2026-03-01,x\nf-4,+13175550304,2026-03-01,fine\nf-5\n' >"$FILE"
\set campaign c8
:import) \gset
SELECT :records_read, :accepted, :'reasons';
:read;
SELECT * FROM rejects;

-- names of columns with blanks that nobody sees
\! printf '\302\240Conversation_ID\342\200\213,\342\200\252ADDRESS\342\200\254 ,abandoned_at\t, \357\273\277opted_out\343\200\200,note\nh-1,+13175550301,2026-03-01,true,x\nh-2,+13175550302,2026-03-01,false,y\n' >"$FILE"
\set campaign c9
:import) \gset
SELECT :records_read, :accepted, :'reasons';
:read;

-- what cannot be a format
SELECT pg_temp.refusal(:'file', ', delimiter => ''''');
SELECT pg_temp.refusal(:'file', ', delimiter => ''"''');
SELECT pg_temp.refusal(:'file', ', quote => ''both''');
SELECT pg_temp.refusal(:'file', ', quote => '',''');
SELECT pg_temp.refusal(:'file', ', escape => ''^''');
SELECT reengage_internal.import_read_header(NULL, ',', NULL, NULL);
SELECT reengage_internal.import_copy_file(NULL, ',', NULL, NULL);
SELECT reengage_internal.import_read_record(NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\pset tuples_only off
\set VERBOSITY terse
DROP EXTENSION reengage CASCADE;
