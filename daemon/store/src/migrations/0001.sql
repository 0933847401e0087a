-- Schema 1. Frozen: a later need is a later migration.

-- Small numbers that must change in the same transaction as the rows they speak of.
CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES
    ('shared_commits', 0),
    ('quarantine_rows', 0),
    ('quarantine_bytes', 0),
    ('quarantine_dropped', 0);

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    meter TEXT NOT NULL,
    quantity TEXT NOT NULL,
    phase TEXT NOT NULL,
    UNIQUE (meter, quantity, phase)
) STRICT;

-- at_ms: observed, milliseconds since 1970 UTC. delay_ms: received minus observed.
-- value: INTEGER for totals (smallest unit), REAL for gauges.
-- `series` is no foreign key: its id comes from the same transaction, and a check per reading is not free.
CREATE TABLE reading (
    series INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    value ANY NOT NULL,
    PRIMARY KEY (series, at_ms, origin)
) STRICT, WITHOUT ROWID;

-- Values that came later under the identity of a reading: kept, never used in its place.
CREATE TABLE conflict (
    series INTEGER NOT NULL REFERENCES series (id),
    at_ms INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    value ANY NOT NULL,
    quality INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    PRIMARY KEY (series, at_ms, origin, value)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: the number of a dropped item is never given again.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    origin INTEGER NOT NULL,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,
    payload_length INTEGER NOT NULL,
    cost INTEGER NOT NULL
) STRICT;

-- Every change of what people declare, each entry with the hash of the one before.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    author TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    content BLOB NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE record_version (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    author TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    audit INTEGER NOT NULL REFERENCES audit (seq),
    PRIMARY KEY (kind, id, version)
) STRICT;

CREATE TABLE import (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    source_name TEXT NOT NULL,
    source_sha256 BLOB NOT NULL,
    author TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    audit INTEGER NOT NULL REFERENCES audit (seq)
) STRICT;

-- Days are ISO dates; to_day is the first day after the period.
CREATE TABLE bill (
    supply_point TEXT NOT NULL,
    from_day TEXT NOT NULL,
    to_day TEXT NOT NULL,
    amount INTEGER NOT NULL,
    unit TEXT NOT NULL,
    quality TEXT NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (supply_point, from_day, to_day)
) STRICT, WITHOUT ROWID;
CREATE INDEX bill_of_import ON bill (import);

CREATE TABLE bill_replaced (
    supply_point TEXT NOT NULL,
    from_day TEXT NOT NULL,
    to_day TEXT NOT NULL,
    amount INTEGER NOT NULL,
    unit TEXT NOT NULL,
    quality TEXT NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    replaced_by INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (import, supply_point, from_day, to_day)
) STRICT, WITHOUT ROWID;

CREATE TABLE temperature (
    station TEXT NOT NULL,
    day TEXT NOT NULL,
    mean_c REAL NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (station, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX temperature_of_import ON temperature (import);

CREATE TABLE temperature_replaced (
    station TEXT NOT NULL,
    day TEXT NOT NULL,
    mean_c REAL NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    replaced_by INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (import, station, day)
) STRICT, WITHOUT ROWID;
