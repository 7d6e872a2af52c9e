{#- What the templates in analyses/ are written with: the files beside this folder are
    made of them.  A line "-- model: NAME" in a template becomes the statement that
    creates NAME; test/snowflake/generate does that. -#}

{% macro landing_views(road_name) %}
{{- reengage.landing_view('landed_lineage', 'lineage', road_name) }}

{{ reengage.landing_view('landed_manifest', 'lineage_manifest', road_name) }}
{%- endmacro %}

{% macro landing_view(name, table, road_name) -%}
CREATE OR REPLACE VIEW {{ name | upper }}
  COMMENT = '{{ reengage.said_of(name) }}'
AS
{{ reengage.landed(table, road_name) }};
{%- endmacro %}

{#- A model's description, for a COMMENT. -#}
{% macro said_of(name) %}
{{ return(graph.nodes['model.reengage.' ~ name].description | replace("'", "''") if execute else '') }}
{% endmacro %}

{#- The columns of a table that these files make, as the road fills it. -#}
{% macro column_definitions(table, road_name) %}
{%- set how = reengage.road_named(road_name)['spelled'] -%}
{%- set items = [] -%}
{%- for name, type in reengage.columns_of(table) -%}
  {%- set as_text = type == 'jsonb' or type == 'timestamptz' and how != 'parsed' -%}
  {%- do items.append(('"' ~ name ~ '"' if how == 'quoted_typed' else name | upper) ~ ' '
                      ~ reengage.sql_type('text' if as_text else type) ~ (' NOT NULL' if loop.first else '')) -%}
{%- endfor -%}
{{ return(reengage.one_a_line(items, 2)) }}
{% endmacro %}

{#- The tables that Snowflake's connector for Kafka fills with a column for each field;
    own: the columns of the event itself. -#}
{% macro kafka_tables(road_name, own) %}
{%- for table in ('lineage', 'lineage_manifest') -%}
CREATE TABLE IF NOT EXISTS {{ source('reengage', table) }} (
  {{ reengage.column_definitions(table, road_name) }},
  {{ reengage.one_a_line(own, 2) }},
  RECORD_METADATA VARIANT
) ENABLE_SCHEMA_EVOLUTION = TRUE ERROR_LOGGING = TRUE
  COMMENT = 'reengage.{{ table }} of PostgreSQL';
{%- if not loop.last %}

{% endif -%}
{%- endfor -%}
{% endmacro %}
