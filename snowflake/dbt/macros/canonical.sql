{#- The canonical text of a value, which PostgreSQL computes alike, and numbers of it:
    docs/replication.md says what they are, test/canonical.jsonl gives examples. -#}

{#- Of a column, by its type in PostgreSQL. -#}
{% macro canonical(name, type) %}
{%- set text = {'integer': name ~ '::VARCHAR', 'timestamptz': reengage.canonical_time(name),
                'uuid': 'LOWER(' ~ name ~ ')', 'jsonb': reengage.canonical_json_here() ~ '(' ~ name ~ ')'}.get(type, name) -%}
{%- if type in ('integer', 'timestamptz') -%}{{ return('COALESCE(' ~ text ~ ", '~n')") }}{%- endif -%}
{{ return('COALESCE(REPLACE(REPLACE(' ~ text ~ ", '~', '~t'), '|', '~p'), '~n')") }}
{% endmacro %}

{#- Microseconds since 1970; only DuckDB has times without an end. -#}
{% macro canonical_time(time) %}{{ return(adapter.dispatch('canonical_time', 'reengage')(time)) }}{% endmacro %}

{% macro snowflake__canonical_time(time) %}{{ return(reengage.microseconds(time) ~ '::VARCHAR') }}{% endmacro %}

{% macro duckdb__canonical_time(time) %}
{{ return('CASE WHEN ISINF(' ~ time ~ ') THEN ' ~ time ~ '::VARCHAR ELSE ' ~ reengage.microseconds(time) ~ '::VARCHAR END') }}
{% endmacro %}

{#- The low bits of the MD5 of a canonical text, as a number that can be multiplied. -#}
{% macro canonical_hash(text, bits=31) %}{{ return(reengage.md5_low_bits(text, bits) ~ '::BIGINT') }}{% endmacro %}

{#- What all sums are taken modulo: 2^31 - 1, a prime. -#}
{% macro prime() %}{{ return('2147483647') }}{% endmacro %}

{#- A sum in which no digit is lost. -#}
{% macro exact_sum(number) %}{{ return('SUM(' ~ number ~ '::' ~ reengage.sql_type('bigint') ~ ')') }}{% endmacro %}

{#- Names, commas between, of the greatest place last. -#}
{% macro names_in_order(name, place) %}{{ return(adapter.dispatch('names_in_order', 'reengage')(name, place)) }}{% endmacro %}

{% macro snowflake__names_in_order(name, place) %}
{{ return('LISTAGG(' ~ name ~ ", ', ') WITHIN GROUP (ORDER BY " ~ place ~ ')') }}
{% endmacro %}

{% macro duckdb__names_in_order(name, place) %}
{{ return('STRING_AGG(' ~ name ~ ", ', ' ORDER BY " ~ place ~ ')') }}
{% endmacro %}

{#- What a column_sums says of a column: its sum (1) or what it is with places (2). -#}
{% macro sum_said(column_sums, name, which) %}
{%- set pair = "SPLIT_PART(SPLIT_PART(' ' || " ~ column_sums ~ ", ' ' || " ~ name ~ " || ':', 2), ' ', 1)" -%}
{{ return("COALESCE(NULLIF(SPLIT_PART(" ~ pair ~ ", ':', " ~ which ~ "), '')::BIGINT, 0)") }}
{% endmacro %}

{#- The columns that travel as rows: PLACE, COLUMN_NAME. -#}
{% macro columns_as_rows(indent=7) %}
{%- set items = [] -%}
{%- for name, type in reengage.columns_of('lineage') -%}{%- do items.append('(' ~ loop.index ~ ", '" ~ name ~ "')") -%}{%- endfor -%}
{{ return(reengage.lines_of(items, indent)) }}
{% endmacro %}

{#- Texts with "|" between them, four a line. -#}
{% macro joined(items, indent=7) %}
{%- set rows = [] -%}
{%- for row in items | batch(4) -%}{%- do rows.append(row | join(" || '|' || ")) -%}{%- endfor -%}
{{ return(rows | join("\n" ~ ' ' * indent ~ "|| '|' || ")) }}
{% endmacro %}

{#- The hash of the value that a row of ROW_DIGESTS has in the column that is named. -#}
{% macro hash_in(row, column_name, indent=7) %}
{%- set cases = [] -%}
{%- for name, type in reengage.columns_of('lineage') -%}
  {%- do cases.append("WHEN '" ~ name ~ "' THEN " ~ row ~ '.' ~ name | upper ~ '_HASH') -%}
{%- endfor -%}
{{ return('CASE ' ~ column_name ~ '\n' ~ ' ' * indent ~ cases | join('\n' ~ ' ' * indent) ~ ' END') }}
{% endmacro %}
