-- Made from dbt/analyses/08_reconciliation.sql and the models that it names, by test/snowflake/generate.
--
-- Has everything arrived, and as it was?

USE SCHEMA REENGAGE_BI.MODEL;

-- The leaves of a document, one a line (path=value), in the order of their code points:
-- white space, the order of keys and the scale of numbers mean nothing.
CREATE OR REPLACE FUNCTION CANONICAL_JSON(DETAIL VARIANT)
RETURNS VARCHAR
LANGUAGE JAVASCRIPT
STRICT
IMMUTABLE
COMMENT = 'a JSON document as the text that PostgreSQL hashes: its leaves, one a line, in order'
AS $$
function escaped(text) {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

// As "%.16e" in C.  Of two that are equally near C takes the even one, toExponential
// the greater.  They are equally near if x * 2^(17 - exponent) is odd: only then has x
// exactly one digit more.
function number(x) {
  if (x === 0) return 'd0.0000000000000000e+00';
  if (!isFinite(x)) return x > 0 ? 'dinf' : 'd-inf';
  var parts = x.toExponential(17).split('e'), more = 17 - Number(parts[1]);
  var tie = more > 0 && Math.abs(x) * Math.pow(2, more) % 2 === 1;
  if (tie && /[02468]5$/.test(parts[0])) parts[0] = parts[0].slice(0, -1);
  else parts = x.toExponential(16).split('e');
  return 'd' + parts[0] + 'e' + parts[1].charAt(0) + (parts[1].length < 3 ? '0' : '') + parts[1].slice(1);
}

// UTF-16 has the surrogates before U+E000, and code points beyond U+FFFF come last.
function place(unit) {
  return unit >= 0xE000 ? unit - 0x800 : unit >= 0xD800 ? unit + 0x2000 : unit;
}

function inOrder(a, b) {
  for (var i = 0; i < a.length && i < b.length; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return place(a.charCodeAt(i)) - place(b.charCodeAt(i));
  }
  return a.length - b.length;
}

var lines = [], open = [['', DETAIL]];
while (open.length) {
  var here = open.pop(), path = here[0], value = here[1];
  if (typeof value === 'string') lines.push(path + '=s' + escaped(value));
  else if (typeof value === 'number') lines.push(path + '=' + number(value));
  else if (typeof value === 'boolean') lines.push(path + '=' + value);
  else if (value === null || value === undefined) lines.push(path + '=null');
  else {
    // of an array, the places
    var keys = Object.keys(value);
    if (!keys.length) lines.push(path + '=' + (Array.isArray(value) ? '[]' : '{}'));
    for (var n = 0; n < keys.length; n++) {
      open.push([path + '/' + escaped(keys[n].replace(/~/g, '~0').replace(/\//g, '~1').replace(/=/g, '~2')), value[keys[n]]]);
    }
  }
}
return lines.sort(inOrder).join('\n');
$$;

-- Each value as a text that PostgreSQL makes alike, whatever the road made of it.
CREATE OR REPLACE VIEW ROW_DIGESTS
  COMMENT = 'numbers for each row of lineage, and for each of its values, that PostgreSQL computes alike'
AS
WITH TEXTS AS (
  SELECT NODE, LINEAGE_ID, LOADED_AT, CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ AS RECORDED_IN_UTC,
         COALESCE(REPLACE(REPLACE(LOWER(LINEAGE_ID), '~', '~t'), '|', '~p'), '~n') AS LINEAGE_ID_TEXT,
         COALESCE(REPLACE(REPLACE(LOWER(NUDGE_ID), '~', '~t'), '|', '~p'), '~n') AS NUDGE_ID_TEXT,
         COALESCE(REPLACE(REPLACE(SERVER, '~', '~t'), '|', '~p'), '~n') AS SERVER_TEXT,
         COALESCE(REPLACE(REPLACE(OUTCOME, '~', '~t'), '|', '~p'), '~n') AS OUTCOME_TEXT,
         COALESCE(REPLACE(REPLACE(REASON, '~', '~t'), '|', '~p'), '~n') AS REASON_TEXT,
         COALESCE(REPLACE(REPLACE(STEP, '~', '~t'), '|', '~p'), '~n') AS STEP_TEXT,
         COALESCE(REPLACE(REPLACE(REQUESTED_CONVERSATION_ID, '~', '~t'), '|', '~p'), '~n') AS REQUESTED_CONVERSATION_ID_TEXT,
         COALESCE(REPLACE(REPLACE(CONVERSATION_ID, '~', '~t'), '|', '~p'), '~n') AS CONVERSATION_ID_TEXT,
         COALESCE(REPLACE(REPLACE(PREVIOUS_CONVERSATION_ID, '~', '~t'), '|', '~p'), '~n') AS PREVIOUS_CONVERSATION_ID_TEXT,
         COALESCE(REPLACE(REPLACE(ROOT_CONVERSATION_ID, '~', '~t'), '|', '~p'), '~n') AS ROOT_CONVERSATION_ID_TEXT,
         COALESCE(GENERATION::VARCHAR, '~n') AS GENERATION_TEXT,
         COALESCE(REPLACE(REPLACE(STATUS_SEEN, '~', '~t'), '|', '~p'), '~n') AS STATUS_SEEN_TEXT,
         COALESCE(REPLACE(REPLACE(CHANNEL, '~', '~t'), '|', '~p'), '~n') AS CHANNEL_TEXT,
         COALESCE(REPLACE(REPLACE(ADDRESS_HASH, '~', '~t'), '|', '~p'), '~n') AS ADDRESS_HASH_TEXT,
         COALESCE(REPLACE(REPLACE(CAMPAIGN, '~', '~t'), '|', '~p'), '~n') AS CAMPAIGN_TEXT,
         COALESCE(ATTEMPTS::VARCHAR, '~n') AS ATTEMPTS_TEXT,
         COALESCE(API_CALLS::VARCHAR, '~n') AS API_CALLS_TEXT,
         COALESCE(API_CALLS_SAVED::VARCHAR, '~n') AS API_CALLS_SAVED_TEXT,
         COALESCE(HTTP_STATUS::VARCHAR, '~n') AS HTTP_STATUS_TEXT,
         COALESCE(REPLACE(REPLACE(API_ERROR_CODE, '~', '~t'), '|', '~p'), '~n') AS API_ERROR_CODE_TEXT,
         COALESCE(REPLACE(REPLACE(API_ERROR_MESSAGE, '~', '~t'), '|', '~p'), '~n') AS API_ERROR_MESSAGE_TEXT,
         COALESCE(REPLACE(REPLACE(CORRELATION_ID, '~', '~t'), '|', '~p'), '~n') AS CORRELATION_ID_TEXT,
         COALESCE(REPLACE(REPLACE(MESSAGE_ID, '~', '~t'), '|', '~p'), '~n') AS MESSAGE_ID_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, REQUESTED_AT)::VARCHAR, '~n') AS REQUESTED_AT_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, DUE_AT)::VARCHAR, '~n') AS DUE_AT_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, CHECKED_AT)::VARCHAR, '~n') AS CHECKED_AT_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, CALLED_AT)::VARCHAR, '~n') AS CALLED_AT_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, OCCURRED_AT)::VARCHAR, '~n') AS OCCURRED_AT_TEXT,
         COALESCE(DATE_PART(EPOCH_MICROSECOND, RECORDED_AT)::VARCHAR, '~n') AS RECORDED_AT_TEXT,
         COALESCE(REPLACE(REPLACE(LOWER(RESOLVES), '~', '~t'), '|', '~p'), '~n') AS RESOLVES_TEXT,
         COALESCE(SCHEMA_VERSION::VARCHAR, '~n') AS SCHEMA_VERSION_TEXT,
         COALESCE(REPLACE(REPLACE(CANONICAL_JSON(DETAIL), '~', '~t'), '|', '~p'), '~n') AS DETAIL_TEXT,
         -- what version 1.0 summed up: 13 columns
         LINEAGE_ID || '|' || COALESCE(NUDGE_ID, '~') || '|' || SERVER || '|' || OUTCOME
         || '|' || REQUESTED_CONVERSATION_ID || '|' || CONVERSATION_ID
         || '|' || COALESCE(PREVIOUS_CONVERSATION_ID, '~') || '|' || ROOT_CONVERSATION_ID
         || '|' || GENERATION::VARCHAR || '|' || COALESCE(HTTP_STATUS::VARCHAR, '~')
         || '|' || API_CALLS::VARCHAR || '|' || API_CALLS_SAVED::VARCHAR
         || '|' || DATE_PART(EPOCH_MICROSECOND, OCCURRED_AT)::VARCHAR AS TEXT_OF_13
  FROM LANDED_LINEAGE
),
DIGESTS AS (
  SELECT NODE, TO_DATE(RECORDED_IN_UTC) AS DAY, LINEAGE_ID, LOADED_AT, RECORDED_IN_UTC AS RECORDED_AT,
         BITAND(MD5_NUMBER_LOWER64(LINEAGE_ID_TEXT), 2147483647)::BIGINT AS PLACE,
         BITAND(MD5_NUMBER_LOWER64(LINEAGE_ID_TEXT || '|' || NUDGE_ID_TEXT || '|' || SERVER_TEXT || '|' || OUTCOME_TEXT
         || '|' || REASON_TEXT || '|' || STEP_TEXT || '|' || REQUESTED_CONVERSATION_ID_TEXT || '|' || CONVERSATION_ID_TEXT
         || '|' || PREVIOUS_CONVERSATION_ID_TEXT || '|' || ROOT_CONVERSATION_ID_TEXT || '|' || GENERATION_TEXT || '|' || STATUS_SEEN_TEXT
         || '|' || CHANNEL_TEXT || '|' || ADDRESS_HASH_TEXT || '|' || CAMPAIGN_TEXT || '|' || ATTEMPTS_TEXT
         || '|' || API_CALLS_TEXT || '|' || API_CALLS_SAVED_TEXT || '|' || HTTP_STATUS_TEXT || '|' || API_ERROR_CODE_TEXT
         || '|' || API_ERROR_MESSAGE_TEXT || '|' || CORRELATION_ID_TEXT || '|' || MESSAGE_ID_TEXT || '|' || REQUESTED_AT_TEXT
         || '|' || DUE_AT_TEXT || '|' || CHECKED_AT_TEXT || '|' || CALLED_AT_TEXT || '|' || OCCURRED_AT_TEXT
         || '|' || RECORDED_AT_TEXT || '|' || RESOLVES_TEXT || '|' || SCHEMA_VERSION_TEXT || '|' || DETAIL_TEXT), 281474976710655)::BIGINT AS DIGEST,
         BITAND(MD5_NUMBER_LOWER64(TEXT_OF_13), 281474976710655)::BIGINT AS DIGEST_OF_13,
         BITAND(MD5_NUMBER_LOWER64(LINEAGE_ID_TEXT), 2147483647)::BIGINT AS LINEAGE_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(NUDGE_ID_TEXT), 2147483647)::BIGINT AS NUDGE_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(SERVER_TEXT), 2147483647)::BIGINT AS SERVER_HASH,
         BITAND(MD5_NUMBER_LOWER64(OUTCOME_TEXT), 2147483647)::BIGINT AS OUTCOME_HASH,
         BITAND(MD5_NUMBER_LOWER64(REASON_TEXT), 2147483647)::BIGINT AS REASON_HASH,
         BITAND(MD5_NUMBER_LOWER64(STEP_TEXT), 2147483647)::BIGINT AS STEP_HASH,
         BITAND(MD5_NUMBER_LOWER64(REQUESTED_CONVERSATION_ID_TEXT), 2147483647)::BIGINT AS REQUESTED_CONVERSATION_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(CONVERSATION_ID_TEXT), 2147483647)::BIGINT AS CONVERSATION_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(PREVIOUS_CONVERSATION_ID_TEXT), 2147483647)::BIGINT AS PREVIOUS_CONVERSATION_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(ROOT_CONVERSATION_ID_TEXT), 2147483647)::BIGINT AS ROOT_CONVERSATION_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(GENERATION_TEXT), 2147483647)::BIGINT AS GENERATION_HASH,
         BITAND(MD5_NUMBER_LOWER64(STATUS_SEEN_TEXT), 2147483647)::BIGINT AS STATUS_SEEN_HASH,
         BITAND(MD5_NUMBER_LOWER64(CHANNEL_TEXT), 2147483647)::BIGINT AS CHANNEL_HASH,
         BITAND(MD5_NUMBER_LOWER64(ADDRESS_HASH_TEXT), 2147483647)::BIGINT AS ADDRESS_HASH_HASH,
         BITAND(MD5_NUMBER_LOWER64(CAMPAIGN_TEXT), 2147483647)::BIGINT AS CAMPAIGN_HASH,
         BITAND(MD5_NUMBER_LOWER64(ATTEMPTS_TEXT), 2147483647)::BIGINT AS ATTEMPTS_HASH,
         BITAND(MD5_NUMBER_LOWER64(API_CALLS_TEXT), 2147483647)::BIGINT AS API_CALLS_HASH,
         BITAND(MD5_NUMBER_LOWER64(API_CALLS_SAVED_TEXT), 2147483647)::BIGINT AS API_CALLS_SAVED_HASH,
         BITAND(MD5_NUMBER_LOWER64(HTTP_STATUS_TEXT), 2147483647)::BIGINT AS HTTP_STATUS_HASH,
         BITAND(MD5_NUMBER_LOWER64(API_ERROR_CODE_TEXT), 2147483647)::BIGINT AS API_ERROR_CODE_HASH,
         BITAND(MD5_NUMBER_LOWER64(API_ERROR_MESSAGE_TEXT), 2147483647)::BIGINT AS API_ERROR_MESSAGE_HASH,
         BITAND(MD5_NUMBER_LOWER64(CORRELATION_ID_TEXT), 2147483647)::BIGINT AS CORRELATION_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(MESSAGE_ID_TEXT), 2147483647)::BIGINT AS MESSAGE_ID_HASH,
         BITAND(MD5_NUMBER_LOWER64(REQUESTED_AT_TEXT), 2147483647)::BIGINT AS REQUESTED_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(DUE_AT_TEXT), 2147483647)::BIGINT AS DUE_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(CHECKED_AT_TEXT), 2147483647)::BIGINT AS CHECKED_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(CALLED_AT_TEXT), 2147483647)::BIGINT AS CALLED_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(OCCURRED_AT_TEXT), 2147483647)::BIGINT AS OCCURRED_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(RECORDED_AT_TEXT), 2147483647)::BIGINT AS RECORDED_AT_HASH,
         BITAND(MD5_NUMBER_LOWER64(RESOLVES_TEXT), 2147483647)::BIGINT AS RESOLVES_HASH,
         BITAND(MD5_NUMBER_LOWER64(SCHEMA_VERSION_TEXT), 2147483647)::BIGINT AS SCHEMA_VERSION_HASH,
         BITAND(MD5_NUMBER_LOWER64(DETAIL_TEXT), 2147483647)::BIGINT AS DETAIL_HASH
  FROM TEXTS
)
SELECT D.*, COUNT(*) OVER (PARTITION BY NODE, LINEAGE_ID) AS COPIES,
       MIN(DIGEST) OVER (PARTITION BY NODE, LINEAGE_ID) <> MAX(DIGEST) OVER (PARTITION BY NODE, LINEAGE_ID) AS COPIES_DIFFER
