-- What tasks were expected to cost, written with their admission; and by what later tasks find those that are alike.
CREATE TABLE forecasts (
    task_uid     uuid PRIMARY KEY,
    team_uid     uuid NOT NULL,
    -- What it worked on and with: a git repository, or files of so many bytes; and a digest of its models.
    repository   text,
    source_bytes bigint CHECK (source_bytes >= 0),
    models       text NOT NULL,
    -- None where there was no like run and nothing bounds the task.
    p50_cost     bigint CHECK (p50_cost >= 0),
    p90_cost     bigint CHECK (p90_cost >= p50_cost),
    basis        integer NOT NULL DEFAULT 0 CHECK (basis >= 0),
    made_at      timestamptz NOT NULL DEFAULT now(),
    -- Set once the task has ended and the forecast was compared with its cost.
    measured_at  timestamptz,
    CONSTRAINT one_source CHECK ((repository IS NULL) <> (source_bytes IS NULL)),
    CONSTRAINT both_figures CHECK ((p50_cost IS NULL) = (p90_cost IS NULL))
);
GRANT SELECT, INSERT ON forecasts TO golden_service;
GRANT UPDATE (measured_at) ON forecasts TO golden_service;

-- The latest completed tasks of a team.
CREATE INDEX tasks_completed ON tasks (team_uid, ended_at DESC) WHERE outcome = 'Complete';
