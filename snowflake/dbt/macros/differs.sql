{#- Do the rows of a group differ in a column, one of them null perhaps? -#}
{% macro differs(column, type) %}
{%- set value = column ~ '::VARCHAR' if type == 'jsonb' else column -%}
{{ return('(MIN(' ~ value ~ ') <> MAX(' ~ value ~ ') OR COUNT(' ~ column ~ ') BETWEEN 1 AND COUNT(*) - 1)') }}
{% endmacro %}
