-- Schema 2: payloads in quarantine know their link and meter; links remember what they need after a restart.

ALTER TABLE quarantine ADD COLUMN link TEXT NOT NULL DEFAULT '';
-- NULL: kept before meters were noted.
ALTER TABLE quarantine ADD COLUMN meter TEXT;

-- What a link learned and needs after a restart, such as the names a device gave its values. No reading.
CREATE TABLE link_memory (
    link TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (link, key)
) STRICT, WITHOUT ROWID;
