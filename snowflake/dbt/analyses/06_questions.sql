-- What the BI team asks.  Days are days in UTC.

USE SCHEMA REENGAGE_BI.MODEL;

-- model: outcomes_by_day

-- model: answers

-- model: answer_rates

-- model: funnel_by_day

-- model: duplicates_avoided

-- model: api_calls_by_day

-- model: customers

-- model: customer_story

-- model: reengaged

-- model: reengaged_by_generation

-- model: nudge_costs

-- model: campaign_costs

-- model: quota_by_hour

-- model: holdout_counts

-- model: holdout_lift
