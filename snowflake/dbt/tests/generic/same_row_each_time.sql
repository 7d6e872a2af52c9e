{#- What is delivered again is the same row: two rows with one id that differ are named,
    and in which columns.  Whichever of them the models took could be the wrong one. -#}
{% test same_row_each_time(model, table) %}
{%- set columns = reengage.columns_of(table) -%}
{%- set key = columns[0][0] | upper -%}
SELECT NODE, {{ key }},
       {%- for name, type in columns %}
       CASE WHEN {{ reengage.differs(name | upper, type) }} THEN '{{ name }} ' ELSE '' END
       {%- if not loop.last %} ||{% endif %}
       {%- endfor %} AS COLUMNS_DIFFER
FROM {{ model }}
GROUP BY NODE, {{ key }}
HAVING COUNT(*) > 1
   AND ({% for name, type in columns %}{{ reengage.differs(name | upper, type) }}
        {%- if not loop.last %}
     OR {% endif %}{% endfor %})
{% endtest %}
