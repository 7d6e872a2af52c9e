{#- Is there a table that a run adds to?  Nothing is asked of the database for a view. -#}
{% macro is_stored() %}{{ return(model.config.materialized == 'incremental' and is_incremental()) }}{% endmacro %}
