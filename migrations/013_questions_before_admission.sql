-- Questions about tasks that are not admitted yet: of attempt 0. The operator asks and closes them.
ALTER TABLE escalations
    -- Such a task has no row of its own.
    ADD COLUMN task_name text,
    -- The Decision that resolved it. Those of other questions are facts.
    ADD COLUMN answer jsonb,
    ADD CONSTRAINT named_before_admission CHECK (attempt > 0 OR task_name IS NOT NULL),
    ADD CONSTRAINT answered_before_admission CHECK (attempt > 0 OR (state = 'Resolved') = (answer IS NOT NULL));
CREATE UNIQUE INDEX escalations_before_admission ON escalations (task_uid) WHERE attempt = 0 AND state = 'Open';
CREATE INDEX escalations_of_unadmitted ON escalations (task_uid, created_at) WHERE attempt = 0;
CREATE UNIQUE INDEX escalations_answers ON escalations ((answer->>'decisionUid'));
GRANT UPDATE (answer) ON escalations TO golden_service;
