-- The record of conversations: the events as they were logged, and the tables derived from them.
--
-- Every table is partitioned by the month of `opened_on`, the day the session was opened, which is part of the session's id: a
-- session stays in one partition however long it lasts, and old months are dropped as a whole.

CREATE TABLE parley.events (
    opened_on date NOT NULL,
    session text NOT NULL,
    fence bigint NOT NULL,
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    kind text NOT NULL,
    reply integer,
    at timestamptz NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (opened_on, session, fence, sequence)
) PARTITION BY RANGE (opened_on);
CREATE INDEX events_reply ON parley.events (opened_on, session, reply) WHERE reply IS NOT NULL;
COMMENT ON TABLE parley.events IS 'Session logs as they were written, one row an event. The other tables can be derived from it again.';
COMMENT ON COLUMN parley.events.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.events.session IS 'Session the event belongs to.';
COMMENT ON COLUMN parley.events.fence IS 'Fencing token of the owner that wrote the event; orders events first.';
COMMENT ON COLUMN parley.events.sequence IS 'Number of the event within the session; orders events second.';
COMMENT ON COLUMN parley.events.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.events.kind IS 'What the event is: opened, user_turn, sentence, ...; unknown for events of a newer version.';
COMMENT ON COLUMN parley.events.reply IS 'Reply the event belongs to, NULL for events outside replies.';
COMMENT ON COLUMN parley.events.at IS 'Time at the writer.';
COMMENT ON COLUMN parley.events.payload IS 'The event: protobuf parley.log.v1.Event.';

CREATE TABLE parley.conversations (
    opened_on date NOT NULL,
    session text NOT NULL,
    tenant text NOT NULL,
    region text,
    agent text,
    agent_hash text,
    backend text,
    direction text,
    parameters jsonb,
    opened_at timestamptz,
    worker text,
    claims integer NOT NULL DEFAULT 0,
    user_turns integer NOT NULL DEFAULT 0,
    agent_turns integer NOT NULL DEFAULT 0,
    tool_calls integer NOT NULL DEFAULT 0,
    interruptions integer NOT NULL DEFAULT 0,
    errors integer NOT NULL DEFAULT 0,
    events integer NOT NULL DEFAULT 0,
    first_spoke_at timestamptz,
    duration_ms bigint NOT NULL DEFAULT 0,
    closed_at timestamptz,
    close_reason text,
    close_detail text,
    closed_by text,
    last_event_at timestamptz,
    opened_fence bigint,
    opened_sequence bigint,
    claimed_fence bigint,
    claimed_sequence bigint,
    agent_fence bigint,
    agent_sequence bigint,
    closed_fence bigint,
    closed_sequence bigint,
    PRIMARY KEY (opened_on, session)
) PARTITION BY RANGE (opened_on) ;
CREATE INDEX conversations_tenant ON parley.conversations (tenant, opened_on, opened_at);
CREATE INDEX conversations_agent ON parley.conversations (tenant, agent, opened_on);
COMMENT ON TABLE parley.conversations IS 'One row a session. Columns filled by several kinds of events each follow the newest of their kind, whatever order events arrive in.';
COMMENT ON COLUMN parley.conversations.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.conversations.session IS 'Session id.';
COMMENT ON COLUMN parley.conversations.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.conversations.region IS 'Region the session lives in.';
COMMENT ON COLUMN parley.conversations.agent IS 'Agent the caller talks to, the last one after hand-offs.';
COMMENT ON COLUMN parley.conversations.agent_hash IS 'Version of that agent.';
COMMENT ON COLUMN parley.conversations.backend IS 'How the caller reached us: pipecat, livekit, ...';
COMMENT ON COLUMN parley.conversations.direction IS 'inbound or outbound.';
COMMENT ON COLUMN parley.conversations.parameters IS 'What whoever opened the session gave along.';
COMMENT ON COLUMN parley.conversations.opened_at IS 'When the session was opened; NULL until its first event is archived.';
COMMENT ON COLUMN parley.conversations.worker IS 'Worker that owned the session last.';
COMMENT ON COLUMN parley.conversations.claims IS 'How often the session got an owner; more than one means take-overs.';
COMMENT ON COLUMN parley.conversations.user_turns IS 'Turns of the caller.';
COMMENT ON COLUMN parley.conversations.agent_turns IS 'Replies of the agent, greetings included.';
COMMENT ON COLUMN parley.conversations.tool_calls IS 'Tool calls made.';
COMMENT ON COLUMN parley.conversations.interruptions IS 'Reports of replies that the caller cut off.';
COMMENT ON COLUMN parley.conversations.errors IS 'Failures logged.';
COMMENT ON COLUMN parley.conversations.events IS 'Events archived.';
COMMENT ON COLUMN parley.conversations.first_spoke_at IS 'When the caller''s first turn was committed; NULL while the caller has said nothing.';
COMMENT ON COLUMN parley.conversations.duration_ms IS 'Session time reached, in milliseconds.';
COMMENT ON COLUMN parley.conversations.closed_at IS 'When the session ended; NULL while it runs.';
COMMENT ON COLUMN parley.conversations.close_reason IS 'Why it ended.';
COMMENT ON COLUMN parley.conversations.close_detail IS 'More on why, for people.';
COMMENT ON COLUMN parley.conversations.closed_by IS 'Who ended it: caller, agent, reaper, ...';
COMMENT ON COLUMN parley.conversations.last_event_at IS 'Time of the latest event archived.';
COMMENT ON COLUMN parley.conversations.opened_fence IS 'Event the columns about the opening come from.';
COMMENT ON COLUMN parley.conversations.opened_sequence IS 'See opened_fence.';
COMMENT ON COLUMN parley.conversations.claimed_fence IS 'Event that worker comes from.';
COMMENT ON COLUMN parley.conversations.claimed_sequence IS 'See claimed_fence.';
COMMENT ON COLUMN parley.conversations.agent_fence IS 'Event that agent and agent_hash come from.';
COMMENT ON COLUMN parley.conversations.agent_sequence IS 'See agent_fence.';
COMMENT ON COLUMN parley.conversations.closed_fence IS 'Event the columns about the end come from.';
COMMENT ON COLUMN parley.conversations.closed_sequence IS 'See closed_fence.';

