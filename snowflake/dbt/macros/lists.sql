{#- Items with commas between them, as many as a line holds; the first line is
    where it is called. -#}
{% macro lines_of(items, indent=7) %}
{%- set space = ' ' * indent -%}
{%- set here = namespace(lines=[], line='') -%}
{%- for item in items -%}
  {%- set word = item ~ ('' if loop.last else ',') -%}
  {%- if loop.first -%}
    {%- set here.line = space ~ word -%}
  {%- elif (here.line ~ ' ' ~ word) | length > 112 -%}
    {%- do here.lines.append(here.line) -%}
    {%- set here.line = space ~ word -%}
  {%- else -%}
    {%- set here.line = here.line ~ ' ' ~ word -%}
  {%- endif -%}
{%- endfor -%}
{%- do here.lines.append(here.line) -%}
{{ return((here.lines | join('\n')) | trim) }}
{% endmacro %}

{#- The same, one a line. -#}
{% macro one_a_line(items, indent=7) %}{{ return(items | join(',\n' ~ ' ' * indent)) }}{% endmacro %}

{#- The columns of a table that travels, by their names alone. -#}
{% macro names_of(table) %}
{%- set names = [] -%}
{%- for name, type in reengage.columns_of(table) -%}{%- do names.append(name | upper) -%}{%- endfor -%}
{{ return(names) }}
{% endmacro %}

{#- The columns of lineage with their times in UTC, and those that the road adds. -#}
{% macro lineage_in_utc(indent=7) %}
{%- set items = [] -%}
{%- for name, type in reengage.columns_of('lineage') -%}
  {%- set NAME = name | upper -%}
  {%- do items.append(reengage.in_utc(NAME) ~ ' AS ' ~ NAME if type == 'timestamptz' else NAME) -%}
{%- endfor -%}
{{ return(reengage.lines_of(items + ['NODE', 'LOADED_AT'], indent)) }}
{% endmacro %}

{#- What lineage_in_utc() gives, by names; with a prefix before each of them. -#}
{% macro lineage_names(indent=7, prefix='') %}
{%- set items = [] -%}
{%- for name in reengage.names_of('lineage') + ['NODE', 'LOADED_AT'] -%}{%- do items.append(prefix ~ name) -%}{%- endfor -%}
{{ return(reengage.lines_of(items, indent)) }}
{% endmacro %}
