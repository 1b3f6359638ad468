-- Golden's truth of runs. Two roles: the owner migrates, golden_service works.
-- Keys are Kubernetes uids: a recreated object never meets its past. Every table carries team_uid.

DO $$
BEGIN
    CREATE ROLE golden_service NOLOGIN;
EXCEPTION
    -- Roles belong to the server: another database of it may have made this one, even at this moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- Before Postgres 15 everybody might create here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

CREATE TABLE install (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    install_id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO install DEFAULT VALUES;

CREATE TABLE teams (
    team_uid   uuid PRIMARY KEY,
    namespace  text NOT NULL,
    name       text NOT NULL,
    generation bigint NOT NULL,
    spec       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

-- Observations. Written once each by whoever saw them, consumed by the orchestrator in its own transaction.
CREATE TABLE facts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_uid    uuid NOT NULL,
    task_uid    uuid NOT NULL,
    object_uid  uuid NOT NULL,
    fact_key    text NOT NULL CHECK (length(fact_key) <= 253),
    kind        text NOT NULL,
    body        jsonb NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    consumed_at timestamptz,
    UNIQUE (object_uid, fact_key)
);
CREATE INDEX facts_unconsumed ON facts (team_uid, task_uid, id) WHERE consumed_at IS NULL;

-- The state machine of one task. version is the compare-and-swap that keeps two replicas from both moving it.
CREATE TABLE tasks (
    task_uid     uuid PRIMARY KEY,
    team_uid     uuid NOT NULL,
    namespace    text NOT NULL,
    name         text NOT NULL,
    submitted_by text NOT NULL,
    spec         jsonb NOT NULL,
    policy       jsonb NOT NULL,
    models       jsonb NOT NULL,
    state        jsonb NOT NULL,
    view         jsonb NOT NULL,
    stage        text NOT NULL,
    outcome      text CHECK (outcome IN ('Complete', 'Failed', 'Cancelled')),
    version      bigint NOT NULL CHECK (version > 0),
    wake_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    -- Whoever reads open tasks reads by ended_at.
    CONSTRAINT ended_with_an_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE INDEX tasks_open ON tasks (team_uid, wake_at) WHERE ended_at IS NULL;
CREATE INDEX tasks_by_name ON tasks (namespace, name, created_at);

-- Every transition, hash-chained: the record of a task.
CREATE TABLE task_events (
    task_uid uuid NOT NULL,
    seq      bigint NOT NULL CHECK (seq >= 0),
    team_uid uuid NOT NULL,
    at       text NOT NULL,
    kind     text NOT NULL,
    body     jsonb NOT NULL,
    prev     text NOT NULL,
    hash     text NOT NULL,
    PRIMARY KEY (task_uid, seq)
);

-- Pods the orchestrator wants; the operator makes the cluster match. object_uid is the pod's, once created.
CREATE TABLE desired (
    namespace  text NOT NULL,
    name       text NOT NULL,
    team_uid   uuid NOT NULL,
    task_uid   uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('AttemptPod', 'FetchPod', 'DeliveryPod')),
    attempt    integer NOT NULL CHECK (attempt >= 0),
    try        integer NOT NULL CHECK (try >= 0),
    spec       jsonb NOT NULL,
    wanted     boolean NOT NULL DEFAULT true,
    object_uid uuid UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, name)
);
CREATE INDEX desired_task ON desired (task_uid);

CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_uid     uuid NOT NULL,
    task_uid     uuid NOT NULL,
    subject      text NOT NULL,
    msg_id       text NOT NULL UNIQUE,
    payload      jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (team_uid, id) WHERE published_at IS NULL;

-- What may be read by whom: a digest alone opens nothing. Bytes are in the object store.
CREATE TABLE artifacts (
    namespace  text NOT NULL,
    digest     text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    team_uid   uuid NOT NULL,
    task_uid   uuid,
    bytes      bigint NOT NULL CHECK (bytes >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, digest)
);

