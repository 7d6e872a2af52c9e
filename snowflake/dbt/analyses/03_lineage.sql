-- What happened, each row once, and the last word on each nudge.

USE SCHEMA REENGAGE_BI.MODEL;

-- model: lineage

-- model: nudges

-- model: open_doubts
