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

{#- The columns of a table that lands by files. -#}
{% macro column_definitions(table) %}
{%- set items = [] -%}
{%- for name, type in reengage.columns_of(table) -%}
  {%- do items.append((name | upper) ~ ' ' ~ reengage.sql_type(type) ~ (' NOT NULL' if loop.first else '')) -%}
{%- endfor -%}
{{ return(reengage.one_a_line(items, 2)) }}
{% endmacro %}
