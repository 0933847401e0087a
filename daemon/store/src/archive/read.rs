//! Reads an archive file: which series it has, and a series' readings of a span, a batch at a time.
//!
//! Must never: trust the file more than its types allow; what cannot be a reading is an error. Or move a file's
//! position: several threads read one open file at a time.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use model::{Channel, Instant, Kind, MeterId, Origin, Phase, Quality, Quantity, SeriesKey};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::columns;
use crate::reader::StoredReading;

/// Rows decoded at a time.
pub(crate) const BATCH_ROWS: usize = 8_192;

/// A file that is read at positions. The library's own reader of files shares one position between threads.
struct Positioned {
    file: Arc<File>,
    length: u64,
}

/// Reads on from a position.
struct From {
    file: Arc<File>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buf, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Positioned {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(From { file: Arc::clone(&self.file), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.length);
        if end.is_none() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.length)));
        }
        let mut buf = vec![0; length];
        self.file.read_exact_at(&mut buf, start)?;
        Ok(Bytes::from(buf))
    }
}

/// An open file.
pub(crate) struct ArchiveFile {
    reader: SerializedFileReader<Positioned>,
    /// Series of each row group, ascending; a long series has several groups.
    series: Vec<SeriesKey>,
}

impl std::fmt::Debug for ArchiveFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveFile").field("groups", &self.series.len()).finish_non_exhaustive()
    }
}

impl ArchiveFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let file = Positioned { file: Arc::new(file), length };
        let reader = SerializedFileReader::new(file).map_err(io::Error::other)?;
        let groups = reader.metadata().row_groups();
        let series = groups.iter().map(series_of).collect::<Option<Vec<_>>>();
        let series = series.ok_or_else(|| damaged("a row group that names no series"))?;
        Ok(Self { reader, series })
    }

    /// Readings of the whole file, as its footer counts them.
    pub(crate) fn rows_in_all(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// Every series of the file, ascending, each once.
    pub(crate) fn series(&self) -> Vec<SeriesKey> {
        let mut all = self.series.clone();
        all.dedup();
        all
    }

    /// The row groups of a series, in order of time; empty when the file has none of it.
    pub(crate) fn groups(&self, series: &SeriesKey) -> Range<usize> {
        let first = self.series.partition_point(|s| s < series);
        first..first + self.series[first..].partition_point(|s| s == series)
    }

    /// The readings of a row group.
    pub(crate) fn rows(&self, group: usize) -> io::Result<SeriesRows<'_>> {
        let key = self.series.get(group).ok_or_else(|| damaged("fewer row groups than asked for"))?;
        let rows = self.reader.get_row_group(group).map_err(io::Error::other)?;
        SeriesRows::new(rows, key.channel.quantity.kind() == Kind::Total).map_err(io::Error::other)
    }

    /// The times of the first and the last reading of a row group, out of its statistics.
    pub(crate) fn span(&self, group: usize) -> Option<(Instant, Instant)> {
        let column = self.reader.metadata().row_groups().get(group)?.column(columns::AT);
        match column.statistics()? {
            Statistics::Int64(s) => {
                Some((Instant::from_millis(*s.min_opt()?), Instant::from_millis(*s.max_opt()?)))
            }
            _ => None,
        }
    }
}

/// The series of a row group, out of the statistics of its three text columns.
fn series_of(group: &RowGroupMetaData) -> Option<SeriesKey> {
    let text = |column: usize| -> Option<String> {
        match group.column(column).statistics()? {
            Statistics::ByteArray(s) if s.min_opt() == s.max_opt() => {
                s.min_opt().and_then(|text| text.as_utf8().ok()).map(str::to_owned)
            }
            _ => None,
        }
    };
    Some(SeriesKey {
        meter: MeterId::new(&text(columns::METER)?).ok()?,
        channel: Channel {
            quantity: Quantity::parse(&text(columns::QUANTITY)?)?,
            phase: Phase::parse(&text(columns::PHASE)?)?,
        },
    })
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive file holds {what}"))
}

/// The rows of one series, from the first to the last.
pub(crate) struct SeriesRows<'a> {
    _file: std::marker::PhantomData<&'a ArchiveFile>,
    at: ColumnReader,
    origin: Rows<Origin>,
    quality: Rows<Quality>,
    delay: Rows<i64>,
    value: ColumnReader,
    scale: Rows<i32>,
    exact: Rows<Option<f64>>,
    left: usize,
    is_total: bool,
}

