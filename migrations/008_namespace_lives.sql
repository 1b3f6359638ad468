-- A namespace made anew under an old name is another one: its readers see nothing of the teams before it.
ALTER TABLE teams ADD COLUMN namespace_uid uuid;

-- The teams of each namespace as it is now, deleted ones included: those of the uid that its newest team has.
CREATE VIEW present_teams AS
SELECT t.team_uid, t.namespace
FROM teams t
WHERE t.namespace_uid IS NOT DISTINCT FROM
      (SELECT n.namespace_uid FROM teams n WHERE n.namespace = t.namespace ORDER BY n.created_at DESC LIMIT 1);
GRANT SELECT ON present_teams TO golden_service;
