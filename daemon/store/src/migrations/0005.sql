-- Schema 5: results made of readings, kept to save the making. Frozen: a later need is a later migration.

-- `mark` is the number of changes (see docs/store.md) up to which the readings behind the body were seen; `fingerprint`
-- is whoever made it: rules, settings, people's acts. Everything here can be dropped at any time.
CREATE TABLE result (
    kind TEXT NOT NULL,
    meter TEXT NOT NULL,
    quantity TEXT NOT NULL,
    phase TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    mark INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, meter, quantity, phase, at_ms)
) STRICT, WITHOUT ROWID;
