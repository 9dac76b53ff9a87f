-- What analysts read. Views only: their names and columns stay while the tables behind them may change.

CREATE TABLE parley.prices (
    provider text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('audio_minute', 'million_input_tokens', 'million_cached_input_tokens', 'million_output_tokens', 'million_characters')),
    valid_from date NOT NULL DEFAULT '-infinity',
    price numeric NOT NULL CHECK (price >= 0),
    currency text NOT NULL DEFAULT 'USD',
    PRIMARY KEY (provider, unit, valid_from)
);
COMMENT ON TABLE parley.prices IS 'What providers charge; filled by operators, empty at first. Example: INSERT INTO parley.prices (provider, unit, price) VALUES (''openai/gpt-4o-mini'', ''million_input_tokens'', 0.15).';
COMMENT ON COLUMN parley.prices.provider IS 'provider/model as in parley.usage.provider.';
COMMENT ON COLUMN parley.prices.unit IS 'What the price is for: audio_minute, million_input_tokens (those not cached), million_cached_input_tokens, million_output_tokens, million_characters.';
COMMENT ON COLUMN parley.prices.valid_from IS 'First day (UTC) the price applies; the latest one not after the session''s day counts.';
COMMENT ON COLUMN parley.prices.price IS 'Price of one unit.';
COMMENT ON COLUMN parley.prices.currency IS 'Currency of the price; use one for all.';

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'Views for analysts, described in docs/analytics.md. Always restrict opened_on: it decides how much is read.';

CREATE VIEW analytics.conversations AS
SELECT opened_on, session, tenant, agent, backend, direction, opened_at, closed_at, close_reason,
    duration_ms / 1000.0 AS duration_seconds, user_turns, agent_turns, tool_calls, interruptions, errors,
    greatest(claims - 1, 0) AS takeovers
FROM parley.conversations;
COMMENT ON VIEW analytics.conversations IS 'One row a session.';
COMMENT ON COLUMN analytics.conversations.opened_on IS 'Day (UTC) the session was opened.';
COMMENT ON COLUMN analytics.conversations.session IS 'Session id.';
COMMENT ON COLUMN analytics.conversations.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.conversations.agent IS 'Agent the caller talked to, the last one after hand-offs.';
COMMENT ON COLUMN analytics.conversations.backend IS 'How the caller reached us.';
COMMENT ON COLUMN analytics.conversations.direction IS 'inbound or outbound.';
COMMENT ON COLUMN analytics.conversations.opened_at IS 'When the session was opened.';
COMMENT ON COLUMN analytics.conversations.closed_at IS 'When it ended; NULL while it runs.';
COMMENT ON COLUMN analytics.conversations.close_reason IS 'Why it ended.';
COMMENT ON COLUMN analytics.conversations.duration_seconds IS 'Length of the conversation in seconds of session time.';
COMMENT ON COLUMN analytics.conversations.user_turns IS 'Turns of the caller.';
COMMENT ON COLUMN analytics.conversations.agent_turns IS 'Replies of the agent, greetings included.';
COMMENT ON COLUMN analytics.conversations.tool_calls IS 'Tool calls made.';
COMMENT ON COLUMN analytics.conversations.interruptions IS 'Replies that the caller cut off.';
COMMENT ON COLUMN analytics.conversations.errors IS 'Failures logged.';
COMMENT ON COLUMN analytics.conversations.takeovers IS 'How often another worker carried on with the session.';

CREATE VIEW analytics.transcripts AS
SELECT opened_on, session, tenant, row_number() OVER (PARTITION BY opened_on, session ORDER BY fence, sequence) AS position,
    role, at, started_ms / 1000.0 AS started_seconds, text,
    CASE role WHEN 'user' THEN text ELSE heard END AS heard, interrupted
FROM parley.turns;
COMMENT ON VIEW analytics.transcripts IS 'What was said, one row a turn, in order.';
COMMENT ON COLUMN analytics.transcripts.opened_on IS 'Day (UTC) the session was opened.';
COMMENT ON COLUMN analytics.transcripts.session IS 'Session id.';
COMMENT ON COLUMN analytics.transcripts.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.transcripts.position IS 'Place of the turn in the conversation: 1, 2, 3 ...';
COMMENT ON COLUMN analytics.transcripts.role IS 'user for the caller, agent for us.';
COMMENT ON COLUMN analytics.transcripts.at IS 'When the turn was committed or the reply began.';
COMMENT ON COLUMN analytics.transcripts.started_seconds IS 'Session time at which it began, in seconds.';
COMMENT ON COLUMN analytics.transcripts.text IS 'What was said or was to be said.';
COMMENT ON COLUMN analytics.transcripts.heard IS 'What of a reply the caller heard.';
COMMENT ON COLUMN analytics.transcripts.interrupted IS 'The caller cut the reply off.';

