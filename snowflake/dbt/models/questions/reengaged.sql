-- The messages tell how far they have come: a nudge whose window reaches beyond the
-- newest of its server may still be answered, or has been, and nobody has said so here.
SELECT A.NUDGE_ID, A.SERVER, A.CAMPAIGN, A.GENERATION, N.OUTCOME, C.CUSTOMER, N.ADDRESS_HASH, A.ROOT_CONVERSATION_ID,
       A.CONVERSATION_ID, A.TOUCHED_AT, A.ANSWERED_AT, A.SECONDS_TO_ANSWER,
       A.ANSWERED_AT IS NOT NULL AS IS_ANSWERED,
       COALESCE(A.ANSWERED_AT <= {{ reengage.hours_after(1, 'A.TOUCHED_AT') }}, FALSE) AS IN_1_HOUR,
       COALESCE(A.ANSWERED_AT <= {{ reengage.hours_after(24, 'A.TOUCHED_AT') }}, FALSE) AS IN_24_HOURS,
       COALESCE({{ reengage.hours_after(var('reengage_answer_hours'), 'A.TOUCHED_AT') }} <= H.MESSAGES_UNTIL, FALSE) AS IS_OVER
FROM {{ ref('answers') }} A
JOIN {{ ref('nudges') }} N ON N.NUDGE_ID = A.NUDGE_ID
LEFT JOIN {{ ref('customers') }} C ON C.SERVER = A.SERVER AND C.CONVERSATION_ID = A.ROOT_CONVERSATION_ID
LEFT JOIN (SELECT SERVER, MAX(SENT_AT) AS MESSAGES_UNTIL FROM {{ ref('messages') }} GROUP BY SERVER) H
  ON H.SERVER = A.SERVER
WHERE A.TREATMENT = 'sent'
