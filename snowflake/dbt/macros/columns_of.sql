{#- The columns of the tables that travel, and their types in PostgreSQL, in the
    order of the table: the one list that all of this package is made from.
    test/lineage_columns --write writes it. -#}
{% macro columns_of(table) %}
{%- set lineage = [
  ('lineage_id', 'uuid'),
  ('nudge_id', 'uuid'),
  ('server', 'text'),
  ('outcome', 'text'),
  ('reason', 'text'),
  ('step', 'text'),
  ('requested_conversation_id', 'text'),
  ('conversation_id', 'text'),
  ('previous_conversation_id', 'text'),
  ('root_conversation_id', 'text'),
  ('generation', 'integer'),
  ('status_seen', 'text'),
  ('channel', 'text'),
  ('address_hash', 'text'),
  ('campaign', 'text'),
  ('attempts', 'integer'),
  ('api_calls', 'integer'),
  ('api_calls_saved', 'integer'),
  ('http_status', 'integer'),
  ('api_error_code', 'text'),
  ('api_error_message', 'text'),
  ('correlation_id', 'text'),
  ('message_id', 'text'),
  ('requested_at', 'timestamptz'),
  ('due_at', 'timestamptz'),
  ('checked_at', 'timestamptz'),
  ('called_at', 'timestamptz'),
  ('occurred_at', 'timestamptz'),
  ('recorded_at', 'timestamptz'),
  ('resolves', 'uuid'),
  ('schema_version', 'integer'),
  ('detail', 'jsonb')
] -%}
{%- set lineage_manifest = [
  ('manifest_id', 'uuid'),
  ('day', 'text'),
  ('as_of', 'timestamptz'),
  ('row_count', 'bigint'),
  ('digest', 'bigint'),
  ('column_sums', 'text'),
  ('up_to', 'timestamptz')
] -%}
{{ return({'lineage': lineage, 'lineage_manifest': lineage_manifest}[table]) }}
{% endmacro %}
