{% test unique_together(model, columns) %}
SELECT {{ columns | join(', ') }}, COUNT(*) AS ROWS_FOUND
FROM {{ model }}
GROUP BY {{ columns | join(', ') }}
HAVING COUNT(*) > 1
{% endtest %}