impl<'a> SeriesRows<'a> {
    fn new(group: Box<dyn RowGroupReader + 'a>, is_total: bool) -> Result<Self, ParquetError> {
        let column = |index| group.get_column_reader(index);
        let meta = group.metadata();
        let origin = Rows::of(same_text(meta, columns::ORIGIN).and_then(|text| origin_of(&text)), || {
            column(columns::ORIGIN)
        })?;
        let quality = Rows::of(same_text(meta, columns::QUALITY).and_then(|text| quality_of(&text)), || {
            column(columns::QUALITY)
        })?;
        let delay = Rows::of(same_long(meta, columns::DELAY), || column(columns::DELAY))?;
        let scale = Rows::of(same_int(meta, columns::SCALE), || column(columns::SCALE))?;
        let exact = Rows::of(all_empty(meta, columns::EXACT).then_some(None), || column(columns::EXACT))?;
        let (at, value) = (column(columns::AT)?, column(columns::VALUE)?);
        let left = usize::try_from(meta.num_rows()).unwrap_or(0);
        Ok(Self {
            _file: std::marker::PhantomData,
            at,
            origin,
            quality,
            delay,
            value,
            scale,
            exact,
            left,
            is_total,
        })
    }

    /// Passes over all rows but the last, by whole pages where a column has them.
    pub(crate) fn skip_to_last(&mut self) -> io::Result<()> {
        let rows = self.left.saturating_sub(1);
        for column in [&mut self.at, &mut self.value] {
            skip(column, rows)?;
        }
        self.origin.skip(rows)?;
        self.quality.skip(rows)?;
        self.delay.skip(rows)?;
        self.scale.skip(rows)?;
        self.exact.skip(rows)?;
        self.left -= rows;
        Ok(())
    }

    /// Appends the next batch to `to`; `false` at the end.
    pub(crate) fn next(&mut self, to: &mut Vec<StoredReading>) -> io::Result<bool> {
        let rows = self.left.min(BATCH_ROWS);
        if rows == 0 {
            return Ok(false);
        }
        let at = longs(&mut self.at, rows)?;
        let origin = self.origin.next(rows, |column, rows| texts(column, rows, origin_of))?;
        let quality = self.quality.next(rows, |column, rows| texts(column, rows, quality_of))?;
        let delay = self.delay.next(rows, longs)?;
        let value = longs(&mut self.value, rows)?;
        let scale = self.scale.next(rows, ints)?;
        let exact = self.exact.next(rows, doubles)?;
        to.reserve(rows);
        for row in 0..rows {
            let number = columns::number(value[row], scale[row], exact[row], self.is_total);
            let received = at[row].checked_add(delay[row]);
            to.push(StoredReading {
                observed_at: Instant::from_millis(at[row]),
                received_at: Instant::from_millis(received.ok_or_else(|| damaged("a time out of range"))?),
                value: number.ok_or_else(|| damaged("a scale that is not used"))?,
                quality: quality[row],
                origin: origin[row],
            });
        }
        self.left -= rows;
        Ok(true)
    }
}

fn origin_of(text: &str) -> Option<Origin> {
    Origin::ALL.into_iter().find(|origin| origin.code() == text)
}

fn quality_of(text: &str) -> Option<Quality> {
    Quality::ALL.into_iter().find(|quality| quality.code() == text)
}

/// The rows of a column in one row group. Where its statistics say that all are the same it is not decoded: most series
/// have one origin, one quality and one scale, and words cost more to decode than numbers.
#[expect(clippy::large_enum_variant, reason = "one for each column that is read, never many")]
enum Rows<T> {
    Same(T),
    Each(ColumnReader),
}

impl<T: Clone> Rows<T> {
    fn of(
        same: Option<T>,
        column: impl FnOnce() -> Result<ColumnReader, ParquetError>,
    ) -> Result<Self, ParquetError> {
        same.map_or_else(|| column().map(Self::Each), |same| Ok(Self::Same(same)))
    }

    fn next(
        &mut self,
        rows: usize,
        decode: impl FnOnce(&mut ColumnReader, usize) -> io::Result<Vec<T>>,
    ) -> io::Result<Vec<T>> {
        match self {
            Self::Same(same) => Ok(vec![same.clone(); rows]),
            Self::Each(column) => decode(column, rows),
        }
    }

