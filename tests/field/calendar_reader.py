"""Reads an iCalendar object from standard input with a parser that this project did not write (icalendar).

Prints one line an event: day, uid, summary. Fails on anything that the parser finds wrong.
Must never: mend what it reads.
"""

import sys

from icalendar import Calendar

data = sys.stdin.buffer.read()
assert all(len(line) <= 75 for line in data.split(b"\r\n")), "a line is longer than 75 octets"
calendar = Calendar.from_ical(data)
assert calendar["VERSION"] == "2.0" and calendar["PRODID"], "head of the calendar"
assert not calendar.errors, calendar.errors
seen = set()
for event in calendar.walk("VEVENT"):
    assert not event.errors, event.errors
    uid = str(event["UID"])
    assert uid not in seen, f"{uid} stands there twice"
    seen.add(uid)
    assert (event["DTEND"].dt - event["DTSTART"].dt).days == 1, "an event of one whole day"
    assert event["DTSTAMP"].dt.tzinfo is not None, "a time stamp in UTC"
    print(event["DTSTART"].dt.isoformat(), uid, str(event["SUMMARY"]), sep="\t")
