-- Who may see and write what: the owner everything, a country's deployer the rows of its country.
-- The country follows from the role that logged in, which a session cannot change; not from a setting, which it can.

CREATE TABLE countries (
    instance_code country_code PRIMARY KEY,
    role_name     name NOT NULL UNIQUE,
    admitted_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    admitted_by   name NOT NULL DEFAULT session_user
);

CREATE FUNCTION own_country() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    RETURN (SELECT instance_code::text FROM countries WHERE role_name = session_user);
REVOKE EXECUTE ON FUNCTION own_country() FROM PUBLIC;

-- Who changed what: names of columns, never values. Written by the trigger alone, and never changed.
CREATE TABLE audit_log (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    instance_code text NOT NULL,
    db_role       name NOT NULL,
    client        text NOT NULL,
    table_name    name NOT NULL,
    operation     text NOT NULL,
    row_key       text NOT NULL,
    columns       text[] NOT NULL
);
CREATE INDEX ON audit_log (instance_code, occurred_at DESC);

CREATE FUNCTION note_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    after  jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    now_or_then jsonb := CASE WHEN TG_OP = 'DELETE' THEN before ELSE after END;
BEGIN
    INSERT INTO audit_log (instance_code, db_role, client, table_name, operation, row_key, columns)
    VALUES (now_or_then ->> 'instance_code', session_user, current_setting('application_name'), TG_TABLE_NAME, TG_OP,
        concat_ws('/', now_or_then ->> 'fence', now_or_then ->> 'step_name', now_or_then ->> 'operation_name'),
        ARRAY(SELECT key FROM jsonb_each(before || after) WHERE before -> key IS DISTINCT FROM after -> key ORDER BY key));
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
    owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['deployment_states', 'deployment_steps', 'deployment_locks', 'circuit_breakers',
        'federation_links', 'orchestration_errors', 'countries']
    LOOP
        EXECUTE format('CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION note_change()', owned);
    END LOOP;
    FOREACH owned IN ARRAY ARRAY['state_transitions', 'checkpoints', 'orchestration_metrics', 'audit_log']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', owned);
    END LOOP;
    FOREACH owned IN ARRAY ARRAY['deployment_states', 'state_transitions', 'deployment_locks', 'checkpoints',
        'deployment_steps', 'orchestration_errors', 'orchestration_metrics', 'circuit_breakers', 'federation_links',
        'countries', 'audit_log']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY own_rows ON %I USING (instance_code = own_country())
                        WITH CHECK (instance_code = own_country())', owned);
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END $$;

-- Lets the role of a country, which exists already, work on the rows of that country.
CREATE FUNCTION admit(code text, role_name name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO countries (instance_code, role_name) VALUES (code, admit.role_name)
        ON CONFLICT (instance_code) DO UPDATE SET role_name = EXCLUDED.role_name;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION own_country() TO %I', role_name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON deployment_states, deployment_steps, deployment_locks,
                    circuit_breakers, federation_links, orchestration_errors TO %I', role_name);
    EXECUTE format('GRANT SELECT, INSERT ON state_transitions, checkpoints, orchestration_metrics TO %I', role_name);
    EXECUTE format('GRANT SELECT ON schema_migrations, countries, audit_log TO %I', role_name);
END $$;
REVOKE EXECUTE ON FUNCTION admit(text, name) FROM PUBLIC;

-- Takes all rights from the role of a country again; its rows stay as history.
CREATE FUNCTION dismiss(code text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held_by name;
BEGIN
    DELETE FROM countries WHERE instance_code = code RETURNING role_name INTO held_by;
    IF held_by IS NULL OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = held_by) THEN
        RETURN;
    END IF;
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', held_by);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM %I', held_by);
    EXECUTE format('REVOKE ALL ON SCHEMA public FROM %I', held_by);
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), held_by);
END $$;
REVOKE EXECUTE ON FUNCTION dismiss(text) FROM PUBLIC;
