{#- The outcomes of a nudge that reached the customer, as a list for IN. -#}
{% macro sent_outcomes() %}{{ return("'notified', 'session_created', 'session_continued', 'resolved_sent'") }}{% endmacro %}
