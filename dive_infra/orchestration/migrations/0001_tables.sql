-- The record of deployments, by country (lower-case code). What is current is one row; what has happened is only appended.
-- Times are the database's own.

CREATE DOMAIN country_code AS text CHECK (VALUE ~ '^[a-z]{3}$');
CREATE DOMAIN deployment_state AS text CHECK (VALUE IN ('UNKNOWN', 'INITIALIZING', 'DEPLOYING', 'CONFIGURING',
    'VERIFYING', 'PARTIAL', 'COMPLETE', 'FAILED', 'ROLLING_BACK', 'CLEANUP'));
CREATE DOMAIN phase AS text CHECK (VALUE IN ('PREFLIGHT', 'INITIALIZATION', 'DEPLOYMENT', 'CONFIGURATION', 'SEEDING',
    'VERIFICATION'));

-- The current state: one row a country.
CREATE TABLE deployment_states (
    instance_code  country_code PRIMARY KEY,
    state          deployment_state NOT NULL,
    previous_state deployment_state NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason         text NOT NULL DEFAULT '',
    run_id         text NOT NULL,
    created_by     text NOT NULL
);

CREATE TABLE state_transitions (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_code    country_code NOT NULL,
    from_state       deployment_state NOT NULL,
    to_state         deployment_state NOT NULL,
    transition_time  timestamptz NOT NULL DEFAULT clock_timestamp(),
    duration_seconds numeric,
    reason           text NOT NULL DEFAULT '',
    run_id           text NOT NULL,
    initiated_by     text NOT NULL
);
CREATE INDEX ON state_transitions (instance_code, transition_time DESC);

-- Who deploys. `fence` grows with every holder; a write with a lower one than the latest is refused.
-- The lock itself is a session-level advisory lock of the holder's connection: it ends with it, this row may not.
CREATE TABLE deployment_locks (
    fence         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_code country_code NOT NULL,
    run_id        text NOT NULL,
    acquired_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    acquired_by   text NOT NULL,
    hostname      text NOT NULL,
    pid           integer NOT NULL,
    phase         text NOT NULL,
    released_at   timestamptz CHECK (released_at >= acquired_at)
);
CREATE UNIQUE INDEX deployment_locks_open ON deployment_locks (instance_code) WHERE released_at IS NULL;

-- Proofs: a checkpoint is appended when the phase's validator has passed in the same run.
CREATE TABLE checkpoints (
    checkpoint_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_code    country_code NOT NULL,
    checkpoint_level phase NOT NULL,
    fingerprint      text NOT NULL,
    evidence         text NOT NULL,
    proven_at        timestamptz NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id           text NOT NULL,
    created_by       text NOT NULL,
    fence            bigint NOT NULL REFERENCES deployment_locks,
    metadata         jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON checkpoints (instance_code, checkpoint_level, checkpoint_id DESC);

-- The phases as they are: one row a country and phase.
CREATE TABLE deployment_steps (
    instance_code country_code NOT NULL,
    step_name     phase NOT NULL,
    status        text NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'SKIPPED')),
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at  timestamptz,
    fingerprint   text NOT NULL,
    checkpoint_id bigint REFERENCES checkpoints,
    error_message text NOT NULL DEFAULT '',
    retry_count   integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    run_id        text NOT NULL,
    PRIMARY KEY (instance_code, step_name),
    -- Nothing is complete without its proof.
    CHECK ((status = 'COMPLETED') = (checkpoint_id IS NOT NULL AND completed_at IS NOT NULL))
);

CREATE TABLE orchestration_errors (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_code country_code NOT NULL,
    error_code    text NOT NULL,
    severity      integer NOT NULL CHECK (severity BETWEEN 1 AND 4),
    component     text NOT NULL,
    message       text NOT NULL,
    remediation   text NOT NULL DEFAULT '',
    context       jsonb NOT NULL DEFAULT '{}',
    occurred_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id        text NOT NULL,
    resolved_at   timestamptz CHECK (resolved_at >= occurred_at),
    resolved_by   text
);
CREATE INDEX orchestration_errors_open ON orchestration_errors (instance_code, severity) WHERE resolved_at IS NULL;

CREATE TABLE orchestration_metrics (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_code country_code NOT NULL,
    metric_name   text NOT NULL,
    metric_value  double precision NOT NULL,
    metric_unit   text NOT NULL,
    labels        jsonb NOT NULL DEFAULT '{}',
    measured_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id        text NOT NULL
);
CREATE INDEX ON orchestration_metrics (instance_code, metric_name, measured_at DESC);

CREATE TABLE circuit_breakers (
    instance_code     country_code NOT NULL,
    operation_name    text NOT NULL,
    state             text NOT NULL CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN')),
    failure_count     integer NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
    success_count     integer NOT NULL DEFAULT 0 CHECK (success_count >= 0),
    last_failure_at   timestamptz,
    last_success_at   timestamptz,
    last_state_change timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (instance_code, operation_name)
);

-- The links between countries, one row a direction; `instance_code` is the country whose stack owns the link.
-- A link holds no secret: both sides prove themselves with keys.
CREATE TABLE federation_links (
    instance_code    country_code NOT NULL,
    source_code      country_code NOT NULL,
    target_code      country_code NOT NULL CHECK (target_code <> source_code),
    idp_alias        text NOT NULL,
    client_id        text NOT NULL,
    status           text NOT NULL CHECK (status IN ('PENDING', 'CREATING', 'ACTIVE', 'FAILED', 'DISABLED', 'STALE')),
    error_message    text NOT NULL DEFAULT '',
    login_seconds    double precision,
    last_verified_at timestamptz,
    PRIMARY KEY (source_code, target_code),
    CHECK (instance_code IN (source_code, target_code))
);
