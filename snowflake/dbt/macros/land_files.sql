{#- The road of files, for DuckDB: what unload.sql wrote into a folder is loaded into the
    tables that the road copy (and each road that keeps plain names) reads.

      dbt run-operation land_files --args '{folder: .}' --vars '{reengage_road: copy}'

    What is loaded twice does no harm. -#}
{% macro land_files(folder='.') %}
{%- if target.type != 'duckdb' -%}
  {%- do exceptions.raise_compiler_error('land_files is for DuckDB; for Snowflake there is 02_landing_copy.sql') -%}
{%- endif -%}
{%- set schema = var('reengage_source_schema') -%}
{%- do run_query('CREATE SCHEMA IF NOT EXISTS ' ~ schema) -%}
{%- for table in ['lineage', 'lineage_manifest'] -%}
  {%- set names, typed, types = [], [], [] -%}
  {%- for name, type in reengage.columns_of(table) -%}
    {%- do names.append(name) -%}
    {%- do typed.append(name ~ ' ' ~ reengage.sql_type(type)) -%}
    {%- do types.append("'" ~ name ~ "': '" ~ reengage.sql_type(type) ~ "'") -%}
  {%- endfor -%}
  {%- do run_query('CREATE TABLE IF NOT EXISTS ' ~ schema ~ '.' ~ table ~ ' (' ~ typed | join(', ') ~ ', LOADED_AT TIMESTAMPTZ)') -%}
  {#- an empty text is quoted in the file, and no null -#}
  {%- do run_query('INSERT INTO ' ~ schema ~ '.' ~ table ~ ' (' ~ names | join(', ') ~ ', LOADED_AT) SELECT '
                   ~ names | join(', ') ~ ", NOW() FROM read_csv('" ~ folder ~ '/' ~ table ~ ".csv', header = true, auto_detect = false, delim = ',', "
                   ~ "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, columns = {" ~ types | join(', ') ~ '})') -%}
  {%- set count = run_query('SELECT COUNT(*) FROM ' ~ schema ~ '.' ~ table).rows[0][0] -%}
  {{ log(schema ~ '.' ~ table ~ ': ' ~ count ~ ' rows', info=true) }}
{%- endfor -%}
{% endmacro %}
