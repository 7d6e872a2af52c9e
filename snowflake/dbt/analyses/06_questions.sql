-- What the BI team asks.  Days are days in UTC.

USE SCHEMA REENGAGE_BI.MODEL;

-- model: outcomes_by_day

-- model: answers

-- model: answer_rates

-- model: funnel_by_day

-- model: duplicates_avoided

-- model: api_calls_by_day
