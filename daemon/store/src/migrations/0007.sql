-- Schema 7: alarms. Frozen: a later need is a later migration.

-- One row for each time an alarm was raised. `details` is JSON of names and values; `told` counts what was handed over of
-- the raising (1 mail, 2 webhook) and of the end (4 mail, 8 webhook). What people say about an alarm is a record.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    raised_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    details TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One that lasts per kind and subject.
CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE ended_ms IS NULL;
CREATE INDEX alarm_raised ON alarm (raised_ms);
