-- The ledger decides from what it remembers and writes only if that still holds: every change of an account, by
-- whomever, gives it a new revision.
ALTER TABLE accounts ADD COLUMN revision bigint NOT NULL DEFAULT 1;

CREATE FUNCTION accounts_next_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_revision BEFORE UPDATE ON accounts
    FOR EACH ROW WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION accounts_next_revision();

-- Undoes a statement that was decided from what no longer holds.
CREATE FUNCTION ledger_holds(holds boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF holds THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'what the ledger remembered has changed' USING ERRCODE = 'GL001';
END $$;

-- A call's end changes no column of an index, and finds room beside its beginning: Postgres then touches no index. An
-- index of open leases only would undo that; the sweep remembers instead up to where none is open.
DROP INDEX reservations_open;
CREATE INDEX reservations_lease ON reservations (lease_until);
ALTER TABLE reservations SET (fillfactor = 50);

-- One index where there were two: of a task's calls, and of those among them that asked the same.
DROP INDEX reservations_task;
DROP INDEX reservations_try;
CREATE INDEX reservations_task ON reservations (task_uid, request_hash);

CREATE TABLE lease_sweep (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    swept_until timestamptz NOT NULL
);
INSERT INTO lease_sweep (swept_until) VALUES ('-infinity');
GRANT SELECT, UPDATE ON lease_sweep TO golden_service;
