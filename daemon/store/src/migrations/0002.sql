-- Schema 2. Frozen: a later need is a later migration.

-- What files say that meters measured: energy of intervals, and totals.

-- Why an import changes what stood before, where a person had to say it.
ALTER TABLE import ADD COLUMN reason TEXT;

-- from_ms, to_ms, at_ms, received_ms: milliseconds since 1970 UTC. amount, total: smallest unit.
-- The meter, quantity and phase stand in `series`, as for readings.
CREATE TABLE filed_interval (
    series INTEGER NOT NULL REFERENCES series (id),
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (series, from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX filed_interval_of_import ON filed_interval (import);

CREATE TABLE filed_interval_replaced (
    series INTEGER NOT NULL REFERENCES series (id),
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    replaced_by INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (import, series, from_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE filed_total (
    series INTEGER NOT NULL REFERENCES series (id),
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (series, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX filed_total_of_import ON filed_total (import);

CREATE TABLE filed_total_replaced (
    series INTEGER NOT NULL REFERENCES series (id),
    at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    import INTEGER NOT NULL REFERENCES import (id),
    replaced_by INTEGER NOT NULL REFERENCES import (id),
    PRIMARY KEY (import, series, at_ms)
) STRICT, WITHOUT ROWID;

-- How a daily mean was made and by which way it came; what was there before came from files that do not say.
ALTER TABLE temperature ADD COLUMN definition TEXT NOT NULL DEFAULT 'as_given';
ALTER TABLE temperature ADD COLUMN source TEXT NOT NULL DEFAULT 'file';
ALTER TABLE temperature_replaced ADD COLUMN definition TEXT NOT NULL DEFAULT 'as_given';
ALTER TABLE temperature_replaced ADD COLUMN source TEXT NOT NULL DEFAULT 'file';

-- When a weather service last answered for a day, with a value or without: what need not be asked again.
-- `asked` names service, place and kind of mean; another one is asked anew.
CREATE TABLE weather_asked (
    station TEXT NOT NULL,
    asked TEXT NOT NULL,
    day TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (station, asked, day)
) STRICT, WITHOUT ROWID;

-- What became of the readings that were to come, per meter and civil month.
-- month: 2025-03, as whoever counts it sees it. what: a word of the loss budget.
CREATE TABLE tally (
    meter TEXT NOT NULL,
    month TEXT NOT NULL,
    what TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (meter, month, what)
) STRICT, WITHOUT ROWID;

-- Up to which instant the readings expected of a meter are in the tally.
CREATE TABLE tally_until (
    meter TEXT NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Payloads in quarantine know their link and meter.
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
