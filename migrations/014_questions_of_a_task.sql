-- Track records read the questions about results too, not only those before admission.
CREATE INDEX escalations_of_task ON escalations (task_uid, attempt, created_at);
DROP INDEX escalations_of_unadmitted;
