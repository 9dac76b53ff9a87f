-- Monthly partitions: made ahead, dropped as a whole. All functions can be called at any time, by several callers at once.

CREATE TABLE parley.partitioned_tables (
    name text PRIMARY KEY,
    keep_months integer CHECK (keep_months > 0)
);
INSERT INTO parley.partitioned_tables (name) VALUES
    ('events'), ('conversations'), ('turns'), ('tool_calls'), ('lead_records'), ('usage'), ('latency_samples');
COMMENT ON TABLE parley.partitioned_tables IS 'Tables partitioned by month, and how long each is kept.';
COMMENT ON COLUMN parley.partitioned_tables.name IS 'Table in the schema parley.';
COMMENT ON COLUMN parley.partitioned_tables.keep_months IS 'Whole months kept beside the current one; NULL keeps everything. Used by parley.apply_retention().';

DO $$
DECLARE
    target text;
BEGIN
    FOR target IN SELECT name FROM parley.partitioned_tables LOOP
        EXECUTE format('CREATE TABLE parley.%I (LIKE parley.%I INCLUDING ALL)', target || '_default', target);
        EXECUTE format('COMMENT ON TABLE parley.%I IS %L', target || '_default',
            'Rows of parley.' || target || ' for which no month had been prepared; should be empty.');
        EXECUTE format('ALTER TABLE parley.%I ATTACH PARTITION parley.%I DEFAULT', target, target || '_default');
    END LOOP;
END $$;

CREATE FUNCTION parley.create_partition(target text, month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    next_month date := (date_trunc('month', month) + interval '1 month')::date;
    partition text := target || '_' || to_char(first_day, 'YYYY_MM');
BEGIN
    PERFORM 1 FROM parley.partitioned_tables WHERE name = target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'parley.% is not partitioned by month', target;
    END IF;
    PERFORM 1 FROM pg_class WHERE relname = partition AND relnamespace = 'parley'::regnamespace;
    IF FOUND THEN
        RETURN false;
    END IF;
    -- One maker at a time; the others then find the partition made. (A query, because to_regclass would answer from a cache.)
    PERFORM pg_advisory_xact_lock(hashtextextended('parley.partitions', 0));
    PERFORM 1 FROM pg_class WHERE relname = partition AND relnamespace = 'parley'::regnamespace;
    IF FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE parley.%I (LIKE parley.%I INCLUDING ALL)', partition, target);
    EXECUTE format('COMMENT ON TABLE parley.%I IS %L', partition,
        'Rows of parley.' || target || ' opened in ' || to_char(first_day, 'YYYY-MM') || '.');
    -- Rows of the month that came before their partition move; the lock keeps further ones out until the month is attached.
    EXECUTE format('LOCK TABLE parley.%I IN ACCESS EXCLUSIVE MODE', target || '_default');
    EXECUTE format(
        'WITH moved AS (DELETE FROM parley.%I WHERE opened_on >= %L AND opened_on < %L RETURNING *) '
        'INSERT INTO parley.%I SELECT * FROM moved', target || '_default', first_day, next_month, partition);
    EXECUTE format('ALTER TABLE parley.%I ATTACH PARTITION parley.%I FOR VALUES FROM (%L) TO (%L)',
        target, partition, first_day, next_month);
    RETURN true;
END $$;
COMMENT ON FUNCTION parley.create_partition(text, date) IS 'Makes the partition of one table for the month of a day. false when it is there already.';

CREATE FUNCTION parley.ensure_partitions(from_day date, to_day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    target text;
    month date;
    made integer := 0;
BEGIN
    -- Always in the same order, so that two callers cannot wait for each other.
    FOR target IN SELECT name FROM parley.partitioned_tables ORDER BY name LOOP
        FOR month IN SELECT generate_series(date_trunc('month', from_day), date_trunc('month', to_day), '1 month')::date LOOP
            IF parley.create_partition(target, month) THEN
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION parley.ensure_partitions(date, date) IS 'Makes the partitions of all tables for every month from the first day''s to the second''s. Returns how many it made.';

CREATE FUNCTION parley.drop_partitions(target text, before date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    partition text;
    dropped integer := 0;
BEGIN
    PERFORM 1 FROM parley.partitioned_tables WHERE name = target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'parley.% is not partitioned by month', target;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('parley.partitions', 0));
    FOR partition IN
        SELECT child.relname
        FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = format('parley.%I', target)::regclass
            AND child.relname ~ ('^' || target || '_\d{4}_\d{2}$')
            AND to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month' <= before
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE parley.%I', partition);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM parley.%I WHERE opened_on < date_trunc(''month'', %L::date)', target || '_default', before);
    RETURN dropped;
END $$;
COMMENT ON FUNCTION parley.drop_partitions(text, date) IS 'Drops the partitions of one table whose whole month lies before a day. Returns how many.';

CREATE FUNCTION parley.apply_retention(today date DEFAULT current_date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    target record;
    dropped integer := 0;
BEGIN
    FOR target IN SELECT name, keep_months FROM parley.partitioned_tables WHERE keep_months IS NOT NULL ORDER BY name LOOP
        dropped := dropped + parley.drop_partitions(
            target.name, (date_trunc('month', today) - make_interval(months => target.keep_months))::date);
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION parley.apply_retention(date) IS 'Drops every month that parley.partitioned_tables no longer keeps. Returns how many partitions went.';

CREATE FUNCTION parley.default_partition_rows() RETURNS TABLE (name text, row_count bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
    FOR name IN SELECT t.name FROM parley.partitioned_tables t ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM parley.%I', name || '_default') INTO row_count;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION parley.default_partition_rows() IS 'Rows in the default partitions: more than 0 means that no month had been prepared for them.';

SELECT parley.ensure_partitions(current_date, (current_date + interval '2 months')::date);
