"""The longer statements of the store. A parameter that is used more than once has an explicit type."""

TRANSITION = """
INSERT INTO state_transitions (instance_code, from_state, to_state, duration_seconds, reason, run_id, initiated_by)
VALUES (%(code)s::text, %(from)s::text, %(to)s::text,
    (SELECT extract(epoch FROM clock_timestamp() - changed_at) FROM deployment_states
        WHERE instance_code = %(code)s::text),
    %(reason)s, %(run)s, %(actor)s)
"""

CURRENT = """
INSERT INTO deployment_states (instance_code, state, previous_state, reason, run_id, created_by)
VALUES (%(code)s, %(to)s, %(from)s, %(reason)s, %(run)s, %(actor)s)
ON CONFLICT (instance_code) DO UPDATE SET state = EXCLUDED.state, previous_state = EXCLUDED.previous_state,
    reason = EXCLUDED.reason, run_id = EXCLUDED.run_id, created_by = EXCLUDED.created_by,
    changed_at = clock_timestamp()
"""

CHECKPOINT = """
WITH proof AS (
    INSERT INTO checkpoints (instance_code, checkpoint_level, fingerprint, evidence, proven_at, run_id, created_by,
        fence, metadata)
    VALUES (%(code)s::text, %(phase)s::text, %(fingerprint)s::text, %(evidence)s, %(proven)s, %(run)s::text,
        %(actor)s, %(fence)s, %(metadata)s)
    RETURNING checkpoint_id
)
INSERT INTO deployment_steps (instance_code, step_name, status, completed_at, fingerprint, checkpoint_id, run_id)
SELECT %(code)s::text, %(phase)s::text, 'COMPLETED', clock_timestamp(), %(fingerprint)s::text, checkpoint_id,
    %(run)s::text FROM proof
ON CONFLICT (instance_code, step_name) DO UPDATE SET status = 'COMPLETED', error_message = '', retry_count = 0,
    completed_at = EXCLUDED.completed_at, fingerprint = EXCLUDED.fingerprint,
    checkpoint_id = EXCLUDED.checkpoint_id, run_id = EXCLUDED.run_id
"""

FAILURE = """
INSERT INTO deployment_steps (instance_code, step_name, status, fingerprint, error_message, run_id)
VALUES (%(code)s, %(phase)s, 'FAILED', %(fingerprint)s, %(message)s, %(run)s)
ON CONFLICT (instance_code, step_name) DO UPDATE SET status = 'FAILED', checkpoint_id = NULL, completed_at = NULL,
    error_message = EXCLUDED.error_message, fingerprint = EXCLUDED.fingerprint, run_id = EXCLUDED.run_id,
    retry_count = deployment_steps.retry_count + 1
"""

LINK = """
INSERT INTO federation_links (instance_code, source_code, target_code, idp_alias, client_id, status, login_seconds,
    last_verified_at)
VALUES (%(code)s, %(source)s, %(target)s, %(alias)s, %(client)s, 'ACTIVE', %(seconds)s, clock_timestamp())
ON CONFLICT (source_code, target_code) DO UPDATE SET instance_code = EXCLUDED.instance_code, status = 'ACTIVE',
    idp_alias = EXCLUDED.idp_alias, client_id = EXCLUDED.client_id, error_message = '',
    login_seconds = EXCLUDED.login_seconds, last_verified_at = EXCLUDED.last_verified_at
"""

# A link that was proven once stays so, and its age tells since when.
PENDING_LINK = """
INSERT INTO federation_links (instance_code, source_code, target_code, idp_alias, client_id, status, error_message)
VALUES (%(code)s, %(source)s, %(target)s, %(alias)s, %(client)s, 'PENDING', %(why)s)
ON CONFLICT (source_code, target_code) DO UPDATE SET instance_code = EXCLUDED.instance_code,
    idp_alias = EXCLUDED.idp_alias, client_id = EXCLUDED.client_id, error_message = EXCLUDED.error_message
"""

MEMBER = """
INSERT INTO member_reports (instance_code, issued_at, state, phases, links)
VALUES (%(code)s, %(issued)s, %(state)s, %(phases)s, %(links)s)
ON CONFLICT (instance_code) DO UPDATE SET issued_at = EXCLUDED.issued_at, state = EXCLUDED.state,
    phases = EXCLUDED.phases, links = EXCLUDED.links, noted_at = clock_timestamp()
WHERE member_reports.issued_at <= EXCLUDED.issued_at
"""

STEP = """
SELECT s.status, s.fingerprint, s.completed_at, coalesce(c.evidence, ''), s.run_id, s.retry_count
FROM deployment_steps s LEFT JOIN checkpoints c USING (checkpoint_id)
WHERE s.instance_code = %s AND s.step_name = %s
"""

AGE = """
SELECT extract(epoch FROM clock_timestamp() - c.created_at)
FROM deployment_steps s JOIN checkpoints c USING (checkpoint_id)
WHERE s.instance_code = %s AND s.step_name = %s
"""
