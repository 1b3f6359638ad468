-- Budgets with periods: the ledger begins a new one when the present one has ended, in the zone of the Budget.
ALTER TABLE accounts
    ADD COLUMN period       text NOT NULL DEFAULT 'Total' CHECK (period IN ('Total', 'Day', 'Week', 'Month')),
    ADD COLUMN time_zone    text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) <= 64),
    -- The present period. None before the first call, after an edit of the period, and where the limit counts for ever.
    ADD COLUMN period_start timestamptz,
    ADD COLUMN period_end   timestamptz,
    ADD CONSTRAINT a_period_has_both_ends CHECK ((period_start IS NULL) = (period_end IS NULL));

-- Who spends from a Budget is found by its tasks: one entry per task, none per call.
CREATE INDEX task_accounts_path ON task_accounts USING gin (path);