CREATE TABLE parley.turns (
    opened_on date NOT NULL,
    session text NOT NULL,
    fence bigint NOT NULL,
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    leg integer NOT NULL DEFAULT 0,
    role text NOT NULL CHECK (role IN ('user', 'agent')),
    number integer NOT NULL,
    answers integer,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    started_ms bigint NOT NULL,
    ended_ms bigint,
    text text NOT NULL,
    heard text,
    heard_ms bigint,
    heard_error_ms bigint,
    interrupted boolean NOT NULL DEFAULT false,
    complete boolean NOT NULL DEFAULT false,
    confidence real,
    language text,
    ended_by text,
    provider text,
    voice text,
    applied_fence bigint NOT NULL,
    applied_sequence bigint NOT NULL,
    PRIMARY KEY (opened_on, session, fence, sequence)
) PARTITION BY RANGE (opened_on);
CREATE INDEX turns_tenant ON parley.turns (tenant, opened_on, at);
COMMENT ON TABLE parley.turns IS 'What was said: one row a turn of the caller, one row a reply of the agent. A row is named by the event that began it.';
COMMENT ON COLUMN parley.turns.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.turns.session IS 'Session the turn belongs to.';
COMMENT ON COLUMN parley.turns.fence IS 'Fence of the event that the turn is: user_turn, or reply_started.';
COMMENT ON COLUMN parley.turns.sequence IS 'Sequence of that event; fence and sequence order the turns of a session.';
COMMENT ON COLUMN parley.turns.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.turns.leg IS 'Who spoke or was spoken to: 1 is the first caller.';
COMMENT ON COLUMN parley.turns.role IS 'user for the caller, agent for us.';
COMMENT ON COLUMN parley.turns.number IS 'Turns of the caller and replies of the agent are counted 1, 2, 3 ... each.';
COMMENT ON COLUMN parley.turns.answers IS 'For a reply: the caller''s turn it answers, NULL for a greeting or an announcement.';
COMMENT ON COLUMN parley.turns.kind IS 'For the caller: speech, text, dtmf; for the agent: answer, greeting, say, apology.';
COMMENT ON COLUMN parley.turns.at IS 'Time at the writer when the turn was committed or the reply began.';
COMMENT ON COLUMN parley.turns.started_ms IS 'Session time of the first word, in milliseconds; for a reply, when it began.';
COMMENT ON COLUMN parley.turns.ended_ms IS 'Session time of the last word, in milliseconds; for a reply, of the last report of what was heard.';
COMMENT ON COLUMN parley.turns.text IS 'What was said: the final transcript, or the sentences given to the voice.';
COMMENT ON COLUMN parley.turns.heard IS 'For a reply: the part the caller heard, NULL while nothing was reported.';
COMMENT ON COLUMN parley.turns.heard_ms IS 'For a reply: milliseconds of its audio that the caller heard.';
COMMENT ON COLUMN parley.turns.heard_error_ms IS 'How far heard_ms may be off either way, 0 where the backend reports marks.';
COMMENT ON COLUMN parley.turns.interrupted IS 'For a reply: the caller cut it off.';
COMMENT ON COLUMN parley.turns.complete IS 'For a reply: it was heard to its end. Always true for the caller.';
COMMENT ON COLUMN parley.turns.confidence IS 'For the caller: the recogniser''s confidence, 0 to 1.';
COMMENT ON COLUMN parley.turns.language IS 'For the caller: language as the recogniser saw it.';
COMMENT ON COLUMN parley.turns.ended_by IS 'For the caller: what ended the turn: transcript, silence, model, timeout, client.';
COMMENT ON COLUMN parley.turns.provider IS 'Recogniser of a caller''s turn, language model of a reply, as provider/model.';
COMMENT ON COLUMN parley.turns.voice IS 'For a reply: the voice.';
COMMENT ON COLUMN parley.turns.applied_fence IS 'Newest event this row takes account of: fence.';
COMMENT ON COLUMN parley.turns.applied_sequence IS 'Newest event this row takes account of: sequence.';

