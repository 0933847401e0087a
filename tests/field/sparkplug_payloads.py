"""Sparkplug B payloads by pysparkplug, which shares no code with the decoder under test: one a line, as
`TYPE hexadecimal`. Must never: import anything of this repository."""

import pysparkplug as spb

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
HOUR = 3_600_000


def metric(at, name, datatype, value, alias=None, **more):
    return spb.Metric(timestamp=at, name=name, datatype=datatype, value=value, alias=alias, **more)


def long(at, name, value, alias, **more):
    return metric(at, name, spb.DataType.INT64, value, alias, **more)


death = metric(T0, "bdSeq", spb.DataType.INT64, 0)
power = metric(T0, "active_power_w", spb.DataType.FLOAT, 1500.5, 8)
energy = "active_energy_import_kwh"
payloads = [
    ("NBIRTH", spb.NBirth(timestamp=T0, seq=0, metrics=(death,))),
    ("DBIRTH", spb.DBirth(timestamp=T0, seq=1, metrics=(long(T0, energy, 1000, 7), power))),
    ("DDATA", spb.DData(timestamp=T0 + HOUR, seq=2, metrics=(long(T0 + HOUR, None, 1010, 7),))),
    # Late, in one payload with a null and a negative number.
    (
        "DDATA",
        spb.DData(
            timestamp=T0 + 2 * HOUR,
            seq=3,
            metrics=(
                long(T0 + HOUR // 2, None, 1005, 7, is_historical=True),
                metric(T0 + 2 * HOUR, None, spb.DataType.FLOAT, None, 8, is_null=True),
            ),
        ),
    ),
    ("DDATA", spb.DData(timestamp=T0 + 2 * HOUR, seq=4, metrics=(long(T0 + 2 * HOUR, energy, 1020, None),))),
    # 5 is missing: by alias it waits, by name it does not.
    ("DDATA", spb.DData(timestamp=T0 + 3 * HOUR, seq=6, metrics=(long(T0 + 3 * HOUR, None, 1030, 7),))),
    ("DDATA", spb.DData(timestamp=T0 + 4 * HOUR, seq=7, metrics=(long(T0 + 4 * HOUR, energy, 1040, None),))),
    ("DBIRTH", spb.DBirth(timestamp=T0 + 5 * HOUR, seq=8, metrics=(long(T0 + 5 * HOUR, energy, 1050, 17),))),
    ("DDATA", spb.DData(timestamp=T0 + 6 * HOUR, seq=9, metrics=(long(T0 + 6 * HOUR, None, 1060, 17),))),
]
for kind, payload in payloads:
    print(kind, payload.encode().hex())
