-- When a role's prompt may change by itself, and who may let it change.
--
-- Everything takes an optional team; without one the answer is the strictest over all teams, so that a yes
-- without a team is a yes for every team.

-- Defaults (team_uid null) and what a team has instead of them.
CREATE TABLE learning_limits (
    team_uid          uuid,
    role              text NOT NULL CHECK (length(role) BETWEEN 1 AND 63),
    max_per_day       integer NOT NULL CHECK (max_per_day >= 0),
    cooldown_seconds  integer NOT NULL CHECK (cooldown_seconds >= 0),
    requires_approval boolean NOT NULL
);
CREATE UNIQUE INDEX learning_limits_key
    ON learning_limits (coalesce(team_uid, '00000000-0000-0000-0000-000000000000'::uuid), role);

INSERT INTO learning_limits (role, max_per_day, cooldown_seconds, requires_approval) VALUES
    ('security', 1, 24 * 3600, true),
    ('architect', 2, 12 * 3600, true),
    ('developer', 5, 2 * 3600, false),
    ('reviewer', 3, 4 * 3600, false),
    ('tester', 5, 2 * 3600, false);

-- One proposed prompt and its way. approved_by is the database user whose session approved; the name that was
-- given beside it is only a note.
CREATE TABLE prompt_updates (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_uid       uuid NOT NULL,
    role           text NOT NULL CHECK (length(role) BETWEEN 1 AND 63),
    digest         text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    proposed_by    text NOT NULL CHECK (length(proposed_by) BETWEEN 1 AND 253),
    state          text NOT NULL DEFAULT 'Pending'
        CHECK (state IN ('Pending', 'Approved', 'Denied', 'Active', 'RolledBack')),
    proposed_at    timestamptz NOT NULL DEFAULT now(),
    approved_by    text,
    note           text CHECK (length(note) <= 4096),
    decided_at     timestamptz,
    applied_at     timestamptz,
    rolled_back_at timestamptz,
    CONSTRAINT no_self_approval CHECK (approved_by <> proposed_by),
    CONSTRAINT decided_by_somebody CHECK ((approved_by IS NULL) = (decided_at IS NULL)),
    CONSTRAINT applied_once_active CHECK ((state IN ('Active', 'RolledBack')) = (applied_at IS NOT NULL)),
    UNIQUE (team_uid, role, digest)
);
CREATE INDEX prompt_updates_applied ON prompt_updates (team_uid, role, applied_at) WHERE applied_at IS NOT NULL;
CREATE INDEX prompt_updates_pending ON prompt_updates (team_uid) WHERE state = 'Pending';

-- Where each role of each team stands. A day is the last 24 hours: no time zone, no burst over midnight.
-- Teams are those that live and those that ever proposed; the row of team null stands for any other.
CREATE VIEW learning_standing AS
WITH every_team AS (
    SELECT team_uid FROM teams WHERE deleted_at IS NULL
    UNION SELECT team_uid FROM prompt_updates
    UNION SELECT team_uid FROM learning_limits WHERE team_uid IS NOT NULL
    UNION ALL SELECT NULL
), effective AS (
    SELECT t.team_uid, own.role, own.max_per_day, own.cooldown_seconds, own.requires_approval
    FROM every_team t JOIN learning_limits own ON own.team_uid = t.team_uid
    UNION ALL
    SELECT t.team_uid, base.role, base.max_per_day, base.cooldown_seconds, base.requires_approval
    FROM every_team t JOIN learning_limits base ON base.team_uid IS NULL
    WHERE NOT EXISTS (
        SELECT FROM learning_limits own WHERE own.team_uid = t.team_uid AND own.role = base.role)
), counted AS (
    SELECT e.*,
        (SELECT count(*) FROM prompt_updates u
            WHERE u.team_uid = e.team_uid AND u.role = e.role
              AND u.applied_at > now() - interval '24 hours') AS updates_today,
        (SELECT max(applied_at) FROM prompt_updates u
            WHERE u.team_uid = e.team_uid AND u.role = e.role) AS last_applied_at,
        -- The update that must be a day old before the next one is within the limit.
        (SELECT u.applied_at FROM prompt_updates u
            WHERE u.team_uid = e.team_uid AND u.role = e.role
              AND u.applied_at > now() - interval '24 hours'
            ORDER BY u.applied_at DESC OFFSET greatest(e.max_per_day - 1, 0) LIMIT 1) AS blocking_at
    FROM effective e
)
SELECT team_uid, role, max_per_day, cooldown_seconds, requires_approval, updates_today,
    updates_today >= max_per_day AS daily_limit_reached,
    coalesce(last_applied_at + make_interval(secs => cooldown_seconds) > now(), false) AS cooldown_active,
    CASE WHEN max_per_day = 0 THEN 'infinity'::timestamptz
         ELSE greatest(now(), last_applied_at + make_interval(secs => cooldown_seconds),
                       blocking_at + interval '24 hours')
    END AS next_allowed_at
FROM counted;

