-- Schema 2. Frozen: a later need is a later migration.

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
