-- Of what the delimiters and canaries of a review's questions are made. The database draws it when the review is
-- opened, and only peer-hub reads it: neither who wrote the material nor code that ran on it can know it.
ALTER TABLE reviews
    ADD COLUMN nonce uuid NOT NULL DEFAULT gen_random_uuid();
