-- Peer review, escalations and dead letters.

-- One round of review of one result. The request is what voters were asked, the decision what came of it.
CREATE TABLE reviews (
    task_uid   uuid NOT NULL,
    attempt    integer NOT NULL CHECK (attempt > 0),
    round      integer NOT NULL CHECK (round > 0),
    team_uid   uuid NOT NULL,
    digest     text NOT NULL,
    request    jsonb NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    closes_at  timestamptz NOT NULL,
    decision   jsonb,
    decided_at timestamptz,
    PRIMARY KEY (task_uid, attempt, round)
);

-- Exactly one accepted ballot per round, voter and digest.
CREATE TABLE ballots (
    task_uid      uuid NOT NULL,
    attempt       integer NOT NULL,
    round         integer NOT NULL,
    voter         text NOT NULL CHECK (length(voter) <= 253),
    digest        text NOT NULL,
    team_uid      uuid NOT NULL,
    model         text NOT NULL,
    ballot        jsonb NOT NULL,
    raw           text NOT NULL,
    prompt_digest text NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_uid, attempt, round, voter, digest)
);

-- A question to a person: reason, evidence, options, owner, deadline and what counts if nobody answers.
CREATE TABLE escalations (
    escalation_id  uuid PRIMARY KEY,
    team_uid       uuid NOT NULL,
    task_uid       uuid NOT NULL,
    attempt        integer NOT NULL,
    reason         text NOT NULL,
    evidence       jsonb NOT NULL,
    options        jsonb NOT NULL,
    owner          text NOT NULL,
    digest         text NOT NULL,
    deadline       timestamptz NOT NULL,
    default_option text NOT NULL,
    state          text NOT NULL DEFAULT 'Open' CHECK (state IN ('Open', 'Resolved', 'Defaulted', 'Withdrawn')),
    chosen         text,
    resolved_by    text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    resolved_at    timestamptz,
    CONSTRAINT open_or_ended CHECK ((state = 'Open') = (resolved_at IS NULL))
);
CREATE INDEX escalations_open ON escalations (team_uid, deadline) WHERE state = 'Open';

-- What could not be processed, with its reason: never nowhere.
CREATE TABLE dead_letters (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_uid   uuid NOT NULL,
    stream     text NOT NULL,
    stream_seq bigint NOT NULL,
    subject    text NOT NULL,
    payload    jsonb NOT NULL,
    reason     text NOT NULL,
    state      text NOT NULL DEFAULT 'Held' CHECK (state IN ('Held', 'Replayed', 'Discarded')),
    at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (stream, stream_seq)
);

GRANT SELECT, INSERT ON reviews, ballots, escalations, dead_letters TO golden_service;
GRANT UPDATE (decision, decided_at) ON reviews TO golden_service;
GRANT UPDATE (state, chosen, resolved_by, resolved_at) ON escalations TO golden_service;
GRANT UPDATE (state) ON dead_letters TO golden_service;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO golden_service;
