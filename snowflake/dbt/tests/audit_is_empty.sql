{#- Root and generation of each row agree with the links between the conversations. -#}
SELECT FINDING, SERVER, CONVERSATION_ID, DETAIL
FROM {{ ref('audit') }}