CREATE VIEW analytics.leads AS
SELECT l.opened_on, l.session, l.tenant, c.agent, l.record,
    max(l.value) FILTER (WHERE l.slot = 'name') AS name,
    max(l.value) FILTER (WHERE l.slot = 'company') AS company,
    max(l.value) FILTER (WHERE l.slot = 'need') AS need,
    max(l.value) FILTER (WHERE l.slot = 'budget') AS budget,
    max(l.value) FILTER (WHERE l.slot = 'timeline') AS timeline,
    jsonb_object_agg(l.slot, l.value) FILTER (WHERE NOT l.refused) AS slots,
    jsonb_object_agg(l.slot, l.words) AS words,
    coalesce(array_agg(l.slot ORDER BY l.slot) FILTER (WHERE l.refused), '{}') AS refused,
    count(*) FILTER (WHERE l.slot IN ('name', 'company', 'need', 'budget', 'timeline') AND NOT l.refused) = 5 AS qualified,
    min(l.at) AS first_at,
    max(l.at) AS last_at
FROM parley.lead_records l
LEFT JOIN parley.conversations c USING (opened_on, session)
GROUP BY l.opened_on, l.session, l.tenant, c.agent, l.record;
COMMENT ON VIEW analytics.leads IS 'One row a lead.';
COMMENT ON COLUMN analytics.leads.opened_on IS 'Day (UTC) the session was opened.';
COMMENT ON COLUMN analytics.leads.session IS 'Session the lead comes from.';
COMMENT ON COLUMN analytics.leads.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.leads.agent IS 'Agent that asked.';
COMMENT ON COLUMN analytics.leads.record IS 'Kind of record: lead.';
COMMENT ON COLUMN analytics.leads.name IS 'Name of the caller.';
COMMENT ON COLUMN analytics.leads.company IS 'Company of the caller.';
COMMENT ON COLUMN analytics.leads.need IS 'What the caller needs.';
COMMENT ON COLUMN analytics.leads.budget IS 'Budget as the caller said it.';
COMMENT ON COLUMN analytics.leads.timeline IS 'Timeline as the caller said it.';
COMMENT ON COLUMN analytics.leads.slots IS 'All answers given, by slot.';
COMMENT ON COLUMN analytics.leads.words IS 'The caller''s words behind each answer, by slot.';
COMMENT ON COLUMN analytics.leads.refused IS 'Slots the caller declined to answer.';
COMMENT ON COLUMN analytics.leads.qualified IS 'All five questions were answered.';
COMMENT ON COLUMN analytics.leads.first_at IS 'When the first answer was recorded.';
COMMENT ON COLUMN analytics.leads.last_at IS 'When the last answer was recorded.';

CREATE VIEW analytics.calls_per_day AS
SELECT opened_on, tenant, agent, backend, count(*) AS calls,
    count(*) FILTER (WHERE closed_at IS NULL) AS open,
    count(*) FILTER (WHERE user_turns > 0) AS spoke,
    count(*) FILTER (WHERE errors > 0) AS with_errors,
    count(*) FILTER (WHERE claims > 1) AS taken_over,
    round(avg(duration_ms) / 1000, 1) AS average_seconds,
    round(sum(duration_ms) / 60000, 1) AS total_minutes,
    round(avg(user_turns), 1) AS average_user_turns
FROM parley.conversations
GROUP BY opened_on, tenant, agent, backend;
COMMENT ON VIEW analytics.calls_per_day IS 'Calls by day, tenant, agent and backend.';
COMMENT ON COLUMN analytics.calls_per_day.opened_on IS 'Day (UTC) the calls began.';
COMMENT ON COLUMN analytics.calls_per_day.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.calls_per_day.agent IS 'Agent.';
COMMENT ON COLUMN analytics.calls_per_day.backend IS 'How the callers reached us.';
COMMENT ON COLUMN analytics.calls_per_day.calls IS 'Number of calls.';
COMMENT ON COLUMN analytics.calls_per_day.open IS 'Of these, still running.';
COMMENT ON COLUMN analytics.calls_per_day.spoke IS 'Of these, the caller said something.';
COMMENT ON COLUMN analytics.calls_per_day.with_errors IS 'Of these, at least one failure was logged.';
COMMENT ON COLUMN analytics.calls_per_day.taken_over IS 'Of these, carried on by another worker at least once.';
COMMENT ON COLUMN analytics.calls_per_day.average_seconds IS 'Average length in seconds.';
COMMENT ON COLUMN analytics.calls_per_day.total_minutes IS 'Sum of the lengths in minutes.';
COMMENT ON COLUMN analytics.calls_per_day.average_user_turns IS 'Average number of turns of the caller.';

