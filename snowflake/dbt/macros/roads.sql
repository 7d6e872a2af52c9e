{#- The roads: what each names its own columns, and how it spells ours.  loaded_at is
    when a row came (kafka: when the sink had it, or else when it was committed),
    is_deleted whether it is marked as deleted in the source.

    plain    each column by its name
    cast     as types of PostgreSQL
    quoted   by its name in lower case
    parsed   jsonb is text
    typed    jsonb and times are text
    quoted_typed   the same, by its name in lower case
    member   a member of RECORD_CONTENT

    Of what is quoted, openflow quotes the table and its schema, too. -#}
{% macro roads() %}
{%- set pushed = reengage.json_member('RECORD_METADATA', 'SnowflakeConnectorPushTime', 'bigint') -%}
{%- set committed = reengage.json_member('RECORD_CONTENT', '__source_ts_ms', 'bigint') -%}
{%- set deleted = reengage.json_member('RECORD_CONTENT', '__deleted', 'text') -%}
{%- set openflow = {'loaded_at': '_SNOWFLAKE_UPDATED_AT', 'is_deleted': 'COALESCE(_SNOWFLAKE_DELETED, FALSE)'} -%}
{{ return({
  'openflow': dict(openflow, spelled='plain'),
  'openflow_case_sensitive': dict(openflow, spelled='quoted'),
  'airbyte': {'loaded_at': '_AIRBYTE_EXTRACTED_AT', 'is_deleted': '_AB_CDC_DELETED_AT IS NOT NULL', 'spelled': 'parsed'},
  'fivetran': {'loaded_at': '_FIVETRAN_SYNCED', 'is_deleted': 'COALESCE(_FIVETRAN_DELETED, FALSE)', 'spelled': 'plain'},
  'peerdb': {'loaded_at': '_PEERDB_SYNCED_AT', 'is_deleted': 'COALESCE(_PEERDB_IS_DELETED, FALSE)', 'spelled': 'plain'},
  'kafka': {'loaded_at': reengage.time_of_milliseconds('COALESCE(' ~ pushed ~ ', ' ~ committed ~ ')'),
            'is_deleted': 'COALESCE(' ~ deleted ~ " = 'true', FALSE)", 'spelled': 'member'},
  'kafka_columns': {'loaded_at': reengage.time_of_milliseconds('COALESCE(' ~ pushed ~ ', __SOURCE_TS_MS)'),
                    'is_deleted': "COALESCE(__DELETED = 'true', FALSE)", 'spelled': 'typed'},
  'kafka_columns_case_sensitive': {'loaded_at': reengage.time_of_milliseconds('COALESCE(' ~ pushed ~ ', "__source_ts_ms")'),
                                   'is_deleted': 'COALESCE("__deleted" = \'true\', FALSE)', 'spelled': 'quoted_typed'},
  'estuary': {'loaded_at': 'FLOW_PUBLISHED_AT', 'is_deleted': 'COALESCE("_meta/op" = \'d\', FALSE)', 'spelled': 'plain'},
  'copy': {'loaded_at': 'LOADED_AT', 'is_deleted': 'FALSE', 'spelled': 'parsed'},
  'postgres': {'loaded_at': {'lineage': 'RECORDED_AT', 'lineage_manifest': 'AS_OF'}, 'is_deleted': 'FALSE', 'spelled': 'cast'}
}) }}
{% endmacro %}

{% macro road_named(name) %}
{%- set roads = reengage.roads() -%}
{%- if name not in roads -%}
  {%- do exceptions.raise_compiler_error('reengage_road: ' ~ name ~ ' is none of ' ~ (roads | join(', '))) -%}
{%- endif -%}
{{ return(roads[name]) }}
{% endmacro %}

{#- A column as a road spells it. -#}
{% macro spelled(name, type, how) %}
{%- set NAME = name | upper -%}
{%- set here = '"' ~ name ~ '"' if how in ('quoted', 'quoted_typed') else NAME -%}
{%- if how == 'member' -%}
  {%- set text = reengage.json_member('RECORD_CONTENT', name, 'text') -%}
  {%- set value = reengage.json_of(text) if type == 'jsonb' else reengage.json_member('RECORD_CONTENT', name, type) -%}
  {{ return(value ~ ' AS ' ~ NAME) }}
{%- elif type == 'jsonb' and how in ('parsed', 'typed', 'quoted_typed') -%}
  {{ return(reengage.json_of(here) ~ ' AS ' ~ NAME) }}
{%- elif how == 'cast' or type == 'timestamptz' and how in ('typed', 'quoted_typed') -%}
  {{ return(here ~ '::' ~ reengage.sql_type(type) ~ ' AS ' ~ NAME) }}
{%- endif -%}
{{ return(NAME if here == NAME else here ~ ' AS ' ~ NAME) }}
{% endmacro %}

{#- The table that a road fills; of a node that has a schema of its own, there. -#}
{% macro landed_table(table, how, schema) %}
{%- set relation = source('reengage', table) -%}
{%- if schema -%}{%- set relation = relation.incorporate(path={'schema': schema}) -%}{%- endif -%}
{%- if how == 'quoted' -%}{%- set relation = relation.quote(schema=true, identifier=true) -%}{%- endif -%}
{{ return(relation) }}
{% endmacro %}

{#- The rows of a table as the roads deliver them, of all nodes: each node may have a
    schema, and a road, of its own.  Where a subscriber has collected those of all, each
    row says which it is of. -#}
{% macro landed(table, road_name) %}
{%- set nodes = var('reengage_nodes') -%}
{%- if nodes == 'collected' -%}
{{ reengage.landed_of_node(none, table, road_name, none) }}
{%- elif nodes is not mapping -%}
  {%- do exceptions.raise_compiler_error('reengage_nodes: ' ~ nodes ~ ' is neither collected nor names of nodes with their schemas') -%}
{%- else -%}
{%- for node, place in nodes.items() -%}
{%- set place = place if place is mapping else {'schema': place} -%}
{{ reengage.landed_of_node(node, table, place.get('road') or road_name, place.get('schema')) }}
{%- if not loop.last %}
UNION ALL
{% endif -%}
{%- endfor -%}
{%- endif -%}
{% endmacro %}

{% macro landed_of_node(node, table, road_name, schema) %}
{%- set road = reengage.road_named(road_name) -%}
{%- set how = road['spelled'] -%}
{%- set loaded_at = road['loaded_at'] if road['loaded_at'] is string else road['loaded_at'][table] -%}
{%- set items = [] -%}
{%- for name, type in reengage.columns_of(table) -%}{%- do items.append(reengage.spelled(name, type, how)) -%}{%- endfor -%}
{%- set listed = reengage.one_a_line(items) if how in ('quoted', 'quoted_typed', 'member') else reengage.lines_of(items) -%}
SELECT {{ "'" ~ node ~ "' AS NODE" if node else reengage.spelled('node', 'text', how) }},
       {{ loaded_at }} AS LOADED_AT,
       {{ road['is_deleted'] }} AS IS_DELETED,
       {{ listed }}
FROM {{ reengage.landed_table(table, how, schema) }}
{%- endmacro %}

{#- For the freshness of a source: when the newest row came of the node that is furthest
    behind. -#}
{% macro newest_of(table) -%}
SELECT MIN(NEWEST)
FROM (SELECT NODE, MAX(LOADED_AT) AS NEWEST FROM ({{ reengage.landed(table, var('reengage_road')) }}) LANDED GROUP BY NODE) NODES
{%- endmacro %}
