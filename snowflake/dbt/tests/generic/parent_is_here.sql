{#- A session that follows another session: the row that created that one is here.  The
    first session of a thread follows its root, which may have no row of its own. -#}
{% test parent_is_here(model) %}
SELECT L.LINEAGE_ID, L.SERVER, L.CONVERSATION_ID, L.PREVIOUS_CONVERSATION_ID AS MISSING_CONVERSATION_ID
FROM {{ model }} L
WHERE L.PREVIOUS_CONVERSATION_ID IS NOT NULL
  AND L.PREVIOUS_CONVERSATION_ID <> L.ROOT_CONVERSATION_ID
  AND NOT EXISTS (SELECT 1 FROM {{ model }} P
                  WHERE P.SERVER = L.SERVER AND P.CONVERSATION_ID = L.PREVIOUS_CONVERSATION_ID)
{% endtest %}