CREATE TABLE parley.tool_calls (
    opened_on date NOT NULL,
    session text NOT NULL,
    call text NOT NULL,
    tenant text NOT NULL,
    name text,
    arguments text,
    reply integer,
    idempotent boolean,
    side_effects boolean,
    called_at timestamptz,
    outcome text,
    content text,
    duration_ms bigint,
    returned_at timestamptz,
    called_fence bigint,
    called_sequence bigint,
    returned_fence bigint,
    returned_sequence bigint,
    PRIMARY KEY (opened_on, session, call)
) PARTITION BY RANGE (opened_on);
CREATE INDEX tool_calls_name ON parley.tool_calls (tenant, name, opened_on);
COMMENT ON TABLE parley.tool_calls IS 'Tools the agent called. A call is recorded before it runs; without an outcome it is not known whether it ran.';
COMMENT ON COLUMN parley.tool_calls.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.tool_calls.session IS 'Session the call belongs to.';
COMMENT ON COLUMN parley.tool_calls.call IS 'Id of the call within the session.';
COMMENT ON COLUMN parley.tool_calls.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.tool_calls.name IS 'Name of the tool.';
COMMENT ON COLUMN parley.tool_calls.arguments IS 'Arguments as the model gave them, normally JSON.';
COMMENT ON COLUMN parley.tool_calls.reply IS 'Reply in which it was called.';
COMMENT ON COLUMN parley.tool_calls.idempotent IS 'Whether the tool may be run again after a failure.';
COMMENT ON COLUMN parley.tool_calls.side_effects IS 'Whether the tool changes something outside.';
COMMENT ON COLUMN parley.tool_calls.called_at IS 'When the call was recorded, just before it ran.';
COMMENT ON COLUMN parley.tool_calls.outcome IS 'succeeded, failed, cancelled, unknown; NULL while nothing was recorded.';
COMMENT ON COLUMN parley.tool_calls.content IS 'What the tool answered.';
COMMENT ON COLUMN parley.tool_calls.duration_ms IS 'How long the tool took, in milliseconds.';
COMMENT ON COLUMN parley.tool_calls.returned_at IS 'When the outcome was recorded.';
COMMENT ON COLUMN parley.tool_calls.called_fence IS 'Event the columns about the call come from.';
COMMENT ON COLUMN parley.tool_calls.called_sequence IS 'See called_fence.';
COMMENT ON COLUMN parley.tool_calls.returned_fence IS 'Event the columns about the outcome come from.';
COMMENT ON COLUMN parley.tool_calls.returned_sequence IS 'See returned_fence.';

