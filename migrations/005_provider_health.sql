-- How each replica of the gateway fares with each ModelProvider. Present state, no record: rows of replicas that are gone
-- stop being seen, do not count any more, and are removed. A provider belongs to no team.
CREATE TABLE provider_health (
    provider_uid uuid NOT NULL,
    replica      text NOT NULL CHECK (length(replica) BETWEEN 1 AND 253),
    namespace    text NOT NULL,
    name         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN')),
    failures     bigint NOT NULL CHECK (failures >= 0),
    -- A reason of ModelProvider's condition Reachable; none where it answers.
    trouble      text CHECK (trouble IN ('EndpointUnreachable', 'KeyRefused', 'BreakerOpen')),
    message      text NOT NULL DEFAULT '' CHECK (length(message) <= 1024),
    since        timestamptz NOT NULL DEFAULT now(),
    seen         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider_uid, replica)
);
CREATE INDEX provider_health_namespace ON provider_health (namespace, name);
CREATE INDEX provider_health_seen ON provider_health (seen);
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_health TO golden_service;
