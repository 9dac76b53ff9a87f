-- Tenants, their keys, and the agents they run.

CREATE SCHEMA IF NOT EXISTS parley;
COMMENT ON SCHEMA parley IS 'What Parley keeps: tenants, agents, and the record of every conversation. Written by Parley only; analysts read the schema analytics.';

CREATE TABLE parley.tenants (
    tenant text PRIMARY KEY CHECK (tenant ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL,
    limits jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
COMMENT ON TABLE parley.tenants IS 'Whoever Parley works for; every other table names one.';
COMMENT ON COLUMN parley.tenants.tenant IS 'Short name used in keys, metrics and URLs.';
COMMENT ON COLUMN parley.tenants.name IS 'Name for people.';
COMMENT ON COLUMN parley.tenants.limits IS 'Limits of the whole tenant, a JSON object of numbers, for instance {"concurrent_sessions": 50}.';
COMMENT ON COLUMN parley.tenants.created_at IS 'When the tenant was created.';
COMMENT ON COLUMN parley.tenants.disabled_at IS 'Set while the tenant may open no sessions.';

CREATE TABLE parley.api_keys (
    key_id text PRIMARY KEY,
    tenant text NOT NULL REFERENCES parley.tenants,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    scopes text[] NOT NULL DEFAULT '{}',
    limits jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX api_keys_tenant ON parley.api_keys (tenant);
COMMENT ON TABLE parley.api_keys IS 'API keys. The secret itself is shown once, when the key is created, and is not stored.';
COMMENT ON COLUMN parley.api_keys.key_id IS 'Identifier for people and logs; not secret.';
COMMENT ON COLUMN parley.api_keys.tenant IS 'Tenant the key belongs to.';
COMMENT ON COLUMN parley.api_keys.name IS 'What the key is for.';
COMMENT ON COLUMN parley.api_keys.prefix IS 'First characters of the secret, to recognise it by.';
COMMENT ON COLUMN parley.api_keys.hash IS 'SHA-256 of the secret. The secret has 256 random bits, so that a slow hash would add nothing.';
COMMENT ON COLUMN parley.api_keys.scopes IS 'What the key may do: sessions, agents, admin.';
COMMENT ON COLUMN parley.api_keys.limits IS 'Limits of this key, a JSON object of numbers, for instance {"sessions_per_minute": 60}.';
COMMENT ON COLUMN parley.api_keys.created_at IS 'When the key was created.';
COMMENT ON COLUMN parley.api_keys.revoked_at IS 'Set when the key stopped being valid; never cleared.';

CREATE TABLE parley.agent_versions (
    tenant text NOT NULL REFERENCES parley.tenants,
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    name text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    definition text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX agent_versions_name ON parley.agent_versions (tenant, name, created_at);
COMMENT ON TABLE parley.agent_versions IS 'Agent definitions. A version never changes; a session keeps the one it was opened with.';
COMMENT ON COLUMN parley.agent_versions.tenant IS 'Tenant the agent belongs to.';
COMMENT ON COLUMN parley.agent_versions.hash IS 'SHA-256 of the definition''s bytes, in lower-case hexadecimal.';
COMMENT ON COLUMN parley.agent_versions.name IS 'Name of the agent at the time the version was stored.';
COMMENT ON COLUMN parley.agent_versions.definition IS 'The definition as it was given: YAML or JSON.';
COMMENT ON COLUMN parley.agent_versions.created_at IS 'When the version was first stored.';

CREATE TABLE parley.agents (
    tenant text NOT NULL REFERENCES parley.tenants,
    name text NOT NULL,
    hash text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name),
    FOREIGN KEY (tenant, hash) REFERENCES parley.agent_versions (tenant, hash)
);
COMMENT ON TABLE parley.agents IS 'Which version of each agent new sessions get.';
COMMENT ON COLUMN parley.agents.tenant IS 'Tenant the agent belongs to.';
COMMENT ON COLUMN parley.agents.name IS 'Name by which callers ask for the agent.';
COMMENT ON COLUMN parley.agents.hash IS 'The current version.';
COMMENT ON COLUMN parley.agents.updated_at IS 'When the current version was last changed.';

-- One number that every change of the tables above raises: readers that keep a copy in memory ask for it alone.
CREATE TABLE parley.directory_version (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL
);
INSERT INTO parley.directory_version (version) VALUES (1);
COMMENT ON TABLE parley.directory_version IS 'One row: raised in the same transaction as any change of tenants, api_keys, agents or agent_versions.';
COMMENT ON COLUMN parley.directory_version.singleton IS 'Always true: there is one row.';
COMMENT ON COLUMN parley.directory_version.version IS 'Rises with every change.';

CREATE FUNCTION parley.raise_directory_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE parley.directory_version SET version = version + 1;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION parley.raise_directory_version() IS 'Trigger function: raises parley.directory_version.';

CREATE TRIGGER directory_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON parley.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION parley.raise_directory_version();
CREATE TRIGGER directory_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON parley.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION parley.raise_directory_version();
CREATE TRIGGER directory_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON parley.agents
    FOR EACH STATEMENT EXECUTE FUNCTION parley.raise_directory_version();
CREATE TRIGGER directory_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON parley.agent_versions
    FOR EACH STATEMENT EXECUTE FUNCTION parley.raise_directory_version();

CREATE FUNCTION parley.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stored agent version cannot be changed' USING HINT = 'store the new definition as a version of its own';
END $$;
COMMENT ON FUNCTION parley.refuse_change() IS 'Trigger function: refuses the statement.';

CREATE TRIGGER immutable BEFORE UPDATE ON parley.agent_versions
    FOR EACH ROW EXECUTE FUNCTION parley.refuse_change();