CREATE TABLE parley.lead_records (
    opened_on date NOT NULL,
    session text NOT NULL,
    record text NOT NULL,
    slot text NOT NULL,
    tenant text NOT NULL,
    value text NOT NULL,
    words text NOT NULL,
    turn integer,
    source text NOT NULL,
    refused boolean NOT NULL,
    at timestamptz NOT NULL,
    fence bigint NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (opened_on, session, record, slot)
) PARTITION BY RANGE (opened_on);
CREATE INDEX lead_records_tenant ON parley.lead_records (tenant, opened_on, slot);
COMMENT ON TABLE parley.lead_records IS 'What a conversation found out, one row a slot; a correction replaces the value. analytics.leads shows one row a lead.';
COMMENT ON COLUMN parley.lead_records.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.lead_records.session IS 'Session the value comes from.';
COMMENT ON COLUMN parley.lead_records.record IS 'Kind of record: lead.';
COMMENT ON COLUMN parley.lead_records.slot IS 'What was asked: name, company, need, budget, timeline, ...';
COMMENT ON COLUMN parley.lead_records.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.lead_records.value IS 'The answer; empty when refused.';
COMMENT ON COLUMN parley.lead_records.words IS 'The caller''s words it was taken from.';
COMMENT ON COLUMN parley.lead_records.turn IS 'The caller''s turn in which it was said.';
COMMENT ON COLUMN parley.lead_records.source IS 'What filled the slot: tool (the model) or flow (the script).';
COMMENT ON COLUMN parley.lead_records.refused IS 'The caller declined to say.';
COMMENT ON COLUMN parley.lead_records.at IS 'When the value was recorded.';
COMMENT ON COLUMN parley.lead_records.fence IS 'Fence of the event the value comes from.';
COMMENT ON COLUMN parley.lead_records.sequence IS 'Sequence of that event.';

CREATE TABLE parley.usage (
    opened_on date NOT NULL,
    session text NOT NULL,
    fence bigint NOT NULL,
    sequence bigint NOT NULL,
    tenant text NOT NULL,
    kind text NOT NULL,
    provider text NOT NULL,
    audio_seconds double precision NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    characters bigint NOT NULL,
    wasted boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (opened_on, session, fence, sequence)
) PARTITION BY RANGE (opened_on);
CREATE INDEX usage_tenant ON parley.usage (tenant, opened_on, provider);
COMMENT ON TABLE parley.usage IS 'What providers were asked to do, as it was reported; parley.prices turns it into money.';
COMMENT ON COLUMN parley.usage.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.usage.session IS 'Session it was used for.';
COMMENT ON COLUMN parley.usage.fence IS 'Fence of the event.';
COMMENT ON COLUMN parley.usage.sequence IS 'Sequence of the event.';
COMMENT ON COLUMN parley.usage.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.usage.kind IS 'stt, llm or tts.';
COMMENT ON COLUMN parley.usage.provider IS 'provider/model.';
COMMENT ON COLUMN parley.usage.audio_seconds IS 'Seconds of audio recognised or synthesised.';
COMMENT ON COLUMN parley.usage.input_tokens IS 'Tokens given to the model, cached ones included.';
COMMENT ON COLUMN parley.usage.cached_input_tokens IS 'Tokens of input_tokens that the provider had cached.';
COMMENT ON COLUMN parley.usage.output_tokens IS 'Tokens the model produced.';
COMMENT ON COLUMN parley.usage.characters IS 'Characters synthesised.';
COMMENT ON COLUMN parley.usage.wasted IS 'Spent on a speculation that was discarded.';
COMMENT ON COLUMN parley.usage.at IS 'When it was reported.';