FROM DIGESTS D
QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, LINEAGE_ID ORDER BY LOADED_AT, DIGEST) = 1;

-- Has everything arrived, and as it was?  For each day, and for the part of today
-- that is closed, PostgreSQL has written down how many rows it had, the sum of their
-- digests, and two sums for each column; the same are computed here.  Rows and manifest
-- travel on the same road in the order of their commits, but a connector may merge table
-- after table: look again after its next merge before you sound an alarm.
CREATE OR REPLACE VIEW RECONCILIATION
  COMMENT = 'for each node and day: what PostgreSQL counted, what is here, and whether they are equal'
AS
WITH MANIFEST AS (
  SELECT NODE, TO_DATE(DAY) AS DAY, CONVERT_TIMEZONE('UTC', AS_OF)::TIMESTAMP_NTZ AS AS_OF,
         CONVERT_TIMEZONE('UTC', UP_TO)::TIMESTAMP_NTZ AS UP_TO, ROW_COUNT, DIGEST, COLUMN_SUMS
  FROM LANDED_MANIFEST
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, DAY ORDER BY AS_OF DESC, MANIFEST_ID DESC) = 1
),
-- a part has what was recorded before UP_TO
HERE AS (
  SELECT R.NODE, R.DAY, COUNT(*) AS ROW_COUNT, SUM(R.COPIES::NUMBER(38, 0)) AS COPIES,
         MOD(SUM(R.DIGEST::NUMBER(38, 0)), 9007199254740992) AS DIGEST,
         MOD(SUM(R.DIGEST_OF_13::NUMBER(38, 0)), 9007199254740992) AS DIGEST_OF_13,
         'lineage_id:' || MOD(SUM(R.LINEAGE_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.LINEAGE_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' nudge_id:' || MOD(SUM(R.NUDGE_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.NUDGE_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' server:' || MOD(SUM(R.SERVER_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.SERVER_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' outcome:' || MOD(SUM(R.OUTCOME_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.OUTCOME_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' reason:' || MOD(SUM(R.REASON_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.REASON_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' step:' || MOD(SUM(R.STEP_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.STEP_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' requested_conversation_id:' || MOD(SUM(R.REQUESTED_CONVERSATION_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.REQUESTED_CONVERSATION_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' conversation_id:' || MOD(SUM(R.CONVERSATION_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CONVERSATION_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' previous_conversation_id:' || MOD(SUM(R.PREVIOUS_CONVERSATION_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.PREVIOUS_CONVERSATION_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' root_conversation_id:' || MOD(SUM(R.ROOT_CONVERSATION_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.ROOT_CONVERSATION_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' generation:' || MOD(SUM(R.GENERATION_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.GENERATION_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' status_seen:' || MOD(SUM(R.STATUS_SEEN_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.STATUS_SEEN_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' channel:' || MOD(SUM(R.CHANNEL_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CHANNEL_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' address_hash:' || MOD(SUM(R.ADDRESS_HASH_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.ADDRESS_HASH_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' campaign:' || MOD(SUM(R.CAMPAIGN_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CAMPAIGN_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' attempts:' || MOD(SUM(R.ATTEMPTS_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.ATTEMPTS_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' api_calls:' || MOD(SUM(R.API_CALLS_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.API_CALLS_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' api_calls_saved:' || MOD(SUM(R.API_CALLS_SAVED_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.API_CALLS_SAVED_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' http_status:' || MOD(SUM(R.HTTP_STATUS_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.HTTP_STATUS_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' api_error_code:' || MOD(SUM(R.API_ERROR_CODE_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.API_ERROR_CODE_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' api_error_message:' || MOD(SUM(R.API_ERROR_MESSAGE_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.API_ERROR_MESSAGE_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' correlation_id:' || MOD(SUM(R.CORRELATION_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CORRELATION_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' message_id:' || MOD(SUM(R.MESSAGE_ID_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.MESSAGE_ID_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' requested_at:' || MOD(SUM(R.REQUESTED_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.REQUESTED_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' due_at:' || MOD(SUM(R.DUE_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.DUE_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' checked_at:' || MOD(SUM(R.CHECKED_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CHECKED_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' called_at:' || MOD(SUM(R.CALLED_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.CALLED_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' occurred_at:' || MOD(SUM(R.OCCURRED_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.OCCURRED_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' recorded_at:' || MOD(SUM(R.RECORDED_AT_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.RECORDED_AT_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' resolves:' || MOD(SUM(R.RESOLVES_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.RESOLVES_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' schema_version:' || MOD(SUM(R.SCHEMA_VERSION_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.SCHEMA_VERSION_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR
         || ' detail:' || MOD(SUM(R.DETAIL_HASH::NUMBER(38, 0)), 2147483647)::VARCHAR
           || ':' || MOD(SUM(MOD(R.PLACE * R.DETAIL_HASH, 2147483647)::NUMBER(38, 0)), 2147483647)::VARCHAR AS COLUMN_SUMS
  FROM ROW_DIGESTS R
  LEFT JOIN MANIFEST M ON M.NODE = R.NODE AND M.DAY = R.DAY
  WHERE M.UP_TO IS NULL OR R.RECORDED_AT < M.UP_TO
  GROUP BY R.NODE, R.DAY
),
MARKED AS (
  SELECT NODE, TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ) AS DAY, COUNT_IF(IS_DELETED) AS MARKED_DELETED
  FROM LANDED_LINEAGE
  GROUP BY NODE, TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ)
),
COMPARED AS (
  SELECT COALESCE(M.NODE, H.NODE) AS NODE, COALESCE(M.DAY, H.DAY) AS DAY, M.AS_OF, M.UP_TO,
         M.ROW_COUNT AS ROWS_COUNTED, COALESCE(H.ROW_COUNT, 0) AS ROWS_HERE,
         COALESCE(H.COPIES - H.ROW_COUNT, 0) AS DUPLICATES_REMOVED,
         M.DIGEST AS DIGEST_COUNTED, M.COLUMN_SUMS AS COLUMN_SUMS_COUNTED, H.COLUMN_SUMS AS COLUMN_SUMS_HERE,
         COALESCE(CASE WHEN M.COLUMN_SUMS IS NULL AND M.DAY IS NOT NULL THEN H.DIGEST_OF_13 ELSE H.DIGEST END, 0) AS DIGEST_HERE
  FROM MANIFEST M
  FULL OUTER JOIN HERE H ON H.NODE = M.NODE AND H.DAY = M.DAY
),
-- Where there is another id, each value is at another place: then only its sum tells.
DIFFERING AS (
  SELECT NODE, DAY, LISTAGG(COLUMN_NAME, ', ') WITHIN GROUP (ORDER BY COLUMN_PLACE) AS COLUMNS_DIFFER
  FROM (
    SELECT C.NODE, C.DAY, N.COLUMN_NAME, N.COLUMN_PLACE,
           COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_COUNTED, ' ' || 'lineage_id' || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0)
             <> COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_HERE, ' ' || 'lineage_id' || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0) AS OTHER_IDS,
           COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_COUNTED, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0)
             <> COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_HERE, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0) AS OTHER_SUM,
           COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_COUNTED, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 2), '')::BIGINT, 0)
             <> COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || C.COLUMN_SUMS_HERE, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 2), '')::BIGINT, 0) AS OTHER_PLACES
    FROM COMPARED C
    CROSS JOIN (VALUES
           (1, 'lineage_id'), (2, 'nudge_id'), (3, 'server'), (4, 'outcome'), (5, 'reason'), (6, 'step'),
           (7, 'requested_conversation_id'), (8, 'conversation_id'), (9, 'previous_conversation_id'),
           (10, 'root_conversation_id'), (11, 'generation'), (12, 'status_seen'), (13, 'channel'),
           (14, 'address_hash'), (15, 'campaign'), (16, 'attempts'), (17, 'api_calls'), (18, 'api_calls_saved'),
           (19, 'http_status'), (20, 'api_error_code'), (21, 'api_error_message'), (22, 'correlation_id'),
           (23, 'message_id'), (24, 'requested_at'), (25, 'due_at'), (26, 'checked_at'), (27, 'called_at'),
           (28, 'occurred_at'), (29, 'recorded_at'), (30, 'resolves'), (31, 'schema_version'), (32, 'detail')
         ) N (COLUMN_PLACE, COLUMN_NAME)
    WHERE C.COLUMN_SUMS_COUNTED IS NOT NULL AND C.ROWS_COUNTED = C.ROWS_HERE
  )
  WHERE OTHER_SUM OR (OTHER_PLACES AND NOT OTHER_IDS)
  GROUP BY NODE, DAY
)
SELECT C.NODE, C.DAY,
       CASE
         WHEN C.ROWS_COUNTED IS NULL THEN 'not closed'
         WHEN C.ROWS_COUNTED > C.ROWS_HERE THEN 'rows are missing'
         WHEN C.ROWS_COUNTED < C.ROWS_HERE THEN 'more rows than counted'
         WHEN C.DIGEST_COUNTED <> C.DIGEST_HERE OR D.COLUMNS_DIFFER IS NOT NULL THEN 'a row differs'
         WHEN C.UP_TO IS NOT NULL THEN 'equal so far'
         ELSE 'equal'
       END AS STATE,
       D.COLUMNS_DIFFER,
       CASE WHEN C.ROWS_COUNTED IS NULL THEN NULL WHEN C.COLUMN_SUMS_COUNTED IS NULL THEN '13 columns' ELSE '32 columns' END
         AS COVERS,
       C.UP_TO, C.ROWS_COUNTED, C.ROWS_HERE, C.DUPLICATES_REMOVED, COALESCE(L.MARKED_DELETED, 0) AS MARKED_DELETED,
       C.DIGEST_COUNTED, C.DIGEST_HERE, C.COLUMN_SUMS_COUNTED, C.COLUMN_SUMS_HERE, C.AS_OF
FROM COMPARED C
LEFT JOIN DIFFERING D ON D.NODE = C.NODE AND D.DAY = C.DAY
LEFT JOIN MARKED L ON L.NODE = C.NODE AND L.DAY = C.DAY;

-- Which row it is, and which column.  PostgreSQL's sums of a column are SUM(HASH) and
-- SUM(PLACE * HASH), modulo a prime.  Where one row has another value, the second differs
-- by its PLACE times what the first differs by, and no other row has that place.
--
-- A row that is not here is told by its PLACE: in PostgreSQL, reengage.find_lineage(day,
-- place) finds it.  More rows than one have no places of their own: LINEAGE_ID is null.
CREATE OR REPLACE VIEW RECONCILIATION_ROWS
  COMMENT = 'which row it is, and which column, where a day is not equal'
AS
WITH BY_COLUMN AS (
  SELECT R.NODE, R.DAY, R.UP_TO, R.ROWS_HERE, R.ROWS_HERE - R.ROWS_COUNTED AS MORE, N.COLUMN_PLACE, N.COLUMN_NAME,
         COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || R.COLUMN_SUMS_COUNTED, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0) AS SUM_COUNTED,
         COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || R.COLUMN_SUMS_COUNTED, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 2), '')::BIGINT, 0) AS PLACED_COUNTED,
         COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || R.COLUMN_SUMS_HERE, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 1), '')::BIGINT, 0) AS SUM_HERE,
         COALESCE(NULLIF(SPLIT_PART(SPLIT_PART(SPLIT_PART(' ' || R.COLUMN_SUMS_HERE, ' ' || N.COLUMN_NAME || ':', 2), ' ', 1), ':', 2), '')::BIGINT, 0) AS PLACED_HERE
  FROM RECONCILIATION R
  CROSS JOIN (VALUES
         (1, 'lineage_id'), (2, 'nudge_id'), (3, 'server'), (4, 'outcome'), (5, 'reason'), (6, 'step'),
         (7, 'requested_conversation_id'), (8, 'conversation_id'), (9, 'previous_conversation_id'),
         (10, 'root_conversation_id'), (11, 'generation'), (12, 'status_seen'), (13, 'channel'),
         (14, 'address_hash'), (15, 'campaign'), (16, 'attempts'), (17, 'api_calls'), (18, 'api_calls_saved'),
         (19, 'http_status'), (20, 'api_error_code'), (21, 'api_error_message'), (22, 'correlation_id'),
         (23, 'message_id'), (24, 'requested_at'), (25, 'due_at'), (26, 'checked_at'), (27, 'called_at'),
         (28, 'occurred_at'), (29, 'recorded_at'), (30, 'resolves'), (31, 'schema_version'), (32, 'detail')
       ) N (COLUMN_PLACE, COLUMN_NAME)
  WHERE R.COLUMN_SUMS_COUNTED IS NOT NULL AND R.STATE NOT IN ('equal', 'equal so far')
),
-- how much there is here beyond what was counted
BEYOND AS (
  SELECT B.*, MOD(2147483647 + B.SUM_HERE - B.SUM_COUNTED, 2147483647) AS BY_SUM,
         MOD(2147483647 + B.PLACED_HERE - B.PLACED_COUNTED, 2147483647) AS BY_PLACE,
         MOD(2147483647 + I.SUM_HERE - I.SUM_COUNTED, 2147483647) AS IDS_BY_SUM
  FROM BY_COLUMN B
  JOIN BY_COLUMN I ON I.NODE = B.NODE AND I.DAY = B.DAY AND I.COLUMN_NAME = 'lineage_id'
),
-- Where a row is missing or was not counted, that explains all columns in which
-- the second sum differs by its place times the first.  Where there is another id, each
-- value is at another place: then only its sum tells.
TO_FIND AS (
  SELECT B.*, CASE WHEN MORE = -1 THEN MOD(2147483647 - IDS_BY_SUM, 2147483647) WHEN MORE = 1 THEN IDS_BY_SUM END AS ROW_PLACE,
         MORE = 0 AND IDS_BY_SUM <> 0 AS OTHER_IDS
  FROM BEYOND B
  WHERE COLUMN_NAME = 'lineage_id' AND (MORE <> 0 OR BY_SUM <> 0 OR BY_PLACE <> 0)
     OR MORE = 0 AND (BY_SUM <> 0 OR (BY_PLACE <> 0 AND IDS_BY_SUM = 0))
     OR MORE = 1 AND MOD(IDS_BY_SUM * BY_SUM, 2147483647) <> BY_PLACE
     OR MORE = -1 AND MOD(MOD(2147483647 - IDS_BY_SUM, 2147483647) * BY_SUM, 2147483647) <> BY_PLACE
),
HERE AS (
  SELECT R.*
  FROM ROW_DIGESTS R
  JOIN (SELECT DISTINCT NODE, DAY, UP_TO FROM TO_FIND) D
    ON D.NODE = R.NODE AND D.DAY = R.DAY AND (D.UP_TO IS NULL OR R.RECORDED_AT < D.UP_TO)
),
-- Two rows that have each other's values: the first sum is as it was.
HASHES AS (
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, F.BY_PLACE, R.LINEAGE_ID, R.PLACE,
         CASE F.COLUMN_NAME
         WHEN 'lineage_id' THEN R.LINEAGE_ID_HASH
         WHEN 'nudge_id' THEN R.NUDGE_ID_HASH
         WHEN 'server' THEN R.SERVER_HASH
         WHEN 'outcome' THEN R.OUTCOME_HASH
         WHEN 'reason' THEN R.REASON_HASH
         WHEN 'step' THEN R.STEP_HASH
         WHEN 'requested_conversation_id' THEN R.REQUESTED_CONVERSATION_ID_HASH
         WHEN 'conversation_id' THEN R.CONVERSATION_ID_HASH
         WHEN 'previous_conversation_id' THEN R.PREVIOUS_CONVERSATION_ID_HASH
         WHEN 'root_conversation_id' THEN R.ROOT_CONVERSATION_ID_HASH
         WHEN 'generation' THEN R.GENERATION_HASH
         WHEN 'status_seen' THEN R.STATUS_SEEN_HASH
         WHEN 'channel' THEN R.CHANNEL_HASH
         WHEN 'address_hash' THEN R.ADDRESS_HASH_HASH
         WHEN 'campaign' THEN R.CAMPAIGN_HASH
         WHEN 'attempts' THEN R.ATTEMPTS_HASH
         WHEN 'api_calls' THEN R.API_CALLS_HASH
         WHEN 'api_calls_saved' THEN R.API_CALLS_SAVED_HASH
         WHEN 'http_status' THEN R.HTTP_STATUS_HASH
         WHEN 'api_error_code' THEN R.API_ERROR_CODE_HASH
         WHEN 'api_error_message' THEN R.API_ERROR_MESSAGE_HASH
         WHEN 'correlation_id' THEN R.CORRELATION_ID_HASH
         WHEN 'message_id' THEN R.MESSAGE_ID_HASH
         WHEN 'requested_at' THEN R.REQUESTED_AT_HASH
         WHEN 'due_at' THEN R.DUE_AT_HASH
         WHEN 'checked_at' THEN R.CHECKED_AT_HASH
         WHEN 'called_at' THEN R.CALLED_AT_HASH
         WHEN 'occurred_at' THEN R.OCCURRED_AT_HASH
         WHEN 'recorded_at' THEN R.RECORDED_AT_HASH
         WHEN 'resolves' THEN R.RESOLVES_HASH
         WHEN 'schema_version' THEN R.SCHEMA_VERSION_HASH
         WHEN 'detail' THEN R.DETAIL_HASH END AS HASH
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS AND F.BY_SUM = 0 AND F.ROWS_HERE <= 2000
),
PAIRS AS (
  SELECT A.NODE, A.DAY, A.COLUMN_NAME, A.LINEAGE_ID AS ONE_ID, A.PLACE AS ONE_PLACE, B.LINEAGE_ID AS OTHER_ID, B.PLACE AS OTHER_PLACE
  FROM HASHES A
  JOIN HASHES B ON B.NODE = A.NODE AND B.DAY = A.DAY AND B.COLUMN_NAME = A.COLUMN_NAME AND B.PLACE > A.PLACE
  WHERE MOD((B.PLACE - A.PLACE) * MOD(2147483647 + B.HASH - A.HASH, 2147483647), 2147483647) = A.BY_PLACE
),
FOUND AS (
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, R.PLACE, 'its value differs' AS FINDING
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS AND F.BY_SUM <> 0 AND MOD(R.PLACE * F.BY_SUM, 2147483647) = F.BY_PLACE
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, ONE_ID, ONE_PLACE, 'has the value of ' || OTHER_ID FROM PAIRS
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, OTHER_ID, OTHER_PLACE, 'has the value of ' || ONE_ID FROM PAIRS
  UNION ALL
  -- two columns that have each other's values
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, NULL, NULL, 'has the values of ' || O.COLUMN_NAME
  FROM TO_FIND F
  JOIN TO_FIND O
    ON O.NODE = F.NODE AND O.DAY = F.DAY AND O.COLUMN_NAME <> F.COLUMN_NAME
   AND O.SUM_COUNTED = F.SUM_HERE AND O.PLACED_COUNTED = F.PLACED_HERE
   AND F.SUM_COUNTED = O.SUM_HERE AND F.PLACED_COUNTED = O.PLACED_HERE
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS
  UNION ALL
  -- PLACE^2 - (PLACE - BY_SUM)^2 = BY_PLACE
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, MOD(2147483647 + R.PLACE - F.BY_SUM, 2147483647),
         'this row was not counted, or not under this id: reengage.find_lineage(day, place) finds the other one where it was counted'
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.OTHER_IDS AND F.COLUMN_NAME = 'lineage_id'
    AND MOD(MOD(2 * R.PLACE, 2147483647) * F.BY_SUM, 2147483647) = MOD(F.BY_PLACE + MOD(F.BY_SUM * F.BY_SUM, 2147483647), 2147483647)
  UNION ALL
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, R.PLACE, 'this row was not counted: it came late, or is there twice'
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY AND R.PLACE = F.ROW_PLACE
  WHERE F.MORE = 1 AND F.COLUMN_NAME = 'lineage_id'
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, NULL, ROW_PLACE, 'a row is missing here: reengage.find_lineage(day, place) finds it where it was counted'
  FROM TO_FIND
  WHERE MORE = -1 AND COLUMN_NAME = 'lineage_id' AND MOD(ROW_PLACE * BY_SUM, 2147483647) = BY_PLACE
)
SELECT NODE, DAY, COLUMN_NAME, LINEAGE_ID, PLACE, FINDING
FROM FOUND
UNION ALL
SELECT F.NODE, F.DAY, F.COLUMN_NAME, NULL, NULL,
       CASE WHEN F.COLUMN_NAME <> 'lineage_id' AND F.MORE <> 0 THEN 'its value differs in another row, too'
            WHEN F.MORE < 0 THEN (-F.MORE)::VARCHAR || ' rows are missing: compare them one by one, by ROW_DIGESTS'
            WHEN F.MORE > 0 THEN F.MORE::VARCHAR || ' more rows than counted: compare them one by one, by ROW_DIGESTS'
            WHEN F.BY_SUM = 0 THEN 'values have changed places between rows'
            ELSE 'the value of more than one row differs' END
FROM TO_FIND F
LEFT JOIN FOUND O ON O.NODE = F.NODE AND O.DAY = F.DAY AND O.COLUMN_NAME = F.COLUMN_NAME
WHERE O.NODE IS NULL
UNION ALL
SELECT NODE, DAY, NULL, LINEAGE_ID, PLACE, 'its copies differ'
FROM ROW_DIGESTS
WHERE COPIES_DIFFER;
