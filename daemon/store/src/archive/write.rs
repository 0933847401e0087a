//! Writes an archive file: a row group a series, each column chunk in the encoding that makes it smallest.
//!
//! Must never: put a file in its place before its bytes are on disk, or write over one that is there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::{Digest, Kind, SeriesKey, Value};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, get_column_writer};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use sha2::{Digest as _, Sha256};

use super::columns::{self, NAMES};
use crate::private;
use crate::reader::StoredReading;

/// Rows of a page: what a reader that wants one day has to decode.
const PAGE_ROWS: usize = 20_000;
/// Rows of a row group; a longer series has several.
const GROUP_ROWS_MAX: usize = 1 << 18;
/// Level of the compressor: above it, files of readings get hardly smaller but much slower to write.
const ZSTD_LEVEL: i32 = 6;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) readings: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
}

/// A file under construction, beside the place it will have.
pub(crate) struct ArchiveWriter {
    place: PathBuf,
    aside: PathBuf,
    writer: SerializedFileWriter<HashedFile>,
    descriptor: SchemaDescriptor,
    readings: u64,
}

/// A file whose bytes are hashed as they go by.
struct HashedFile {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for HashedFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.hash.update(&buf[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ArchiveWriter {
    /// Begins a file that will stand at `place`, which must not exist.
    pub(crate) fn create(place: &Path) -> io::Result<Self> {
        let mut name = place.as_os_str().to_owned();
        name.push(".part");
        let aside = PathBuf::from(name);
        let file = private::create(&aside)?;
        let file = HashedFile { file: BufWriter::new(file), hash: Sha256::new(), bytes: 0 };
        let schema = columns::schema().map_err(io::Error::other)?;
        let descriptor = SchemaDescriptor::new(Arc::clone(&schema));
        let writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties(None))).map_err(io::Error::other)?;
        Ok(Self { place: place.to_owned(), aside, writer, descriptor, readings: 0 })
    }

    /// Adds a series with its readings in order of (observed at, origin). Series come in ascending order, each once.
    pub(crate) fn series(&mut self, key: &SeriesKey, readings: &[StoredReading]) -> io::Result<()> {
        if readings.is_empty() {
            return Ok(());
        }
        self.readings += readings.len() as u64;
        readings
            .chunks(GROUP_ROWS_MAX)
            .try_for_each(|rows| self.row_group(key, rows))
            .map_err(io::Error::other)
    }

    fn row_group(&mut self, key: &SeriesKey, readings: &[StoredReading]) -> Result<(), ParquetError> {
        let data = Rows::of(key, readings);
        let mut group = self.writer.next_row_group()?;
        for (column, name) in NAMES.iter().enumerate() {
            let mut best: Option<(Bytes, ColumnCloseResult)> = None;
            for &encoding in data.encodings(column) {
                let chunk = chunk(&self.descriptor, column, name, encoding, &data)?;
                if best.as_ref().is_none_or(|(bytes, _)| chunk.0.len() < bytes.len()) {
                    best = Some(chunk);
                }
            }
            if let Some((bytes, close)) = best {
                group.append_column(&bytes, close)?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// Puts the file in its place, on disk with its directory.
    pub(crate) fn finish(self) -> io::Result<Written> {
        let file = self.writer.into_inner().map_err(io::Error::other)?;
        let HashedFile { file, hash, bytes } = file;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        put_in_place(&self.aside, &self.place, |aside, place| fs::hard_link(aside, place))?;
        if let Some(directory) = self.place.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Written { readings: self.readings, bytes, sha256: Digest(hash.finalize().into()) })
    }
}

/// The kernel's number for what is not permitted, which is also what Linux says of a file system without hard links.
const NOT_PERMITTED: i32 = 1;

/// Gives a file its name, unless there is one of that name: a file of the archive is never replaced.
fn put_in_place(
    aside: &Path,
    place: &Path,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    match link(aside, place) {
        // A link fails where a rename would write over.
        Ok(()) => fs::remove_file(aside),
        Err(error)
            if error.raw_os_error() == Some(NOT_PERMITTED) || error.kind() == io::ErrorKind::Unsupported =>
        {
            // Without links (FAT, some network and FUSE mounts) a look must do: the store's lock keeps others away.
            if fs::symlink_metadata(place).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(aside, place)
        }
        Err(error) => Err(error),
    }
}

/// The rows of one series, column by column.
struct Rows {
    texts: [ByteArray; 3],
    at: Vec<i64>,
    origin: Vec<ByteArray>,
    quality: Vec<ByteArray>,
    delay: Vec<i64>,
    value: Vec<i64>,
    scale: i32,
    exact: Vec<f64>,
    is_total: bool,
}

impl Rows {
    fn of(key: &SeriesKey, readings: &[StoredReading]) -> Self {
        let gauges = || {
            readings.iter().filter_map(|r| match r.value {
                Value::Gauge(value) => Some(value),
                Value::Total(_) => None,
            })
        };
        let scale = columns::common_scale(gauges())
            .filter(|&scale| gauges().all(|value| columns::scaled(value, scale).is_some()));
        let value = readings.iter().map(|r| match r.value {
            Value::Total(total) => total,
            Value::Gauge(gauge) => scale.and_then(|scale| columns::scaled(gauge, scale)).unwrap_or(0),
        });
        Self {
            texts: [
                ByteArray::from(key.meter.as_str()),
                ByteArray::from(key.channel.quantity.code()),
                ByteArray::from(key.channel.phase.code()),
            ],
            at: readings.iter().map(|r| r.observed_at.millis()).collect(),
            origin: readings.iter().map(|r| ByteArray::from(r.origin.code())).collect(),
            quality: readings.iter().map(|r| ByteArray::from(r.quality.code())).collect(),
            delay: readings.iter().map(|r| r.received_at.millis() - r.observed_at.millis()).collect(),
            value: value.collect(),
            scale: scale.map_or(0, i32::from),
            exact: if scale.is_none() { gauges().collect() } else { Vec::new() },
            is_total: key.channel.quantity.kind() == Kind::Total,
        }
    }

    /// What is tried for a column; `None` is a dictionary.
    const fn encodings(&self, column: usize) -> &'static [Option<Encoding>] {
        match column {
            columns::AT => &[Some(Encoding::DELTA_BINARY_PACKED)],
            columns::DELAY => &[None, Some(Encoding::DELTA_BINARY_PACKED), Some(Encoding::BYTE_STREAM_SPLIT)],
            columns::VALUE if self.is_total => {
                &[Some(Encoding::DELTA_BINARY_PACKED), Some(Encoding::BYTE_STREAM_SPLIT)]
            }
            columns::VALUE => &[Some(Encoding::BYTE_STREAM_SPLIT), Some(Encoding::DELTA_BINARY_PACKED), None],
            columns::EXACT => &[Some(Encoding::BYTE_STREAM_SPLIT), None],
            _ => &[None],
        }
    }

    fn write(&self, column: usize, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let rows = self.at.len();
        match (column, writer) {
            (columns::METER | columns::QUANTITY | columns::PHASE, ColumnWriter::ByteArrayColumnWriter(w)) => {
                w.write_batch(&vec![self.texts[column].clone(); rows], None, None)?
            }
            (columns::AT, ColumnWriter::Int64ColumnWriter(w)) => w.write_batch(&self.at, None, None)?,
            (columns::ORIGIN, ColumnWriter::ByteArrayColumnWriter(w)) => {
                w.write_batch(&self.origin, None, None)?
            }
            (columns::QUALITY, ColumnWriter::ByteArrayColumnWriter(w)) => {
                w.write_batch(&self.quality, None, None)?
            }
            (columns::DELAY, ColumnWriter::Int64ColumnWriter(w)) => w.write_batch(&self.delay, None, None)?,
            (columns::VALUE, ColumnWriter::Int64ColumnWriter(w)) => w.write_batch(&self.value, None, None)?,
            (columns::SCALE, ColumnWriter::Int32ColumnWriter(w)) => {
                w.write_batch(&vec![self.scale; rows], None, None)?
            }
            (columns::EXACT, ColumnWriter::DoubleColumnWriter(w)) => {
                let present = i16::from(!self.exact.is_empty());
                w.write_batch(&self.exact, Some(&vec![present; rows]), None)?
            }
            _ => {
                return Err(ParquetError::General(format!("column {column} has another type than its data")));
            }
        };
        Ok(())
    }
}

/// One column chunk, encoded in memory.
fn chunk(
    descriptor: &SchemaDescriptor,
    column: usize,
    name: &str,
    encoding: Option<Encoding>,
    rows: &Rows,
) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
    let mut sink = TrackedWrite::new(Vec::new());
    let close = {
        let page_writer = Box::new(SerializedPageWriter::new(&mut sink));
        let properties = Arc::new(properties(encoding.map(|encoding| (name, encoding))));
        let mut writer = get_column_writer(descriptor.column(column), properties, page_writer);
        rows.write(column, &mut writer)?;
        match writer {
            ColumnWriter::ByteArrayColumnWriter(w) => w.close()?,
            ColumnWriter::Int32ColumnWriter(w) => w.close()?,
            ColumnWriter::Int64ColumnWriter(w) => w.close()?,
            ColumnWriter::DoubleColumnWriter(w) => w.close()?,
            _ => return Err(ParquetError::General(format!("column {name} has a type that is not used"))),
        }
    };
    Ok((Bytes::from(sink.into_inner()?), close))
}

fn properties(encoding: Option<(&str, Encoding)>) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("consuntivo".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_data_page_row_count_limit(PAGE_ROWS);
    if let Some((name, encoding)) = encoding {
        let path = ColumnPath::from(name);
        builder =
            builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_with_and_without_links_and_never_takes_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let (aside, place) = (folder.path().join("a.part"), folder.path().join("a"));
        let answers = [None, Some(NOT_PERMITTED), Some(95)];
        for answer in answers {
            let link = |from: &Path, to: &Path| match answer {
                None => fs::hard_link(from, to),
                Some(number) => Err(io::Error::from_raw_os_error(number)),
            };
            fs::write(&aside, "new").unwrap();
            put_in_place(&aside, &place, link).unwrap();
            assert_eq!((fs::read(&place).unwrap(), aside.exists()), (b"new".to_vec(), false), "{answer:?}");
            fs::write(&place, "old").unwrap();
            fs::write(&aside, "new").unwrap();
            let error = put_in_place(&aside, &place, link).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{answer:?}");
            assert_eq!(fs::read(&place).unwrap(), b"old", "{answer:?}");
            fs::remove_file(&place).unwrap();
        }
        // A disk that fails is no disk without links.
        let error = put_in_place(&aside, &place, |_, _| Err(io::Error::from_raw_os_error(5))).unwrap_err();
        assert_eq!((error.raw_os_error(), place.exists()), (Some(5), false));
    }
}
