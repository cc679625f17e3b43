-- Each country keeps its own record, in its own Postgres, where the owner alone works. The countries that a hub admitted
-- to its record before lose their rights; what they recorded there stays.

DO $$
DECLARE
    held_by name;
    owned   text;
BEGIN
    FOR held_by IN SELECT role_name FROM countries JOIN pg_roles ON rolname = role_name
    LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', held_by);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM %I', held_by);
        EXECUTE format('REVOKE ALL ON SCHEMA public FROM %I', held_by);
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), held_by);
    END LOOP;
    FOREACH owned IN ARRAY ARRAY['deployment_states', 'state_transitions', 'deployment_locks', 'checkpoints',
        'deployment_steps', 'orchestration_errors', 'orchestration_metrics', 'circuit_breakers', 'federation_links',
        'countries', 'audit_log']
    LOOP
        EXECUTE format('DROP POLICY own_rows ON %I', owned);
    END LOOP;
END $$;
DELETE FROM countries;
DROP FUNCTION admit(text, name);
DROP FUNCTION dismiss(text);
DROP FUNCTION own_country();

-- What each partner publishes about itself, as this country has read it last: signed, and its own business otherwise.
CREATE TABLE member_reports (
    instance_code country_code PRIMARY KEY,
    issued_at     timestamptz NOT NULL,
    state         text NOT NULL,
    phases        jsonb NOT NULL,
    links         jsonb NOT NULL,
    noted_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