CREATE VIEW analytics.funnel AS
SELECT c.opened_on, c.tenant, c.agent,
    count(*) AS started,
    count(*) FILTER (WHERE c.user_turns > 0) AS spoke,
    count(*) FILTER (WHERE s.has_name) AS name,
    count(*) FILTER (WHERE s.has_company) AS company,
    count(*) FILTER (WHERE s.has_need) AS need,
    count(*) FILTER (WHERE s.has_budget) AS budget,
    count(*) FILTER (WHERE s.has_timeline) AS timeline,
    count(*) FILTER (WHERE s.has_name AND s.has_company AND s.has_need AND s.has_budget AND s.has_timeline) AS qualified
FROM parley.conversations c
LEFT JOIN (
    SELECT opened_on, session, bool_or(slot = 'name') AS has_name, bool_or(slot = 'company') AS has_company,
        bool_or(slot = 'need') AS has_need, bool_or(slot = 'budget') AS has_budget, bool_or(slot = 'timeline') AS has_timeline
    FROM parley.lead_records WHERE NOT refused GROUP BY opened_on, session
) s USING (opened_on, session)
GROUP BY c.opened_on, c.tenant, c.agent;
COMMENT ON VIEW analytics.funnel IS 'How far calls come: from started over spoke and each answer to qualified, by day, tenant and agent.';
COMMENT ON COLUMN analytics.funnel.opened_on IS 'Day (UTC) the calls began.';
COMMENT ON COLUMN analytics.funnel.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.funnel.agent IS 'Agent.';
COMMENT ON COLUMN analytics.funnel.started IS 'Calls begun.';
COMMENT ON COLUMN analytics.funnel.spoke IS 'Calls in which the caller said something.';
COMMENT ON COLUMN analytics.funnel.name IS 'Calls in which the name was given.';
COMMENT ON COLUMN analytics.funnel.company IS 'Calls in which the company was given.';
COMMENT ON COLUMN analytics.funnel.need IS 'Calls in which the need was given.';
COMMENT ON COLUMN analytics.funnel.budget IS 'Calls in which the budget was given.';
COMMENT ON COLUMN analytics.funnel.timeline IS 'Calls in which the timeline was given.';
COMMENT ON COLUMN analytics.funnel.qualified IS 'Calls in which all five were given.';

CREATE VIEW analytics.latency_percentiles AS
SELECT l.opened_on, l.tenant, c.agent, l.part, count(*) AS samples,
    percentile_cont(0.50) WITHIN GROUP (ORDER BY l.ms) AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY l.ms) AS p95_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY l.ms) AS p99_ms
FROM parley.latency_samples l
LEFT JOIN parley.conversations c USING (opened_on, session)
GROUP BY l.opened_on, l.tenant, c.agent, l.part;
COMMENT ON VIEW analytics.latency_percentiles IS 'How long callers wait, by day, tenant, agent and part of the turn.';
COMMENT ON COLUMN analytics.latency_percentiles.opened_on IS 'Day (UTC) the sessions were opened.';
COMMENT ON COLUMN analytics.latency_percentiles.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.latency_percentiles.agent IS 'Agent.';
COMMENT ON COLUMN analytics.latency_percentiles.part IS 'Part of the turn; first_frame is what the caller feels.';
COMMENT ON COLUMN analytics.latency_percentiles.samples IS 'Number of measurements.';
COMMENT ON COLUMN analytics.latency_percentiles.p50_ms IS 'Half were at most this, in milliseconds from the end of the caller''s speech.';
COMMENT ON COLUMN analytics.latency_percentiles.p95_ms IS '95 % were at most this.';
COMMENT ON COLUMN analytics.latency_percentiles.p99_ms IS '99 % were at most this.';

