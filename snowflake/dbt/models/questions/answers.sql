-- An answer belongs to the last nudge before it in its conversation, if it came
-- within the window.  A customer who was held out got no nudge: what such a customer
-- wrote in the same time is what others might have written without one, too.
WITH TOUCHES AS (
  SELECT NUDGE_ID, SERVER, CAMPAIGN, ROOT_CONVERSATION_ID, CONVERSATION_ID, GENERATION,
         CASE WHEN IS_SENT THEN 'sent' ELSE 'held_out' END AS TREATMENT, ENDED_AT AS TOUCHED_AT,
         LEAD(ENDED_AT) OVER (PARTITION BY SERVER, CONVERSATION_ID, IS_SENT ORDER BY ENDED_AT, NUDGE_ID)
           AS NEXT_TOUCH_AT
  FROM {{ ref('nudges') }}
  WHERE IS_SENT OR OUTCOME = 'held_out'
)
SELECT T.NUDGE_ID, T.SERVER, T.CAMPAIGN, T.TREATMENT, T.ROOT_CONVERSATION_ID, T.CONVERSATION_ID, T.GENERATION,
       T.TOUCHED_AT,
       MIN(M.SENT_AT) AS ANSWERED_AT,
       FLOOR(({{ reengage.microseconds('MIN(M.SENT_AT)') }} - {{ reengage.microseconds('T.TOUCHED_AT') }}) / 1000000)
         AS SECONDS_TO_ANSWER
FROM TOUCHES T
LEFT JOIN {{ ref('messages') }} M
  ON M.SERVER = T.SERVER
 AND M.CONVERSATION_ID = T.CONVERSATION_ID
 AND M.DIRECTION = 'inbound'
 AND M.SENT_AT > T.TOUCHED_AT
 AND M.SENT_AT <= {{ reengage.hours_after(var('reengage_answer_hours'), 'T.TOUCHED_AT') }}
 AND (T.NEXT_TOUCH_AT IS NULL OR M.SENT_AT <= T.NEXT_TOUCH_AT)
GROUP BY T.NUDGE_ID, T.SERVER, T.CAMPAIGN, T.TREATMENT, T.ROOT_CONVERSATION_ID, T.CONVERSATION_ID,
         T.GENERATION, T.TOUCHED_AT