CREATE TABLE parley.latency_samples (
    opened_on date NOT NULL,
    session text NOT NULL,
    fence bigint NOT NULL,
    sequence bigint NOT NULL,
    part text NOT NULL,
    tenant text NOT NULL,
    turn integer NOT NULL,
    reply integer NOT NULL,
    ms double precision NOT NULL,
    speculative boolean NOT NULL,
    interruption text,
    at timestamptz NOT NULL,
    PRIMARY KEY (opened_on, session, fence, sequence, part)
) PARTITION BY RANGE (opened_on);
CREATE INDEX latency_samples_part ON parley.latency_samples (tenant, opened_on, part);
COMMENT ON TABLE parley.latency_samples IS 'Where the time of a turn went, one row a part; parts that did not happen have no row.';
COMMENT ON COLUMN parley.latency_samples.opened_on IS 'Day (UTC) the session was opened; the partition column.';
COMMENT ON COLUMN parley.latency_samples.session IS 'Session measured.';
COMMENT ON COLUMN parley.latency_samples.fence IS 'Fence of the event.';
COMMENT ON COLUMN parley.latency_samples.sequence IS 'Sequence of the event.';
COMMENT ON COLUMN parley.latency_samples.part IS 'end_of_turn, final_transcript, llm_request, first_token, first_sentence, tts_request, first_byte, first_frame, ...';
COMMENT ON COLUMN parley.latency_samples.tenant IS 'Tenant of the session.';
COMMENT ON COLUMN parley.latency_samples.turn IS 'The caller''s turn.';
COMMENT ON COLUMN parley.latency_samples.reply IS 'The reply to it.';
COMMENT ON COLUMN parley.latency_samples.ms IS 'Milliseconds from the end of the caller''s speech.';
COMMENT ON COLUMN parley.latency_samples.speculative IS 'The reply had been begun before the turn was sure to be over.';
COMMENT ON COLUMN parley.latency_samples.interruption IS 'Kind of interruption for samples of barge-in, otherwise NULL.';
COMMENT ON COLUMN parley.latency_samples.at IS 'When it was measured.';

CREATE TABLE parley.dead_letters (
    entry text PRIMARY KEY,
    stream text NOT NULL,
    session text,
    tenant text,
    fence bigint,
    sequence bigint,
    reason text NOT NULL,
    fields jsonb NOT NULL,
    payload bytea,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_at ON parley.dead_letters (at);
COMMENT ON TABLE parley.dead_letters IS 'Archive entries that could not be stored, kept whole so that they can be looked at and repaired.';
COMMENT ON COLUMN parley.dead_letters.entry IS 'Stream and id of the entry; storing it twice changes nothing.';
COMMENT ON COLUMN parley.dead_letters.stream IS 'Stream the entry was read from.';
COMMENT ON COLUMN parley.dead_letters.session IS 'Session named by the entry, where it names one.';
COMMENT ON COLUMN parley.dead_letters.tenant IS 'Tenant named by the entry, where it names one.';
COMMENT ON COLUMN parley.dead_letters.fence IS 'Fence named by the entry, where it names one.';
COMMENT ON COLUMN parley.dead_letters.sequence IS 'Sequence named by the entry, where it names one.';
COMMENT ON COLUMN parley.dead_letters.reason IS 'Why it could not be stored.';
COMMENT ON COLUMN parley.dead_letters.fields IS 'The entry''s fields other than the event; bytes that are no text are hexadecimal.';
COMMENT ON COLUMN parley.dead_letters.payload IS 'The event''s bytes, where there were any.';
COMMENT ON COLUMN parley.dead_letters.at IS 'When it was put here.';
