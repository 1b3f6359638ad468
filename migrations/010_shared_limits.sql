-- Whether a replica of the gateway counts a provider's limits together with the others. A reason of ModelProvider's
-- condition LimitsShared; none where it was given no Redis, and counts for itself.
ALTER TABLE provider_health
    ADD COLUMN limits text CHECK (limits IN ('Shared', 'CacheUnreachable'));