-- The ledger. An account is a Budget (account_uid = its uid) or a task's own limit (account_uid = the task's uid).
-- committed_*_at_edit is what was spent and reserved when the limit was last edited, so that a limit may shrink
-- below it without breaking the check; overage is what a provider reported beyond what was reserved.
CREATE TABLE accounts (
    account_uid              uuid PRIMARY KEY,
    team_uid                 uuid,
    kind                     text NOT NULL CHECK (kind IN ('Budget', 'Task')),
    namespace                text NOT NULL,
    name                     text NOT NULL,
    parent_uid               uuid,
    on_exhausted             text NOT NULL DEFAULT 'Pause' CHECK (on_exhausted IN ('Pause', 'Fail')),
    limit_cost               bigint CHECK (limit_cost >= 0),
    limit_tokens             bigint CHECK (limit_tokens >= 0),
    spent_cost               bigint NOT NULL DEFAULT 0 CHECK (spent_cost >= 0),
    reserved_cost            bigint NOT NULL DEFAULT 0 CHECK (reserved_cost >= 0),
    spent_tokens             bigint NOT NULL DEFAULT 0 CHECK (spent_tokens >= 0),
    reserved_tokens          bigint NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
    overage_cost             bigint NOT NULL DEFAULT 0 CHECK (overage_cost >= 0),
    overage_tokens           bigint NOT NULL DEFAULT 0 CHECK (overage_tokens >= 0),
    committed_cost_at_edit   bigint NOT NULL DEFAULT 0,
    committed_tokens_at_edit bigint NOT NULL DEFAULT 0,
    version                  bigint NOT NULL DEFAULT 1,
    deleted_at               timestamptz,
    CONSTRAINT cost_within_limit CHECK (
        limit_cost IS NULL OR spent_cost + reserved_cost <= greatest(limit_cost, committed_cost_at_edit)),
    CONSTRAINT tokens_within_limit CHECK (
        limit_tokens IS NULL OR spent_tokens + reserved_tokens <= greatest(limit_tokens, committed_tokens_at_edit))
);

-- The accounts a task's calls are paid from, root first, the task's own last. Fixed at admission.
CREATE TABLE task_accounts (
    task_uid uuid PRIMARY KEY,
    team_uid uuid NOT NULL,
    path     uuid[] NOT NULL
);

CREATE TABLE reservations (
    op_key        text PRIMARY KEY CHECK (length(op_key) <= 253),
    request_hash  text NOT NULL,
    team_uid      uuid NOT NULL,
    task_uid      uuid NOT NULL,
    try_uid       uuid,
    attempt       integer NOT NULL,
    role          text NOT NULL,
    provider      text NOT NULL,
    model         text NOT NULL,
    prompt_digest text NOT NULL,
    path          uuid[] NOT NULL,
    state         text NOT NULL CHECK (state IN ('Reserved', 'Dispatched', 'Settled', 'Released', 'Unknown')),
    cost          bigint NOT NULL CHECK (cost >= 0),
    tokens        bigint NOT NULL CHECK (tokens >= 0),
    -- Settled: what the provider reported. Unknown: the bound, until that is known.
    actual_cost   bigint CHECK (actual_cost >= 0),
    input_tokens  bigint CHECK (input_tokens >= 0),
    output_tokens bigint CHECK (output_tokens >= 0),
    latency_ms    bigint CHECK (latency_ms >= 0),
    lease_until   timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    dispatched_at timestamptz,
    ended_at      timestamptz,
    CONSTRAINT ended_with_a_cost CHECK ((state IN ('Settled', 'Unknown')) = (actual_cost IS NOT NULL))
);
CREATE INDEX reservations_task ON reservations (task_uid);
CREATE INDEX reservations_try ON reservations (try_uid, request_hash);
CREATE INDEX reservations_open ON reservations (lease_until) WHERE state IN ('Reserved', 'Dispatched');

-- golden_service adds rows and moves them on; it deletes nothing, and rewrites nothing that was observed.
GRANT USAGE ON SCHEMA public TO golden_service;
GRANT SELECT ON install TO golden_service;
GRANT SELECT, INSERT, UPDATE ON teams, tasks, desired, accounts TO golden_service;
GRANT SELECT, INSERT ON facts, task_events, outbox, artifacts, task_accounts, reservations TO golden_service;
GRANT UPDATE (consumed_at) ON facts TO golden_service;
GRANT UPDATE (published_at) ON outbox TO golden_service;
GRANT UPDATE (state, actual_cost, input_tokens, output_tokens, latency_ms, lease_until, dispatched_at, ended_at)
    ON reservations TO golden_service;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO golden_service;
