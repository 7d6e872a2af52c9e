-- Threads that share a conversation or an address and are said to be of two customers:
-- the chain is longer than the rounds of the model reach.
SELECT SERVER, SHARED, COUNT(DISTINCT CUSTOMER) AS CUSTOMERS
FROM (
  SELECT C.SERVER, 'conversation ' || C.CONVERSATION_ID AS SHARED, R.CUSTOMER
  FROM {{ ref('conversations') }} C
  JOIN {{ ref('customers') }} R ON R.SERVER = C.SERVER AND R.CONVERSATION_ID = C.ROOT_CONVERSATION_ID
  UNION ALL
  SELECT L.SERVER, 'address ' || L.ADDRESS_HASH, R.CUSTOMER
  FROM {{ ref('lineage') }} L
  JOIN {{ ref('customers') }} R ON R.SERVER = L.SERVER AND R.CONVERSATION_ID = L.ROOT_CONVERSATION_ID
  WHERE L.ADDRESS_HASH IS NOT NULL
)
GROUP BY SERVER, SHARED
HAVING COUNT(DISTINCT CUSTOMER) > 1