    fn skip(&mut self, rows: usize) -> io::Result<()> {
        match self {
            Self::Same(_) => Ok(()),
            Self::Each(column) => skip(column, rows),
        }
    }
}

fn skip(column: &mut ColumnReader, rows: usize) -> io::Result<()> {
    let skipped = match column {
        ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows),
        _ => return Err(damaged("a column of another type")),
    };
    if skipped.map_err(io::Error::other)? == rows { Ok(()) } else { Err(short()) }
}

/// The one word that a column of a row group has.
fn same_text(group: &RowGroupMetaData, column: usize) -> Option<String> {
    match group.column(column).statistics()? {
        Statistics::ByteArray(s) if s.min_is_exact() && s.max_is_exact() && s.min_opt() == s.max_opt() => {
            s.min_opt().and_then(|text| text.as_utf8().ok()).map(str::to_owned)
        }
        _ => None,
    }
}

fn same_long(group: &RowGroupMetaData, column: usize) -> Option<i64> {
    match group.column(column).statistics()? {
        Statistics::Int64(s) if s.min_opt() == s.max_opt() => s.min_opt().copied(),
        _ => None,
    }
}

fn same_int(group: &RowGroupMetaData, column: usize) -> Option<i32> {
    match group.column(column).statistics()? {
        Statistics::Int32(s) if s.min_opt() == s.max_opt() => s.min_opt().copied(),
        _ => None,
    }
}

/// Whether no row of the group has a value in the column.
fn all_empty(group: &RowGroupMetaData, column: usize) -> bool {
    let empty = group.column(column).statistics().and_then(Statistics::null_count_opt);
    empty.is_some() && empty == u64::try_from(group.num_rows()).ok()
}

fn short() -> io::Error {
    damaged("fewer rows in a column than its row group says")
}

fn longs(reader: &mut ColumnReader, rows: usize) -> io::Result<Vec<i64>> {
    let ColumnReader::Int64ColumnReader(reader) = reader else {
        return Err(damaged("a column of another type"));
    };
    let mut values = Vec::with_capacity(rows);
    fill::<Int64Type>(reader, rows, &mut values)?;
    Ok(values)
}

fn ints(reader: &mut ColumnReader, rows: usize) -> io::Result<Vec<i32>> {
    let ColumnReader::Int32ColumnReader(reader) = reader else {
        return Err(damaged("a column of another type"));
    };
    let mut values = Vec::with_capacity(rows);
    fill::<Int32Type>(reader, rows, &mut values)?;
    Ok(values)
}

fn fill<T: parquet::data_type::DataType>(
    reader: &mut parquet::column::reader::ColumnReaderImpl<T>,
    rows: usize,
    values: &mut Vec<T::T>,
) -> io::Result<()> {
    while values.len() < rows {
        let (records, _, _) =
            reader.read_records(rows - values.len(), None, None, values).map_err(io::Error::other)?;
        if records == 0 {
            return Err(short());
        }
    }
    Ok(())
}

/// Closed lists stand as words; neighbours are nearly always the same one.
fn texts<T: Copy>(
    reader: &mut ColumnReader,
    rows: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> io::Result<Vec<T>> {
    let ColumnReader::ByteArrayColumnReader(reader) = reader else {
        return Err(damaged("a column of another type"));
    };
    let mut values: Vec<ByteArray> = Vec::with_capacity(rows);
    fill(reader, rows, &mut values)?;
    let mut parsed = Vec::with_capacity(rows);
    let mut last: Option<(&[u8], T)> = None;
    for value in &values {
        let word = match last {
            Some((bytes, word)) if bytes == value.data() => word,
            _ => {
                let text = value.as_utf8().map_err(|_| damaged("a word that is no text"))?;
                parse(text).ok_or_else(|| damaged("a word that this version does not know"))?
            }
        };
        last = Some((value.data(), word));
        parsed.push(word);
    }
    Ok(parsed)
}

fn doubles(reader: &mut ColumnReader, rows: usize) -> io::Result<Vec<Option<f64>>> {
    let ColumnReader::DoubleColumnReader(reader) = reader else {
        return Err(damaged("a column of another type"));
    };
    let (mut values, mut levels) = (Vec::new(), Vec::with_capacity(rows));
    while levels.len() < rows {
        let (records, _, _) = reader
            .read_records(rows - levels.len(), Some(&mut levels), None, &mut values)
            .map_err(io::Error::other)?;
        if records == 0 {
            return Err(short());
        }
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level == 0 { None } else { values.next() }).collect())
}