CREATE VIEW analytics.cost_items AS
SELECT u.opened_on, u.session, u.tenant, u.kind, u.provider, u.wasted, q.unit, q.quantity, p.price * q.quantity AS cost, p.currency
FROM parley.usage u
CROSS JOIN LATERAL (VALUES
    ('audio_minute', u.audio_seconds::numeric / 60),
    ('million_input_tokens', (u.input_tokens - u.cached_input_tokens)::numeric / 1000000),
    ('million_cached_input_tokens', u.cached_input_tokens::numeric / 1000000),
    ('million_output_tokens', u.output_tokens::numeric / 1000000),
    ('million_characters', u.characters::numeric / 1000000)
) AS q (unit, quantity)
LEFT JOIN LATERAL (
    SELECT price, currency FROM parley.prices
    WHERE prices.provider = u.provider AND prices.unit = q.unit AND valid_from <= u.opened_on
    ORDER BY valid_from DESC LIMIT 1
) p ON true
WHERE q.quantity > 0;
COMMENT ON VIEW analytics.cost_items IS 'Use of providers with its price, one row a report and unit.';
COMMENT ON COLUMN analytics.cost_items.opened_on IS 'Day (UTC) the session was opened.';
COMMENT ON COLUMN analytics.cost_items.session IS 'Session id.';
COMMENT ON COLUMN analytics.cost_items.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.cost_items.kind IS 'stt, llm or tts.';
COMMENT ON COLUMN analytics.cost_items.provider IS 'provider/model.';
COMMENT ON COLUMN analytics.cost_items.wasted IS 'Spent on a speculation that was discarded.';
COMMENT ON COLUMN analytics.cost_items.unit IS 'Unit of the quantity, as in parley.prices.';
COMMENT ON COLUMN analytics.cost_items.quantity IS 'How many units.';
COMMENT ON COLUMN analytics.cost_items.cost IS 'Quantity times price; NULL where parley.prices has none (most providers charge by one unit only).';
COMMENT ON COLUMN analytics.cost_items.currency IS 'Currency of the price.';

CREATE VIEW analytics.cost_per_call AS
SELECT c.opened_on, c.session, c.tenant, c.agent, c.duration_ms / 60000.0 AS minutes,
    coalesce(i.stt, 0) AS stt_cost, coalesce(i.llm, 0) AS llm_cost, coalesce(i.tts, 0) AS tts_cost,
    coalesce(i.wasted, 0) AS wasted_cost, coalesce(i.total, 0) AS cost, i.currency,
    coalesce(i.unpriced, '{}') AS unpriced_providers
FROM parley.conversations c
LEFT JOIN (
    SELECT opened_on, session,
        sum(cost) FILTER (WHERE kind = 'stt') AS stt, sum(cost) FILTER (WHERE kind = 'llm') AS llm,
        sum(cost) FILTER (WHERE kind = 'tts') AS tts, sum(cost) FILTER (WHERE wasted) AS wasted, sum(cost) AS total,
        max(currency) AS currency,
        array_agg(DISTINCT provider) FILTER (WHERE NOT EXISTS (
            SELECT 1 FROM parley.prices WHERE prices.provider = cost_items.provider)) AS unpriced
    FROM analytics.cost_items GROUP BY opened_on, session
) i USING (opened_on, session);
COMMENT ON VIEW analytics.cost_per_call IS 'What each call cost at the providers.';
COMMENT ON COLUMN analytics.cost_per_call.opened_on IS 'Day (UTC) the session was opened.';
COMMENT ON COLUMN analytics.cost_per_call.session IS 'Session id.';
COMMENT ON COLUMN analytics.cost_per_call.tenant IS 'Tenant.';
COMMENT ON COLUMN analytics.cost_per_call.agent IS 'Agent.';
COMMENT ON COLUMN analytics.cost_per_call.minutes IS 'Length of the call in minutes.';
COMMENT ON COLUMN analytics.cost_per_call.stt_cost IS 'Speech recognition.';
COMMENT ON COLUMN analytics.cost_per_call.llm_cost IS 'Language models.';
COMMENT ON COLUMN analytics.cost_per_call.tts_cost IS 'Speech synthesis.';
COMMENT ON COLUMN analytics.cost_per_call.wasted_cost IS 'Of the total, spent on discarded speculations.';
COMMENT ON COLUMN analytics.cost_per_call.cost IS 'Total.';
COMMENT ON COLUMN analytics.cost_per_call.currency IS 'Currency of the prices.';
COMMENT ON COLUMN analytics.cost_per_call.unpriced_providers IS 'Providers used for which parley.prices has nothing: the total leaves them out.';

-- Analysts' role: made where whoever migrates may make roles, otherwise left to the administrator.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_analyst') THEN
        CREATE ROLE parley_analyst NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- Made at the same moment for another database of the same server.
    WHEN insufficient_privilege THEN
        RAISE WARNING 'role parley_analyst was not created: not permitted; see docs/analytics.md';
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_analyst') THEN
        GRANT USAGE ON SCHEMA analytics TO parley_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO parley_analyst;
        ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO parley_analyst;
    END IF;
END $$;
