"""Reads an archive as a stranger would: pyarrow and DuckDB, knowing nothing but docs/store.md.

Must never: use anything of the program that wrote it.

    archive_read.py rows FILE...            a line a reading, by pyarrow, after the schema
    archive_read.py sums FOLDER             a line a series, by DuckDB
    archive_read.py command FOLDER WORDS    the answer to a command of the duckdb shell, run in FOLDER
"""

import os
import struct
import sys

import duckdb
import pyarrow.parquet as parquet


def bits(number):
    """A double, bit for bit."""
    return struct.pack(">d", number).hex()


def rows(paths):
    for path in paths:
        file = parquet.ParquetFile(path)
        for field in file.schema_arrow:
            print("schema", field.name, str(field.type).replace(" ", ""), field.nullable, sep="\t")
        for group in range(file.num_row_groups):
            # Decimals as Python's integers and doubles: neither pandas nor NumPy comes between.
            table = file.read_row_group(group)
            instants = table.column("at").cast("int64").to_pylist()
            columns = {name: table.column(name).to_pylist() for name in table.column_names if name != "at"}
            for index, at in enumerate(instants):
                row = {name: values[index] for name, values in columns.items()}
                names = [row["meter"], row["quantity"], row["phase"], at, row["origin"], row["quality"]]
                exact = row["exact"]
                number = row["value"] / 10**row["scale"] if exact is None else exact
                numbers = [row["delay_ms"], row["value"], row["scale"], exact is not None, bits(number)]
                print("row", *names, *numbers, sep="\t")


def sums(folder):
    query = """
        SELECT meter, quantity, phase, count(*), sum(value::HUGEINT)::VARCHAR, sum(epoch_ms("at")::HUGEINT)::VARCHAR,
               epoch_ms(min("at")), epoch_ms(max("at")), sum(delay_ms::HUGEINT)::VARCHAR, count(exact)
        FROM read_parquet($files) GROUP BY ALL ORDER BY ALL
    """
    files = os.path.join(folder, "archive", "*.parquet")
    for row in duckdb.execute(query, {"files": files}).fetchall():
        print("sum", *row, sep="\t")


def command(folder, words):
    assert words[:2] == ["duckdb", "-c"] and len(words) == 3, words
    os.chdir(folder)
    answer = duckdb.sql(words[2])
    print("columns", *answer.columns, sep="\t")
    # Instants as text that no zone of this machine touches.
    instants = answer.project('* REPLACE (epoch_ms("at") AS "at")').fetchall()
    for row in instants:
        print("answer", *row[:-1], bits(row[-1]), sep="\t")


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "rows":
        rows(arguments)
    elif what == "sums":
        sums(arguments[0])
    elif what == "command":
        command(arguments[0], arguments[1:])
    else:
        sys.exit(f"unknown question {what!r}")


main()
