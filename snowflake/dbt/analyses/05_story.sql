-- The customer's whole story: what was said, and what was done to go on.  MESSAGES
-- is yours: load it from where you keep what was said, or drop it and make a view of
-- the same name and columns.  Where two threads have joined, what follows
-- belongs to both stories.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE TABLE IF NOT EXISTS MESSAGES (
  SERVER VARCHAR NOT NULL COMMENT 'as in LINEAGE: the foreign server of PostgreSQL',
  MESSAGE_ID VARCHAR NOT NULL,
  CONVERSATION_ID VARCHAR NOT NULL,
  DIRECTION VARCHAR NOT NULL COMMENT 'inbound: from the customer; outbound: to the customer',
  SENT_AT TIMESTAMP_NTZ NOT NULL COMMENT 'in UTC',
  BODY VARCHAR
) COMMENT = 'what was said';

-- model: conversations

-- model: story
