-- Each message in a conversation that is known, and each row of lineage, once.
SELECT SERVER, EVENT, EVENT_ID, SUM(TOLD) AS TOLD
FROM (
  SELECT SERVER, EVENT, EVENT_ID, 1 AS TOLD FROM {{ ref('customer_story') }}
  UNION ALL
  SELECT SERVER, 'nudge', LINEAGE_ID, -1 FROM {{ ref('lineage') }}
  UNION ALL
  SELECT M.SERVER, 'message', M.MESSAGE_ID, -1
  FROM {{ ref('messages') }} M
  JOIN {{ ref('customers') }} C ON C.SERVER = M.SERVER AND C.CONVERSATION_ID = M.CONVERSATION_ID
)
GROUP BY SERVER, EVENT, EVENT_ID
HAVING SUM(TOLD) <> 0
