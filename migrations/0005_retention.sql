-- Conversations whose backend keeps what is said for a shorter time than the database keeps months.

ALTER TABLE parley.conversations ADD COLUMN retention_days bigint, ADD COLUMN forgotten_at timestamptz;
-- Partitions to come take their comments from the table, those that are there do not.
DO $$
DECLARE
    target regclass;
BEGIN
    FOR target IN
        SELECT 'parley.conversations'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'parley.conversations'::regclass
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.retention_days IS %L', target,
            'What was said is deleted so many days after the conversation was opened; NULL keeps it as long as the month.');
        EXECUTE format('COMMENT ON COLUMN %s.forgotten_at IS %L', target, 'When what was said was deleted; NULL while it is there.');
    END LOOP;
END $$;

CREATE INDEX conversations_retention ON parley.conversations (opened_at) WHERE retention_days IS NOT NULL AND forgotten_at IS NULL;

-- A conversation's row stays, with its counts and times and without what identifies anybody.
CREATE FUNCTION parley.forget_conversations(at timestamptz DEFAULT now(), at_most integer DEFAULT 1000) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    target record;
    forgotten integer := 0;
BEGIN
    FOR target IN
        SELECT opened_on, session FROM parley.conversations
        WHERE retention_days IS NOT NULL AND forgotten_at IS NULL AND opened_at + make_interval(days => retention_days::integer) < at
        LIMIT at_most FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM parley.events WHERE opened_on = target.opened_on AND session = target.session;
        DELETE FROM parley.turns WHERE opened_on = target.opened_on AND session = target.session;
        DELETE FROM parley.tool_calls WHERE opened_on = target.opened_on AND session = target.session;
        DELETE FROM parley.lead_records WHERE opened_on = target.opened_on AND session = target.session;
        UPDATE parley.conversations SET forgotten_at = at, parameters = NULL, close_detail = NULL
        WHERE opened_on = target.opened_on AND session = target.session;
        forgotten := forgotten + 1;
    END LOOP;
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION parley.forget_conversations(timestamptz, integer) IS 'Deletes what was said in conversations that are past their retention_days. Returns how many; call again while it is as many as at_most.';
