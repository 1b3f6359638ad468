-- Budgets that ask a person (onExhausted: Ask). What was granted for the present period stands beside the limit, and
-- the table goes on holding the invariant; a period's end takes it back.
ALTER TABLE accounts
    DROP CONSTRAINT accounts_on_exhausted_check,
    ADD CONSTRAINT accounts_on_exhausted_check CHECK (on_exhausted IN ('Pause', 'Ask', 'Fail')),
    ADD COLUMN granted_cost   bigint NOT NULL DEFAULT 0 CHECK (granted_cost >= 0),
    ADD COLUMN granted_tokens bigint NOT NULL DEFAULT 0 CHECK (granted_tokens >= 0),
    -- Who refused more money for this period, in words; its calls that cannot be paid fail. An edit of the limits and
    -- the period's end take it back.
    ADD COLUMN denied         text CHECK (length(denied) BETWEEN 1 AND 1024),
    DROP CONSTRAINT cost_within_limit,
    ADD CONSTRAINT cost_within_limit CHECK (limit_cost IS NULL
        OR spent_cost + reserved_cost <= greatest(limit_cost + granted_cost, committed_cost_at_edit)),
    DROP CONSTRAINT tokens_within_limit,
    ADD CONSTRAINT tokens_within_limit CHECK (limit_tokens IS NULL
        OR spent_tokens + reserved_tokens <= greatest(limit_tokens + granted_tokens, committed_tokens_at_edit));

-- Questions about a Budget, and what became of them. A row that was granted is the grant: one Decision is worth one.
CREATE TABLE budget_questions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_uid    uuid NOT NULL,
    -- metadata.generation of the Budget it was made from.
    generation     bigint NOT NULL,
    digest         text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    -- The account's, when it was asked: a question ends with its period.
    period_start   timestamptz,
    missing_cost   bigint NOT NULL CHECK (missing_cost >= 0),
    missing_tokens bigint NOT NULL CHECK (missing_tokens >= 0),
    grant_cost     bigint NOT NULL CHECK (grant_cost >= missing_cost),
    grant_tokens   bigint NOT NULL CHECK (grant_tokens >= missing_tokens),
    tasks          bigint NOT NULL CHECK (tasks > 0),
    asked_at       timestamptz NOT NULL,
    deadline       timestamptz,
    outcome        text CHECK (outcome IN ('Granted', 'Denied', 'Expired', 'Ended', 'Withdrawn')),
    closed_at      timestamptz,
    decision_uid   uuid UNIQUE,
    decided_by     text,
    CONSTRAINT closed_with_an_outcome CHECK ((outcome IS NULL) = (closed_at IS NULL)),
    CONSTRAINT answered_by_somebody CHECK (
        (coalesce(outcome, '') IN ('Granted', 'Denied')) = (decision_uid IS NOT NULL)
        AND (decision_uid IS NULL) = (decided_by IS NULL)),
    UNIQUE (account_uid, digest)
);
CREATE UNIQUE INDEX budget_questions_open ON budget_questions (account_uid) WHERE outcome IS NULL;
CREATE INDEX budget_questions_closed ON budget_questions (account_uid, closed_at);

GRANT SELECT, INSERT, UPDATE ON budget_questions TO golden_service;