-- One row per role: for a team, or the strictest over all of them.
CREATE FUNCTION governance_status(team uuid DEFAULT NULL)
RETURNS TABLE (
    role text, can_auto_update boolean, requires_approval boolean, daily_limit_reached boolean,
    cooldown_active boolean, updates_today bigint, max_per_day integer, cooldown_seconds integer,
    next_allowed_at timestamptz
)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.role,
        bool_and(NOT s.requires_approval AND NOT s.daily_limit_reached AND NOT s.cooldown_active),
        bool_or(s.requires_approval), bool_or(s.daily_limit_reached), bool_or(s.cooldown_active),
        max(s.updates_today), min(s.max_per_day), max(s.cooldown_seconds), max(s.next_allowed_at)
    FROM learning_standing s
    -- A team nobody knows stands where the defaults stand.
    WHERE team IS NULL OR s.team_uid = team
       OR (s.team_uid IS NULL AND NOT EXISTS (SELECT FROM learning_standing k WHERE k.team_uid = team))
    GROUP BY s.role
$$;

CREATE VIEW governance_status AS SELECT * FROM governance_status(NULL) ORDER BY role;

-- Whether a role's prompt may change now without anybody asked. A role without limits may not.
CREATE FUNCTION can_auto_update_prompt(role_name text, team uuid DEFAULT NULL) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce((SELECT s.can_auto_update FROM governance_status(team) s WHERE s.role = role_name), false)
$$;

-- How many proposals wait for a person: those of roles that need one.
CREATE FUNCTION get_pending_approvals_count(team uuid DEFAULT NULL) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT count(*) FROM prompt_updates u
    JOIN learning_standing s ON s.team_uid = u.team_uid AND s.role = u.role
    WHERE u.state = 'Pending' AND s.requires_approval AND (team IS NULL OR u.team_uid = team)
$$;

-- Approves a pending proposal. The authority is the session's user: what is given as a name is kept as a note.
CREATE FUNCTION approve_prompt_update(update_id bigint, who text, remark text, team uuid DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    proposal prompt_updates;
BEGIN
    -- Golden's services propose; a service that could approve would approve itself.
    IF session_user = 'golden_service' THEN
        RAISE EXCEPTION 'golden_service may not approve prompt updates'
            USING ERRCODE = 'insufficient_privilege', HINT = 'connect as a person''s user who is in golden_approver';
    END IF;
    SELECT * INTO proposal FROM prompt_updates u
        WHERE u.id = update_id AND (team IS NULL OR u.team_uid = team) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no prompt update %', update_id
            USING ERRCODE = 'no_data_found', HINT = 'SELECT id, role, state FROM prompt_updates lists them';
    END IF;
    IF proposal.state <> 'Pending' THEN
        RAISE EXCEPTION 'prompt update % is %, only a Pending one can be approved', update_id, proposal.state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF proposal.proposed_by = session_user THEN
        RAISE EXCEPTION 'prompt update % was proposed by %, who cannot approve it', update_id, session_user
            USING ERRCODE = 'insufficient_privilege', HINT = 'somebody else must approve it';
    END IF;
    UPDATE prompt_updates
        SET state = 'Approved', approved_by = session_user, decided_at = now(),
            note = left(concat_ws(': ', nullif(who, ''), nullif(remark, '')), 4096)
        WHERE id = update_id;
    RETURN true;
END
$$;

-- Marks a proposal as applied if it may be now: approved, or of a role that needs nobody; and within the limits.
CREATE FUNCTION apply_prompt_update(update_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    proposal prompt_updates;
    standing record;
BEGIN
    SELECT * INTO proposal FROM prompt_updates u WHERE u.id = update_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no prompt update %', update_id USING ERRCODE = 'no_data_found';
    END IF;
    IF proposal.state = 'Active' THEN
        RETURN true;
    END IF;
    -- Two updates of one role must not both see the last free place of the day.
    PERFORM pg_advisory_xact_lock(hashtextextended(proposal.team_uid::text || '/' || proposal.role, 0));
    SELECT * INTO standing FROM governance_status(proposal.team_uid) s WHERE s.role = proposal.role;
    IF NOT (proposal.state = 'Approved' OR (proposal.state = 'Pending' AND standing.requires_approval IS FALSE)) THEN
        RAISE EXCEPTION 'prompt update % is % and role % needs an approval', update_id, proposal.state, proposal.role
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF standing.daily_limit_reached OR standing.cooldown_active THEN
        RAISE EXCEPTION 'role % may be updated again at %', proposal.role, standing.next_allowed_at
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE prompt_updates SET state = 'Active', applied_at = clock_timestamp() WHERE id = update_id;
    RETURN true;
END
$$;

DO $$
BEGIN
    CREATE ROLE golden_approver NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

REVOKE EXECUTE ON FUNCTION approve_prompt_update(bigint, text, text, uuid) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION apply_prompt_update(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION approve_prompt_update(bigint, text, text, uuid) TO golden_approver;
GRANT EXECUTE ON FUNCTION apply_prompt_update(bigint) TO golden_service;
GRANT USAGE ON SCHEMA public TO golden_approver;
GRANT SELECT ON prompt_updates, learning_limits, teams, learning_standing, governance_status TO golden_approver;
GRANT SELECT ON prompt_updates, learning_limits, learning_standing, governance_status TO golden_service;
-- Proposals begin as Pending: no other column can be given.
GRANT INSERT (team_uid, role, digest, proposed_by) ON prompt_updates TO golden_service;
